//! Preview 0, `wasi_unstable`: preview 1 but for a few numbers and layouts.
//!
//! Programs built before 2020 import it.

use super::call::Call;
use super::errno::Result;
use super::files::bounded;
use super::{Arguments, low, raw};
use wasmtime_wasi::p1::types::{Errno, Event, Fd, Filestat, Lookupflags, Subscription};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::{GuestMemory, GuestPtr, GuestType as _};
use wrt_abi::wasi::FunctionId;
use zerocopy::IntoBytes as _;

/// The size of preview 0's `filestat`.
const FILESTAT: u32 = 56;
/// The size of preview 0's `subscription`, and where its kind is: a clock's is 0.
const SUBSCRIPTION: u32 = 56;
const KIND: usize = 8;

/// Calls one function; returns its errno. An error is a trap, or the program's exit.
pub(super) async fn call(
    call: &mut Call<'_>,
    memory: &mut GuestMemory<'_>,
    function: FunctionId,
    arguments: &Arguments,
) -> wiggle::error::Result<i32> {
    let done = match function {
        FunctionId::FdSeek => {
            let mut arguments = *arguments;
            arguments[2] = whence(arguments[2]);
            return raw::call(call, memory, function, &arguments).await;
        }
        FunctionId::FdFilestatGet => stat(call, memory, arguments).await,
        FunctionId::PathFilestatGet => stat_at(call, memory, arguments).await,
        FunctionId::PollOneoff => poll(call, memory, arguments).await,
        _ => return raw::call(call, memory, function, arguments).await,
    };
    match done {
        Ok(()) => Ok(Errno::Success as i32),
        Err(error) => Ok(error.downcast()? as i32),
    }
}

/// `cur`, `end` and `set` are numbered from 0; preview 1 begins with `set`.
fn whence(preview0: u64) -> u64 {
    match low(preview0) {
        0 => 1,
        1 => 2,
        2 => 0,
        _ => preview0,
    }
}

async fn stat(
    call: &mut Call<'_>,
    memory: &mut GuestMemory<'_>,
    arguments: &Arguments,
) -> Result<()> {
    let [fd, result, ..] = arguments.map(low);
    let stat = call.fd_filestat_get(memory, Fd::from(fd)).await?;
    write_stat(memory, result, &stat)
}

async fn stat_at(
    call: &mut Call<'_>,
    memory: &mut GuestMemory<'_>,
    arguments: &Arguments,
) -> Result<()> {
    let [fd, flags, path, len, result, ..] = arguments.map(low);
    let flags = Lookupflags::try_from(flags)?;
    let path = GuestPtr::new((path, len));
    let stat = call.path_filestat_get(memory, Fd::from(fd), flags, path).await?;
    write_stat(memory, result, &stat)
}

/// Writes a `filestat`, whose number of links has 32 bits.
fn write_stat(memory: &mut GuestMemory<'_>, at: u32, stat: &Filestat) -> Result<()> {
    let links = u32::try_from(stat.nlink).unwrap_or(u32::MAX);
    let mut bytes = [0; FILESTAT as usize];
    bytes[..8].copy_from_slice(&stat.dev.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.ino.to_le_bytes());
    bytes[16] = stat.filetype as u8;
    bytes[20..24].copy_from_slice(&links.to_le_bytes());
    bytes[24..32].copy_from_slice(&stat.size.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.atim.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.mtim.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.ctim.to_le_bytes());
    Ok(memory.copy_from_slice(&bytes, GuestPtr::<u8>::new(at).as_array(FILESTAT))?)
}

/// Polls on a memory of its own: first preview 1's subscriptions, then room for events.
async fn poll(
    call: &mut Call<'_>,
    memory: &mut GuestMemory<'_>,
    arguments: &Arguments,
) -> Result<()> {
    let [subscriptions, events, count, result, ..] = arguments.map(low);
    bounded(count, SUBSCRIPTION)?;
    let len = count.checked_mul(SUBSCRIPTION).ok_or(Errno::Overflow)?;
    let given = memory.to_vec(GuestPtr::<u8>::new(subscriptions).as_array(len))?;
    // Of words: structures are aligned.
    let mut scratch: Vec<u64> =
        given.chunks_exact(SUBSCRIPTION as usize).flat_map(subscription).collect();
    let room = count * Subscription::guest_size();
    scratch.resize((room + count * Event::guest_size()) as usize / 8, 0);
    let mut preview1 = GuestMemory::Unshared(scratch.as_mut_bytes());
    let (from, to) = (GuestPtr::<Subscription>::new(0), GuestPtr::<Event>::new(room));
    let happened = call.poll_oneoff(&mut preview1, from, to, count).await?;
    let len = happened * Event::guest_size();
    let written = preview1.as_cow(GuestPtr::new((room, len)))?;
    memory.copy_from_slice(&written, GuestPtr::<u8>::new(events).as_array(len))?;
    Ok(memory.write(GuestPtr::new(result), happened)?)
}

/// A subscription as preview 1 has it: a clock's has no `identifier`.
fn subscription(preview0: &[u8]) -> impl Iterator<Item = u64> {
    let skipped = if preview0[KIND] == 0 { Some(2) } else { None };
    let words = preview0.chunks_exact(8).map(|word| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        u64::from_ne_bytes(bytes)
    });
    let kept = words.enumerate().filter(move |(index, _)| Some(*index) != skipped);
    kept.map(|(_, word)| word).take(Subscription::guest_size() as usize / 8)
}
