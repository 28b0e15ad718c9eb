//! What `/proc` tells of a process in the jail.

use crate::support::{SPIN, Setup, Wat, setups, skip, wrt_vm};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a program that spins, and waits until it does.
fn spin(setup: Setup, options: &[&str], wat: &Wat) -> Child {
    let mut command = wrt_vm();
    command.arg("run").args(setup.options()).args(options).arg(wat.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    wait_until_it_spins(&mut child);
    child
}

fn wait_until_it_spins(child: &mut Child) {
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("it writes before it spins");
    assert_eq!(line, "spinning\n");
}

/// What the kernel says of each thread of a process, by a field of `status`.
fn of_threads(process: u32, field: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it is there");
    let statuses = threads.filter_map(|thread| {
        fs::read_to_string(thread.expect("an entry").path().join("status")).ok()
    });
    statuses
        .map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.expect("the field").trim_start_matches(':').trim().to_owned()
        })
        .collect()
}

/// Processes that a process has started.
fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it is there");
    let lists = tasks.filter_map(|task| {
        fs::read_to_string(task.expect("an entry").path().join("children")).ok()
    });
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn all_threads_of_the_process_with_the_vm_are_filtered() {
    let wat = Wat::new(SPIN);
    for setup in setups() {
        for (options, jailed) in [(&[][..], true), (&["--no-jail"], false), (&["--worker"], true)] {
            let mut child = spin(setup, options, &wat);
            let process = match options {
                ["--worker"] => children(child.id())[0],
                _ => child.id(),
            };
            let (filters, privileges) =
                (of_threads(process, "Seccomp"), of_threads(process, "NoNewPrivs"));
            let _ = child.kill();
            child.wait().expect("it was killed");
            // 2 is a filter (`proc_pid_status(5)`).
            let is = |state: &str, of: &[String]| of.iter().all(|found| found == state);
            assert_eq!(is("2", &filters), jailed, "{setup:?} {options:?}: {filters:?}");
            assert_eq!(is("1", &privileges), jailed, "{setup:?} {options:?}: {privileges:?}");
        }
    }
}

/// What a process may do beside what its user may.
#[test]
fn the_process_with_the_vm_has_no_capability() {
    let wat = Wat::new(SPIN);
    for setup in setups() {
        for options in [&[][..], &["--worker"]] {
            let mut child = spin(setup, options, &wat);
            let process = match options {
                [] => child.id(),
                _ => children(child.id())[0],
            };
            let fields = ["CapInh", "CapPrm", "CapEff", "CapAmb"];
            let sets = fields.map(|field| of_threads(process, field));
            let bounding = of_threads(process, "CapBnd");
            let _ = child.kill();
            child.wait().expect("it was killed");
            for set in sets.iter().flatten() {
                assert_eq!(set, NONE, "{setup:?} {options:?}: {sets:?}");
            }
            // What an ordinary user without a user namespace cannot change does not matter.
            let own = of_threads(std::process::id(), "CapEff");
            if own.iter().all(|set| set != NONE) {
                assert!(bounding.iter().all(|set| set == NONE), "{setup:?} {options:?}");
            }
        }
    }
}

/// What root may do in a directory of another user, it keeps for that directory, and says so.
#[test]
fn root_keeps_what_a_directory_of_another_user_takes() {
    // SAFETY: a plain call.
    if unsafe { libc::geteuid() } != 0 {
        return skip("only root has rights over files of other users");
    }
    const NOBODY: u32 = 65_534;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "text").expect("a file");
    let only_its_user = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("an owner");
    };
    only_its_user(&file, 0o600);
    only_its_user(directory.path(), 0o700);
    let own = tempfile::tempdir().expect("a directory");
    fs::write(own.path().join("file"), "text").expect("a file");
    // Bits of `linux/capability.h`: 1 is over modes, 2 the same to read, 3 the owner's rights.
    for (directory, suffix, rights, kept, words) in [
        (own.path(), "", FD_READ | FD_WRITE, 0, "complete"),
        (directory.path(), ",ro", FD_READ, 1 << 2, "complete, with CAP_DAC_READ_SEARCH for "),
        (
            directory.path(),
            "",
            FD_READ | FD_WRITE,
            1 << 1 | 1 << 3,
            "complete, with CAP_DAC_OVERRIDE and CAP_FOWNER for ",
        ),
    ] {
        let wat = Wat::new(&opens_and_spins(rights));
        let granted = format!("{}::/{suffix}", directory.display());
        for setup in setups() {
            for place in [&[][..], &["--worker"]] {
                let options = [place, &["--dir", &granted]].concat();
                let mut child = spin(setup, &options, &wat);
                let process = if place.is_empty() { child.id() } else { children(child.id())[0] };
                let sets = ["CapPrm", "CapEff"].map(|field| of_threads(process, field));
                let _ = child.kill();
                child.wait().expect("it was killed");
                for set in sets.iter().flatten() {
                    assert_eq!(*set, format!("{kept:016x}"), "{setup:?} {options:?}: {sets:?}");
                }
            }
        }
        let options = ["--stats", "--timeout", "200ms", "--dir", &granted];
        let mut command = wrt_vm();
        let output = command.arg("run").args(options).arg(wat.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let jail = said.lines().find_map(|line| line.strip_prefix("jail ")).expect("a row").trim();
        // Where the jail is incomplete, what is kept is the least of it.
        let alike = jail.starts_with("incomplete")
            || if kept == 0 { jail == words } else { jail.starts_with(words) };
        assert!(alike, "{granted}: {jail}");
    }
}

// Rights of preview 1.
const FD_READ: u64 = 1 << 1;
const FD_WRITE: u64 = 1 << 6;

/// A program that opens `file` in its directory with these rights, says so, and spins.
fn opens_and_spins(rights: u64) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "path_open" (func $open
            (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\08\00\00\00\09\00\00\00spinning\nfile")
          (func (export "_start")
            (local $errno i32)
            (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 17) (i32.const 4)
              (i32.const 0) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 64)))
            (if (local.get $errno) (then (call $exit (local.get $errno))))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
            (loop $again (br $again))))"#
    )
}

/// No capability, as `status` shows it.
const NONE: &str = "0000000000000000";

#[test]
fn a_worker_has_no_environment_and_the_streams_of_its_program() {
    let wat = Wat::new(SPIN);
    for setup in setups() {
        let mut child = spin(setup, &["--worker"], &wat);
        let worker = children(child.id())[0];
        let environment = fs::read(format!("/proc/{worker}/environ")).expect("it is there");
        let stream = |process: u32, number: u32| {
            fs::read_link(format!("/proc/{process}/fd/{number}")).expect("it is open")
        };
        let streams = (0..3).map(|number| (stream(child.id(), number), stream(worker, number)));
        let streams: Vec<_> = streams.collect();
        let _ = child.kill();
        child.wait().expect("it was killed");
        assert!(environment.is_empty(), "{:?}", String::from_utf8_lossy(&environment));
        for (ours, its) in streams {
            assert_eq!(ours, its);
        }
    }
}

/// A file that was left open is no file of the program's process, and none of a worker's.
#[test]
fn what_was_left_open_is_closed() {
    let module = tempfile::NamedTempFile::new().expect("a file");
    fs::write(module.path(), wat::parse_str(SPIN).expect("valid text")).expect("a file");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    for setup in setups() {
        for options in ["", "--worker"] {
            // The module comes from such a descriptor itself.
            let script = format!(
                "exec 7<{secret} 9<{module}; exec {wrt_vm} run {setup} {options} /dev/fd/9",
                secret = secret.path().display(),
                module = module.path().display(),
                wrt_vm = env!("CARGO_BIN_EXE_wrt-vm"),
                setup = setup.options().join(" "),
            );
            let mut command = Command::new("sh");
            command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped());
            let mut child = command.stderr(Stdio::null()).spawn().expect("it runs");
            wait_until_it_spins(&mut child);
            let process = match options {
                "--worker" => children(child.id())[0],
                _ => child.id(),
            };
            let open: Vec<_> = fs::read_dir(format!("/proc/{process}/fd"))
                .expect("it is there")
                .filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok())
                .collect();
            let _ = child.kill();
            child.wait().expect("it was killed");
            assert!(!open.contains(&secret.path().to_owned()), "{setup:?} {options}: {open:?}");
        }
    }
}

/// The directory that was asked for, and what is wrong with it, once, wherever it is opened.
#[test]
fn a_directory_that_is_not_there_is_named() {
    let wat = Wat::new("(module (func (export \"_start\")))");
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (directory, why) in [
        (Path::new("/not/there"), "No such file or directory (os error 2)"),
        (file.path(), "Not a directory (os error 20)"),
    ] {
        for options in [&[][..], &["--no-jail"], &["--worker"], &["--worker", "--no-jail"]] {
            let output = wrt_vm()
                .args(["run", "--dir"])
                .arg(directory)
                .args(options)
                .arg(wat.path())
                .output()
                .expect("it runs");
            assert_eq!(output.status.code(), Some(1));
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.contains(" note: ")).expect("a line");
            let directory = directory.display();
            assert_eq!(
                said,
                format!("wrt-vm: cannot open the directory {directory} for the program: {why}"),
                "{options:?}"
            );
        }
    }
}
