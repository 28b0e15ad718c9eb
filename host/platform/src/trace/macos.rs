//! macOS: `os_signpost`, by the functions that the macros of `os/signpost.h` expand to.
//!
//! There is no crate for it, and a shim in C would need Apple's SDK to build. Names have to be
//! literals of the program, so each kind has one, and what is named goes with it as the
//! message: Instruments shows it in the column of that name.

use crate::os_log::{Arguments, DSO, Handle, PUBLIC_STRING};
use std::ffi::{CString, c_char, c_void};

pub(super) const HOW: &str = "os_signpost";

// libsystem_trace, in libSystem: `os/signpost.h`, macOS 10.14.
unsafe extern "C" {
    fn os_signpost_enabled(log: *mut c_void) -> bool;
    fn _os_signpost_emit_with_name_impl(
        dso: *const c_void,
        log: *mut c_void,
        kind: u8,
        id: u64,
        name: *const c_char,
        format: *const c_char,
        buffer: *const u8,
        size: u32,
    );
}

/// `os_signpost_type_t`.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Event = 0,
    Begin = 1,
    End = 2,
}

/// `OS_SIGNPOST_ID_EXCLUSIVE`.
const EXCLUSIVE: u64 = 0xeeee_b0b5_b2b2_eeee;

/// The signposts of one part of a program.
#[derive(Debug)]
pub(super) struct Signposts {
    log: Handle,
}

impl Signposts {
    pub(super) fn new(subsystem: &'static str) -> Self {
        // `OS_LOG_CATEGORY_POINTS_OF_INTEREST`: in every template of Instruments.
        Self { log: Handle::new(subsystem, "PointsOfInterest") }
    }

    pub(super) fn begin(&self, name: &str, id: u64) {
        self.emit(Kind::Begin, id, c"interval", name);
    }

    pub(super) fn end(&self, name: &str, id: u64) {
        self.emit(Kind::End, id, c"interval", name);
    }

    pub(super) fn event(&self, name: &str) {
        self.emit(Kind::Event, EXCLUSIVE, c"event", name);
    }

    pub(super) fn value(&self, name: &str, value: f64) {
        if self.is_enabled() {
            self.emit(Kind::Event, EXCLUSIVE, c"value", &format!("{name} = {value}"));
        }
    }

    fn is_enabled(&self) -> bool {
        // SAFETY: a log handle, which is never released.
        unsafe { os_signpost_enabled(self.log.as_ptr()) }
    }

    fn emit(&self, kind: Kind, id: u64, name: &'static std::ffi::CStr, message: &str) {
        if !self.is_enabled() {
            return;
        }
        let Ok(message) = CString::new(message.replace('\0', "\u{fffd}")) else { return };
        let arguments = Arguments::string(&message);
        // SAFETY: `os/signpost.h`, `os_signpost_emit_with_type`: the program's own image, a
        // log handle, a literal for the name, a format of one public string, and a buffer
        // encoded for that format which outlives the call, as its string does. The number is
        // neither null nor invalid (0 and all ones): intervals count from 1.
        unsafe {
            _os_signpost_emit_with_name_impl(
                DSO.as_ptr(),
                self.log.as_ptr(),
                kind as u8,
                id,
                name.as_ptr(),
                PUBLIC_STRING.as_ptr().cast(),
                (&raw const arguments).cast(),
                Arguments::SIZE,
            );
        }
    }
}
