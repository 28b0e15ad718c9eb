//! Linux: limits, an empty root, Landlock, which would refuse that, capabilities, which that takes;
//! then the filter of system calls, which would refuse all of it.

mod bpf;
mod calls;
mod capabilities;
mod filter;
mod groups;
mod mounts;
mod root;
mod rules;

use super::{Enforced, Part, Profile, SandboxError, State};
use crate::availability::Availability;
use root::Root;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CapabilitySet;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Holds a place, without the right to read it.
pub(super) fn open_place(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_PATH).open(path)
}

/// What came of the first half.
#[derive(Debug)]
pub(super) struct Names {
    root: root::Root,
    landlock: rules::Landlock,
    /// What capabilities are left, or why none were given up.
    privileges: Result<CapabilitySet, String>,
}

pub(super) fn close_names(profile: &mut Profile) -> Result<Names, SandboxError> {
    // Without a C library that tells, the first that asks for the size of a page reads
    // /proc/self/auxv: before the file is out of reach.
    let _ = crate::memory::page_size();
    limit("core dumps", Resource::Core, 0)?;
    if let Some(files) = profile.open_files {
        limit("open files", Resource::Nofile, files)?;
    }
    let root = root::enter(profile)?;
    let landlock = rules::enter(profile)?;
    let privileges = capabilities::drop_all(profile.files_of_others);
    Ok(Names { root, landlock, privileges: privileges.map_err(|error| error.to_string()) })
}

/// Whether the places are to be used by their descriptors.
pub(super) fn are_places_usable(names: &Names) -> bool {
    names.root.is_empty()
}

pub(super) fn close_calls(profile: &Profile, names: &Names) -> Result<Enforced, SandboxError> {
    let filtered = filter::enter(profile, &names.root)?;
    Ok(Enforced::new(parts(profile, names, filtered)).keeping(kept(names)))
}

fn limit(what: &'static str, resource: Resource, value: u64) -> Result<(), SandboxError> {
    // A limit that is lower already stays.
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(resource, limit).map_err(|errno| SandboxError::Limit { what, error: errno.into() })
}

const LANDLOCK: &str = "Landlock";
const SECCOMP: &str = "seccomp";
const BOTH: &str = "seccomp and Landlock";
const NO_FILTER: &str = "the kernel has no filters of system calls (CONFIG_SECCOMP_FILTER)";

/// Names of the capabilities that are left, if any are.
fn kept(names: &Names) -> Option<String> {
    let left = names.privileges.as_ref().ok()?;
    let names: Vec<_> = left.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

fn parts(profile: &Profile, names: &Names, filtered: bool) -> Vec<(Part, State)> {
    let Names { root, landlock, privileges } = names;
    let not = |why: &str| State::Not { why: why.to_owned() };
    let asked = |asked: bool, state: State| if asked { state } else { State::Unasked };
    let by_calls = |by| if filtered { State::Full { by } } else { not(NO_FILTER) };
    // Landlock knows of some calls what a filter cannot see, and the other way round.
    let by_rules = |least: u32, what: &str| match landlock.lack(least) {
        None => State::Full { by: LANDLOCK },
        Some(why) if landlock.abi < least => not(&format!("{what}: {why}")),
        Some(lacking) => State::Partial { by: LANDLOCK, lacking },
    };
    let signals = match (filtered, landlock.lack(rules::SCOPES)) {
        // With children about, a filter cannot tell them from strangers.
        (true, None) => State::Full { by: BOTH },
        (true, Some(_)) if profile.fork => State::Full { by: SECCOMP },
        (true, Some(lacking)) => State::Partial { by: SECCOMP, lacking },
        (false, None) => State::Full { by: LANDLOCK },
        (false, Some(_)) => not(NO_FILTER),
    };
    let paths = match root {
        Root::Unasked => State::Unasked,
        Root::Empty { by, lacking: None } => State::Full { by },
        Root::Empty { by, lacking: Some(lacking) } => {
            State::Partial { by, lacking: lacking.clone() }
        }
        Root::Full { why } => not(&format!("names, sizes and times of all files: {why}")),
    };
    let privileges = match privileges {
        Ok(left) if left.is_empty() => State::Full { by: "no_new_privs, no capabilities" },
        Ok(_) => State::Full { by: "no_new_privs, no capabilities but over files of other users" },
        Err(why) => State::Partial {
            by: "no_new_privs",
            lacking: format!("the system does not take capabilities back: {why}"),
        },
    };
    vec![
        (Part::Reads, asked(profile.reads, by_rules(1, "reading files"))),
        (Part::Writes, asked(profile.writes, by_rules(rules::TRUNCATE, "truncating files"))),
        (Part::Paths, paths),
        (Part::Devices, by_rules(rules::DEVICES, "devices opened later")),
        (Part::Network, asked(profile.network, by_calls(SECCOMP))),
        (Part::Fork, asked(profile.fork, by_calls(SECCOMP))),
        (Part::Exec, asked(profile.exec, by_calls(BOTH))),
        (Part::Ipc, asked(profile.ipc, by_calls(SECCOMP))),
        (Part::Signals, asked(profile.confines_signals() || filtered, signals)),
        (Part::ExecutableMemory, asked(profile.executable_memory, by_calls(SECCOMP))),
        (Part::SystemCalls, by_calls(SECCOMP)),
        (Part::Privileges, privileges),
        (Part::Limits, State::Full { by: "setrlimit" }),
    ]
}

pub(super) fn availability() -> Availability {
    let abi = rules::abi();
    let filters = filter::is_there();
    // Later versions bring nothing that a process of one thread lacks.
    let lack = match filters {
        true => rules::lack_of(abi, rules::SCOPES),
        false => Some(NO_FILTER.to_owned()),
    };
    Availability {
        system: "sandbox",
        available: abi > 0 && filters,
        how: format!(
            "seccomp; Landlock, version {abi}; an empty root; no capabilities (root keeps \
             those over files where `--dir` names a directory of another user)"
        ),
        remedy: lack.as_ref().map(|_| {
            "a newer kernel, with CONFIG_SECCOMP_FILTER, CONFIG_SECURITY_LANDLOCK and `landlock` \
             in CONFIG_LSM; in a container, a seccomp profile that allows Landlock's calls"
                .to_owned()
        }),
        missing: lack,
    }
}
