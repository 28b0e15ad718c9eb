//! From a function's number to `wasmtime-wasi`'s raw function, which decodes its arguments.

use super::super::Arguments;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as raw;
use wiggle::GuestMemory;
use wrt_abi::services::wasi::FunctionId as Id;

/// Calls one function; returns its errno. An error is a trap, or the program's exit.
pub(super) async fn call(
    world: &mut WasiP1Ctx,
    memory: &mut GuestMemory<'_>,
    function: Id,
    arguments: &Arguments,
) -> wiggle::error::Result<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "an i32 travels in the low half")]
    let i = |n: usize| (arguments[n] as u32).cast_signed();
    let l = |n: usize| arguments[n].cast_signed();
    Ok(match function {
        Id::ArgsGet => raw::args_get(world, memory, i(0), i(1))?,
        Id::ArgsSizesGet => raw::args_sizes_get(world, memory, i(0), i(1))?,
        Id::EnvironGet => raw::environ_get(world, memory, i(0), i(1))?,
        Id::EnvironSizesGet => raw::environ_sizes_get(world, memory, i(0), i(1))?,
        Id::ClockResGet => raw::clock_res_get(world, memory, i(0), i(1))?,
        Id::ClockTimeGet => raw::clock_time_get(world, memory, i(0), l(1), i(2))?,
        Id::FdAdvise => raw::fd_advise(world, memory, i(0), l(1), l(2), i(3)).await?,
        Id::FdAllocate => raw::fd_allocate(world, memory, i(0), l(1), l(2))?,
        Id::FdClose => raw::fd_close(world, memory, i(0)).await?,
        Id::FdDatasync => raw::fd_datasync(world, memory, i(0)).await?,
        Id::FdFdstatGet => raw::fd_fdstat_get(world, memory, i(0), i(1)).await?,
        Id::FdFdstatSetFlags => raw::fd_fdstat_set_flags(world, memory, i(0), i(1))?,
        Id::FdFdstatSetRights => raw::fd_fdstat_set_rights(world, memory, i(0), l(1), l(2))?,
        Id::FdFilestatGet => raw::fd_filestat_get(world, memory, i(0), i(1)).await?,
        Id::FdFilestatSetSize => raw::fd_filestat_set_size(world, memory, i(0), l(1)).await?,
        Id::FdFilestatSetTimes => {
            raw::fd_filestat_set_times(world, memory, i(0), l(1), l(2), i(3)).await?
        }
        Id::FdPread => raw::fd_pread(world, memory, i(0), i(1), i(2), l(3), i(4)).await?,
        Id::FdPrestatGet => raw::fd_prestat_get(world, memory, i(0), i(1))?,
        Id::FdPrestatDirName => raw::fd_prestat_dir_name(world, memory, i(0), i(1), i(2))?,
        Id::FdPwrite => raw::fd_pwrite(world, memory, i(0), i(1), i(2), l(3), i(4)).await?,
        Id::FdRead => raw::fd_read(world, memory, i(0), i(1), i(2), i(3)).await?,
        Id::FdReaddir => raw::fd_readdir(world, memory, i(0), i(1), i(2), l(3), i(4)).await?,
        Id::FdRenumber => raw::fd_renumber(world, memory, i(0), i(1)).await?,
        Id::FdSeek => raw::fd_seek(world, memory, i(0), l(1), i(2), i(3)).await?,
        Id::FdSync => raw::fd_sync(world, memory, i(0)).await?,
        Id::FdTell => raw::fd_tell(world, memory, i(0), i(1))?,
        Id::FdWrite => raw::fd_write(world, memory, i(0), i(1), i(2), i(3)).await?,
        Id::PathCreateDirectory => {
            raw::path_create_directory(world, memory, i(0), i(1), i(2)).await?
        }
        Id::PathFilestatGet => {
            raw::path_filestat_get(world, memory, i(0), i(1), i(2), i(3), i(4)).await?
        }
        Id::PathFilestatSetTimes => {
            raw::path_filestat_set_times(world, memory, i(0), i(1), i(2), i(3), l(4), l(5), i(6))
                .await?
        }
        Id::PathLink => {
            raw::path_link(world, memory, i(0), i(1), i(2), i(3), i(4), i(5), i(6)).await?
        }
        Id::PathOpen => {
            raw::path_open(world, memory, i(0), i(1), i(2), i(3), i(4), l(5), l(6), i(7), i(8))
                .await?
        }
        Id::PathReadlink => {
            raw::path_readlink(world, memory, i(0), i(1), i(2), i(3), i(4), i(5)).await?
        }
        Id::PathRemoveDirectory => {
            raw::path_remove_directory(world, memory, i(0), i(1), i(2)).await?
        }
        Id::PathRename => {
            raw::path_rename(world, memory, i(0), i(1), i(2), i(3), i(4), i(5)).await?
        }
        Id::PathSymlink => raw::path_symlink(world, memory, i(0), i(1), i(2), i(3), i(4)).await?,
        Id::PathUnlinkFile => raw::path_unlink_file(world, memory, i(0), i(1), i(2)).await?,
        Id::PollOneoff => raw::poll_oneoff(world, memory, i(0), i(1), i(2), i(3)).await?,
        Id::ProcExit => {
            raw::proc_exit(world, memory, i(0))?;
            0
        }
        Id::ProcRaise => raw::proc_raise(world, memory, i(0))?,
        Id::SchedYield => raw::sched_yield(world, memory)?,
        Id::RandomGet => raw::random_get(world, memory, i(0), i(1))?,
        Id::SockAccept => raw::sock_accept(world, memory, i(0), i(1), i(2))?,
        Id::SockRecv => raw::sock_recv(world, memory, i(0), i(1), i(2), i(3), i(4), i(5))?,
        Id::SockSend => raw::sock_send(world, memory, i(0), i(1), i(2), i(3), i(4))?,
        Id::SockShutdown => raw::sock_shutdown(world, memory, i(0), i(1))?,
    })
}
