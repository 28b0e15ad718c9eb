//! The program: built once, by the script that builds it by hand, too.

use goblin::mach::MachO;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wrt_tests::skip;

const TRIPLE: &str = "aarch64-apple-darwin";

/// The bytes of `wrt-vm`, of the release profile, or `None` where it cannot be built; that is
/// said once.
pub(crate) fn bytes() -> Option<&'static [u8]> {
    static BYTES: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let build = || Some(std::fs::read(path()?).expect("the program was built"));
    BYTES.get_or_init(build).as_deref()
}

/// Where it is, likewise.
pub(crate) fn path() -> Option<&'static Path> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Err(missing) = tools() {
            skip(&format!("the program for macOS ({missing})"));
            return None;
        }
        Some(build())
    })
    .as_deref()
}

pub(crate) fn parse(bytes: &[u8]) -> MachO<'_> {
    MachO::parse(bytes, 0).expect("a Mach-O file")
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What building it takes besides rustup.
fn tools() -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries =
        Command::new(rustc).args(["--print", "target-libdir", "--target", TRIPLE]).output();
    let libraries = libraries.map_err(|error| format!("no rustc: {error}"))?;
    if !Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).exists() {
        return Err(format!("run `rustup target add {TRIPLE}`"));
    }
    for tool in ["clang", "llvm-ar", "llvm-objdump"] {
        let found = Command::new(tool).arg("--version").output();
        found
            .map_err(|_| format!("{tool} is missing: Debian's packages clang and llvm have it"))?;
    }
    Ok(())
}

fn build() -> PathBuf {
    // The folder of all targets, so that guest kernels that are there are not built again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target folder");
    let mut script = Command::new(root().join("tests/cross/arm64-macos"));
    // The outer build's flags and profiles are not for this one.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let outer = text.starts_with("CARGO_")
            && !matches!(&*text, "CARGO_HOME" | "CARGO_NET_OFFLINE" | "CARGO_TERM_COLOR");
        if outer || matches!(&*text, "RUSTFLAGS" | "RUSTDOCFLAGS") {
            script.env_remove(&name);
        }
    }
    let status = script
        .current_dir(root())
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--package",
            "wrt-cli",
            "--bin",
            "wrt-vm",
        ])
        .env("CARGO_TARGET_DIR", target)
        .status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "tests/cross/arm64-macos failed: {status:?}"
    );
    target.join(TRIPLE).join("release/wrt-vm")
}
