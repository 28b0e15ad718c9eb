//! `tests/cross/macos-sdk`: what the linker was told that macOS's libraries export.

use crate::program;
use std::collections::BTreeSet;

pub(crate) const HYPERVISOR: &str =
    "/System/Library/Frameworks/Hypervisor.framework/Versions/A/Hypervisor";
pub(crate) const ACCELERATE: &str =
    "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate";
pub(crate) const SYSTEM: &str = "/usr/lib/libSystem.B.dylib";

/// The symbols of a library, by its install name.
pub(crate) fn symbols(library: &str) -> BTreeSet<String> {
    let file = match library {
        HYPERVISOR => "System/Library/Frameworks/Hypervisor.framework/Hypervisor.tbd",
        ACCELERATE => "System/Library/Frameworks/Accelerate.framework/Accelerate.tbd",
        SYSTEM => "usr/lib/libSystem.tbd",
        "/usr/lib/libiconv.2.dylib" => "usr/lib/libiconv.tbd",
        "/usr/lib/libobjc.A.dylib" => "usr/lib/libobjc.tbd",
        "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation" => {
            "System/Library/Frameworks/CoreFoundation.framework/CoreFoundation.tbd"
        }
        "/System/Library/Frameworks/Security.framework/Versions/A/Security" => {
            "System/Library/Frameworks/Security.framework/Security.tbd"
        }
        other => panic!("wrt-vm is not to be linked with {other}"),
    };
    let path = program::root().join("tests/cross/macos-sdk").join(file);
    let text = std::fs::read_to_string(path).expect("a stub");
    assert!(text.contains(&format!("install-name: '{library}'")), "{file}");
    let Some((_, list)) = text.split_once("symbols: [") else { return BTreeSet::new() };
    let (list, _) = list.split_once(']').expect("a list ends");
    list.split(',').map(|name| name.trim().to_owned()).collect()
}
