//! `wrt-vm selftest`.

use crate::support::{has_hypervisor, setups, stdout, wrt_vm};
use std::path::Path;

/// The same everywhere: the point of it.
const GOLDEN: &str = include_str!("../../src/selftest/golden.txt");

#[test]
fn guests_behave_alike_on_every_backend() {
    if !has_hypervisor() {
        return;
    }
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("selftest-trace");
    // Each backend is there twice, once an engine; the self-test has both engines.
    for setup in setups().into_iter().step_by(2) {
        let [option, backend, ..] = setup.options();
        let mut command = wrt_vm();
        command.args(["selftest", option, backend, "--trace"]).arg(&trace);
        let output = command.output().expect("the binary runs");
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{table}");
        assert_eq!(std::fs::read_to_string(&trace).expect("a trace"), GOLDEN);
    }
}

#[test]
fn other_exits_than_those_that_are_known_are_told_and_fail() {
    if !has_hypervisor() {
        return;
    }
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("selftest-other");
    std::fs::write(&other, GOLDEN.replacen("Kicked", "Halt", 1)).expect("a file");
    let output = wrt_vm().args(["selftest", "--golden"]).arg(&other).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("in endless interp") && table.contains("not `Halt`"), "{table}");

    let output = wrt_vm().args(["selftest", "--golden", "/no/such"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.stdout.is_empty() && why.contains("/no/such"), "{why}");
    let help = stdout(&wrt_vm().args(["selftest", "--help"]).output().expect("it runs"));
    assert!(help.contains("--trace"), "{help}");
}
