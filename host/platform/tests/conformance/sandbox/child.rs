//! A process that enters a profile: this test binary, started anew, and forked once so that it
//! has a single thread.

use super::attempts::{self, Outcome, Scene};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use wrt_platform::sandbox::{Part, Profile, ProfileBuilder, Sandbox, Signal};

const CASE: &str = "WRT_SANDBOX_CASE";
const ROOT: &str = "WRT_SANDBOX_ROOT";
const PORT: &str = "WRT_SANDBOX_PORT";

/// What the child wrote.
pub(super) struct Report {
    attempts: HashMap<String, i32>,
    text: String,
    /// The signal that ended the child.
    #[cfg(target_os = "linux")]
    pub(super) signal: Option<i32>,
}

impl Report {
    /// How an attempt ended.
    pub(super) fn outcome(&self, attempt: &str) -> Outcome {
        match self.attempts.get(attempt) {
            Some(0) => Outcome::Done,
            Some(_) => Outcome::Denied,
            None => panic!("{attempt} was not tried; the child wrote:\n{}", self.text),
        }
    }

    /// What an attempt ended with: an errno, or 0.
    #[cfg(target_os = "linux")]
    pub(super) fn errno(&self, attempt: &str) -> i32 {
        let _ = self.outcome(attempt);
        self.attempts[attempt]
    }

    /// Whether it was tried at all.
    #[cfg(target_os = "linux")]
    pub(super) fn has(&self, attempt: &str) -> bool {
        self.attempts.contains_key(attempt)
    }

    /// All that the child wrote.
    #[cfg(target_os = "linux")]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the child said of a part.
    pub(super) fn part(&self, part: Part) -> &str {
        let start = format!("{part}: ");
        self.text.lines().find(|line| line.starts_with(&start)).unwrap()
    }

    /// Whether the child found all enforced.
    #[cfg(target_os = "linux")]
    pub(super) fn is_complete(&self) -> bool {
        self.text.lines().any(|line| line == "complete")
    }
}

/// Runs a case in a process of its own.
pub(super) fn run(case: &str) -> Report {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).map(|path| (path, root)).unwrap();
    for place in ["closed", "readable", "writable", "removable"] {
        fs::create_dir(root.0.join(place)).unwrap();
        fs::write(root.0.join(place).join("file"), "text").unwrap();
    }
    std::os::unix::fs::symlink("../closed/file", root.0.join("writable/link")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let _local = UnixListener::bind(root.0.join("closed/socket")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "sandbox::child::inside", "--nocapture"])
        .env(CASE, case)
        .env(ROOT, &root.0)
        .env(PORT, tcp.local_addr().unwrap().port().to_string())
        .stdout(Stdio::null())
        .process_group(0);
    let status = command.status().unwrap();
    assert!(status.code().is_some(), "the child ended by itself: {status}");
    let text = fs::read_to_string(root.0.join("report")).unwrap();
    let attempts = text
        .lines()
        .filter_map(|line| line.strip_prefix("tried ")?.split_once(" = "))
        .map(|(name, errno)| (name.to_owned(), errno.parse().unwrap()))
        .collect();
    Report {
        attempts,
        text,
        // The test process passes its child's end on.
        #[cfg(target_os = "linux")]
        signal: status.code().and_then(|code| code.checked_sub(128)).filter(|code| *code > 0),
    }
}

/// The child's part; nothing when it is run as a test.
#[test]
fn inside() {
    let Ok(case) = std::env::var(CASE) else { return };
    let root = std::env::var(ROOT).unwrap();
    let port = std::env::var(PORT).unwrap().parse().unwrap();
    let mut report = File::create(Path::new(&root).join("report")).unwrap();
    let scene = Scene::open(Path::new(&root), port);
    // SAFETY: the only other thread of this process waits for this one; the child uses
    // memory and files, whose locks fork keeps in order, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let entered = std::panic::catch_unwind(move || confined(&case, scene, &mut report));
        // SAFETY: ends the process at once, and with it what it traces.
        unsafe { libc::_exit(i32::from(entered.is_err())) }
    }
    let mut status = 0;
    // SAFETY: writes one integer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    let signal = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { 0 };
    std::process::exit(signal.max(libc::WEXITSTATUS(status)));
}

fn confined(case: &str, mut scene: Scene, report: &mut File) {
    if case == "late" {
        scene.make_helper();
    }
    if case == "signals" || case == "trace" {
        scene.make_sleeper(case == "trace");
    }
    let profile = profile(case, &scene).build().unwrap();
    // SAFETY: a plain call. Whatever hangs, this ends the process.
    unsafe { libc::alarm(30) };
    let enforced = if case == "halves" {
        let closing = Sandbox::close_names(profile).unwrap();
        scene.make_sleeper(true);
        scene.make_helper();
        closing.allow_trace(&scene.sleepers()).close_calls().unwrap()
    } else if case == "paths" {
        let closing = Sandbox::close_names(profile).unwrap();
        let place = closing.places().and_then(|places| places.get(1));
        scene.place = place.map(|place| place.as_fd().try_clone_to_owned().unwrap());
        closing.close_calls().unwrap()
    } else {
        Sandbox::enter(profile).unwrap()
    };
    write!(report, "{enforced}").unwrap();
    if enforced.is_complete() {
        writeln!(report, "complete").unwrap();
    }
    for (name, attempt) in attempts::all() {
        if attempts::is_fatal(name) && case != "fatal" {
            continue;
        }
        if let Some(result) = attempt(&mut scene) {
            let errno = result.err().map_or(0, |error| error.raw_os_error().unwrap_or(-1));
            writeln!(report, "tried {name} = {errno}").unwrap();
        }
    }
}

fn profile(case: &str, scene: &Scene) -> ProfileBuilder {
    let (readable, writable) = (scene.path("readable"), scene.path("writable"));
    let closed = || {
        Profile::builder()
            .deny_network()
            .deny_file_read_all()
            .deny_file_write_all()
            .allow_file_read(&[&readable])
            .allow_descriptor(File::open(&writable).unwrap(), true)
            .allow_file_removal(&[scene.path("removable")])
            .deny_process_fork()
            .deny_process_exec()
            .deny_ipc()
            .deny_executable_memory()
    };
    match case {
        "empty" => Profile::builder(),
        "network" => Profile::builder().deny_network(),
        "fork" => Profile::builder().deny_process_fork(),
        "exec" => Profile::builder().deny_process_exec(),
        "ipc" => Profile::builder().deny_ipc(),
        "writes" => Profile::builder().deny_file_write_all(),
        "reads" => Profile::builder()
            .deny_file_write_all()
            .deny_file_read_all()
            .allow_file_read_write(&[&writable]),
        "code" => Profile::builder().deny_executable_memory(),
        "signals" => closed().allow_signal(Signal::Term),
        "trace" => closed().allow_trace(&scene.sleepers()),
        "hypervisor" => Profile::builder().allow_hypervisor().deny_process_fork(),
        "files" => closed().limit_open_files(24),
        "fatal" => closed().kill_on_attack(),
        "paths" => closed().deny_paths(),
        _ => closed(),
    }
}
