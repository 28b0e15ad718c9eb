//! The drill from outside: a debugger makes `wrt-vm` itself call the kernel, in the process that
//! has a VM, in a worker and in the compiler's worker.

use crate::debugger::Debugger;
use crate::denied::deny;
use crate::reach::{self, Attempt, Caller as _, TIMES_OF_OPEN, Targets};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wrt_tests::{HANG, Setup, matrix, program};

/// Says that it runs, and runs on.
const SPIN: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\10\00\00\00\00\00\00\00spinning\0a")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 24))
        (i32.store (i32.const 4) (i32.const 9))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (loop (br 0))))"#;

pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
    let mut trials = Vec::new();
    for setup in matrix() {
        if setup.is_simulated() {
            continue;
        }
        for worker in [false, true] {
            let place = if worker { "worker" } else { "run" };
            trials.push(libtest_mimic::Trial::test(
                format!("{setup}_{place}_under_a_debugger"),
                move || {
                    running(setup, worker, System::Grants);
                    Ok(())
                },
            ));
        }
    }
    // The jail is the same for all setups.
    if let Some(setup) = matrix().into_iter().find(|setup| !setup.is_simulated()) {
        for (system, name) in [
            (System::HasNoNamespaces, "without_namespaces"),
            (System::HasNoRoots, "without_namespaces_and_roots"),
        ] {
            trials.extend([false, true].map(|worker| {
                let place = if worker { "worker" } else { "run" };
                libtest_mimic::Trial::test(format!("{place}_{name}_under_a_debugger"), move || {
                    running(setup, worker, system);
                    Ok(())
                })
            }));
        }
    }
    trials.push(libtest_mimic::Trial::test("compiler_under_a_debugger", || {
        compiling();
        Ok(())
    }));
    trials
}

/// What a process gets of the system for its jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    /// All there is.
    Grants,
    /// No namespaces, as in most containers: root may change its root directory.
    HasNoNamespaces,
    /// The same, and no other root directory, as for an ordinary user.
    HasNoRoots,
}

impl System {
    /// Calls that a command is denied.
    fn denied(self) -> &'static [libc::c_long] {
        match self {
            Self::Grants => &[],
            Self::HasNoNamespaces => &[libc::SYS_unshare],
            Self::HasNoRoots => &[libc::SYS_unshare, libc::SYS_chroot],
        }
    }

    /// What is open there all the same, as `--stats` says.
    fn leaves_open(self, attempt: &Attempt) -> bool {
        match self {
            Self::Grants => false,
            Self::HasNoNamespaces => {
                attempt.looks() && attempt.led_out() || attempt.what == TIMES_OF_OPEN
            }
            Self::HasNoRoots => attempt.looks() || attempt.what == TIMES_OF_OPEN,
        }
    }
}

/// Ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn running(setup: Setup, worker: bool, system: System) {
    match system {
        System::Grants if !grants_namespaces() => {
            return wrt_tests::skip("this system grants no mount namespace: see `wrt-vm doctor`");
        }
        System::HasNoNamespaces if !rustix::process::geteuid().is_root() => {
            return wrt_tests::skip("only root may change its root directory");
        }
        _ => {}
    }
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let targets = crate::prepare(&path);
    fs::create_dir(path.join("read")).unwrap();
    let read_only = Targets::make(&path.join("read")).unwrap();
    fs::write(path.join("spin.wat"), SPIN).unwrap();
    let mut command = Command::new(program());
    command
        .args(["run", "--backend", setup.backend.name(), "--engine", &setup.engine.to_string()])
        .args(worker.then_some("--worker"))
        .arg("--dir")
        .arg(format!("{}::/", path.join("open").display()))
        .arg("--dir")
        .arg(format!("{}::/read,ro", path.join("read").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    // A module that is in the cache already: its process may throw it out.
    command.arg("--cache-dir").arg(path.join("cache")).arg(path.join("spin.wat"));
    drop(start(&mut command));
    deny(&mut command, system.denied());
    let mut child = start(&mut command);
    let process = if worker { first_child(child.0.id()).unwrap() } else { child.0.id() };
    // Each directory that it has open must be one that was opened to the program, or the cache.
    let [open, read, cache] =
        ["open", "read", "cache"].map(|name| fs::metadata(path.join(name)).unwrap().ino());
    let folders = open_folders(process);
    let known = |number| [open, read, cache].contains(number);
    assert!(folders.iter().all(|(_, number)| known(number)), "{folders:?}");
    let all: Vec<i32> = folders.iter().map(|(descriptor, _)| *descriptor).collect();
    let of_read = folders.iter().filter(|(_, number)| *number == read);
    let of_read: Vec<i32> = of_read.map(|(descriptor, _)| *descriptor).collect();
    assert!(!of_read.is_empty(), "{folders:?}");
    let reached = drill(process, &targets, &all, Some((&read_only, &of_read)));
    targets.check();
    let (open, closed): (Vec<_>, Vec<_>) =
        reached.iter().partition(|attempt| system.leaves_open(attempt));
    assert!(closed.is_empty(), "{closed:#?}");
    match system {
        System::Grants => read_only.check(),
        // Else it was another system.
        _ => assert!(open.iter().any(|attempt| attempt.led_out()), "{open:#?}"),
    }
    assert!(child.0.try_wait().unwrap().is_none(), "it does not go on");
}

/// Starts a command, and waits until its program runs.
fn start(command: &mut Command) -> Running {
    let mut child = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "spinning\n");
    child
}

fn compiling() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let targets = crate::prepare(&path);
    // It takes a while.
    let body = "(local.set 0 (i64.mul (local.get 0) (i64.add (local.get 0) (i64.const 77))))";
    let function = format!("(func (param i64) {})", body.repeat(200));
    fs::write(path.join("large.wat"), format!("(module {})", function.repeat(2000))).unwrap();
    let mut command = Command::new(program());
    command.arg("compile").arg(path.join("large.wat")).arg("-o").arg(path.join("out.cwasm"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let end = Instant::now() + HANG;
    let process = loop {
        assert!(Instant::now() < end && child.0.try_wait().unwrap().is_none(), "no worker");
        match first_child(child.0.id()).filter(|process| is_filtered(*process)) {
            Some(process) => break process,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert_eq!(open_folders(process), []);
    for number in 0..3 {
        let stream = fs::read_link(format!("/proc/{process}/fd/{number}")).unwrap();
        assert_eq!(stream, Path::new("/dev/null"), "stream {number} of the compiler's worker");
    }
    if grants_namespaces() {
        let reached = drill(process, &targets, &[], None);
        targets.check();
        assert!(reached.is_empty(), "{reached:#?}");
    } else {
        wrt_tests::skip("this system grants no mount namespace: see `wrt-vm doctor`");
    }
    let ended = child.0.wait().unwrap();
    assert!(ended.success(), "what was stopped is compiled all the same: {ended}");
}

/// Whether the filter of system calls is entered, which is the last of a jail.
fn is_filtered(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

/// A process that a process has started.
fn first_child(process: u32) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut lists = tasks.filter_map(|task| {
        fs::read_to_string(task.ok()?.path().join("children")).ok().filter(|list| !list.is_empty())
    });
    lists.next()?.split_whitespace().next()?.parse().ok()
}

/// Directories that a process has open: descriptors, and the directories' numbers.
fn open_folders(process: u32) -> Vec<(i32, u64)> {
    let listed = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let mut folders: Vec<(i32, u64)> = listed
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let found = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_dir)?;
            Some((entry.file_name().to_str()?.parse().ok()?, found.ino()))
        })
        .collect();
    folders.sort_unstable();
    folders
}

/// Whether a process of this user may have mounts of its own, asked of the system and not of
/// `wrt-vm`.
fn grants_namespaces() -> bool {
    let flags = [libc::CLONE_NEWNS, libc::CLONE_NEWNS | libc::CLONE_NEWUSER];
    flags.into_iter().any(|flags| {
        let mut command = Command::new("true");
        // SAFETY: between fork and exec it makes two system calls, with numbers and strings.
        unsafe {
            command.pre_exec(move || {
                let none = std::ptr::null();
                let private = libc::MS_REC | libc::MS_PRIVATE;
                match libc::unshare(flags) == 0
                    && libc::mount(none, c"/".as_ptr(), none, private, none.cast()) == 0
                {
                    true => Ok(()),
                    false => Err(std::io::Error::last_os_error()),
                }
            })
        };
        command.status().is_ok_and(|status| status.success())
    })
}

/// What a debugger reaches. `open`: directories that are open; `read_only`: what is in those of them
/// that are open to be read.
fn drill(
    process: u32,
    targets: &Targets,
    open: &[i32],
    read_only: Option<(&Targets, &[i32])>,
) -> Vec<Attempt> {
    let mut debugger = Debugger::stop(process).unwrap();
    // So that it is known to work at all.
    let own = debugger.call(libc::SYS_getpid, [0; 6]).unwrap();
    assert_eq!(u32::try_from(own), Ok(process));
    let mut attempts = reach::try_paths(&mut debugger, targets, open).unwrap();
    attempts.extend(reach::try_unknown(&mut debugger).unwrap());
    for (inside, directory) in read_only.into_iter().flat_map(|(inside, directories)| {
        directories.iter().map(move |directory| (inside, *directory))
    }) {
        let inside = reach::try_read_only(&mut debugger, inside, directory).unwrap();
        // To look is what it is open for.
        attempts.extend(inside.into_iter().filter(|attempt| !attempt.looks()));
    }
    attempts.retain(|attempt| !attempt.is_refused());
    attempts
}
