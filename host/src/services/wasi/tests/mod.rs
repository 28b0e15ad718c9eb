//! Calls without a guest: on a memory of the test's own.

mod arguments;
mod listing;
mod peer;
// `mknodat` is not in rustix for macOS.
#[cfg(target_os = "linux")]
mod pipes;
mod raw;
mod runtime;

use super::Wasi;
use super::call::Call;
use super::errno::Failed;
use super::memory::Memory;
use crate::error::Error;
use crate::machine::CancelState;
use crate::services::tests::cancel;
use crate::world::{self, WasiConfig};
use std::path::Path;
use std::sync::Arc;
use wrt_abi::services::wasi::{FunctionId, Version};

/// The first directory that a program is given.
const ROOT: u64 = 3;
/// Where a call's path, its second path and its results are.
const PATH: u64 = 0;
const SECOND: u64 = 2048;
const RESULT: u64 = 4096;
const MEMORY: usize = 16 << 10;
/// What a program is given.
const ARGUMENTS: [&str; 3] = ["program", "", "\u{e4}"];
const VARIABLE: (&str, &str) = ("NAME", "a=value");

/// A folder in memory, if there is one.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.unwrap()
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
        let world = WasiConfig::new().args(ARGUMENTS).env(VARIABLE.0, VARIABLE.1);
        let config = world.dir(directory, ".");
        let wasi = Wasi::new(world::World::open(&config).unwrap());
        Self { wasi, cancel: cancel(), memory: vec![0; MEMORY / 8] }
    }

    fn bytes(&mut self) -> &mut [u8] {
        zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..])
    }

    #[cfg(target_os = "linux")]
    /// Puts a string where calls find it; returns address and length.
    fn put(&mut self, at: u64, text: &str) -> [u64; 2] {
        self.bytes()[usize::try_from(at).unwrap()..][..text.len()].copy_from_slice(text.as_bytes());
        [at, text.len() as u64]
    }

    /// Makes a call; `None` is the end of the program, an error that of the VM's call.
    fn try_call(&mut self, function: FunctionId, words: &[u64]) -> Result<Option<i32>, Error> {
        let mut arguments = [0; 9];
        arguments[..words.len()].copy_from_slice(words);
        let bytes = zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..]);
        let (wasi, memory, cancel) = (&mut self.wasi, Memory::new(bytes), &*self.cancel);
        match (Call { wasi, memory, cancel }).serve(function, Version::Preview1, &arguments) {
            Ok(()) => Ok(Some(0)),
            Err(Failed::Errno(errno)) => Ok(Some(errno as i32)),
            Err(Failed::Fault(_) | Failed::Exit(_)) => Ok(None),
            Err(Failed::Ended(error)) => Err(error),
        }
    }

    /// Makes a call that does not end the program; an error is an interruption.
    fn call(&mut self, function: FunctionId, words: &[u64]) -> Result<i32, Error> {
        self.try_call(function, words).map(|errno| errno.expect("the program goes on"))
    }

    /// The number in a call's result.
    fn result(&mut self) -> u32 {
        let at = usize::try_from(RESULT).unwrap();
        u32::from_le_bytes(self.bytes()[at..][..4].try_into().unwrap())
    }
}
