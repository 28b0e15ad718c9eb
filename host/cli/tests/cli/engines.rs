//! Which engine runs a module, and that people hear of it.

use crate::support::{
    Wat, assert_fails, code_cache, has_hypervisor, stderr, stdout, wrt_vm_with_cache,
};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Output, Stdio};

/// A program that writes a line, of `bytes` bytes at least.
pub(crate) fn program(bytes: usize) -> String {
    let padding = "x".repeat(bytes);
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 64)
            (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
            (data (i32.const 65536) "{padding}")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))"#
    )
}

/// Too large to be compiled in passing.
const LARGE: usize = 600 << 10;

fn run(cache: &Path, options: &[&str], module: &Path) -> Output {
    let mut command = wrt_vm_with_cache(cache);
    command.arg("run").args(options).arg(module);
    let output = command.output().expect("the binary runs");
    assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
    output
}

#[test]
fn a_small_module_is_compiled_once_and_runs_native() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    for reason in ["small enough to be compiled just now", "its code was in the cache"] {
        let said = stderr(&run(cache.path(), &["--stats"], &wat.path()));
        assert!(said.contains("native") && said.contains(reason), "{reason:?} not in {said}");
    }
    let said = stderr(&run(cache.path(), &["--stats", "--engine", "interp"], &wat.path()));
    assert!(said.contains("interp") && !said.contains("native"), "{said}");
}

#[test]
fn a_large_module_starts_on_the_interpreter_and_says_how_to_make_it_fast() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(LARGE)));
    let first = stderr(&run(cache.path(), &[], &wat.path()));
    assert_eq!(first.lines().count(), 1, "{first}");
    assert!(first.contains("interpreter") && first.contains("--engine native"), "{first}");

    let said = stderr(&run(cache.path(), &["--engine", "native"], &wat.path()));
    assert_eq!(said, "", "nothing to say to one who asked for it");
    let cached = stderr(&run(cache.path(), &["--stats"], &wat.path()));
    assert!(cached.contains("its code was in the cache"), "{cached}");
}

#[test]
fn no_cache_leaves_nothing_and_takes_nothing() {
    if !has_hypervisor() {
        return;
    }
    let (cache, wat) = (code_cache(), Wat::new(&program(0)));
    for _ in 0..2 {
        let said = stderr(&run(cache.path(), &["--stats", "--no-cache"], &wat.path()));
        assert!(said.contains("compiled just now"), "{said}");
    }
    let entries = std::fs::read_dir(cache.path()).expect("the folder").count();
    assert_eq!(entries, 0);
    let large = Wat::new(&program(LARGE));
    let said = stderr(&run(cache.path(), &["--no-cache"], &large.path()));
    assert!(said.contains("wrt-vm compile"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_a_cache_is_told_and_done_without() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(&program(0));
    let said = stderr(&run(Path::new("/dev/null/cache"), &[], &wat.path()));
    assert!(said.contains("/dev/null/cache") && said.contains("going on without"), "{said}");
}

#[test]
fn the_time_limit_holds_while_a_module_compiles() {
    if !has_hypervisor() {
        return;
    }
    let cache = code_cache();
    let wat = Wat::new(&slow_to_compile(2000));
    let mut command = wrt_vm_with_cache(cache.path());
    command.args(["run", "--engine", "native", "--timeout", "300ms"]).arg(wat.path());
    let output = command.output().expect("the binary runs");
    assert_fails(&output, 124, &["timed out after 300 ms"]);
    assert_eq!(std::fs::read_dir(cache.path()).expect("the folder").count(), 0);
}

#[test]
fn a_terminal_sees_that_a_large_module_compiles() {
    if !has_hypervisor() {
        return;
    }
    let cache = code_cache();
    let wat = Wat::new(&slow_to_compile(500));
    let (mut terminal, other_end) = terminal();
    let mut command = wrt_vm_with_cache(cache.path());
    command.arg("compile").arg(wat.path()).env("TERM", "xterm");
    let mut child = command.stderr(Stdio::from(other_end)).spawn().expect("the binary runs");
    // The command keeps an end of the terminal open, and this process must not.
    drop(command);
    let mut seen = Vec::new();
    // The last reader of a terminal whose other end is closed gets an error, not an end.
    let _ = terminal.read_to_end(&mut seen);
    assert!(child.wait().expect("it ends").success());
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("compiling") && seen.contains("module.wat"), "{seen:?}");
}

/// A module of many functions, large enough to be told about.
fn slow_to_compile(functions: usize) -> String {
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 7)) (local.get 0)))";
    let function = format!("(func (param i32) {})", body.repeat(60));
    format!("(module {})", function.repeat(functions))
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    // Not by openpt, which cannot on every system.
    fcntl_setfd(&terminal, FdFlags::CLOEXEC).expect("the descriptor is ours");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let name = name.to_str().expect("a plain one");
    let other_end = File::options().write(true).open(name).expect("its other end");
    (File::from(terminal), other_end)
}
