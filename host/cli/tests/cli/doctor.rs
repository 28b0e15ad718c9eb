//! What `wrt-vm doctor` says, to people and to programs.

use crate::support::{in_mount_namespace, stdout, wrt_vm};
use serde_json::Value;
use wrt_vm::hypervisor::available;

const BINARY: &str = env!("CARGO_BIN_EXE_wrt-vm");
const SYSTEMS: &[&str] = &[
    #[cfg(target_os = "macos")]
    "entitlements",
    "memory",
    "purgeable",
    "pressure",
    "dispatch",
    "lock",
    "sandbox",
    "code",
    "trace",
    "log",
    "vector",
    "citizen",
];

fn system<'a>(report: &'a Value, name: &str) -> &'a Value {
    let systems = report["systems"].as_array().expect("a list");
    systems.iter().find(|system| system["name"] == name).expect("every system is listed")
}

#[test]
fn every_system_is_listed_for_people() {
    let output = wrt_vm().arg("doctor").output().expect("the binary runs");
    let report = stdout(&output);
    let (_, systems) = report.split_once("what it uses of the system\n").expect("a headline");
    let names = systems.lines().filter(|line| !line.starts_with("   "));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, SYSTEMS, "{report}");
}

#[test]
fn the_same_as_json() {
    let output = wrt_vm().args(["doctor", "--json"]).output().expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let works = report["works"].as_bool().expect("yes or no");
    assert_eq!(output.status.code(), Some(if works { 0 } else { 1 }));
    let backends = report["backends"].as_array().expect("a list");
    let found = available();
    assert_eq!(backends.len(), found.len());
    for (said, entry) in backends.iter().zip(found) {
        assert_eq!(said["name"], entry.backend.name());
        assert_eq!(said["works"], entry.problem.is_none(), "{said}");
        assert_eq!(said["problem"].is_string(), entry.problem.is_some(), "{said}");
    }
    for name in SYSTEMS {
        let system = system(&report, name);
        let available = system["available"].as_bool().expect("yes or no");
        assert_eq!(available, system["how"].as_str().is_some_and(|how| !how.is_empty()));
        assert_eq!(system["missing"].is_string(), system["remedy"].is_string(), "{system}");
    }
}

/// Each VM was made in a process in the jail, as `run` makes it.
#[test]
fn the_jail_was_tried() {
    let output = wrt_vm().args(["doctor", "--json"]).output().expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for backend in report["backends"].as_array().expect("a list") {
        let simulated = backend["name"] == "hvf" && cfg!(not(target_os = "macos"));
        let expected = backend["works"] == true && !simulated;
        assert_eq!(backend["jail"].is_string(), expected, "{backend}");
        // What is complete lacks nothing.
        if backend["jail"] == "complete" {
            assert!(system(&report, "sandbox")["missing"].is_null(), "{report}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    for options in [&[][..], &["--json"]] {
        let full = full.try_clone().expect("a descriptor");
        let output = wrt_vm().arg("doctor").args(options).stdout(full).output();
        let output = output.expect("the binary runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot write what was found: "), "{said}");
    }
}

/// Without `/proc` no worker can be started, so that nothing can be compiled in a jail.
#[test]
fn without_proc_doctor_and_run_agree() {
    let wat = crate::support::Wat::new("(module (func (export \"_start\")))");
    let module = wat.path();
    let module = module.display();
    let script = format!(
        "mount -t tmpfs none /proc; {BINARY} run --no-cache {module} >/dev/null 2>&1; echo $?; \
         {BINARY} doctor >/dev/null 2>&1; echo $?"
    );
    let Some(output) = in_mount_namespace(&script) else { return };
    let codes = stdout(&output);
    let codes: Vec<&str> = codes.lines().collect();
    assert_eq!(codes[0] == "0", codes[1] == "0", "{codes:?}");
}

#[test]
fn what_is_missing_has_a_remedy() {
    // Nothing of what tells about memory can be read.
    let script = format!(
        "for folder in /proc/pressure /sys/fs/cgroup; do \
         test ! -d $folder || mount -t tmpfs none $folder; done; \
         mount --bind /dev/null /proc/meminfo && exec {BINARY} doctor --json"
    );
    let Some(output) = in_mount_namespace(&script) else { return };
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let pressure = system(&report, "pressure");
    assert_eq!(pressure["available"], false, "{pressure}");
    assert_eq!(pressure["remedy"], "mount /proc", "{pressure}");
}
