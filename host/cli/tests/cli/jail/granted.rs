//! What of the jail there is where a system grants less: asked of a process that has less.

use crate::support::{SHOW_WORLD, Wat, setups, skip, wrt_vm};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

/// Has system calls answered with an error in a command: 5 steps of BPF, and 2 for each call.
fn answered(command: &mut Command, calls: &'static [libc::c_long], errno: i32) {
    // `linux/bpf_common.h`, `linux/seccomp.h`.
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = vec![step(LOAD, 0, 0, 0)];
    for call in calls {
        steps.push(step(EQUAL, 0, 1, u32::try_from(*call).expect("a number")));
        steps.push(step(RETURN, 0, 0, ERRNO | errno.unsigned_abs()));
    }
    steps.push(step(RETURN, 0, 0, ALLOW));
    let enter = move || {
        let program = libc::sock_fprog {
            len: u16::try_from(steps.len()).expect("a few"),
            filter: steps.as_ptr().cast_mut(),
        };
        // SAFETY: numbers, and a program that outlives the call.
        let failed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    != 0
        };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between fork and exec it makes two system calls with memory that was there before.
    unsafe { command.pre_exec(enter) };
}

/// Runs a program on every setup in a process that has these calls answered so.
fn run_answered(options: &[&str], calls: &'static [libc::c_long], errno: i32) -> Vec<Output> {
    let wat = Wat::new(SHOW_WORLD);
    let run = |setup: crate::support::Setup| {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(options).arg(wat.path());
        answered(&mut command, calls, errno);
        command.output().expect("it runs")
    };
    setups().into_iter().map(run).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// As in a container: no namespaces. Files stay closed, and what cannot be had is said.
#[test]
fn without_namespaces_programs_run_and_stats_say_what_is_lacking() {
    for options in [&["--stats"][..], &["--stats", "--worker"]] {
        for output in run_answered(options, &[libc::SYS_unshare], libc::EPERM) {
            let said = said(&output);
            assert_eq!(output.status.code(), Some(0), "{said}");
            let jail = said.lines().find_map(|line| line.strip_prefix("jail ")).expect("a row");
            // Root may change its root directory all the same.
            let jail = jail.trim();
            let alike = jail == "complete" || jail.starts_with("incomplete (paths: ");
            assert!(alike && !jail.contains("reads"), "{said}");
        }
    }
    // And `doctor` says it, of a program with a directory.
    for (calls, words) in [
        (&[libc::SYS_unshare][..], "incomplete (paths: "),
        (&[libc::SYS_unshare, libc::SYS_chroot], "incomplete (paths: names, sizes and times of "),
    ] {
        let mut command = wrt_vm();
        command.args(["doctor", "--json"]);
        answered(&mut command, calls, libc::EPERM);
        let output = command.output().expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for backend in report["backends"].as_array().expect("a list") {
            if backend["works"] == true {
                let jail = backend["jail"].as_str().expect("a line");
                assert!(jail.starts_with(words), "{report}");
            }
        }
    }
}

/// Times of files change there as anywhere else; those of a link do not, since a filter of system
/// calls sees no paths.
#[test]
fn without_namespaces_times_of_links_stay() {
    const SETS_TIMES: &str = r#"(module
        (import "wasi_snapshot_preview1" "path_filestat_set_times"
            (func $set (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "filelink")
        (func (export "_start")
            (if (call $set (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
                    (i64.const 0) (i64.const 7000000000) (i32.const 4))
                (then unreachable))
            (call $exit (call $set (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 4)
                (i64.const 0) (i64.const 7000000000) (i32.const 4)))))"#;
    let (wat, directory) = (Wat::new(SETS_TIMES), tempfile::tempdir().expect("a directory"));
    let file = directory.path().join("file");
    std::os::unix::fs::symlink("nowhere", directory.path().join("link")).expect("a link");
    // EPERM; 0 where the jail is complete.
    let without = &[libc::SYS_unshare, libc::SYS_chroot];
    for (calls, code) in [(&without[..1], 63), (&without[..], 63), (&[], 0)] {
        for setup in setups() {
            std::fs::write(&file, "").expect("a file");
            let mut command = wrt_vm();
            command.arg("run").args(setup.options()).arg("--dir");
            command.arg(format!("{}::/", directory.path().display())).arg(wat.path());
            if calls.is_empty() && !crate::support::is_jail_complete() {
                skip("the jail is not complete here");
                continue;
            }
            answered(&mut command, calls, libc::EPERM);
            let output = command.output().expect("it runs");
            assert_eq!(output.status.code(), Some(code), "{setup:?} {calls:?}: {}", said(&output));
            let modified = file.metadata().expect("a file").mtime();
            assert_eq!(modified, 7, "{setup:?}");
        }
    }
}

/// Whoever runs a program learns without asking that its jail keeps no files.
#[test]
fn without_landlock_a_note_says_so() {
    let calls = &[libc::SYS_landlock_create_ruleset];
    for options in [&[][..], &["--worker"]] {
        for output in run_answered(options, calls, libc::ENOSYS) {
            let said = said(&output);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(said.starts_with("wrt-vm: note: the jail is incomplete: "), "{said}");
            assert!(said.contains("no Landlock") && said.contains("doctor"), "{said}");
        }
    }
}

/// `doctor` does what `run` does: it cannot say 'works' where that fails.
#[test]
fn doctor_works_where_run_does() {
    // Each keeps VMs from being made in a way of its own.
    for (calls, errno) in [
        (&[libc::SYS_socketpair][..], libc::EPERM),
        (&[libc::SYS_landlock_restrict_self], libc::E2BIG),
        (&[libc::SYS_memfd_create], libc::ENOSYS),
        // No filters of system calls.
        (&[libc::SYS_seccomp, libc::SYS_prctl], libc::EINVAL),
    ] {
        let ran = run_answered(&["--worker"], calls, errno);
        let mut command = wrt_vm();
        command.args(["doctor", "--json"]);
        answered(&mut command, calls, errno);
        let output = command.output().expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let works = ran.iter().any(|output| output.status.success());
        assert_eq!(report["works"], works, "{calls:?}: {report}");
        assert_eq!(output.status.success(), works, "{calls:?}: {report}");
    }
}

#[test]
fn a_limit_of_address_space_is_named() {
    let wat = Wat::new("(module (func (export \"_start\")))");
    for setup in setups() {
        let mut command = Command::new("sh");
        let script = "ulimit -v 2000000; exec \"$@\"";
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_wrt-vm"), "run"]);
        let output = command.args(setup.options()).arg(wat.path()).output().expect("it runs");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("RLIMIT_AS") && said.contains("ulimit -v unlimited"), "{said}");
    }
}

/// systemd's `MemoryDenyWriteExecute=`: a VM needs no such memory, a child process does.
#[test]
fn a_ban_of_new_code_is_named() {
    const SET_MDWE: i32 = 65;
    let wat = Wat::new(SHOW_WORLD);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg(wat.path());
        // SAFETY: between fork and exec it makes one system call, with numbers.
        unsafe {
            command.pre_exec(|| match libc::prctl(SET_MDWE, 1, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            })
        };
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return skip(&format!("no PR_SET_MDWE here: {error}")),
        };
        let said = said(&output);
        match setup.options()[1] {
            "kvm" => assert_eq!(output.status.code(), Some(0), "{said}"),
            _ => {
                assert_eq!(output.status.code(), Some(1), "{said}");
                assert!(said.contains("PR_SET_MDWE") && said.contains("KVM"), "{said}");
            }
        }
    }
}
