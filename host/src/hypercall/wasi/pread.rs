//! `fd_pread`, straight into the program's memory.
//!
//! `wasmtime-wasi` reads for it through a stream: 64 KiB at most, by way of a buffer. Its `fd_read`
//! reads where the bytes belong. A position is a number that it keeps beside the descriptor, so
//! that moving it there and back costs no system call.

use super::{Arguments, SUCCESS, raw};
use wasmtime_wasi::p1::WasiP1Ctx;
use wiggle::GuestMemory;
use wrt_abi::wasi::FunctionId;

/// `whence` of a place from the file's start.
const SET: u64 = 0;

/// Reads at an offset; leaves the descriptor's position where it was.
pub(super) async fn pread(
    world: &mut WasiP1Ctx,
    memory: &mut GuestMemory<'_>,
    arguments: &Arguments,
) -> wiggle::error::Result<i32> {
    let [descriptor, places, count, offset, read, ..] = *arguments;
    let mut position = [0; 8];
    let mut answer = GuestMemory::Unshared(&mut position);
    let tell = [descriptor, 0, 0, 0, 0, 0, 0, 0, 0];
    let told = raw::call(world, &mut answer, FunctionId::FdTell, &tell).await?;
    if told != SUCCESS {
        return Ok(told);
    }
    let before = u64::from_le_bytes(position);
    let moved = seek(world, descriptor, offset).await?;
    if moved != SUCCESS {
        return Ok(moved);
    }
    let arguments = [descriptor, places, count, read, 0, 0, 0, 0, 0];
    let result = raw::call(world, memory, FunctionId::FdRead, &arguments).await;
    seek(world, descriptor, before).await?;
    result
}

async fn seek(world: &mut WasiP1Ctx, descriptor: u64, to: u64) -> wiggle::error::Result<i32> {
    let mut answer = [0; 8];
    let mut answer = GuestMemory::Unshared(&mut answer);
    let arguments = [descriptor, to, SET, 0, 0, 0, 0, 0, 0];
    raw::call(world, &mut answer, FunctionId::FdSeek, &arguments).await
}
