//! Landlock: what of the file system, of TCP and of other processes can be reached.
//!
//! Best effort: rights that the kernel does not know are left out and reported. What each
//! version brought: `Documentation/userspace-api/landlock.rst` of the kernel.

use super::super::profile::Purpose;
use super::super::{Profile, SandboxError};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    RestrictSelfAttr as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};
use std::os::fd::AsFd as _;

/// Truncating is a right of its own since this version (Linux 6.2).
pub(super) const TRUNCATE: u32 = 3;
/// `ioctl` on devices can be denied (6.10).
pub(super) const DEVICES: u32 = 5;
/// Abstract sockets and signals can be denied (6.12).
pub(super) const SCOPES: u32 = 6;
/// Binds threads that are there already (7.0).
pub(super) const ALL_THREADS: u32 = 8;

const SYSCALL_VERSION: u32 = 1;

/// What is in force.
#[derive(Debug)]
pub(in crate::sandbox) struct Landlock {
    /// The kernel's version of it, 0 without.
    pub(super) abi: u32,
    /// Threads besides the entering one that are not bound.
    pub(super) free_threads: usize,
}

impl Landlock {
    /// What keeps a part that needs this version from being enforced in full.
    pub(super) fn lack(&self, least: u32) -> Option<String> {
        lack_of(self.abi, least).or_else(|| match self.free_threads {
            0 => None,
            count => Some(format!(
                "{count} threads were there before and are not bound, which takes Linux 7.0: \
                 enter before threads are made"
            )),
        })
    }
}

pub(super) fn lack_of(abi: u32, least: u32) -> Option<String> {
    match abi {
        0 => Some("the kernel has no Landlock, or does not use it".to_owned()),
        _ if abi < least => Some(format!("Landlock is of version {abi}, and this takes {least}")),
        _ => None,
    }
}

/// The kernel's version of Landlock, 0 without.
pub(super) fn abi() -> u32 {
    // SAFETY: with this flag the call reads no memory and returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            SYSCALL_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// Rights to change files, without those to make device nodes, use devices or reach sockets.
fn changing() -> BitFlags<AccessFs> {
    AccessFs::from_write(ABI::V3) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}

/// Binds this thread, those that it will make, and on new kernels all others.
pub(super) fn enter(profile: &Profile) -> Result<Landlock, SandboxError> {
    let abi = abi();
    // A kernel that binds all need not be asked how many there are.
    let before = if abi >= ALL_THREADS { 1 } else { threads() };
    let status = restrict(profile).map_err(|error| SandboxError::Rules(error.to_string()))?;
    let free_threads = if status.all_threads { 0 } else { before.saturating_sub(1) };
    Ok(Landlock { abi, free_threads })
}

fn restrict(profile: &Profile) -> Result<landlock::RestrictionStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    // Devices that were opened before stay usable; one that is opened later is not, whatever
    // else is allowed: no second hypervisor.
    let mut handled: BitFlags<AccessFs> = AccessFs::IoctlDev.into();
    if profile.reads {
        handled |= reading;
    }
    if profile.writes {
        handled |= AccessFs::from_write(ABI::V3);
    }
    if profile.exec {
        handled |= AccessFs::Execute;
    }
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    if profile.network {
        rules = rules.handle_access(AccessNet::from_all(ABI::V4))?;
    }
    let mut scopes = BitFlags::EMPTY;
    if profile.ipc {
        scopes |= Scope::AbstractUnixSocket;
        handled |= AccessFs::ResolveUnix;
    }
    if profile.confines_signals() {
        scopes |= Scope::Signal;
    }
    if !scopes.is_empty() {
        rules = rules.scope(scopes)?;
    }
    let mut created = rules.handle_access(handled)?.create()?.all_threads(true)?;
    for place in &profile.places {
        let rights = match place.purpose {
            Purpose::Read => reading,
            Purpose::ReadWrite => reading | changing(),
            Purpose::Remove => AccessFs::RemoveFile.into(),
        } & handled;
        if !rights.is_empty() {
            created = created.add_rule(PathBeneath::new(place.file.as_fd(), rights))?;
        }
    }
    created.restrict_self()
}

/// How many threads this process has; 1 if the system does not say.
pub(super) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_said_to_be_old() {
        let old = Landlock { abi: 2, free_threads: 0 };
        assert!(old.lack(1).is_none());
        assert!(old.lack(TRUNCATE).unwrap().contains("version 2"));
        assert!(Landlock { abi: 0, free_threads: 0 }.lack(1).unwrap().contains("no Landlock"));
        let late = Landlock { abi: 7, free_threads: 3 };
        assert!(late.lack(1).unwrap().contains("3 threads"));
    }
}
