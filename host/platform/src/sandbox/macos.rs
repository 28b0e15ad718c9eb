//! macOS: Seatbelt, by the call that browsers use.

use super::{Enforced, Part, Profile, SandboxError, State, sbpl};
use crate::availability::Availability;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// `O_EVTONLY` of `sys/fcntl.h`: holds a file without the right to read it.
const O_EVTONLY: c_int = 0x8000;

// libsystem_sandbox, in libSystem. `sandbox.h` declares `sandbox_init` and
// `sandbox_free_error`; the form with parameters is as WebKit's `SandboxSPI.h` has it.
unsafe extern "C" {
    fn sandbox_init_with_parameters(
        profile: *const c_char,
        flags: u64,
        parameters: *const *const c_char,
        error: *mut *mut c_char,
    ) -> c_int;
    fn sandbox_free_error(error: *mut c_char);
}

pub(super) fn open_place(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(O_EVTONLY).open(path)
}

/// The path of what is open, as it is now, without links.
fn path_of(file: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let mut path = vec![0u8; libc::PATH_MAX.unsigned_abs() as usize];
    // SAFETY: `F_GETPATH` (`sys/fcntl.h`) writes at most `MAXPATHLEN`, which is `PATH_MAX`,
    // bytes with a NUL at their end.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETPATH, path.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// Seatbelt is entered at once: nothing comes of the first half.
#[derive(Debug)]
pub(super) struct Names;

pub(super) fn close_names(profile: &mut Profile) -> Result<Names, SandboxError> {
    limit("core dumps", Resource::Core, 0)?;
    if let Some(files) = profile.open_files {
        limit("open files", Resource::Nofile, files)?;
    }
    Ok(Names)
}

/// Paths lead to them.
pub(super) fn are_places_usable(_: &Names) -> bool {
    false
}

pub(super) fn close_calls(profile: &Profile, _: &Names) -> Result<Enforced, SandboxError> {
    let invalid = |error: std::ffi::NulError| SandboxError::Profile(error.to_string());
    let paths: io::Result<Vec<PathBuf>> =
        profile.places.iter().map(|place| path_of(place.file.as_fd())).collect();
    let paths = paths.map_err(|error| SandboxError::Rules(error.to_string()))?;
    let text = sbpl::text(profile, &paths).map_err(invalid)?;
    apply(&CString::new(text.profile).map_err(invalid)?, &text.parameters)?;
    Ok(Enforced::new(parts(profile)))
}

fn limit(what: &'static str, resource: Resource, value: u64) -> Result<(), SandboxError> {
    let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    let limit = Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(resource, limit).map_err(|errno| SandboxError::Limit { what, error: errno.into() })
}

fn apply(profile: &CStr, parameters: &[CString]) -> Result<(), SandboxError> {
    let mut list: Vec<*const c_char> = parameters.iter().map(|part| part.as_ptr()).collect();
    list.push(std::ptr::null());
    let mut error = std::ptr::null_mut();
    // SAFETY: the profile and every parameter end with NUL, the list with a null pointer, and
    // all outlive the call (`sandbox_init(3)`); flags 0 say that the profile is text.
    let done =
        unsafe { sandbox_init_with_parameters(profile.as_ptr(), 0, list.as_ptr(), &raw mut error) };
    if done == 0 {
        return Ok(());
    }
    if error.is_null() {
        return Err(SandboxError::Profile(io::Error::last_os_error().to_string()));
    }
    // SAFETY: on failure the call leaves a text with NUL, which is ours until it is freed
    // (`sandbox_free_error`, `sandbox.h`).
    let message = unsafe {
        let message = CStr::from_ptr(error).to_string_lossy().into_owned();
        sandbox_free_error(error);
        message
    };
    Err(SandboxError::Profile(message))
}

fn parts(profile: &Profile) -> Vec<(Part, State)> {
    let seatbelt = |asked| if asked { State::Full { by: "Seatbelt" } } else { State::Unasked };
    let signals = match (profile.confines_signals(), profile.signals.is_empty()) {
        (true, _) => seatbelt(true),
        (false, true) => State::Unasked,
        (false, false) => State::Not { why: "Seatbelt does not tell signals apart".to_owned() },
    };
    vec![
        (Part::Reads, seatbelt(profile.reads)),
        (Part::Writes, seatbelt(profile.writes)),
        (Part::Paths, seatbelt(profile.paths)),
        (Part::Devices, seatbelt(profile.ipc)),
        (Part::Network, seatbelt(profile.network)),
        (Part::Fork, seatbelt(profile.fork)),
        (Part::Exec, seatbelt(profile.exec)),
        (Part::Ipc, seatbelt(profile.ipc)),
        (Part::Signals, signals),
        (
            Part::ExecutableMemory,
            match profile.executable_memory {
                false => State::Unasked,
                true => State::Partial {
                    by: "Seatbelt",
                    lacking: "MAP_JIT is the entitlement's affair: sign without allow-jit"
                        .to_owned(),
                },
            },
        ),
        (
            Part::SystemCalls,
            State::Not { why: "macOS has no list of system calls for programs".to_owned() },
        ),
        (Part::Privileges, seatbelt(profile.exec)),
        (Part::Limits, State::Full { by: "setrlimit" }),
    ]
}

pub(super) fn availability() -> Availability {
    Availability {
        system: "sandbox",
        available: true,
        how: "Seatbelt (sandbox_init_with_parameters)".to_owned(),
        missing: None,
        remedy: None,
    }
}
