//! Which backend a program runs on, and what is said about it.

use crate::support::{
    NO_HYPERVISOR, SHOW_WORLD, Wat, assert_fails, has_hypervisor, in_mount_namespace, skip, stdout,
    wrt_vm,
};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use wrt_vm::hypervisor::available;

const EMPTY: &str = "(module (func (export \"_start\")))";

const BINARY: &str = env!("CARGO_BIN_EXE_wrt-vm");

#[test]
fn stats_and_doctor_name_the_boundary_of_each() {
    if !has_hypervisor() {
        return;
    }
    let doctor = stdout(&wrt_vm().arg("doctor").output().expect("the binary runs"));
    let wat = Wat::new(SHOW_WORLD);
    for entry in available() {
        let name = entry.backend.name();
        let works = |line: &str| line.contains(name) && line.contains(" works");
        assert_eq!(doctor.lines().any(works), entry.problem.is_none(), "{doctor}");
        if let Some(problem) = entry.problem {
            skip(&format!("no {name}: {problem}"));
            continue;
        }
        let boundary = if name == "kvm" { "page tables" } else { "without system calls" };
        assert!(doctor.contains(boundary), "{doctor}");
        let mut command = wrt_vm();
        command.args(["run", "--stats", "--engine", "interp", "--backend", name]).arg(wat.path());
        let output = command.output().expect("the binary runs");
        let table = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{table}");
        let line = table.lines().find(|line| line.starts_with("backend")).expect("a line");
        assert!(line.contains(name) && line.contains(boundary), "{line}");
        assert!(!table.contains(NO_HYPERVISOR), "it was asked for: {table}");
    }
}

#[test]
fn kvm_is_never_replaced() {
    let wat = Wat::new(EMPTY);
    let script = format!(
        "mount -t tmpfs none /dev && {BINARY} doctor; {BINARY} run --backend kvm {}",
        wat.path().display()
    );
    if let Some(output) = in_mount_namespace(&script) {
        assert_fails(&output, 1, &["there is no /dev/kvm", "modprobe", "--device /dev/kvm"]);
        let doctor = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(doctor.contains("there is no /dev/kvm"), "{doctor}");
    }
}

#[test]
fn something_else_in_the_place_of_kvm() {
    let wat = Wat::new(EMPTY);
    let script = format!(
        "mount --bind {0} /dev/kvm && exec {BINARY} run --backend kvm {0}",
        wat.path().display(),
    );
    if !Path::new("/dev/kvm").exists() {
        skip("no /dev/kvm");
    } else if let Some(output) = in_mount_namespace(&script) {
        assert_fails(&output, 1, &["/dev/kvm is not KVM"]);
    }
}

#[test]
fn without_kvm_a_child_process_has_to_do_and_one_line_says_so() {
    let wat = Wat::new(SHOW_WORLD);
    for engine in ["interp", "native"] {
        let script = format!(
            "mount -t tmpfs none /dev && exec {BINARY} run --no-cache --engine {engine} {}",
            wat.path().display()
        );
        if let Some(output) = in_mount_namespace(&script) {
            assert_fell(&output, "there is no /dev/kvm");
        }
    }
}

/// Asserts that [`SHOW_WORLD`] ran in a child process, and that one line says why.
#[track_caller]
fn assert_fell(output: &Output, why: &str) {
    let (out, error) = (stdout(output), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), out.as_str()), (Some(0), "module.wat\n"), "{error}");
    assert!(error.starts_with(NO_HYPERVISOR) && error.contains(why), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("weaker boundary"), "{error}");
}

/// Runs a module with `options` as a user who may not open /dev/kvm.
fn as_nobody(options: &[&str], text: &str) -> Option<Output> {
    let closed = std::fs::metadata("/dev/kvm").is_ok_and(|kvm| kvm.permissions().mode() & 0o6 == 0);
    if !(rustix::process::geteuid().is_root() && closed) {
        skip("only root can become a user without permission for /dev/kvm");
        return None;
    }
    // Where nobody may read and execute.
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("it is ours");
    let binary = dir.path().join("wrt-vm");
    // Not by this process: what another thread forks meanwhile would have the copy open for
    // writing, and then it cannot be executed.
    let copied = Command::new("cp").arg(BINARY).arg(&binary).status();
    assert!(copied.expect("cp runs").success());
    std::fs::write(dir.path().join("module.wat"), text).expect("a file");

    let mut command = Command::new(binary);
    command.arg("run").args(options).arg(dir.path().join("module.wat")).uid(65534).gid(65534);
    Some(command.stdin(Stdio::null()).output().expect("the binary runs"))
}

#[test]
fn no_permission_for_kvm() {
    if let Some(output) = as_nobody(&["--backend", "kvm"], EMPTY) {
        assert_fails(&output, 1, &["no permission to open /dev/kvm", "usermod -aG kvm"]);
    }
}

/// A user without any rights makes the child, and its namespaces.
#[test]
fn a_child_process_has_to_do_for_who_may_not_open_it() {
    let options = ["--no-cache", "--engine", "interp"];
    if let Some(output) = as_nobody(&options, SHOW_WORLD) {
        assert_fell(&output, "no permission to open /dev/kvm");
    }
}
