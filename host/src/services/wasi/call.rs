//! From a function's number to the function.

use super::Wasi;
use super::errno::Result;
use super::memory::Memory;
use super::words::Words;
use crate::machine::CancelState;
use wrt_abi::services::Arguments;
use wrt_abi::services::wasi::{self, FunctionId as Id, Version, unstable};

/// A descriptor's number, as the program says.
pub(super) type Fd = u32;

/// One call of a function.
pub(super) struct Call<'a> {
    pub(super) wasi: &'a mut Wasi,
    pub(super) memory: Memory<'a>,
    pub(super) cancel: &'a CancelState,
}

impl Call<'_> {
    /// Calls a function.
    pub(super) fn serve(
        &mut self,
        function: Id,
        version: Version,
        arguments: &Arguments,
    ) -> Result<()> {
        let mut w = Words::new(arguments);
        match (function, version) {
            (Id::FdFilestatGet, Version::Unstable) => {
                self.fd_filestat_get::<unstable::Filestat>(w.next()?, w.next()?)
            }
            (Id::FdSeek, Version::Unstable) => {
                let (fd, offset) = (w.next()?, w.next()?);
                let whence: unstable::Whence = w.next()?;
                self.fd_seek(fd, offset, whence.into(), w.next()?)
            }
            (Id::PathFilestatGet, Version::Unstable) => self
                .path_filestat_get::<unstable::Filestat>(
                    w.next()?,
                    w.next()?,
                    w.next()?,
                    w.next()?,
                ),
            (Id::PollOneoff, Version::Unstable) => self.poll_oneoff::<unstable::Subscription>(
                w.next()?,
                w.next()?,
                w.next()?,
                w.next()?,
            ),
            (function, _) => self.serve_preview1(function, w),
        }
    }

    fn serve_preview1(&mut self, function: Id, mut w: Words<'_>) -> Result<()> {
        match function {
            Id::ArgsGet => self.args_get(w.next()?, w.next()?),
            Id::ArgsSizesGet => self.args_sizes_get(w.next()?, w.next()?),
            Id::EnvironGet => self.environ_get(w.next()?, w.next()?),
            Id::EnvironSizesGet => self.environ_sizes_get(w.next()?, w.next()?),
            Id::ClockResGet => self.clock_res_get(w.next()?, w.next()?),
            Id::ClockTimeGet => self.clock_time_get(w.next()?, w.next()?, w.next()?),
            Id::FdAdvise => self.fd_advise(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::FdAllocate => self.fd_allocate(w.next()?),
            Id::FdClose => self.fd_close(w.next()?),
            Id::FdDatasync => self.fd_datasync(w.next()?),
            Id::FdFdstatGet => self.fd_fdstat_get(w.next()?, w.next()?),
            Id::FdFdstatSetFlags => self.fd_fdstat_set_flags(w.next()?, w.next()?),
            Id::FdFdstatSetRights => self.fd_fdstat_set_rights(w.next()?, w.next()?, w.next()?),
            Id::FdFilestatGet => self.fd_filestat_get::<wasi::Filestat>(w.next()?, w.next()?),
            Id::FdFilestatSetSize => self.fd_filestat_set_size(w.next()?, w.next()?),
            Id::FdFilestatSetTimes => {
                self.fd_filestat_set_times(w.next()?, w.next()?, w.next()?, w.next()?)
            }
            Id::FdPread => self.fd_pread(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::FdPrestatGet => self.fd_prestat_get(w.next()?, w.next()?),
            Id::FdPrestatDirName => self.fd_prestat_dir_name(w.next()?, w.next()?),
            Id::FdPwrite => self.fd_pwrite(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::FdRead => self.fd_read(w.next()?, w.next()?, w.next()?),
            Id::FdReaddir => self.fd_readdir(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::FdRenumber => self.fd_renumber(w.next()?, w.next()?),
            Id::FdSeek => self.fd_seek(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::FdSync => self.fd_sync(w.next()?),
            Id::FdTell => self.fd_tell(w.next()?, w.next()?),
            Id::FdWrite => self.fd_write(w.next()?, w.next()?, w.next()?),
            Id::PathCreateDirectory => self.path_create_directory(w.next()?, w.next()?),
            Id::PathFilestatGet => {
                self.path_filestat_get::<wasi::Filestat>(w.next()?, w.next()?, w.next()?, w.next()?)
            }
            Id::PathFilestatSetTimes => self.path_filestat_set_times(
                w.next()?,
                w.next()?,
                w.next()?,
                w.next()?,
                w.next()?,
                w.next()?,
            ),
            Id::PathLink => self.path_link(w.next()?, w.next()?, w.next()?, w.next()?, w.next()?),
            Id::PathOpen => self.path_open(w.next()?, w.next()?, w.next()?),
            Id::PathReadlink => self.path_readlink(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::PathRemoveDirectory => self.path_remove_directory(w.next()?, w.next()?),
            Id::PathRename => self.path_rename(w.next()?, w.next()?, w.next()?, w.next()?),
            Id::PathSymlink => self.path_symlink(w.next()?, w.next()?, w.next()?),
            Id::PathUnlinkFile => self.path_unlink_file(w.next()?, w.next()?),
            Id::PollOneoff => {
                self.poll_oneoff::<wasi::Subscription>(w.next()?, w.next()?, w.next()?, w.next()?)
            }
            Id::ProcExit => self.proc_exit(w.next()?),
            Id::ProcRaise => self.proc_raise(w.next()?),
            Id::SchedYield => self.sched_yield(),
            Id::RandomGet => self.random_get(w.next()?),
            Id::SockAccept => self.sock_accept(w.next()?, w.next()?),
            Id::SockRecv => self.sock_recv(w.next()?, w.next()?, w.next()?),
            Id::SockSend => self.sock_send(w.next()?, w.next()?, w.next()?),
            Id::SockShutdown => self.sock_shutdown(w.next()?, w.next()?),
        }
    }
}
