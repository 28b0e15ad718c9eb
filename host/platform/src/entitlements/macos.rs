//! macOS: the signature, as the kernel knows it.

use objc2_core_foundation::{CFBoolean, CFRetained, CFString};
use objc2_security::SecTask;
use std::ffi::{c_int, c_uint, c_void};
use std::io;

pub(super) const HOW: &str = "the code signature (SecTask)";
pub(super) const REMEDY: &str =
    "sign with entitlements: codesign --force --sign - --entitlements entitlements.plist wrt-vm";

/// The running program's signature.
pub(super) struct Entitlements {
    task: CFRetained<SecTask>,
}

impl std::fmt::Debug for Entitlements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entitlements").finish_non_exhaustive()
    }
}

impl Entitlements {
    pub(super) fn current() -> io::Result<Self> {
        // SAFETY: `SecTaskCreateFromSelf` (`SecTask.h`) takes the default allocator for null.
        let task = unsafe { SecTask::from_self(None) };
        task.map(|task| Self { task })
            .ok_or_else(|| io::Error::other("no SecTask for this process"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let name = CFString::from_str(name);
        // SAFETY: `SecTaskCopyValueForEntitlement` (`SecTask.h`): the error may be null.
        let value = unsafe { self.task.value_for_entitlement(&name, std::ptr::null_mut()) };
        let flag = value.and_then(|value| value.downcast::<CFBoolean>().ok());
        flag.is_some_and(|flag| flag.as_bool())
    }

    pub(super) fn signing(&self) -> String {
        let Some(flags) = code_signing_flags() else { return "unsigned".to_owned() };
        let names = [
            (0x1, "valid"),
            (0x2, "ad hoc"),
            (0x1_0000, "hardened runtime"),
            (0x2000, "library validation"),
            (0x1000_0000, "debugged"),
        ];
        let set: Vec<_> =
            names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        if set.is_empty() { "unsigned".to_owned() } else { set.join(", ") }
    }
}

// libsystem_kernel, in libSystem; as XNU's `bsd/sys/codesign.h` declares it, which has the
// flags above, too (`CS_VALID`, `CS_ADHOC`, `CS_RUNTIME`, `CS_REQUIRE_LV`, `CS_DEBUGGED`).
unsafe extern "C" {
    fn csops(pid: libc::pid_t, operation: c_uint, data: *mut c_void, size: usize) -> c_int;
}

/// `CS_OPS_STATUS`: the process's flags.
fn code_signing_flags() -> Option<u32> {
    const CS_OPS_STATUS: c_uint = 0;
    let mut flags = 0_u32;
    // SAFETY: the operation writes one 32-bit word; pid 0 is this process.
    let failed = unsafe { csops(0, CS_OPS_STATUS, (&raw mut flags).cast(), size_of::<u32>()) };
    (failed == 0).then_some(flags)
}
