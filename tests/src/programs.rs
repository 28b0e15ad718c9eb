//! The WASI programs in `tests/programs`, built when a test wants them.
//!
//! Those of preview 1 are built as components too: the linker puts an adapter around them, which
//! calls WASI 0.2 for whatever they call.
//!
//! With `WRT_PROGRAMS_BUILT` set, nothing is built and what lies in the output folder is used: in
//! the machine that `tests/cross/arm64-suite` boots there is no cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the programs of `tests/programs/wasi` and returns the folder of their modules.
///
/// `outputs` is the caller's `CARGO_TARGET_TMPDIR`: what was built there for an earlier run
/// is used again.
///
/// # Panics
///
/// When cargo fails (its own output says why), or is not to be called and the folder is missing.
pub fn build(outputs: &Path) -> PathBuf {
    cargo("wasi", "wasm32-wasip1", outputs)
}

/// As [`build`], but the same programs as components.
///
/// # Panics
///
/// As [`build`].
pub fn build_as_components(outputs: &Path) -> PathBuf {
    cargo("wasi", "wasm32-wasip2", outputs)
}

/// As [`build`], of `tests/programs/components`.
///
/// # Panics
///
/// As [`build`].
pub fn build_components(outputs: &Path) -> PathBuf {
    cargo("components", "wasm32-wasip2", outputs)
}

fn cargo(programs: &str, triple: &str, outputs: &Path) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(programs);
    let target = outputs.join(format!("{programs}-programs"));
    let built = target.join(triple).join("release");
    if std::env::var_os("WRT_PROGRAMS_BUILT").is_some() {
        assert!(
            built.is_dir(),
            "WRT_PROGRAMS_BUILT is set, but {} is missing: the {programs} programs were not built",
            built.display()
        );
        return built;
    }
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
        .args(["build", "--release", "--locked", "--quiet", "--target", triple])
        .arg("--target-dir")
        .arg(&target)
        .status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build the {programs} programs (is the target {triple} installed?): {status:?}"
    );
    built
}
