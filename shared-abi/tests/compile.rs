//! What passes between the host and the compiler: feature sets and verdicts come back as they
//! were written. And what the compiler takes for an import that there is.

use wrt_abi::compiler::Rejection;
use wrt_abi::component::Interface;
use wrt_abi::cpu::{Arch, CpuFeatures, FEATURES, UnknownFeature};

#[test]
fn a_feature_has_one_name_one_flag_and_one_bit() {
    for (i, feature) in FEATURES.iter().enumerate() {
        assert_eq!(feature.set.bits().count_ones(), 1, "{}", feature.name);
        assert!(feature.arch.features().contains(feature.set), "{}", feature.name);
        assert_eq!(CpuFeatures::parse(feature.name), Ok(feature.set));
        assert_eq!(feature.set.to_string(), feature.name);
        assert!(feature.flag.starts_with("has_"));
        for other in &FEATURES[..i] {
            assert_ne!(feature.name, other.name);
            assert_ne!(feature.flag, other.flag);
            assert_ne!(feature.set, other.set);
        }
    }
    let shared = Arch::X86_64.features().intersection(Arch::Aarch64.features());
    assert_eq!(shared, CpuFeatures::NONE);
}

#[test]
fn a_set_is_written_as_a_list_of_names() {
    let v2 = "sse3,ssse3,sse4.1,sse4.2,popcnt";
    assert_eq!(Arch::X86_64.baseline().to_string(), v2);
    assert_eq!(CpuFeatures::parse(v2), Ok(CpuFeatures::X86_64_V2));
    assert_eq!(CpuFeatures::parse("popcnt,sse4.2,sse4.1,ssse3,sse3"), Ok(CpuFeatures::X86_64_V2));
    let v3 = CpuFeatures::X86_64_V3;
    assert_eq!(CpuFeatures::parse(&v3.to_string()), Ok(v3));
    assert_eq!(v3.to_string(), format!("{v2},avx,avx2,fma,bmi1,bmi2,lzcnt"));

    assert_eq!(CpuFeatures::NONE.to_string(), "");
    assert_eq!(CpuFeatures::parse(""), Ok(CpuFeatures::NONE));
    for (list, name) in [("sse3,", ""), ("sse3,mmx", "mmx"), (" sse3", " sse3"), ("SSE3", "SSE3")] {
        assert_eq!(CpuFeatures::parse(list), Err(UnknownFeature { name }));
    }
    let error = CpuFeatures::parse("avx1024").unwrap_err();
    assert_eq!(error.to_string(), "unknown processor feature \"avx1024\"");
}

#[test]
fn a_set_of_unknown_bits_is_refused() {
    for arch in Arch::ALL {
        let all = arch.features();
        assert_eq!(CpuFeatures::try_from(all.bits()), Ok(all));
        assert!(all.contains(arch.baseline()));
    }
    for number in [1 << 11, 1 << 31, 1 << 63, u64::MAX] {
        let error = CpuFeatures::try_from(number).unwrap_err();
        assert_eq!((error.set, error.number), ("CpuFeatures", number));
    }
}

#[test]
fn the_runtimes_questions_are_answered() {
    let set = CpuFeatures::X86_64_V2;
    assert_eq!(set.has("sse4.1"), Some(true));
    assert_eq!(set.has("avx"), Some(false));
    assert_eq!(set.has("lse"), Some(false));
    assert_eq!(set.has("avx512f"), None);
}

#[test]
fn architectures_have_names_and_numbers() {
    for &arch in Arch::ALL {
        assert_eq!(Arch::from_name(arch.name()), Some(arch));
        assert_eq!(Arch::try_from(arch as u32), Ok(arch));
    }
    assert_eq!(Arch::from_name("amd64"), None);
    assert_eq!(Arch::try_from(0).unwrap_err().to_string(), "Arch has no number 0x0");
}

#[test]
fn a_rejection_comes_back() {
    for offset in [None, Some(0), Some(u64::MAX)] {
        for reason in ["", "unexpected end", "two\nlines", "-", "7\n"] {
            let rejection = Rejection { offset, reason };
            assert_eq!(Rejection::parse(&rejection.to_string()), Some(rejection));
        }
    }
    for text in ["", "no offset", "7", "-1\nnegative", "+x\n", "18446744073709551616\ntoo far"] {
        assert_eq!(Rejection::parse(text), None, "{text:?}");
    }
}

#[test]
fn an_interface_is_found_by_any_version_that_is_compatible() {
    let found = |import: &str| Interface::of_import(import).map(Interface::name);
    for version in ["0.2.0", "0.2.12", "0.2.99", "0.2.3+build-7"] {
        let import = format!("wasi:io/poll@{version}");
        assert_eq!(found(&import), Some("wasi:io/poll"), "{version}");
    }
    for import in [
        "wasi:io/poll",
        "wasi:io/poll@",
        "wasi:io/poll@0.2",
        "wasi:io/poll@0.2.",
        "wasi:io/poll@0.3.0",
        "wasi:io/poll@0.2.0-rc.1",
        "wasi:io/poll@0.2.0-rc.1+0.2.0",
        "wasi:io/vote@0.2.0",
        "WASI:io/poll@0.2.0",
        "@0.2.0",
        "",
    ] {
        assert_eq!(found(import), None, "{import:?}");
    }
    let poll = Interface::of_import("wasi:io/poll@0.2.0").expect("it is there");
    assert!(poll.defines("poll") && poll.defines("[method]pollable.block"));
    assert!(!poll.defines("pollable.block") && !poll.defines("") && !poll.defines("poll pollable"));
}
