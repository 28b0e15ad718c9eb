//! The WASI programs in `tests/programs`, built when a test wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the programs of `tests/programs/wasi` and returns the folder of their modules.
///
/// `outputs` is the caller's `CARGO_TARGET_TMPDIR`: what was built there for an earlier run
/// is used again.
///
/// # Panics
///
/// When cargo fails; its own output says why.
pub fn build(outputs: &Path) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/wasi");
    let target = outputs.join("wasi-programs");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the outer cargo was told about flags, wrappers and profiles is for the host.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours =
            text.starts_with("CARGO_") && text != "CARGO_HOME" && text != "CARGO_NET_OFFLINE"
                || text.starts_with("RUSTC_")
                || matches!(&*text, "RUSTC" | "RUSTFLAGS" | "RUSTDOCFLAGS" | "CLIPPY_ARGS");
        if ours {
            cargo.env_remove(&name);
        }
    }
    let status = cargo
        .current_dir(&sources)
        .args(["build", "--release", "--locked", "--quiet", "--target", "wasm32-wasip1"])
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build the WASI programs (is the target wasm32-wasip1 installed?): {status:?}"
    );
    target.join("wasm32-wasip1/release")
}
