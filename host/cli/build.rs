//! Finds out what `--version` says: the commit that this is built from, and the engines.

use std::env::var_os;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of, seen from this package's folder.
const SOURCES: [&str; 11] = [
    "src",
    "build.rs",
    "Cargo.toml",
    "../src",
    "../Cargo.toml",
    "../hypervisor",
    "../platform",
    "../../shared-abi",
    "../../guest",
    "../../Cargo.toml",
    "../../Cargo.lock",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WRT_COMMIT");
    let here = var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let commit = given().or_else(|| packaged(&here)).or_else(|| checked_out(&here));
    println!("cargo::rustc-env=WRT_COMMIT={}", commit.as_deref().unwrap_or("unknown commit"));
}

/// What a packager says.
fn given() -> Option<String> {
    std::env::var("WRT_COMMIT").ok().filter(|commit| !commit.is_empty())
}

/// What `guest/images/package` writes into a package: the commit that it is of.
fn packaged(here: &Path) -> Option<String> {
    let commit = fs::read_to_string(here.join("commit")).ok()?;
    Some(commit.trim_end().to_owned())
}

/// The commit of the checkout around this, and whether tracked files have changed since.
///
/// Only in optimised builds: the others are for development, where each commit would compile the
/// package again.
fn checked_out(here: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(here).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim_end().to_owned())
    };
    // Not of a repository that merely holds an unpacked archive of this one.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    if var_os("PROFILE")? == "debug" {
        return Some("development build".to_owned());
    }
    // Each commit and checkout writes to the log. It begins with the second one of a clone.
    for file in ["HEAD", "logs/HEAD"] {
        let file = here.join(git(&["rev-parse", "--git-path", file])?);
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", here.join(source).display());
    }
    let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--"];
    status.extend(SOURCES);
    let modified = if git(&status)?.is_empty() { "" } else { "+modified" };
    Some(format!("{}{modified}", short(&git(&["rev-parse", "HEAD"])?)))
}

/// A commit's number, as long as people write it.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
