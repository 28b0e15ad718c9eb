//! Tests that need a process of their own: to count what it holds, or to choose its stdin.

use std::process::{Command, Stdio};

/// Runs the ignored test `name` of this binary in a process of its own.
///
/// Its standard input is a pipe on which nothing ever comes, and which does not end.
#[track_caller]
pub(crate) fn run(name: &str) {
    run_with(name, Stdio::inherit());
}

/// The same, with a pipe for standard error that is not read.
#[track_caller]
pub(crate) fn run_unread(name: &str) {
    let (unread, to) = std::io::pipe().expect("a pipe");
    run_with(name, to.into());
    drop(unread);
}

#[track_caller]
fn run_with(name: &str, stderr: Stdio) {
    let binary = std::env::current_exe().expect("the path of this test binary");
    let mut child = Command::new(binary)
        .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("this test binary can be run");
    let silent = child.stdin.take();
    let output = child.wait_with_output().expect("it ends");
    drop(silent);
    let text = String::from_utf8_lossy(&output.stdout);
    // A test that was renamed would be none at all, and pass.
    assert!(text.contains("1 passed"), "{name} alone: {}\n{text}", output.status);
}
