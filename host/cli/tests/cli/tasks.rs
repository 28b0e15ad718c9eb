//! Where the system makes no more tasks.
#![cfg(target_os = "linux")]

use crate::support::{Wat, assert_fails, setups, skip, wrt_vm};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

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
