//! Processes that the command starts, and what becomes of them.

use crate::engines::program;
use crate::support::{Wat, assert_fails, code_cache, has_hypervisor, skip, stderr, stdout};
use crate::support::{wrt_vm, wrt_vm_with_cache};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A process's child that is a worker, if there is one.
fn worker_of(parent: u32) -> Option<Pid> {
    // Each thread has its own.
    let threads = fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let children = threads.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: String = children.collect();
    let worker = children.split_whitespace().find(|child| {
        let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"worker")
    });
    Pid::from_raw(worker?.parse().ok()?)
}

/// SIGSTOP stands for a compiler that its module has taken over.
#[test]
fn a_compiler_that_does_not_answer_is_given_up_and_is_gone() {
    if !cfg!(target_os = "linux") || !has_hypervisor() {
        return;
    }
    let wat = Wat::new(&program(0));
    let mut command = wrt_vm();
    command.args(["compile", "--timeout", "2s"]).arg(wat.path()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary runs");
    let worker = loop {
        match worker_of(child.id()) {
            Some(worker) => break worker,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    kill_process(worker, Signal::STOP).expect("it is there");
    let output = child.wait_with_output().expect("it ends");
    assert_fails(&output, 1, &["takes longer than 2 s"]);
    assert!(test_kill_process(worker).is_err(), "it is still there");
}

/// An update while the command runs: its workers are of the program that it began as.
#[test]
fn the_program_may_be_replaced_while_it_runs() {
    if !cfg!(target_os = "linux") {
        skip("this system starts programs by their names only");
        return;
    }
    if !has_hypervisor() {
        return;
    }
    let module = wat::parse_str(program(0)).expect("valid text");
    for replaced in [false, true] {
        let (cache, folder) = (code_cache(), tempfile::tempdir().expect("a temporary directory"));
        let copy = folder.path().join("wrt-vm");
        // By another process: one that has a file open for writing cannot execute it, and neither
        // can a child that it starts at that moment.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_wrt-vm")).arg(&copy).status();
        assert!(copied.expect("every system has it").success());
        let mut command = Command::new(&copy);
        command.args(["run", "--stats", "-"]).env("WRT_VM_CACHE_DIR", cache.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        // It waits for its module.
        fs::remove_file(&copy).expect("the folder is ours");
        if replaced {
            fs::copy("/bin/false", &copy).expect("the folder is ours");
        }
        child.stdin.take().expect("a pipe").write_all(&module).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
        assert!(stderr(&output).contains("compiled just now"), "{}", stderr(&output));
    }
}

/// Compiled code has nowhere to go, which is no reason not to run it.
#[test]
fn the_cache_may_be_removed_while_programs_start() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let place = cache.path().join("cache");
    std::thread::scope(|scope| {
        let (done, over) = std::sync::mpsc::channel::<()>();
        let place = &place;
        scope.spawn(move || {
            while over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let _ = fs::remove_dir_all(place);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..10 {
            let mut command = wrt_vm_with_cache(place);
            let output = command.arg("run").arg(wat.path()).output().expect("the binary runs");
            assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
        }
        let module = wat.path();
        for _ in 0..3 {
            let mut command = wrt_vm_with_cache(place);
            command.args(["run", "--jobs", "2"]).args([&module, &module]);
            let output = command.output().expect("the binary runs");
            assert_eq!(stdout(&output), "hello\nhello\n", "{}", stderr(&output));
            let mut command = wrt_vm_with_cache(place);
            command.arg("compile").arg(&module).arg("-o").arg(module.with_extension("cwasm"));
            let output = command.output().expect("the binary runs");
            assert!(output.status.success(), "{}", stderr(&output));
        }
        drop(done);
    });
}
