//! macOS: activities of the process, QoS classes, `sysctl`.

use super::{Cores, Facts, Kind, MemoryOrder, Qos};
use objc2_foundation::{NSActivityOptions, NSProcessInfo, NSString};
use std::ffi::{CStr, CString};
use std::io;

pub(super) const HOW: &str = "NSProcessInfo activities, QoS classes";

/// The token of an activity.
pub(super) struct Assertion {
    token:
        objc2::rc::Retained<objc2::runtime::ProtocolObject<dyn objc2::runtime::NSObjectProtocol>>,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion").finish_non_exhaustive()
    }
}

impl Assertion {
    pub(super) fn new(kind: Kind, reason: &str) -> io::Result<Self> {
        let options = match kind {
            Kind::UserInitiated => NSActivityOptions::UserInitiatedAllowingIdleSystemSleep,
            Kind::LatencyCritical => {
                NSActivityOptions::UserInitiatedAllowingIdleSystemSleep
                    | NSActivityOptions::LatencyCritical
            }
            Kind::Background => NSActivityOptions::Background,
        };
        let process = NSProcessInfo::processInfo();
        let reason = NSString::from_str(reason);
        Ok(Self { token: process.beginActivityWithOptions_reason(options, &reason) })
    }
}

impl Drop for Assertion {
    fn drop(&mut self) {
        // SAFETY: `NSProcessInfo.h`, `endActivity:`: the token that beginning gave, once.
        unsafe { NSProcessInfo::processInfo().endActivity(&self.token) };
    }
}

pub(super) fn set_thread_qos(qos: Qos) -> io::Result<()> {
    let class = match qos {
        Qos::UserInteractive => libc::qos_class_t::QOS_CLASS_USER_INTERACTIVE,
        Qos::UserInitiated => libc::qos_class_t::QOS_CLASS_USER_INITIATED,
        Qos::Default => libc::qos_class_t::QOS_CLASS_DEFAULT,
        Qos::Utility => libc::qos_class_t::QOS_CLASS_UTILITY,
        Qos::Background => libc::qos_class_t::QOS_CLASS_BACKGROUND,
    };
    // SAFETY: `pthread/qos.h`: a class and a priority relative to it, 0 at most.
    match unsafe { libc::pthread_set_qos_class_self_np(class, 0) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

pub(super) fn facts() -> Facts {
    let apple = number(c"hw.optional.arm64") == Some(1);
    let wired = [c"vm.global_user_wire_limit", c"vm.user_wire_limit"];
    Facts {
        cores: cores(),
        unified_memory: Some(apple),
        memory_order: match cfg!(target_arch = "x86_64") {
            true => MemoryOrder::TotalStore,
            false => MemoryOrder::WeakWithTotalStoreOffered,
        },
        wired_limit: wired.into_iter().filter_map(number).min(),
    }
}

fn cores() -> Vec<Cores> {
    let kinds = number(c"hw.nperflevels").unwrap_or(0);
    let kind = |level| {
        let name = CString::new(format!("hw.perflevel{level}.name")).ok()?;
        let count = CString::new(format!("hw.perflevel{level}.logicalcpu")).ok()?;
        Some(Cores { name: text(&name)?, count: usize::try_from(number(&count)?).ok()? })
    };
    let kinds: Vec<_> = (0..kinds).filter_map(kind).collect();
    if !kinds.is_empty() {
        return kinds;
    }
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![Cores { name: "all".to_owned(), count }]
}

/// A value of `sysctl`, as bytes.
fn value(name: &CStr) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; 256];
    let mut len = bytes.len();
    // SAFETY: `sysctlbyname(3)`: the name ends with NUL; at most `len` bytes are written, and
    // how many goes there.
    let failed = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            bytes.as_mut_ptr().cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    bytes.truncate(len);
    (failed == 0).then_some(bytes)
}

/// Numbers are of 4 or 8 bytes.
fn number(name: &CStr) -> Option<u64> {
    let bytes = value(name)?;
    match bytes.as_slice().try_into() {
        Ok(eight) => Some(u64::from_ne_bytes(eight)),
        Err(_) => bytes.as_slice().try_into().ok().map(|four| u32::from_ne_bytes(four).into()),
    }
}

fn text(name: &CStr) -> Option<String> {
    let bytes = value(name)?;
    CStr::from_bytes_until_nul(&bytes).ok().map(|text| text.to_string_lossy().into_owned())
}
