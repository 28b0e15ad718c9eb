//! A whole process: `wrt-vm run hello.wasm`, from spawn to exit.
//!
//! The floor is this executable in another role: it makes the same VM by raw ioctls, runs it
//! to its first exit and ends. The two files are of similar size and link the same libraries
//! (the system's C library), so what loading them costs is on both sides.
//!
//! Peak memory is the kernel's own figure for the finished child. A child starts as a copy
//! of its parent, whose pages count as the child's until it has become another program; so a
//! third role, small as no other part of this file, is the parent.

use crate::build;
use crate::pairs::{Pairs, Target};
use crate::raw::{LIKE_OURS, RawVm};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const RAW_ROLE: &str = "--role-raw-vm";
const PARENT_ROLE: &str = "--role-parent";

/// Does what a hidden argument says, if it is one.
pub(crate) fn play(role: &str, args: &[String]) -> Option<ExitCode> {
    match role {
        RAW_ROLE => {
            RawVm::new(&LIKE_OURS).expect("a raw VM").run();
            Some(ExitCode::SUCCESS)
        }
        PARENT_ROLE => {
            let (program, args) = args.split_first()?;
            println!("{}", peak_of_child(program, args));
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

pub(crate) fn run() -> bool {
    let program = build::wrt_vm();
    let module = hello();
    let this = std::env::current_exe().expect("this executable");
    let args = [OsStr::new("run"), module.as_os_str()];
    let pairs =
        Pairs::measure(31, || spawn(&program, &args), || spawn(&this, &[OsStr::new(RAW_ROLE)]));
    pairs.print("a process", 1.0);
    let fast = Target::AtMost(3.0).judge("process, ratio", pairs.ratio());

    let parent = Command::new(&this).arg(PARENT_ROLE).arg(&program).args(args).output();
    let output = parent.expect("the parent's figure").stdout;
    let kib: f64 = String::from_utf8_lossy(&output).trim().parse().expect("a number of KiB");
    Target::AtMost(24.0).judge("process, peak MiB", kib / 1024.0) && fast
}

/// Assembles the example once.
pub(crate) fn hello() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/hello.wat");
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello.wasm");
    std::fs::write(&module, wat::parse_file(source).expect("the example")).expect("a file");
    module
}

fn spawn(program: &Path, args: &[&OsStr]) -> Duration {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status();
    let time = started.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "failed: {command:?}");
    time
}

/// Runs a program and returns its peak resident set in KiB.
#[expect(clippy::zombie_processes, reason = "wait4 waits, and tells the peak")]
fn peak_of_child(program: &str, args: &[String]) -> i64 {
    let child = Command::new(program).args(args).stdout(Stdio::null()).spawn().expect("a child");
    let id = libc::pid_t::try_from(child.id()).expect("a process id");
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is valid; the child is ours and nobody else waits for it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(id, &raw mut status, 0, &raw mut usage);
        usage
    };
    assert_eq!(status, 0, "{program} failed");
    usage.ru_maxrss
}
