//! What `os_log` and `os_signpost` have in common: handles, and messages as they encode them.

use std::ffi::{CStr, CString, c_char, c_void};

// libsystem_trace, in libSystem: `os/log.h`, macOS 10.12.
unsafe extern "C" {
    fn os_log_create(subsystem: *const c_char, category: *const c_char) -> *mut c_void;
    static __dso_handle: u8;
}

/// A log of the system's. There are few, made once; they are never released.
#[derive(Debug)]
pub(crate) struct Handle(*mut c_void);

// SAFETY: `os_log_t` may be used from any thread (`os/log.h`).
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) fn new(subsystem: &str, category: &str) -> Self {
        let text = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
        let (subsystem, category) = (text(subsystem), text(category));
        // SAFETY: both end with NUL; the call copies them and always returns a handle.
        Self(unsafe { os_log_create(subsystem.as_ptr(), category.as_ptr()) })
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.0
    }
}

/// The image that messages come from, by which the log finds their formats.
pub(crate) struct Dso;

/// This program's image.
pub(crate) const DSO: Dso = Dso;

impl Dso {
    #[expect(clippy::unused_self, reason = "reads as what it is at its callers")]
    pub(crate) fn as_ptr(&self) -> *const c_void {
        (&raw const __dso_handle).cast()
    }
}

/// A format for one string that everybody may read, where the log looks for formats. The
/// section is not said to hold literals, as clang's is: lld would merge it with others, under
/// another name.
#[unsafe(link_section = "__TEXT,__oslogstring")]
pub(crate) static PUBLIC_STRING: [u8; 11] = *b"%{public}s\0";

/// A format for one string that is masked unless private data is asked for.
#[unsafe(link_section = "__TEXT,__oslogstring")]
pub(crate) static PRIVATE_STRING: [u8; 12] = *b"%{private}s\0";

/// One string, as clang's `__builtin_os_log_format` encodes it: a summary (2: has items that
/// are no numbers), how many items, and for the one a kind (high half 2: a string; low half:
/// 1 private, 2 public), a size, and the pointer.
#[repr(C, packed)]
pub(crate) struct Arguments {
    summary: u8,
    items: u8,
    kind: u8,
    size: u8,
    pointer: *const c_char,
}

impl Arguments {
    /// Bytes of it.
    pub(crate) const SIZE: u32 = 12;

    pub(crate) fn string(text: &CStr) -> Self {
        Self { summary: 2, items: 1, kind: 0x22, size: 8, pointer: text.as_ptr() }
    }

    pub(crate) fn private_string(text: &CStr) -> Self {
        Self { summary: 3, items: 1, kind: 0x21, size: 8, pointer: text.as_ptr() }
    }
}

const _: () = assert!(size_of::<Arguments>() == Arguments::SIZE as usize);
