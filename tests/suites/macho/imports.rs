//! What the program has the loader look up.

use crate::program;
use crate::stubs::{self, ACCELERATE, HYPERVISOR, SYSTEM};
use goblin::mach::load_command::CommandVariant;
use std::collections::{BTreeMap, BTreeSet};

/// The oldest macOS that the program is for, as a load command has it.
const OLDEST: u32 = 13 << 16;
const MACOS_11: u32 = 11 << 16;
const MACOS_13: u32 = 13 << 16;

/// `PLATFORM_MACOS` of `mach-o/loader.h`.
const PLATFORM: u32 = 1;

/// Every function of Hypervisor.framework that the program calls, with the macOS that it came
/// with, as Apple documents it. Newer ones are to be looked up at run time: a program that
/// imports one does not start where it is missing.
///
/// None takes a vector by value, which Rust cannot pass (`hv_vcpu_set_simd_fp_reg`), or a
/// structure.
const CALLS: [(&str, u32); 17] = [
    ("_hv_vcpu_config_create", MACOS_11),
    ("_hv_vcpu_config_get_feature_reg", MACOS_11),
    ("_hv_vcpu_create", MACOS_11),
    ("_hv_vcpu_destroy", MACOS_11),
    ("_hv_vcpu_get_sys_reg", MACOS_11),
    ("_hv_vcpu_run", MACOS_11),
    ("_hv_vcpu_set_reg", MACOS_11),
    ("_hv_vcpu_set_sys_reg", MACOS_11),
    ("_hv_vcpu_set_vtimer_mask", MACOS_11),
    ("_hv_vcpus_exit", MACOS_11),
    ("_hv_vm_config_create", MACOS_13),
    ("_hv_vm_config_get_max_ipa_size", MACOS_13),
    ("_hv_vm_config_set_ipa_size", MACOS_13),
    ("_hv_vm_create", MACOS_11),
    ("_hv_vm_destroy", MACOS_11),
    ("_hv_vm_map", MACOS_11),
    ("_hv_vm_unmap", MACOS_11),
];

/// What is imported, with the library that it is bound to.
fn imports(bytes: &[u8]) -> BTreeMap<String, String> {
    let program = program::parse(bytes);
    let found = program.imports().expect("binding information");
    assert!(found.len() > 100, "{} imports: are there chained fixups?", found.len());
    for import in &found {
        assert!(!import.is_weak, "{} may be missing", import.name);
    }
    found.iter().map(|import| (import.name.to_owned(), import.dylib.to_owned())).collect()
}

#[test]
fn the_frameworks_functions_are_those_of_the_oldest_macos() {
    let Some(bytes) = program::bytes() else { return };
    let all = imports(bytes);
    let bound: Vec<(&str, &str)> = all
        .iter()
        .filter(|(name, library)| name.starts_with("_hv_") || *library == HYPERVISOR)
        .map(|(name, library)| (name.as_str(), library.as_str()))
        .collect();
    assert_eq!(bound, CALLS.map(|(name, _)| (name, HYPERVISOR)));
    for (name, since) in CALLS {
        assert!(since <= OLDEST, "{name} is newer than the oldest macOS");
    }
    // Or else one that is called by mistake would link.
    let offered = stubs::symbols(HYPERVISOR);
    assert!(offered.iter().map(String::as_str).eq(CALLS.map(|(name, _)| name)), "{offered:?}");
}

/// Libraries that crates ask for, for a few functions or none.
const LOADED: [&str; 6] = [
    ACCELERATE,
    "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
    "/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation",
    "/System/Library/Frameworks/Security.framework/Versions/A/Security",
    "/usr/lib/libiconv.2.dylib",
    "/usr/lib/libobjc.A.dylib",
];

#[test]
fn everything_else_comes_from_a_library_that_exports_it() {
    let Some(bytes) = program::bytes() else { return };
    let mut offered = BTreeMap::new();
    for (name, library) in imports(bytes) {
        let offered = offered.entry(library).or_insert_with_key(|library| stubs::symbols(library));
        assert!(offered.contains(&name), "{name} is bound to what does not export it");
    }
    let program = program::parse(bytes);
    // The first is the program itself; the linker's order of the others means nothing.
    let libraries: BTreeSet<&str> = program.libs.iter().copied().skip(1).collect();
    let loaded = [HYPERVISOR, SYSTEM].into_iter().chain(LOADED);
    assert_eq!(libraries, loaded.collect());
}

#[test]
fn it_says_which_macos_it_is_for() {
    let Some(bytes) = program::bytes() else { return };
    let program = program::parse(bytes);
    let versions: Vec<(u32, u32)> = program
        .load_commands
        .iter()
        .filter_map(|command| match command.command {
            CommandVariant::BuildVersion(version) => Some((version.platform, version.minos)),
            _ => None,
        })
        .collect();
    assert_eq!(versions, [(PLATFORM, OLDEST)]);
}
