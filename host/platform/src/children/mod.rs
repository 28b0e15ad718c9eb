//! Child processes that are made of this program, and end with it.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod sys;

use std::io;
use std::path::Path;
use std::process::Command;

/// A command that starts the program which this process executes. On Linux that is the very file,
/// even if it was removed or another has taken its name; on macOS what has its name.
///
/// # Errors
///
/// When the system does not say what this process executes.
pub fn this_program() -> io::Result<Command> {
    sys::this_program()
}

/// Whether [`this_program`] starts what has this name now, and will after it has been replaced.
pub fn is_this_program(program: &Path) -> bool {
    sys::is_this_program(program)
}

/// Has the process that a command starts killed when the *thread* ends that starts it, at the
/// latest with this process: even while it is stopped. Linux only; elsewhere it has to notice by
/// itself.
pub fn kill_with_parent(command: &mut Command) {
    sys::kill_with_parent(command);
}

/// Gives this process a name for lists of processes, which would be that of a link else. Best
/// effort, and of no effect where such lists show arguments.
pub fn set_name(name: &std::ffi::CStr) {
    sys::set_name(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_known_by_its_name_and_others_are_not() {
        let name = std::env::current_exe().unwrap();
        assert_eq!(is_this_program(&name), cfg!(target_os = "linux"));
        assert!(!is_this_program(Path::new("/bin/sh")));
        assert!(!is_this_program(Path::new("/not/there")));
    }
}
