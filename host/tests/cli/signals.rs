//! Ctrl-C.

use crate::support::{SPIN, Setup, Wat, has_hypervisor, setups, start};
use std::io::{BufRead as _, BufReader};

#[test]
fn ctrl_c_ends_a_spinning_program_with_130() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SPIN);
    for setup in setups() {
        ends_with_130(setup, &wat);
    }
}

fn ends_with_130(setup: Setup, wat: &Wat) {
    let mut child = start(setup, wat);
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("it writes before it spins");
    assert_eq!(line, "spinning\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    // Nothing is left behind: no child of its own, no file (a VM is descriptors and memory).
    assert!(rustix::process::test_kill_process(pid).is_err());
}
