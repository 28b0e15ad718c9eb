//! The code cache: no writer, reader or stranger can make it wrong.

use crate::engines::program;
use crate::support::{
    Wat, assert_fails, code_cache, has_hypervisor, in_mount_namespace, skip, stderr, stdout,
    wrt_vm_with_cache,
};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where the header has its version, and the checksum (host/src/artifact.rs).
const VERSION: usize = 8;
const CHECKSUM: std::ops::Range<usize> = 64..96;
const CODE: usize = 0x4000;

fn run(cache: &Path, options: &[&str], module: &Path) -> Output {
    let mut command = wrt_vm_with_cache(cache);
    command.args(["run", "--stats"]).args(options).arg(module).output().expect("the binary runs")
}

/// Runs the program and says whether its code came from the cache.
#[track_caller]
fn hits(cache: &Path, module: &Path) -> bool {
    let output = run(cache, &[], module);
    assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
    stderr(&output).contains("its code was in the cache")
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(cache).expect("the folder");
    listed.map(|entry| entry.expect("an entry").path()).collect()
}

/// The only entry.
fn entry(cache: &Path) -> PathBuf {
    let entries = entries(cache);
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

/// Has the program compiled, spoils its entry, and checks that nobody falls for it.
fn spoil(spoil: impl Fn(&Path)) {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let (cache, module) = (cache.path(), wat.path());
    assert!(!hits(cache, &module));
    let good = fs::read(entry(cache)).expect("the entry");
    spoil(&entry(cache));
    assert!(!hits(cache, &module), "the spoilt entry was used");
    assert!(fs::read(entry(cache)).expect("a file") == good, "it was not made anew");
    assert!(hits(cache, &module));
}

/// Has `change` change the bytes of an entry.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the entry");
    change(&mut bytes);
    // A new file: others may have mapped the old one.
    fs::remove_file(path).expect("the folder is ours");
    fs::write(path, bytes).expect("the folder is ours");
}

/// Makes the checksum right again.
fn forge(bytes: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..CHECKSUM.start]).update(&bytes[CODE..]);
    bytes[CHECKSUM].copy_from_slice(hasher.finalize().as_bytes());
}

#[test]
fn an_entry_that_was_cut_off() {
    for keep in [0, 50, CODE - 1, CODE, CODE + 100] {
        spoil(|path| rewrite(path, |bytes| bytes.truncate(keep)));
    }
}

#[test]
fn an_entry_with_a_flipped_bit() {
    spoil(|path| rewrite(path, |bytes| bytes[CODE + 777] ^= 4));
}

#[test]
fn an_entry_of_another_version() {
    spoil(|path| rewrite(path, |bytes| bytes[VERSION] += 1));
}

#[test]
fn an_entry_made_of_another_module() {
    if !has_hypervisor() {
        return;
    }
    let (cache, ours) = (code_cache(), Wat::new(&program(0)));
    let cache = cache.path();
    let other = Wat::new(r#"(module (func (export "_start") unreachable))"#);
    assert_eq!(run(cache, &[], &other.path()).status.code(), Some(134));
    let of_other = entry(cache);
    assert!(!hits(cache, &ours.path()));
    let of_ours = entries(cache).into_iter().find(|path| *path != of_other).expect("two entries");
    fs::copy(of_other, of_ours).expect("the folder is ours");
    assert!(!hits(cache, &ours.path()), "the code of another module ran");
}

/// Whoever can write here can run code as this user anyway; but a VM takes it, not the host.
/// What is wrong with it shows in the jail, where nothing can be compiled any more.
#[test]
fn an_entry_forged_with_the_right_checksum() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let (cache, module) = (cache.path(), wat.path());
    for (options, code) in [(&[][..], Some(1)), (&["--no-jail"], Some(0)), (&["--worker"], Some(0))]
    {
        assert!(!hits(cache, &module));
        let good = fs::read(entry(cache)).expect("the entry");
        rewrite(&entry(cache), |bytes| {
            bytes[CODE..CODE + 64].fill(0xa5);
            forge(bytes);
        });
        let output = run(cache, options, &module);
        assert_eq!(output.status.code(), code, "{options:?}: {}", stderr(&output));
        if code == Some(1) {
            assert!(stderr(&output).contains("run it again"), "{}", stderr(&output));
            assert!(entries(cache).is_empty(), "it is still there");
            assert!(!hits(cache, &module));
        }
        assert!(fs::read(entry(cache)).expect("a file") == good, "it was not made anew");
        fs::remove_file(entry(cache)).expect("the folder is ours");
    }
}

#[test]
fn an_entry_that_others_may_write() {
    spoil(|path| fs::set_permissions(path, Permissions::from_mode(0o620)).expect("it is ours"));
}

#[test]
fn an_entry_of_another_owner() {
    if !rustix::process::geteuid().is_root() {
        skip("only root can give a file away");
        return;
    }
    spoil(|path| chown(path, Some(65534), None).expect("root may"));
}

#[test]
fn a_folder_of_another_owner_is_no_cache() {
    if !rustix::process::geteuid().is_root() {
        skip("only root can give a folder away");
        return;
    }
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    chown(cache.path(), Some(65534), None).expect("root may");
    let output = run(cache.path(), &[], &wat.path());
    assert_eq!(stdout(&output), "hello\n");
    assert!(stderr(&output).contains("it belongs to user 65534"), "{}", stderr(&output));
    assert!(entries(cache.path()).is_empty());
}

#[test]
fn something_that_is_no_file() {
    spoil(|path| {
        fs::remove_file(path).expect("the folder is ours");
        symlink("/etc/passwd", path).expect("the folder is ours");
    });
    spoil(|path| {
        fs::remove_file(path).expect("the folder is ours");
        fs::create_dir(path).expect("the folder is ours");
        fs::write(path.join("file"), "in it").expect("the folder is ours");
    });
    spoil(|path| {
        fs::remove_file(path).expect("the folder is ours");
        let made = Command::new("mkfifo").arg(path).status().expect("every system has it");
        assert!(made.success());
    });
}

#[test]
fn ten_processes_at_once() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command = wrt_vm_with_cache(cache.path());
            command.arg("run").arg(wat.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the binary runs")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("hello\n", ""));
    }
    entry(cache.path());
    assert!(hits(cache.path(), &wat.path()));
}

#[test]
fn a_full_disk() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let script = format!(
        "mount -t tmpfs -o size=16k,mode=700 none {0} && {1} run --cache-dir {0} {2}; ls -A {0}",
        cache.path().display(),
        env!("CARGO_BIN_EXE_wrt-vm"),
        wat.path().display()
    );
    if let Some(output) = in_mount_namespace(&script) {
        assert_eq!(stdout(&output), "hello\n", "nothing half-written is left");
        let said = stderr(&output);
        assert!(said.contains("cannot keep compiled code") && said.contains("No space"), "{said}");
    }
}

#[test]
fn what_was_used_longest_ago_goes_when_it_is_full() {
    if !has_hypervisor() {
        return;
    }
    let cache = code_cache();
    let modules = [0, 1, 2].map(|number| Wat::new(&program(number)));
    let [first, second, third] = modules.each_ref().map(Wat::path);
    assert!(!hits(cache.path(), &first));
    let size = fs::metadata(entry(cache.path())).expect("a file").len();
    assert!(!hits(cache.path(), &second));
    // Used now, later than the second.
    assert!(hits(cache.path(), &first));
    let limit = format!("{}", size * 5 / 2);
    let output = run(cache.path(), &["--cache-size", &limit], &third);
    assert_eq!(stdout(&output), "hello\n");
    assert_eq!(entries(cache.path()).len(), 2);
    assert!(hits(cache.path(), &first) && hits(cache.path(), &third));
    assert!(!hits(cache.path(), &second), "it was used before the first");
}

fn cache_command(cache: &Path, args: &[&str]) -> String {
    let mut command = wrt_vm_with_cache(cache);
    let output = command.arg("cache").args(args).output().expect("the binary runs");
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn it_can_be_listed_sized_and_cleared() {
    let cache = code_cache();
    assert_eq!(cache_command(cache.path(), &["size"]), "0\n");
    assert!(cache_command(cache.path(), &["list"]).contains("0 modules"));
    if !has_hypervisor() {
        return;
    }
    assert!(!hits(cache.path(), &Wat::new(&program(0)).path()));
    // Not the cache's: neither counted nor removed.
    fs::write(cache.path().join("README"), "mine").expect("the folder is ours");
    let list = cache_command(cache.path(), &[]);
    assert!(list.contains("1 module,") && list.contains("used"), "{list}");
    let size = cache_command(cache.path(), &["size"]);
    assert!(size.trim().parse::<u64>().is_ok_and(|size| size > CODE as u64), "{size}");
    assert!(cache_command(cache.path(), &["clear"]).contains("threw out 1 module"));
    assert_eq!(cache_command(cache.path(), &["size"]), "0\n");
    assert_eq!(entry(cache.path()).file_name(), Some("README".as_ref()));
}

/// Names of its entries, by `cache list --json`.
fn listed(cache: &Path) -> Vec<String> {
    let list = cache_command(cache, &["list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["path"].as_str(), cache.to_str());
    let mut size = 0;
    let entries = list["entries"].as_array().expect("a list").iter();
    let names = entries.map(|entry| {
        let path = entry["path"].as_str().expect("a path");
        assert_eq!(entry["size"].as_u64(), Some(fs::metadata(path).expect("a file").len()));
        assert_eq!(entry["arch"], std::env::consts::ARCH);
        assert!(entry["features"].is_string() && entry["used"].as_u64() > Some(1_700_000_000));
        size += entry["size"].as_u64().expect("a size");
        entry["name"].as_str().expect("a name").to_owned()
    });
    let names = names.collect();
    assert_eq!(list["size"].as_u64(), Some(size));
    names
}

#[test]
fn programs_list_it_and_throw_entries_out() {
    let cache = code_cache();
    assert_eq!(listed(cache.path()), [""; 0]);
    if !has_hypervisor() {
        return;
    }
    for number in 0..3 {
        assert!(!hits(cache.path(), &Wat::new(&program(number)).path()));
    }
    let names = listed(cache.path());
    assert_eq!(names.len(), 3);
    for (unknown, says) in [("not-there", "no entry"), ("", "has a name")] {
        let mut command = wrt_vm_with_cache(cache.path());
        let output = command.args(["cache", "rm", &names[0], unknown]).output().expect("it runs");
        assert_fails(&output, 1, &[says]);
        assert_eq!(listed(cache.path()), names, "nothing goes when something is not there");
    }
    assert!(cache_command(cache.path(), &["rm", &names[0], &names[1][..16]]).contains("2 modules"));
    assert_eq!(listed(cache.path()), names[2..]);
}

#[test]
fn what_cannot_be_thrown_out_is_said() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    assert!(!hits(cache.path(), &wat.path()));
    let entry = entry(cache.path());
    for action in ["clear".to_owned(), format!("rm {}", entry.file_name().expect("it").display())] {
        let script = format!(
            "mount --bind {0} {0} && mount -o remount,bind,ro {0} && {1} cache --cache-dir {0} {2}",
            cache.path().display(),
            env!("CARGO_BIN_EXE_wrt-vm"),
            action
        );
        if let Some(output) = in_mount_namespace(&script) {
            let name = entry.to_str().expect("a plain name");
            assert_fails(&output, 1, &["cannot remove", name, "Read-only file system"]);
            assert!(entry.exists());
        }
    }
    assert!(hits(cache.path(), &wat.path()));
}

/// How many of these processes compiled the program, and did not find its code.
fn compilers(children: Vec<std::process::Child>) -> usize {
    let outputs = children.into_iter().map(|child| child.wait_with_output().expect("it ends"));
    let said = outputs.map(|output| {
        assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
        stderr(&output)
    });
    said.filter(|said| !said.contains("its code was in the cache")).count()
}

#[test]
fn of_many_processes_one_compiles() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let start = |_| {
        let mut command = wrt_vm_with_cache(cache.path());
        command.args(["run", "--stats"]).arg(wat.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    };
    assert_eq!(compilers((0..8).map(start).collect()), 1);
    entry(cache.path());
}

#[test]
fn of_many_jobs_one_compiles() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let mut command = wrt_vm_with_cache(cache.path());
    command.args(["run", "--jobs", "4", "--stats"]).args([wat.path().as_path(); 6].iter());
    let output = command.output().expect("the binary runs");
    assert_eq!(stdout(&output), "hello\n".repeat(6), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.matches("compiled just now").count(), 1, "{said}");
    assert_eq!(said.matches("its code was in the cache").count(), 5, "{said}");
    entry(cache.path());
}

/// A process that is killed as it compiles leaves nothing behind that others wait for.
#[test]
fn the_lock_of_a_killed_process_is_nobodys() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    let mut command = wrt_vm_with_cache(cache.path());
    let mut killed = command.arg("run").arg(wat.path()).spawn().expect("the binary runs");
    while entries(cache.path()).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    killed.kill().expect("it is a child");
    killed.wait().expect("it is a child");
    let _ = hits(cache.path(), &wat.path());
    assert!(hits(cache.path(), &wat.path()));
}
