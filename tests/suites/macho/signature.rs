//! The program's signature: the linker's, and one with the entitlement.
//!
//! On a Mac `host/sign-and-run` has Apple's `codesign` sign. Here `arwen-codesign` does, which
//! is small and is for Mach-O only; what it wrote is read by this file alone, from the format
//! that `cs_blobs.h` of Apple's published kernel sources describes. (Apple's own signatures have
//! the entitlements a second time, as DER.) No Mac has judged either signature.

use crate::program;
use arwen_codesign::{AdhocSignOptions, Entitlements, adhoc_sign};
use goblin::mach::load_command::CommandVariant;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

// Magic numbers, of the whole and of its parts.
const EMBEDDED_SIGNATURE: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;
const ENTITLEMENTS: u32 = 0xfade_7171;
// Slots.
const CODE_DIRECTORY_SLOT: u32 = 0;
const ENTITLEMENTS_SLOT: u32 = 5;
// Flags of a code directory.
const ADHOC: u32 = 2;
const LINKER_SIGNED: u32 = 0x2_0000;
// The one kind of hash: SHA-256.
const HASH_TYPE: u8 = 2;
const HASH_SIZE: usize = 32;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*bytes[at..].first_chunk().expect("a word"))
}

fn index(bytes: &[u8], at: usize) -> usize {
    word(bytes, at) as usize
}

/// Where a program has its signature.
fn place(bytes: &[u8]) -> usize {
    let program = program::parse(bytes);
    let mut places = program.load_commands.iter().filter_map(|command| match command.command {
        CommandVariant::CodeSignature(data) => Some(data.dataoff as usize),
        _ => None,
    });
    let place = places.next().expect("a signature");
    assert_eq!(places.next(), None);
    place
}

/// The parts of a program's signature, by their slots.
fn parts(bytes: &[u8]) -> BTreeMap<u32, &[u8]> {
    let blob = &bytes[place(bytes)..];
    assert_eq!(word(blob, 0), EMBEDDED_SIGNATURE);
    let entry = |number: usize| {
        let start = index(blob, 12 + 8 * number + 4);
        let part = &blob[start..start + index(blob, start + 4)];
        (word(blob, 12 + 8 * number), part)
    };
    (0..index(blob, 8)).map(entry).collect()
}

/// Checks every hash of a program's code directory, and returns the directory's flags.
fn verify(bytes: &[u8]) -> u32 {
    let parts = parts(bytes);
    let directory = parts[&CODE_DIRECTORY_SLOT];
    assert_eq!(word(directory, 0), CODE_DIRECTORY);
    let (hashes, special, pages) =
        (index(directory, 16), index(directory, 24), index(directory, 28));
    let limit = index(directory, 32);
    assert_eq!((usize::from(directory[36]), directory[37]), (HASH_SIZE, HASH_TYPE));
    let page = 1_usize << directory[39];
    assert_eq!(limit, place(bytes), "all that comes before the signature is signed");
    assert_eq!(pages, limit.div_ceil(page));
    for (number, contents) in bytes[..limit].chunks(page).enumerate() {
        let hash = &directory[hashes + number * HASH_SIZE..][..HASH_SIZE];
        assert_eq!(hash, Sha256::digest(contents).as_slice(), "page {number}");
    }
    // Parts have theirs before those of the pages, the first slot last.
    for slot in 1..=special {
        let hash = &directory[hashes - slot * HASH_SIZE..][..HASH_SIZE];
        match parts.get(&u32::try_from(slot).expect("few slots")) {
            Some(part) => assert_eq!(hash, Sha256::digest(part).as_slice(), "slot {slot}"),
            None => assert_eq!(hash, [0; HASH_SIZE], "slot {slot}"),
        }
    }
    if parts.contains_key(&ENTITLEMENTS_SLOT) {
        assert!(special >= ENTITLEMENTS_SLOT as usize, "entitlements that nobody vouches for");
    }
    word(directory, 12)
}

fn entitlements() -> String {
    let path = program::root().join("entitlements.plist");
    std::fs::read_to_string(path).expect("the entitlements")
}

#[test]
fn the_linker_signs_what_is_in_the_file() {
    let Some(bytes) = program::bytes() else { return };
    assert_eq!(verify(bytes), ADHOC | LINKER_SIGNED);
    assert!(!parts(bytes).contains_key(&ENTITLEMENTS_SLOT), "it is not entitled yet");
}

#[test]
fn signed_it_is_entitled_to_make_vms_and_to_nothing_else() {
    let Some(bytes) = program::bytes() else { return };
    let wanted = entitlements();
    let options =
        AdhocSignOptions::new("wrt-vm").with_entitlements(Entitlements::Custom(wanted.as_bytes()));
    let signed = adhoc_sign(bytes.to_vec(), &options).expect("it can be signed");
    assert_eq!(verify(&signed), ADHOC);
    let embedded = parts(&signed)[&ENTITLEMENTS_SLOT];
    assert_eq!(word(embedded, 0), ENTITLEMENTS);
    assert_eq!(&embedded[8..], wanted.as_bytes());
    // What was signed for is still the program that was looked at.
    let segments = |bytes: &[u8]| -> Vec<(u32, u32)> {
        program::parse(bytes).segments.iter().map(|s| (s.initprot, s.maxprot)).collect()
    };
    assert_eq!(segments(&signed), segments(bytes));
}

/// Apple's parser of entitlements takes less than XML: two hyphens in a comment end it, which
/// `plutil` does not see. So there is none of what can be left out.
#[test]
fn entitlements_are_plain() {
    let text = entitlements();
    let (head, body) = text.split_once("<plist version=\"1.0\">").expect("a property list");
    assert_eq!(
        head,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST \
         1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
    );
    let body: String = body.split_whitespace().collect();
    assert_eq!(body, "<dict><key>com.apple.security.hypervisor</key><true/></dict></plist>");
}
