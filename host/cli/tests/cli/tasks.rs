//! Where the system makes no more tasks.
#![cfg(target_os = "linux")]

use crate::support::{Wat, assert_fails, setups, skip, wrt_vm};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// It compiles nothing, which takes a process.
const KVM: [&str; 4] = ["--backend", "kvm", "--engine", "interp"];

/// A control group that has one task at most.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        // Of either version.
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(PathBuf::from);
        for root in roots {
            let group = root.join(format!("wrt-vm-test-{}", std::process::id()));
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let group = Self(group);
            if fs::write(group.0.join("pids.max"), "1").is_ok() {
                return Some(group);
            }
        }
        skip("no control group of pids that this user may make");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now.
        let _ = fs::remove_dir(&self.0);
    }
}

/// KVM needs one of its own for a VM, and says EAGAIN without.
#[test]
fn a_vm_that_gets_no_task_of_its_own_is_an_error_that_says_so() {
    let Some(kvm) = setups().into_iter().find(|setup| setup.options() == KVM) else {
        skip("no /dev/kvm");
        return;
    };
    let Some(group) = Group::new() else { return };
    let wat = Wat::new(r#"(module (func (export "_start")))"#);
    let mut command = wrt_vm();
    command.arg("run").args(kvm.options()).arg(wat.path());
    let tasks = group.0.join("cgroup.procs");
    // SAFETY: writes to a file, which allocates nothing that another thread could hold.
    unsafe { command.pre_exec(move || fs::write(&tasks, "0")) };
    let output = command.output().expect("the binary runs");
    // Kernels before 6.13 make the task as they make the VM.
    assert_fails(&output, 1, &[]);
    let said = crate::support::stderr(&output);
    assert!(said.contains("pids.max") || said.contains("Resource temporarily"), "{said}");
}

/// `ulimit -u`: it binds no process of root's, so this is another user's where the tests are root's.
#[test]
fn a_user_who_gets_no_more_tasks_is_told_so() {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().expect("a temporary directory");
    // Where that user finds it.
    let program = folder.path().join("wrt-vm");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_wrt-vm")).arg(&program).status();
    assert!(copied.expect("every system has it").success());
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let module = folder.path().join("module.wat");
    fs::write(&module, r#"(module (func (export "_start")))"#).expect("a file");
    // SAFETY: a plain call.
    let is_root = unsafe { libc::geteuid() } == 0;
    for setup in setups() {
        // It compiles nothing.
        let [_, backend, _, "interp"] = setup.options() else { continue };
        let run = |tasks: Option<libc::rlim_t>| {
            let mut command = Command::new(&program);
            command.arg("run").args(setup.options()).arg(&module);
            command.env("WRT_VM_CACHE_DIR", "/nowhere").stdin(Stdio::null());
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            if let Some(tasks) = tasks {
                let limit = libc::rlimit { rlim_cur: tasks, rlim_max: tasks };
                let set = move || {
                    // SAFETY: reads a structure that outlives the call.
                    match unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) } {
                        0 => Ok(()),
                        _ => Err(std::io::Error::last_os_error()),
                    }
                };
                // SAFETY: it makes one system call between fork and exec.
                unsafe { command.pre_exec(set) };
            }
            command.output().expect("the binary runs")
        };
        if !run(None).status.success() {
            skip(&format!("that user has no {backend}"));
            continue;
        }
        let output = run(Some(1));
        let said = crate::support::stderr(&output);
        // It may need none.
        assert!([Some(0), Some(1)].contains(&output.status.code()), "{backend}: {said}");
        if !output.status.success() {
            assert!(said.contains("Resource temporarily unavailable"), "{backend}: {said}");
        }
    }
}
