//! What of the jail there is where a system grants less: asked of a process that has less.

use crate::support::{SHOW_WORLD, Wat, setups, skip, wrt_vm};
use std::io;
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
