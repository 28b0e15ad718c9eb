//! What `/proc` tells of a process in the jail.

use crate::support::{SPIN, Setup, Wat, setups, wrt_vm};
use std::fs;
use std::io::{BufRead as _, BufReader};
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
