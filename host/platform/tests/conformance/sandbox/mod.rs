//! The sandbox, tried from inside: a process enters a profile and does what it must not.

mod attempts;
mod child;
#[cfg(target_os = "linux")]
mod linux;

use attempts::Outcome::{Denied, Done};
use child::run;
use wrt_platform::sandbox::Part;

/// The shape that a process with virtual machines has.
#[test]
fn a_closed_profile_lets_nothing_out() {
    let report = run("closed");
    for attempt in [
        "read outside",
        "list outside",
        "read by a link",
        "write outside",
        "write in the read-only place",
        "remove in the read-only place",
        "create in the read-only place",
        "move a file out",
        "read in the removable place",
        "write in the removable place",
        "create in the removable place",
        "read outside in a thread made meanwhile",
        "truncate outside",
        "connect by TCP",
        "listen on TCP",
        "open a UDP socket",
        "connect to a local socket",
        "fork",
        "run a program",
        "signal the parent",
        "kill the parent",
        "make memory executable",
        "map executable memory",
    ] {
        assert_eq!(report.outcome(attempt), Denied, "{attempt}");
    }
}

#[test]
fn a_closed_profile_lets_the_allowed_be_done() {
    let report = run("closed");
    for attempt in [
        "read in the read-only place",
        "list the read-only place",
        "write in the open place",
        "move within the open place",
        "remove in the removable place",
        "read what was open before",
        "map memory",
        "make a thread",
        "signal a thread of its own",
        "sleep and take the time",
        "take random bytes",
        "make a pair of sockets and a pipe",
    ] {
        assert_eq!(report.outcome(attempt), Done, "{attempt}");
    }
}

#[test]
fn an_empty_profile_lets_the_usual_be_done() {
    let report = run("empty");
    for attempt in [
        "read outside",
        "write outside",
        "connect by TCP",
        "connect to a local socket",
        "fork",
        "run a program",
        "map executable memory",
        "make memory executable",
        "make a thread",
    ] {
        assert_eq!(report.outcome(attempt), Done, "{attempt}");
    }
    assert_eq!(report.outcome("kill the parent"), Denied);
}

#[test]
fn each_denial_is_its_own() {
    for (case, denied, done) in [
        ("network", "connect by TCP", "fork"),
        ("network", "listen on TCP", "make a pair of sockets and a pipe"),
        ("network", "open a UDP socket", "run a program"),
        ("fork", "fork", "connect by TCP"),
        ("exec", "run a program", "fork"),
        ("writes", "write outside", "read outside"),
        ("reads", "read outside", "write in the open place"),
        ("code", "map executable memory", "fork"),
    ] {
        assert_denies(case, denied, done);
    }
}

/// Checks that a profile denies one thing, and lets another be done.
fn assert_denies(case: &str, denied: &str, done: &str) {
    let report = run(case);
    assert_eq!(report.outcome(denied), Denied, "{case}: {denied}");
    assert_eq!(report.outcome(done), Done, "{case}: {done}");
}

#[test]
fn a_signal_can_be_allowed() {
    let report = run("signals");
    assert_eq!(report.outcome("kill the parent"), Denied);
    assert_eq!(report.outcome("signal the parent"), Denied);
    assert_eq!(report.outcome("ask a sleeper to end"), Done);
}

#[test]
fn there_is_no_way_back() {
    let report = run("twice");
    assert_eq!(report.outcome("enter an empty profile"), Denied);
    assert_eq!(report.outcome("read outside"), Denied);
    assert_eq!(report.outcome("leave core dumps"), Denied);
    assert_eq!(report.outcome("raise the limit of core dumps"), Denied);
}

#[test]
fn a_limit_of_open_files_holds() {
    assert_eq!(run("files").outcome("open many files"), Denied);
}

#[test]
fn what_was_not_asked_for_is_open() {
    let report = run("empty");
    for part in [Part::Reads, Part::Writes, Part::Network, Part::Fork, Part::Exec] {
        assert!(report.part(part).ends_with(": open"), "{}", report.part(part));
    }
}
