//! Capabilities: what root may do beside what files' owners may.
//!
//! They are a thread's, and those that it makes have the same: so they go before threads are made.

use super::super::profile::OfOthers;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, set_capabilities,
    set_capabilities_secure_bits,
};
use std::io;

/// What a right over files of other users takes.
fn over_files(right: OfOthers) -> CapabilitySet {
    match right {
        OfOthers::No => CapabilitySet::empty(),
        OfOthers::Read => CapabilitySet::DAC_READ_SEARCH,
        // The second: times, and files in sticky directories.
        OfOthers::ReadWrite => CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER,
    }
}

/// Whether this thread may make use of a capability now.
pub(super) fn has(capability: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(capability))
}

/// Gives up all capabilities, but those that this right over files takes, and the means to get any
/// back. Returns what is left.
///
/// # Errors
///
/// When the system does not take them.
pub(super) fn drop_all(but: OfOthers) -> io::Result<CapabilitySet> {
    let had = capabilities(None)?;
    // Who cannot change the set has nothing in it that could be gained: programs with file
    // capabilities give none to a process with `no_new_privs`.
    if had.effective.contains(CapabilitySet::SETPCAP) {
        empty_bounding_set()?;
        set_capabilities_secure_bits(
            CapabilitiesSecureBits::NO_ROOT
                | CapabilitiesSecureBits::NO_ROOT_LOCKED
                | CapabilitiesSecureBits::NO_SETUID_FIXUP
                | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
                | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
                | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
                | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
        )?;
    }
    let left = over_files(but) & had.permitted;
    // What is not permitted is ambient no more.
    let sets =
        CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    Ok(left)
}

/// No program that this process becomes has any capability.
fn empty_bounding_set() -> io::Result<()> {
    // A kernel has as many as it takes here, 64 at most.
    for capability in 0..64 {
        // SAFETY: a number; no memory is involved.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}
