//! What wrt-vm is built from: licences and sources of every dependency, the guest's too.

use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId};
use std::path::Path;

/// Licences that code in a shipped binary may have.
const ACCEPTED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "BSL-1.0",
];

/// Every package that the lock files name, whatever the platform.
fn packages() -> Vec<Package> {
    metadata().packages
}

/// Those that something else than the simulated Hypervisor.framework is made of: it is for
/// tests, and only the feature `hvsim` brings it in.
fn shipped() -> Vec<Package> {
    let metadata = metadata();
    let graph = metadata.resolve.expect("cargo resolves the workspace");
    let mut reached: Vec<PackageId> = metadata.workspace_default_members.to_vec();
    let mut next = 0;
    while let Some(id) = reached.get(next) {
        let node = graph.nodes.iter().find(|node| node.id == *id).expect("a node a package");
        let new: Vec<PackageId> =
            node.dependencies.iter().filter(|id| !reached.contains(id)).cloned().collect();
        reached.extend(new);
        next += 1;
    }
    metadata.packages.into_iter().filter(|package| reached.contains(&package.id)).collect()
}

fn metadata() -> Metadata {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
}

fn is_accepted(licence: &str) -> bool {
    // Some old manifests write `MIT/Apache-2.0`.
    let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX);
    expression.is_ok_and(|expression| {
        expression.evaluate(|requirement| {
            let id = requirement.license.id().map(|id| id.name);
            id.is_some_and(|id| ACCEPTED.contains(&id))
        })
    })
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    let shipped = shipped();
    assert!(shipped.len() > 100, "{} packages", shipped.len());
    let refused: Vec<String> = shipped
        .iter()
        .filter(|package| !is_accepted(package.license.as_deref().unwrap_or("none")))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn every_dependency_comes_from_crates_io() {
    for package in packages() {
        let ours = package.source.is_none();
        let public = package.source.as_ref().is_some_and(|source| source.is_crates_io());
        assert!(ours || public, "{} comes from {:?}", package.name, package.source);
    }
}

/// What the guest kernel or the compiler has to itself; licences were looked at when these
/// were added. All of Cranelift's crates are under Apache-2.0 WITH LLVM-exception.
const REVIEWED: &[&str] = &[
    // MIT; MIT OR Apache-2.0.
    "talc",
    "allocator-api2",
    "lock_api",
    "arbitrary",
    "crc32fast",
    "either",
    "itertools",
    "rustc-hash",
    // Unlicense OR MIT.
    "termcolor",
    // Apache-2.0 WITH LLVM-exception.
    "regalloc2",
    "wasmprinter",
    "wasmtime-internal-cranelift",
];

#[test]
fn the_guests_dependencies_are_checked_here_too() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("the guest's lock file");
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let ours = packages();
    let unknown: Vec<&str> = names
        .map(|name| name.trim_matches('"'))
        .filter(|name| !name.starts_with("wrt-"))
        .filter(|name| !ours.iter().any(|package| package.name.as_str() == *name))
        .filter(|name| !REVIEWED.contains(name) && !name.starts_with("cranelift-"))
        .collect();
    assert!(unknown.is_empty(), "not reviewed: {unknown:?}");
}
