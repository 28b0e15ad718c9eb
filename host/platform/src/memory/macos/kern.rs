//! Mach's result codes as errors.

use mach2::kern_return::{
    KERN_INVALID_ADDRESS, KERN_INVALID_ARGUMENT, KERN_NO_SPACE, KERN_PROTECTION_FAILURE,
    KERN_RESOURCE_SHORTAGE, KERN_SUCCESS, kern_return_t,
};
use std::io::{Error, ErrorKind, Result};

/// A Mach call's result (`mach/kern_return.h`); the error keeps the code.
pub(crate) fn check(result: kern_return_t) -> Result<()> {
    let kind = match result {
        KERN_SUCCESS => return Ok(()),
        KERN_NO_SPACE | KERN_RESOURCE_SHORTAGE => ErrorKind::OutOfMemory,
        KERN_PROTECTION_FAILURE => ErrorKind::PermissionDenied,
        KERN_INVALID_ADDRESS | KERN_INVALID_ARGUMENT => ErrorKind::InvalidInput,
        _ => ErrorKind::Other,
    };
    Err(Error::new(kind, format!("Mach's result {result}")))
}
