//! The jail, from outside: who is in it, what is said of it. What it denies is tried from inside
//! (`tests/suites/jail`).

#[cfg(target_os = "linux")]
mod granted;
#[cfg(target_os = "linux")]
mod linux;

use crate::support::{SHOW_WORLD, Wat, run_wat, setups, skip, wrt_vm};

#[test]
fn stats_tell_what_it_is_worth() {
    if setups().is_empty() {
        return skip("no VM can be made here");
    }
    let jail = |options: &[&str]| -> Vec<String> {
        let ran = run_wat(&[&["--stats"], options].concat(), SHOW_WORLD, &[]);
        assert_eq!(ran.code(), Some(0));
        let rows = ran.errors().map(|(setup, said)| {
            let row = said.lines().find_map(|line| line.strip_prefix("jail "));
            row.unwrap_or_else(|| panic!("{setup}: {said}")).trim().to_owned()
        });
        rows.collect()
    };
    for options in [&[][..], &["--worker"]] {
        for worth in jail(options) {
            assert!(worth == "complete" || worth.starts_with("incomplete ("), "{worth}");
        }
    }
    assert!(jail(&["--no-jail"]).iter().all(|worth| worth == "none"));
}

#[test]
fn doing_without_is_warned_of() {
    if setups().is_empty() {
        return skip("no VM can be made here");
    }
    for (setup, said) in run_wat(&["--no-jail"], SHOW_WORLD, &[]).errors() {
        assert!(said.starts_with("wrt-vm: note: --no-jail: "), "{setup}: {said}");
    }
    for (setup, said) in run_wat(&[], SHOW_WORLD, &[]).errors() {
        assert_eq!(said, "", "{setup}");
    }
}

/// The directory is opened before the jail is entered, and what is below it inside.
#[test]
fn directories_are_as_open_as_they_were_given() {
    const PROGRAM: &str = r#"(module
        (import "wasi_snapshot_preview1" "path_create_directory"
            (func $mkdir (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "made")
        (func (export "_start")
            (call $exit (call $mkdir (i32.const 3) (i32.const 0) (i32.const 4)))))"#;
    let wat = Wat::new(PROGRAM);
    for setup in setups() {
        for options in [&[][..], &["--worker"], &["--no-jail"]] {
            let directory = tempfile::tempdir().expect("a directory");
            let given = directory.path().to_str().expect("ASCII").to_owned();
            let run = |dir: &str| {
                let mut command = wrt_vm();
                command.arg("run").args(setup.options()).args(options).args(["--dir", dir]);
                command.arg(wat.path()).status().expect("the binary runs").code()
            };
            assert_ne!(run(&format!("{given}::/,ro")), Some(0), "{setup:?} {options:?}");
            assert_eq!(run(&format!("{given}::/")), Some(0), "{setup:?} {options:?}");
            assert!(directory.path().join("made").is_dir());
        }
    }
}
