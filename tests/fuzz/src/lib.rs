//! What hostile input reaches in wrt-vm, under fuzzers.
//!
//! Each module is one fuzzer: a function of bytes, which `arbitrary` makes structured input of,
//! and what must hold whatever they are. `fuzz_targets` hands these functions to libFuzzer;
//! [`TARGETS`] hands them to the test that replays the corpora (`tests/tests/replay.rs`). So what
//! a fuzzer found is found again by `cargo test`, on any toolchain.
//!
//! A guest is played by [`machine`]: a hypervisor whose vCPU does what it is told. The library
//! above it is the production code, down to guest memory.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, as in the host")]

mod allocations;
pub mod cache;
pub mod dispatcher;
pub mod exits;
pub mod fetches;
pub mod image;
pub mod machine;
pub mod mailbox;
pub mod wasi;
pub mod wire;
pub mod worker;

use arbitrary::{Arbitrary, Unstructured};
use std::path::PathBuf;

/// A fuzzer.
pub struct Target {
    /// Its name: of the binary, and of the folder of its corpus.
    pub name: &'static str,
    /// Runs one input.
    pub fuzz: fn(&[u8]),
}

/// All fuzzers.
pub const TARGETS: &[Target] = &[
    Target { name: "cache", fuzz: cache::fuzz },
    Target { name: "dispatcher", fuzz: dispatcher::fuzz },
    Target { name: "exits", fuzz: exits::fuzz },
    Target { name: "fetches", fuzz: fetches::fuzz },
    Target { name: "image", fuzz: image::fuzz },
    Target { name: "mailbox", fuzz: mailbox::fuzz },
    Target { name: "wasi", fuzz: wasi::fuzz },
    Target { name: "wire", fuzz: wire::fuzz },
    Target { name: "worker", fuzz: worker::fuzz },
];

impl Target {
    /// Where its corpus is.
    pub fn corpus(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "corpus", self.name].iter().collect()
    }
}

/// Makes input of bytes; `None` if there are too few.
fn input<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}
