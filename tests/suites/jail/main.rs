//! The escape drill: code of a test, in the process that has a VM, tries what somebody would try
//! who has got out of it. The jail says no to all, and the VM goes on.
//!
//! The process is this program, started anew: it makes a VM and enters the jail as `wrt-vm run`
//! does, or it is a worker.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod attempts;
#[cfg(target_arch = "x86_64")]
mod debugger;
#[cfg(target_arch = "x86_64")]
mod denied;
mod inside;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod outside;
mod reach;

use attempts::{ALLOWED, DENIED, Scene, is_denial};
use reach::{Itself, Targets};
use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wrt_vm::Backend;
use wrt_vm::hypervisor::available;

/// Names the backend, and makes a process play its part.
const BACKEND: &str = "WRT_DRILL_BACKEND";
/// Directory with what is tried on.
const ROOT: &str = "WRT_DRILL_ROOT";
const PORT: &str = "WRT_DRILL_PORT";

fn main() -> ExitCode {
    if let Some(code) = inside::play() {
        return code;
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let mut drills = vec![
        libtest_mimic::Trial::test("every_system_call_is_classified", || Ok(kernel::check()?)),
        libtest_mimic::Trial::test("outside_a_jail_paths_lead_to_the_targets", || {
            outside_of_a_jail();
            Ok(())
        }),
    ];
    #[cfg(target_arch = "x86_64")]
    drills.extend(outside::trials());
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

/// A directory that is opened to the program, and one that is not.
fn prepare(path: &Path) -> Targets {
    for place in ["open", "closed"] {
        fs::create_dir(path.join(place)).unwrap();
    }
    fs::write(path.join("open/file"), "text").unwrap();
    std::os::unix::fs::symlink("../closed/secret", path.join("open/link")).unwrap();
    Targets::make(&path.join("closed")).unwrap()
}

/// What the drill tries does reach its targets where there is no jail, or it would show nothing.
fn outside_of_a_jail() {
    let root = tempfile::tempdir().unwrap();
    prepare(root.path());
    let open = fs::File::open(root.path().join("open")).unwrap();
    let targets = Targets::at(&root.path().join("closed"));
    let attempts = reach::try_some(&mut Itself::default(), &targets, open.as_raw_fd()).unwrap();
    assert!(attempts.len() > 20, "{attempts:?}");
    for attempt in attempts {
        assert!(!attempt.is_refused(), "{attempt:?}");
    }
}

/// Makes a process do its drill, and looks at what came of it.
fn drill(backend: &str, worker: bool) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    // Made here, so that nothing of it has another root below `/proc`.
    let path = &path.canonicalize().unwrap();
    let targets = prepare(path);
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = UnixListener::bind(path.join("closed/socket")).unwrap();

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
    drop(local);
    fs::remove_file(path.join("closed/socket")).unwrap();
    if judge(&report, path) {
        targets.check();
    }
}

/// Whether the jail was complete, so that nothing may have been reached.
fn judge(report: &str, root: &Path) -> bool {
    let came_of: HashMap<&str, i32> = report
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, errno)| (name, errno.parse().unwrap()))
        .collect();
    let tried =
        |name: &str| came_of.get(name).copied().unwrap_or_else(|| panic!("{name}: {report}"));
    if report.lines().next() != Some("jail: complete") {
        wrt_tests::skip(&format!("this system cannot enforce all of it: {report}"));
        return false;
    }
    let reached: Vec<_> = report.lines().filter(|line| line.starts_with("reached ")).collect();
    assert!(reached.is_empty(), "{reached:#?}");
    assert!(report.contains("\ntried all paths\n"), "{report}");
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
    true
}

/// Where a drill is.
#[derive(Debug)]
struct Place {
    root: PathBuf,
    port: u16,
    /// Device and number of the directory that is opened to the program.
    open: (u64, u64),
}

impl Place {
    fn new(root: PathBuf, port: u16) -> Self {
        let open = fs::metadata(root.join("open")).unwrap();
        Self { root, port, open: (open.dev(), open.ino()) }
    }

    /// The open directory among the descriptors of this process, as an attacker looks for it.
    fn inside(&self) -> Vec<i32> {
        (3..256)
            .filter(|number| {
                // SAFETY: plain numbers, all zero is valid.
                let mut found: libc::stat = unsafe { std::mem::zeroed() };
                // SAFETY: fills one structure, or fails.
                let failed = unsafe { libc::fstat(*number, &raw mut found) };
                failed == 0 && (found.st_dev, found.st_ino) == self.open
            })
            .collect()
    }
}

/// Tries everything; writes a line for each.
fn try_all(place: &Place, report: &mut impl std::io::Write) {
    let (closed, open) = (place.root.join("closed"), place.root.join("open"));
    let parent = std::os::unix::process::parent_id().cast_signed();
    let inside = place.inside();
    let port = place.port;
    let scene = Scene { closed: &closed, open: &open, inside: inside[0], port, parent };
    for (name, attempt) in DENIED.iter().chain(ALLOWED) {
        let errno = attempt(&scene).err().map_or(0, |error| error.raw_os_error().unwrap_or(-1));
        writeln!(report, "{name} = {errno}").unwrap();
    }
    let mut this = Itself::default();
    let attempts = reach::try_paths(&mut this, &Targets::at(&closed), &inside).unwrap();
    let unknown = reach::try_unknown(&mut this).unwrap();
    for attempt in attempts.iter().chain(&unknown).filter(|attempt| !attempt.is_refused()) {
        writeln!(report, "reached {} = {}", attempt.what, attempt.returned).unwrap();
    }
    writeln!(report, "tried all paths").unwrap();
}
