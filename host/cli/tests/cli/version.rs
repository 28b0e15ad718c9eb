//! What the program says that it is.

use crate::support::{stdout, wrt_vm};

#[test]
fn the_version_names_the_commit_and_the_engines() {
    let short = wrt_vm().arg("-V").output().expect("the binary runs");
    let short = stdout(&short);
    let version = concat!("wrt-vm ", env!("CARGO_PKG_VERSION"), " (");
    let commit = short.strip_prefix(version).and_then(|rest| rest.strip_suffix(")\n"));
    assert!(commit.is_some_and(|commit| commit.len() >= 7), "{short}");

    let long = wrt_vm().arg("--version").output().expect("the binary runs");
    let long = stdout(&long);
    let engines = long.strip_prefix(&short).expect("the long version begins with the short one");
    let engines = engines.strip_prefix("engines: ").expect("and names the engines");
    let (wasmi, wasmtime) = engines.trim_end().split_once(", ").expect("two of them");
    assert!(wasmi.starts_with("wasmi 2.") && wasmtime.starts_with("wasmtime 48."), "{long}");
}
