//! Every option does what its help says.

use crate::support::{
    CAT, SHOW_WORLD, SPIN, Wat, assert_fails, has_hypervisor, run_wat, setups, stdout, wrt_vm,
};
use std::process::Stdio;

#[test]
fn what_follows_the_module_is_the_programs() {
    if !has_hypervisor() {
        return;
    }
    let output = run_wat(&[], SHOW_WORLD, &["--stats", "-v", "", "ü", "--", "x"]);
    assert_eq!(output.stdout(), "module.wat\n--stats\n-v\n\nü\n--\nx\n");
}

#[test]
fn argv0_and_environment() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SHOW_WORLD);
    for setup in setups() {
        let mut command = wrt_vm();
        command.env("INHERITED", "yes").env_remove("ABSENT").arg("run").args(setup.options());
        command.args(["--argv0", "me", "--env", "A=1", "--env", "B=x=y"]);
        command.args(["--env", "INHERITED", "--env", "ABSENT"]);
        let output = command.arg(wat.path()).output().expect("the binary runs");
        assert_eq!(stdout(&output), "me\nA=1\nB=x=y\nINHERITED=yes\n", "{setup:?}");
    }
}

#[test]
fn nothing_of_the_environment_leaks() {
    if !has_hypervisor() {
        return;
    }
    assert_eq!(run_wat(&[], SHOW_WORLD, &[]).stdout(), "module.wat\n");
}

#[test]
fn invoke_prints_typed_results() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module
        (func (export "all") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
            (local.get 0) (local.get 1) (local.get 2) (local.get 3))
        (func (export "vector") (param v128) (result v128) (local.get 0))
        (func (export "nothing")))"#;
    let output = run_wat(&["--invoke", "all"], text, &["-1", "0x10", "1.5", "-0.25"]);
    assert_eq!(output.stdout(), "-1\n16\n1.5\n-0.25\n");
    let vector = run_wat(&["--invoke", "vector"], text, &["0xff"]);
    assert_eq!(vector.stdout(), "0x000000000000000000000000000000ff\n");
    let nothing = run_wat(&["--invoke", "nothing"], text, &[]);
    assert_eq!((nothing.code(), nothing.stdout()), (Some(0), String::new()));
}

#[test]
fn timeout_ends_a_loop_and_keeps_its_output() {
    if !has_hypervisor() {
        return;
    }
    // Long enough to get there on a busy machine, compilation included.
    let output = run_wat(&["--timeout", "1500ms"], SPIN, &[]);
    output.assert_fails(124, &["timed out after 1500 ms"]);
    assert_eq!(output.stdout(), "spinning\n");
}

#[test]
fn timeout_ends_a_sleep_and_a_read() {
    if !has_hypervisor() {
        return;
    }
    // poll_oneoff on a relative clock, an hour long.
    let sleep = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 3600000000000))
            (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))))"#;
    run_wat(&["--timeout", "0.3"], sleep, &[]).assert_fails(124, &["timed out after 300 ms"]);

    let wat = Wat::new(CAT);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--timeout", "300ms"]).arg(wat.path());
        // A pipe that nobody writes to.
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let pipe = child.stdin.take();
        let output = child.wait_with_output().expect("it ends");
        drop(pipe);
        assert_fails(&output, 124, &["timed out after 300 ms"]);
    }
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    if !has_hypervisor() {
        return;
    }
    let output = run_wat(&["--timeout", "1h"], SHOW_WORLD, &["x"]);
    assert_eq!((output.code(), output.stdout().as_str()), (Some(0), "module.wat\nx\n"));
}

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (memory 1) (func (export "grow") (param i32) (result i32)
        (memory.grow (local.get 0))))"#;
    let options = |limit| ["--max-memory", limit, "--invoke", "grow"];
    assert_eq!(run_wat(&options("1MiB"), text, &["15"]).stdout(), "1\n");
    assert_eq!(run_wat(&options("1MiB"), text, &["16"]).stdout(), "-1\n");
}

#[test]
fn stats_go_to_standard_error() {
    if !has_hypervisor() {
        return;
    }
    let output = run_wat(&["--stats"], SHOW_WORLD, &[]);
    assert_eq!(output.stdout(), "module.wat\n");
    for (setup, table) in output.errors() {
        for word in ["create", "load", "run", "exits", "wasi", "guest code", "host peak"] {
            assert!(table.contains(word), "{setup}: {word:?} is not in {table:?}");
        }
        // It names what the options chose.
        for option in setup.split(' ').filter(|word| !word.starts_with('-')) {
            assert!(table.contains(option), "{setup}: {option:?} is not in {table:?}");
        }
    }
}

#[test]
fn verbose_logs_to_standard_error() {
    if !has_hypervisor() {
        return;
    }
    let output = run_wat(&["-v"], SHOW_WORLD, &[]);
    assert_eq!(output.stdout(), "module.wat\n");
    for (setup, log) in output.errors() {
        assert!(log.contains("INFO"), "{setup}: {log}");
    }
    for (setup, log) in run_wat(&[], SHOW_WORLD, &[]).errors() {
        assert!(log.is_empty(), "{setup}: {log}");
    }
}

#[test]
fn a_directory_is_opened_read_write_or_read_only() {
    if !has_hypervisor() {
        return;
    }
    // path_open of "new" with O_CREAT under descriptor 3; its errno is the exit code.
    let create = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "new")
        (func (export "_start")
            (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 3)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))))"#;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let name = dir.path().to_str().expect("a plain name");
    let refused = run_wat(&["--dir", &format!("{name}::/data,ro")], create, &[]);
    assert_eq!(refused.code(), Some(63), "EPERM");
    assert!(!dir.path().join("new").exists());
    let made = run_wat(&["--dir", &format!("{name}::/data")], create, &[]);
    assert_eq!(made.code(), Some(0));
    assert!(dir.path().join("new").exists());
    let none = run_wat(&[], create, &[]);
    assert_eq!(none.code(), Some(8), "EBADF without --dir");
}

#[test]
fn doctor_says_what_works() {
    let output = wrt_vm().arg("doctor").output().expect("the binary runs");
    let report = stdout(&output);
    if has_hypervisor() {
        assert_eq!(output.status.code(), Some(0));
        assert!(report.contains("kvm") && report.contains("works"), "{report}");
    } else {
        assert_eq!(output.status.code(), Some(1));
        assert!(report.contains("/dev/kvm"), "{report}");
    }
}

#[test]
fn help_names_every_option() {
    let output = wrt_vm().args(["run", "--help"]).output().expect("the binary runs");
    let help = stdout(&output);
    for option in [
        "--dir",
        "--env",
        "--argv0",
        "--invoke",
        "--timeout",
        "--max-memory",
        "--backend",
        "--engine",
        "--jobs",
        "--qos",
        "--ignore-pressure",
        "--log",
        "--stats",
        "--verbose",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn the_stack_is_as_large_as_it_is_told_to_be() {
    if !has_hypervisor() {
        return;
    }
    let goes_deep = |calls: u32| {
        format!(
            r#"(module
            (func $deep (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1)
                        (call $deep (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0))))
            (func (export "_start")
                (if (i32.ne (call $deep (i32.const {calls})) (i32.const {calls}))
                    (then unreachable))))"#
        )
    };
    for place in [&[][..], &["--worker"]] {
        for (size, fits, does_not) in [("64KiB", 200, 20_000), ("1MiB", 2_000, 200_000)] {
            let options = [place, &["--max-stack", size]].concat();
            assert_eq!(run_wat(&options, &goes_deep(fits), &[]).code(), Some(0), "{options:?}");
            run_wat(&options, &goes_deep(does_not), &[])
                .assert_fails(134, &["call stack exhausted"]);
        }
        // What is said to be the default is.
        assert_eq!(run_wat(place, &goes_deep(20_000), &[]).code(), Some(0));
        run_wat(place, &goes_deep(5_000_000), &[]).assert_fails(134, &["call stack exhausted"]);
    }
    for wrong in ["1KiB", "1GiB", "much"] {
        let ran = run_wat(&["--max-stack", wrong], &goes_deep(1), &[]);
        assert!([Some(1), Some(2)].contains(&ran.code()), "{wrong}");
        assert!(ran.errors().all(|(_, said)| said.contains("stack")), "{wrong}");
    }
}
