//! What hostile input reaches in wrt-vm, under fuzzers.
//!
//! Each module is one fuzzer: a function of bytes, which `arbitrary` makes structured input of,
//! and what must hold whatever they are. `fuzz_targets` hands these functions to libFuzzer;
//! [`TARGETS`] hands them to the test that replays the corpora (`tests/suites/replay`). So what
//! a fuzzer found is found again by `cargo test`, on any toolchain.
//!
//! A guest is played by [`machine`]: a hypervisor whose vCPU does what it is told. The library
//! above it is the production code, down to guest memory.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, as in the host")]

mod allocations;
pub mod cache;
mod corpus;
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
use std::{fs, io};

/// A fuzzer.
pub struct Target {
    /// The name of the binary, and of the corpus.
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
    /// Hands every input of the corpus to `run`, with its name.
    ///
    /// # Errors
    ///
    /// When there is no archive of inputs, or it is damaged.
    pub fn each_input(&self, mut run: impl FnMut(&str, &[u8])) -> io::Result<()> {
        let file = format!("{}.tar", self.name);
        let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpora", &file].iter().collect();
        let archive = fs::read(file)?;
        for (name, input) in corpus::unpack(&archive)? {
            run(name, input);
        }
        Ok(())
    }
}

/// Makes input of bytes; `None` if there are too few.
fn input<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}
