//! Calls without a guest: on a memory of the test's own.

mod listing;
mod peer;
mod pipes;
mod runtime;

use super::call::Call;
use super::wait::{self, Alarm};
use super::{ALLOCATION_MAX, Wasi, WasiConfig, raw};
use crate::error::Error;
use crate::machine::CancelState;
use std::path::Path;
use std::sync::Arc;
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::GuestMemory;
use wrt_abi::wasi::FunctionId;
use wrt_hypervisor::Kicker;

/// The first directory that a program is given.
const ROOT: u64 = 3;
/// Where a call's path, its second path and its results are.
const PATH: u64 = 0;
const SECOND: u64 = 2048;
const RESULT: u64 = 4096;
const MEMORY: usize = 16 << 10;

/// A folder in memory, if there is one.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.unwrap()
}

struct NoKicker;

impl Kicker for NoKicker {
    fn kick(&self) {}
}

/// A world with one directory, and the memory that calls in it are made on.
struct World {
    wasi: Wasi,
    cancel: Arc<CancelState>,
    /// Of words: structures are aligned.
    memory: Vec<u64>,
}

impl World {
    fn new(directory: &Path) -> Self {
        let config = WasiConfig::new().dir(directory, ".");
        let cancel = CancelState::new(Arc::new(NoKicker));
        Self { wasi: Wasi::new(&config).unwrap(), cancel, memory: vec![0; MEMORY / 8] }
    }

    fn bytes(&mut self) -> &mut [u8] {
        zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..])
    }

    /// Puts a string where calls find it; returns address and length.
    fn put(&mut self, at: u64, text: &str) -> [u64; 2] {
        self.bytes()[usize::try_from(at).unwrap()..][..text.len()].copy_from_slice(text.as_bytes());
        [at, text.len() as u64]
    }

    /// Makes a call; an error is an interruption.
    fn call(&mut self, function: FunctionId, words: &[u64]) -> Result<i32, Error> {
        let mut arguments = [0; 9];
        arguments[..words.len()].copy_from_slice(words);
        let alarm = Alarm::default();
        let (wasi, cancel) = (&mut self.wasi, &*self.cancel);
        wasi.world.set_hostcall_fuel(ALLOCATION_MAX);
        let mut call = Call { wasi, cancel, alarm: &alarm };
        let bytes = zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..]);
        let memory = &mut GuestMemory::Unshared(bytes);
        let called = raw::call(&mut call, memory, function, &arguments);
        wait::wait(called, &alarm, cancel)
            .map(|returned| returned.unwrap_or_else(|error| panic!("{function:?}: {error:#}")))
    }

    /// The number in a call's result.
    fn result(&mut self) -> u32 {
        let at = usize::try_from(RESULT).unwrap();
        u32::from_le_bytes(self.bytes()[at..][..4].try_into().unwrap())
    }
}
