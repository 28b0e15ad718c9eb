//! The process that holds a guest: what it has, and who can do what to it.

use crate::arch::for_ever;
use crate::guest::{Guest, processes, status};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wrt_abi::process::GATE_BASE;
use wrt_platform::memory::page_size;
use wrt_tests::HANG;
use wrt_vm::hypervisor::Exit;

#[test]
fn it_has_nothing() {
    let Some(mut guest) = Guest::new() else { return };
    guest.assert_works();
    let pid = guest.process();
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set).unwrap(), "0000000000000000", "{set}");
    }
    assert_eq!(status(pid, "NoNewPrivs").unwrap(), "1");
    assert_eq!(status(pid, "Seccomp").unwrap(), "2");
    assert_eq!(status(pid, "Threads").unwrap(), "1");

    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for limit in ["Max core file size", "Max open files", "Max processes", "Max file size"] {
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        assert_eq!(line.split_whitespace().filter(|word| *word == "0").count(), 2, "{line}");
    }
    let gate = format!("{GATE_BASE:x}-{:x} r-xp", GATE_BASE + page_size() as u64);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    for line in maps.lines() {
        let known = line.contains("/memfd:wrt-vm memory")
            || line.starts_with(&gate)
            || line.contains("[vsyscall]");
        assert!(known, "{line}");
        assert!(!(line.contains("rwx") || line.contains("-wx")), "{line}");
    }
    // Readable to root alone: the process is not dumpable.
    if rustix::process::geteuid().is_root() {
        assert_eq!(fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(), 0, "descriptors");
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(environment.is_empty(), "{environment:?}");
    }
}

#[test]
fn namespaces_are_its_own_as_far_as_the_boundary_says() {
    let Some(guest) = Guest::new() else { return };
    if !rustix::process::geteuid().is_root() {
        wrt_tests::skip("only root may look at the namespaces of a process that is not dumpable");
        return;
    }
    let pid = guest.process();
    let boundary = guest.boundary();
    for (name, file) in [
        ("user", "user"),
        ("process", "pid"),
        ("mount", "mnt"),
        ("network", "net"),
        ("IPC", "ipc"),
        ("host name", "uts"),
        ("cgroup", "cgroup"),
    ] {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{file}")).unwrap();
        let own = of(&pid.to_string()) != of("self");
        let (_, said) = boundary.split_once("its own: ").unwrap();
        assert_eq!(own, said.split(", ").any(|word| word == name), "{name}: {boundary}");
    }
}

#[test]
fn nobody_else_can_attach_to_it() {
    let Some(mut guest) = Guest::new() else { return };
    let pid = guest.process();
    std::thread::spawn(move || {
        for request in [libc::PTRACE_ATTACH, libc::PTRACE_SEIZE] {
            // SAFETY: a request that is refused.
            let done = unsafe { libc::ptrace(request, pid, 0, 0) };
            let error = std::io::Error::last_os_error();
            assert_eq!((done, error.raw_os_error()), (-1, Some(libc::EPERM)));
        }
    })
    .join()
    .unwrap();
    guest.assert_works();
}

/// Signals from outside: they end it, or are nothing to it.
#[test]
fn it_can_be_killed_and_not_be_disturbed() {
    let (Some(mut guest), Some(mut other)) = (Guest::new(), None::<Guest>.or_else(Guest::new))
    else {
        return;
    };
    let pids = processes("TracerPid", rustix::thread::gettid().as_raw_nonzero().get());
    for signal in [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGSTOP,
        libc::SIGCONT,
        libc::SIGSEGV,
        libc::SIGILL,
        libc::SIGBUS,
        libc::SIGUSR1,
        libc::SIGCHLD,
    ] {
        for pid in &pids {
            // SAFETY: a plain system call.
            assert_eq!(unsafe { libc::kill(*pid, signal) }, 0);
        }
        guest.assert_works();
        guest.map();
        other.assert_works();
    }
    for pid in &pids {
        // SAFETY: a plain system call.
        assert_eq!(unsafe { libc::kill(*pid, libc::SIGKILL) }, 0);
    }
    let killed = Exit::Killed { signal: libc::SIGKILL as u32 };
    for guest in [&mut guest, &mut other] {
        assert_eq!(guest.run(), killed);
        assert!(guest.vcpu().run().is_err(), "it is over");
        guest.clear();
        guest.assert_works();
    }
}

/// Plays the program that dies, in a process of its own.
#[test]
#[ignore = "runs for ever: killed by another test"]
fn a_guest_that_runs_for_ever() {
    let Some(mut guest) = Guest::new() else { return };
    guest.boot(for_ever());
}

#[test]
fn it_does_not_outlive_its_parent() {
    if Guest::new().is_none() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut parent = Command::new(this)
        .args(["process::a_guest_that_runs_for_ever", "--exact", "--ignored"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let id = i32::try_from(parent.id()).unwrap();
    let started = Instant::now();
    let child = loop {
        // Running its own loop, rather than stopped on its way there.
        let running = |pid: &i32| status(*pid, "State").is_some_and(|state| state.starts_with('R'));
        if let Some(pid) = processes("PPid", id).into_iter().find(running) {
            break pid;
        }
        assert!(started.elapsed() < HANG, "no child");
        std::thread::sleep(Duration::from_millis(10));
    };
    parent.kill().unwrap();
    parent.wait().unwrap();
    while status(child, "Name").is_some_and(|name| name == "wrt-vm guest")
        && !status(child, "State").is_some_and(|state| state.starts_with('Z'))
    {
        assert!(started.elapsed() < HANG, "it lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn it_goes_with_its_vm() {
    let Some(guest) = Guest::new() else { return };
    let pid = guest.process();
    drop(guest);
    assert_eq!(status(pid, "Name"), None);
}
