//! Linux: `/proc/self/exe`, and the signal of a parent's death.

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use std::ffi::CStr;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// A child executes it before it is another program: it is the file that this process executes.
const THIS: &str = "/proc/self/exe";

pub(super) fn this_program() -> io::Result<Command> {
    // Else the error would be that there is no such program.
    let path = std::fs::read_link(THIS)?;
    let mut command = Command::new(THIS);
    if let Some(name) = path.file_name() {
        let name = name.to_string_lossy();
        command.arg0(name.strip_suffix(" (deleted)").unwrap_or(&name));
    }
    Ok(command)
}

pub(super) fn is_this_program(program: &Path) -> bool {
    let file = |path: &Path| std::fs::metadata(path).map(|data| (data.dev(), data.ino()));
    matches!((file(program), file(Path::new(THIS))), (Ok(one), Ok(other)) if one == other)
}

pub(super) fn kill_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: two system calls between `fork` and `exec`, which allocate nothing and lock nothing.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            match getppid() {
                // It died just before. (None is a parent outside the child's namespace.)
                Some(other) if other != parent => Err(io::ErrorKind::NotFound.into()),
                _ => Ok(()),
            }
        });
    }
}

pub(super) fn set_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}
