//! The escape drill: code of a test, in the process that has a VM, tries what somebody would try
//! who has got out of it. The jail says no to all, and the VM goes on.
//!
//! The process is this program, started anew: it makes a VM and enters the jail as `wrt-vm run`
//! does, or it is a worker.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod attempts;
mod inside;

use attempts::{ALLOWED, DENIED, Scene, is_denial};
use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, ExitCode};
use wrt_vm::Backend;
use wrt_vm::hypervisor::available;

/// Names the backend, and makes a process play its part.
const BACKEND: &str = "WRT_DRILL_BACKEND";
/// Directory with what is tried on.
const ROOT: &str = "WRT_DRILL_ROOT";
const PORT: &str = "WRT_DRILL_PORT";

fn main() -> ExitCode {
    if let Ok(backend) = std::env::var(BACKEND) {
        return inside::play(&backend.parse().unwrap());
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let mut drills = Vec::new();
    for found in available() {
        let name = found.backend.name();
        match found.problem {
            _ if found.backend == Backend::Hvf => {
                wrt_tests::skip("a simulation makes code at run time, which the jail denies");
            }
            Some(problem) => wrt_tests::skip(&format!("no {name}: {problem}")),
            None => drills.extend([false, true].map(|worker| {
                let place = if worker { "worker" } else { "process" };
                libtest_mimic::Trial::test(format!("{name}_{place}"), move || {
                    drill(name, worker);
                    Ok(())
                })
            })),
        }
    }
    libtest_mimic::run(&arguments, drills).exit_code()
}

/// Has a process do its drill, and looks at what came of it.
fn drill(backend: &str, worker: bool) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    for place in ["open", "closed"] {
        fs::create_dir(path.join(place)).unwrap();
    }
    fs::write(path.join("open/file"), "text").unwrap();
    fs::write(path.join("closed/secret"), "text").unwrap();
    std::os::unix::fs::symlink("../closed/secret", path.join("open/link")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let _local = UnixListener::bind(path.join("closed/socket")).unwrap();

    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(worker.then_some(inside::IN_WORKER))
        .env(BACKEND, backend)
        .env(ROOT, path)
        .env(PORT, tcp.local_addr().unwrap().port().to_string());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the process did not survive its drill: {said}");
    let report = fs::read_to_string(path.join("report")).unwrap();
    judge(&report, path);
}

fn judge(report: &str, root: &Path) {
    let came_of: HashMap<&str, i32> = report
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, errno)| (name, errno.parse().unwrap()))
        .collect();
    let tried =
        |name: &str| came_of.get(name).copied().unwrap_or_else(|| panic!("{name}: {report}"));
    if report.lines().next() != Some("jail: complete") {
        wrt_tests::skip(&format!("this kernel cannot enforce all of it: {report}"));
        return;
    }
    for (name, _) in DENIED {
        let errno = tried(name);
        assert!(is_denial(errno), "{name}: {}", std::io::Error::from_raw_os_error(errno));
    }
    for (name, _) in ALLOWED {
        let errno = tried(name);
        assert_eq!(errno, 0, "{name}: {}", std::io::Error::from_raw_os_error(errno));
    }
    assert!(report.ends_with("the VM goes on\n"), "{report}");
    assert!(root.join("open/new").exists() && root.join("closed/secret").exists());
    assert!(!root.join("closed/new").exists());
}

/// Where the drill is, as its processes are told.
fn scene(root: &Path) -> (std::path::PathBuf, std::path::PathBuf, u16) {
    let port = std::env::var(PORT).unwrap().parse().unwrap();
    (root.join("closed"), root.join("open"), port)
}

/// Tries everything; writes a line for each.
fn try_all(root: &Path, report: &mut impl std::io::Write) {
    let (closed, open, port) = scene(root);
    let parent = std::os::unix::process::parent_id().cast_signed();
    let scene = Scene { closed: &closed, open: &open, port, parent };
    for (name, attempt) in DENIED.iter().chain(ALLOWED) {
        let errno = attempt(&scene).err().map_or(0, |error| error.raw_os_error().unwrap_or(-1));
        writeln!(report, "{name} = {errno}").unwrap();
    }
}
