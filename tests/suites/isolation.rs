//! The isolation harness makes all of its cases, and tries random programs for a while.
#![cfg(target_os = "linux")]

use std::process::Command;

fn harness(arguments: &[&str]) {
    let harness = env!("CARGO_BIN_EXE_wrt-vm-isolation");
    let output = Command::new(harness).args(arguments).output().expect("the harness runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{}", said.lines().last().unwrap_or_default());
}

#[test]
fn every_boundary_holds() {
    if wrt_tests::matrix().is_empty() {
        return;
    }
    harness(&["run", "--all"]);
}

#[test]
fn random_programs_do_not_get_out() {
    for setup in wrt_tests::matrix() {
        if setup.engine == wrt_vm::EngineKind::Interp {
            harness(&["fuzz", "--seconds", "5", "--on", setup.backend.name()]);
        }
    }
}
