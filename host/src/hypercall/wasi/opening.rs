//! What may be opened, and how much.
//!
//! `wasmtime-wasi` bounds neither. A guest that opens files without end would leave the host, and
//! with it the other VMs of the process, without descriptors. And opening a pipe waits for its
//! other end, on the thread that serves the guest, where no deadline reaches it.

use super::{Arguments, raw};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::Errno;
use wiggle::GuestMemory;
use wrt_abi::wasi::FunctionId;

/// Files and directories that a VM may have open at a time.
const OPEN_MAX: u32 = 1000;
/// Bytes of a path that is looked at; no system takes longer ones.
const PATH_MAX: usize = 4096;
/// Size of a `filestat`, and where in it the kind of file is.
const STAT_SIZE: usize = 64;
const STAT_KIND: usize = 16;
/// The kind of what preview 1 has no name for: pipes.
const KIND_UNKNOWN: u8 = 0;

/// Files and directories that are open.
#[derive(Debug, Default)]
pub(super) struct Opened(u32);

impl Opened {
    /// Why `path_open` with these arguments is not to be called.
    pub(super) async fn refuses(
        &self,
        world: &mut WasiP1Ctx,
        memory: &[u8],
        arguments: &Arguments,
    ) -> Option<Errno> {
        if self.0 >= OPEN_MAX {
            return Some(Errno::Mfile);
        }
        is_pipe(world, memory, arguments).await.then_some(Errno::Nxio)
    }

    /// Takes note of a call that went well.
    pub(super) fn count(&mut self, function: FunctionId, arguments: &Arguments) {
        match function {
            FunctionId::PathOpen => self.0 += 1,
            FunctionId::FdClose => self.0 = self.0.saturating_sub(1),
            // What had the second number is closed.
            FunctionId::FdRenumber if low(arguments[0]) != low(arguments[1]) => {
                self.0 = self.0.saturating_sub(1);
            }
            _ => {}
        }
    }
}

/// An argument of 32 bits: the upper half is the guest's to fill.
fn low(word: u64) -> usize {
    usize::try_from(word & 0xffff_ffff).unwrap_or(usize::MAX)
}

/// Whether a path leads to a pipe, by the same sandbox's word. What cannot be found out is not:
/// the call itself will say what is wrong.
async fn is_pipe(world: &mut WasiP1Ctx, memory: &[u8], arguments: &Arguments) -> bool {
    let [descriptor, flags, path, len, ..] = *arguments;
    let path = memory.get(low(path)..).and_then(|rest| rest.get(..low(len)));
    let Some(path) = path.filter(|path| path.len() <= PATH_MAX) else { return false };
    let mut scratch = [&[0; STAT_SIZE][..], path].concat();
    let arguments: Arguments =
        [descriptor, flags, STAT_SIZE as u64, path.len() as u64, 0, 0, 0, 0, 0];
    let mut memory = GuestMemory::Unshared(&mut scratch);
    let called = raw::call(world, &mut memory, FunctionId::PathFilestatGet, &arguments).await;
    matches!(called, Ok(0)) && scratch[STAT_KIND] == KIND_UNKNOWN
}
