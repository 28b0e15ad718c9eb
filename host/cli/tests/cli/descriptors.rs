//! Too many open files: for the program, for the next VM.

use crate::support::{Wat, setups, wrt_vm};
use std::process::{Command, Output};
use wrt_vm::vm::Builder;
use wrt_vm::{Backend, Error};

/// Opens the directory it has again and again; exits with the errno that ends it.
const OPENS: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) ".")
    (func (export "_start") (local $errno i32)
        (loop $again
            (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
            (br_if $again (i32.eqz (local.get $errno))))
        (call $exit (local.get $errno))))"#;

/// Preview 1's `mfile`.
const MFILE: i32 = 33;

/// Runs the command with a limit on open files.
fn limited(limit: u32, command: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit} && exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.output().expect("there is a shell")
}

#[test]
fn a_program_learns_that_the_host_has_no_more() {
    let (wat, folder) = (Wat::new(OPENS), tempfile::tempdir().expect("a temporary directory"));
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg("--dir").arg(folder.path()).arg(wat.path());
        let output = limited(100, &command);
        assert_eq!(output.status.code(), Some(MFILE), "{setup:?}: {output:?}");
    }
}

#[test]
fn a_vm_that_cannot_be_made_says_why() {
    const CHILD: &str = "WRT_VM_TEST_MAKES_VMS";
    if std::env::var_os(CHILD).is_some() {
        // In the process of the next lines.
        for setup in setups() {
            let made: Result<Vec<_>, _> =
                (0..100).map(|_| Builder::default().backend(setup.backend()).build()).collect();
            let error = made.err().expect("a hundred VMs take more than there is");
            assert!(matches!(error, Error::OutOfDescriptors(_)), "{setup:?}: {error:?}");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
        }
        // Nor does it take a child process for want of a descriptor.
        let made: Result<Vec<_>, _> =
            (0..100).map(|_| Builder::default().backend(Backend::Auto).build()).collect();
        assert!(made.is_err());
        return;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "descriptors::a_vm_that_cannot_be_made_says_why", "--nocapture"]);
    command.env(CHILD, "1");
    let output = limited(60, &command);
    assert!(output.status.success(), "{output:?}");
}
