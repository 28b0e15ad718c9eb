//! The functions of preview 1.
//!
//! Arguments, clocks, randomness and the standard streams are `wasmtime-wasi`'s. Files and
//! directories are served here, since `wasmtime-wasi` may block in opening one, and reads a whole
//! directory for every part of it.

use super::descriptors::{Descriptor, Descriptors, Directory};
use super::errno::{OrErrno as _, Result};
use super::files::{bounded, first};
use super::paths::Opening;
use super::stdio::Stream;
use super::wait::{Alarm, Interrupted};
use super::{Wasi, attributes, listing, paths};
use crate::machine::CancelState;
use std::num::NonZeroU64;
use wasmtime_wasi::p1::types::{
    self, Advice, CiovecArray, Clockid, Dircookie, Errno, Event, Exitcode, Fd, Fdflags, Fdstat,
    Filedelta, Filesize, Filestat, Fstflags, IovecArray, Lookupflags, Oflags, Prestat, PrestatDir,
    Riflags, Rights, Roflags, Sdflags, Siflags, Signal, Size, Subscription, Timestamp, Whence,
};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1;
use wasmtime_wasi::{I32Exit, p1::WasiP1Ctx};
use wiggle::{GuestMemory, GuestPtr};
use wrt_platform::files::advise;

/// The longest path that is copied. Systems take shorter ones; their own error comes after those of
/// flags.
const PATH_MAX: usize = 64 << 10;
/// Random bytes that are made at a time.
const RANDOM_MAX: u32 = 64 << 10;

/// One call of a function.
pub(super) struct Call<'a> {
    pub(super) wasi: &'a mut Wasi,
    pub(super) cancel: &'a CancelState,
    pub(super) alarm: &'a Alarm,
}

impl Call<'_> {
    fn descriptors(&self) -> &Descriptors {
        &self.wasi.descriptors
    }

    fn streams(&mut self) -> &mut WasiP1Ctx {
        &mut self.wasi.world
    }
}

/// Ends a call that takes its time, once it is interrupted.
fn go_on(cancel: &CancelState) -> Result<()> {
    match cancel.interruption() {
        Some(why) => Err(types::Error::trap(wiggle::error::Error::from(Interrupted(why)))),
        None => Ok(()),
    }
}

/// A copy of a path.
fn path(memory: &GuestMemory<'_>, path: GuestPtr<str>) -> Result<String> {
    bounded(path.len(), 1)?;
    let path = memory.as_cow_str(path)?;
    if path.len() > PATH_MAX { Err(Errno::Nametoolong.into()) } else { Ok(path.into_owned()) }
}

fn slice_mut<'a>(memory: &'a mut GuestMemory<'_>, bytes: GuestPtr<[u8]>) -> Result<&'a mut [u8]> {
    Ok(memory.as_slice_mut(bytes)?.ok_or(Errno::Notsup)?)
}

/// Writes bytes, as far as `room` reaches; says how many.
pub(super) fn put(
    memory: &mut GuestMemory<'_>,
    at: GuestPtr<u8>,
    room: Size,
    bytes: &[u8],
) -> Result<Size> {
    let len = Size::try_from(bytes.len())?.min(room);
    memory.copy_from_slice(&bytes[..len as usize], at.as_array(len))?;
    Ok(len)
}

impl WasiSnapshotPreview1 for Call<'_> {
    fn set_hostcall_fuel(&mut self, fuel: usize) {
        self.streams().set_hostcall_fuel(fuel);
    }

    fn args_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        argv: GuestPtr<GuestPtr<u8>>,
        argv_buf: GuestPtr<u8>,
    ) -> Result<()> {
        self.streams().args_get(memory, argv, argv_buf)
    }

    fn args_sizes_get(&mut self, memory: &mut GuestMemory<'_>) -> Result<(Size, Size)> {
        self.streams().args_sizes_get(memory)
    }

    fn environ_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        environ: GuestPtr<GuestPtr<u8>>,
        environ_buf: GuestPtr<u8>,
    ) -> Result<()> {
        self.streams().environ_get(memory, environ, environ_buf)
    }

    fn environ_sizes_get(&mut self, memory: &mut GuestMemory<'_>) -> Result<(Size, Size)> {
        self.streams().environ_sizes_get(memory)
    }

    fn clock_res_get(&mut self, memory: &mut GuestMemory<'_>, id: Clockid) -> Result<Timestamp> {
        self.streams().clock_res_get(memory, id)
    }

    fn clock_time_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        id: Clockid,
        precision: Timestamp,
    ) -> Result<Timestamp> {
        self.streams().clock_time_get(memory, id, precision)
    }

    async fn fd_advise(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        offset: Filesize,
        len: Filesize,
        advice: Advice,
    ) -> Result<()> {
        let file = self.descriptors().file(fd)?;
        advise(&file.file, offset, NonZeroU64::new(len), advice_for_system(advice)).or_errno()
    }

    fn fd_allocate(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _offset: Filesize,
        _len: Filesize,
    ) -> Result<()> {
        self.descriptors().file(fd)?;
        Err(Errno::Notsup.into())
    }

    async fn fd_close(&mut self, memory: &mut GuestMemory<'_>, fd: Fd) -> Result<()> {
        let closed = self.wasi.descriptors.remove(fd)?;
        self.close(memory, closed).await
    }

    async fn fd_datasync(&mut self, _memory: &mut GuestMemory<'_>, fd: Fd) -> Result<()> {
        self.descriptors().file(fd)?.file.sync_data().or_errno()
    }

    async fn fd_fdstat_get(&mut self, memory: &mut GuestMemory<'_>, fd: Fd) -> Result<Fdstat> {
        match self.descriptors().get(fd)? {
            Descriptor::Stream(stream) => {
                let number = stream.number();
                self.streams().fd_fdstat_get(memory, number).await
            }
            Descriptor::File(file) => Ok(attributes::of_file(file)),
            Descriptor::Directory(directory) => Ok(attributes::of_directory(directory)),
        }
    }

    fn fd_fdstat_set_flags(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        flags: Fdflags,
    ) -> Result<()> {
        self.wasi.descriptors.file_mut(fd)?.set_flags(flags)
    }

    fn fd_fdstat_set_rights(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _base: Rights,
        _inheriting: Rights,
    ) -> Result<()> {
        self.descriptors().get(fd)?.opened()?;
        Err(Errno::Notsup.into())
    }

    async fn fd_filestat_get(&mut self, memory: &mut GuestMemory<'_>, fd: Fd) -> Result<Filestat> {
        let descriptor = self.descriptors().get(fd)?;
        if let Descriptor::Stream(stream) = descriptor {
            let number = stream.number();
            return self.streams().fd_filestat_get(memory, number).await;
        }
        attributes::filestat(&descriptor.metadata()?)
    }

    async fn fd_filestat_set_size(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        size: Filesize,
    ) -> Result<()> {
        let file = self.descriptors().file(fd)?;
        file.may_change()?;
        file.file.set_len(size).or_errno()
    }

    async fn fd_filestat_set_times(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        atim: Timestamp,
        mtim: Timestamp,
        fst_flags: Fstflags,
    ) -> Result<()> {
        let times = attributes::timestamps(atim, mtim, fst_flags)?;
        let descriptor = self.descriptors().get(fd)?;
        let file = descriptor.opened()?;
        descriptor.may_change()?;
        attributes::set_times(file, &times)
    }

    async fn fd_pread(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        iovs: IovecArray,
        offset: Filesize,
    ) -> Result<Size> {
        let buffer = first(memory, iovs)?;
        match self.descriptors().get(fd)? {
            Descriptor::File(file) => {
                let bytes = slice_mut(memory, buffer)?;
                file.read(bytes, offset, || go_on(self.cancel))
            }
            Descriptor::Stream(Stream::Input) => Err(Errno::Spipe.into()),
            Descriptor::Stream(_) | Descriptor::Directory(_) => Err(Errno::Badf.into()),
        }
    }

    fn fd_prestat_get(&mut self, _memory: &mut GuestMemory<'_>, fd: Fd) -> Result<Prestat> {
        match self.descriptors().get(fd)? {
            Descriptor::Directory(Directory { preopen: Some(name), .. }) => {
                Ok(Prestat::Dir(PrestatDir { pr_name_len: name.len().try_into()? }))
            }
            _ => Err(Errno::Badf.into()),
        }
    }

    fn fd_prestat_dir_name(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        path: GuestPtr<u8>,
        path_max_len: Size,
    ) -> Result<()> {
        match self.descriptors().get(fd)? {
            Descriptor::Directory(Directory { preopen: Some(name), .. }) => {
                if name.len() > path_max_len as usize {
                    return Err(Errno::Nametoolong.into());
                }
                put(memory, path, path_max_len, name.as_bytes()).map(|_| ())
            }
            _ => Err(Errno::Notdir.into()),
        }
    }

    async fn fd_pwrite(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        ciovs: CiovecArray,
        offset: Filesize,
    ) -> Result<Size> {
        let buffer = first(memory, ciovs)?;
        match self.descriptors().get(fd)? {
            Descriptor::File(file) => {
                let bytes = memory.as_slice(buffer)?.ok_or(Errno::Notsup)?;
                file.write(bytes, offset, || go_on(self.cancel))
            }
            Descriptor::Stream(Stream::Input) => Err(Errno::Badf.into()),
            Descriptor::Stream(_) => Err(Errno::Spipe.into()),
            Descriptor::Directory(_) => Err(Errno::Badf.into()),
        }
    }

    async fn fd_read(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        iovs: IovecArray,
    ) -> Result<Size> {
        let buffer = first(memory, iovs)?;
        let cancel = self.cancel;
        let file = self.wasi.descriptors.file_mut(fd)?;
        let bytes = slice_mut(memory, buffer)?;
        let read = file.read(bytes, file.position, || go_on(cancel))?;
        file.has_read(read)?;
        Ok(read)
    }

    async fn fd_readdir(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        buf: GuestPtr<u8>,
        buf_len: Size,
        cookie: Dircookie,
    ) -> Result<Size> {
        let cancel = self.cancel;
        let directory = self.wasi.descriptors.directory_mut(fd)?;
        listing::read(memory, directory, (buf, buf_len), cookie, || go_on(cancel))
    }

    async fn fd_renumber(&mut self, memory: &mut GuestMemory<'_>, fd: Fd, to: Fd) -> Result<()> {
        match self.wasi.descriptors.renumber(fd, to)? {
            Some(replaced) => self.close(memory, replaced).await,
            None => Ok(()),
        }
    }

    async fn fd_seek(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        offset: Filedelta,
        whence: Whence,
    ) -> Result<Filesize> {
        self.wasi.descriptors.seekable(fd)?.seek(offset, whence)
    }

    async fn fd_sync(&mut self, _memory: &mut GuestMemory<'_>, fd: Fd) -> Result<()> {
        self.descriptors().file(fd)?.file.sync_all().or_errno()
    }

    fn fd_tell(&mut self, _memory: &mut GuestMemory<'_>, fd: Fd) -> Result<Filesize> {
        Ok(self.wasi.descriptors.seekable(fd)?.position)
    }

    async fn fd_write(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        ciovs: CiovecArray,
    ) -> Result<Size> {
        let buffer = first(memory, ciovs)?;
        let cancel = self.cancel;
        let file = self.wasi.descriptors.file_mut(fd)?;
        let bytes = memory.as_slice(buffer)?.ok_or(Errno::Notsup)?;
        let written = file.write(bytes, file.position, || go_on(cancel))?;
        file.has_written(written)?;
        Ok(written)
    }

    async fn path_create_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        name: GuestPtr<str>,
    ) -> Result<()> {
        let directory = self.descriptors().directory(fd)?;
        paths::create_directory(directory, &path(memory, name)?)
    }

    async fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        flags: Lookupflags,
        name: GuestPtr<str>,
    ) -> Result<Filestat> {
        let directory = self.descriptors().directory(fd)?;
        attributes::filestat(&paths::stat(directory, &path(memory, name)?, flags)?)
    }

    async fn path_filestat_set_times(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        flags: Lookupflags,
        name: GuestPtr<str>,
        atim: Timestamp,
        mtim: Timestamp,
        fst_flags: Fstflags,
    ) -> Result<()> {
        let times = attributes::timestamps(atim, mtim, fst_flags)?;
        let directory = self.descriptors().directory(fd)?;
        paths::set_times(directory, &path(memory, name)?, flags, &times)
    }

    async fn path_link(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_fd: Fd,
        old_flags: Lookupflags,
        old_path: GuestPtr<str>,
        new_fd: Fd,
        new_path: GuestPtr<str>,
    ) -> Result<()> {
        let old = self.descriptors().directory(old_fd)?;
        let new = self.descriptors().directory(new_fd)?;
        let (old_path, new_path) = (path(memory, old_path)?, path(memory, new_path)?);
        paths::link([old, new], [&old_path, &new_path], old_flags)
    }

    async fn path_open(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        dirflags: Lookupflags,
        name: GuestPtr<str>,
        oflags: Oflags,
        fs_rights_base: Rights,
        _fs_rights_inheriting: Rights,
        fdflags: Fdflags,
    ) -> Result<Fd> {
        let path = path(memory, name)?;
        self.descriptors().has_room()?;
        let directory = match self.descriptors().get(fd)? {
            Descriptor::Directory(directory) => directory,
            Descriptor::File(_) => return Err(Errno::Notdir.into()),
            Descriptor::Stream(_) => return Err(Errno::Badf.into()),
        };
        let (lookup, open, rights, flags) = (dirflags, oflags, fs_rights_base, fdflags);
        let opening = Opening { path: &path, lookup, open, rights, flags };
        let opened = paths::open(directory, &opening)?;
        self.wasi.descriptors.push(opened)
    }

    async fn path_readlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        name: GuestPtr<str>,
        buf: GuestPtr<u8>,
        buf_len: Size,
    ) -> Result<Size> {
        let directory = self.descriptors().directory(fd)?;
        let target = paths::read_link(directory, &path(memory, name)?)?;
        put(memory, buf, buf_len, target.as_bytes())
    }

    async fn path_remove_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        name: GuestPtr<str>,
    ) -> Result<()> {
        let directory = self.descriptors().directory(fd)?;
        paths::remove_directory(directory, &path(memory, name)?)
    }

    async fn path_rename(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        old_path: GuestPtr<str>,
        new_fd: Fd,
        new_path: GuestPtr<str>,
    ) -> Result<()> {
        let old = self.descriptors().directory(fd)?;
        let new = self.descriptors().directory(new_fd)?;
        let (old_path, new_path) = (path(memory, old_path)?, path(memory, new_path)?);
        paths::rename([old, new], [&old_path, &new_path])
    }

    async fn path_symlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        old_path: GuestPtr<str>,
        fd: Fd,
        new_path: GuestPtr<str>,
    ) -> Result<()> {
        let directory = self.descriptors().directory(fd)?;
        let (target, new_path) = (path(memory, old_path)?, path(memory, new_path)?);
        paths::symlink(directory, &target, &new_path)
    }

    async fn path_unlink_file(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: Fd,
        name: GuestPtr<str>,
    ) -> Result<()> {
        let directory = self.descriptors().directory(fd)?;
        paths::unlink(directory, &path(memory, name)?)
    }

    async fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subs: GuestPtr<Subscription>,
        events: GuestPtr<Event>,
        nsubscriptions: Size,
    ) -> Result<Size> {
        self.poll(memory, subs, events, nsubscriptions).await
    }

    fn proc_exit(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        status: Exitcode,
    ) -> wiggle::error::Error {
        I32Exit(status.cast_signed()).into()
    }

    fn proc_raise(&mut self, memory: &mut GuestMemory<'_>, sig: Signal) -> Result<()> {
        self.streams().proc_raise(memory, sig)
    }

    fn sched_yield(&mut self, memory: &mut GuestMemory<'_>) -> Result<()> {
        self.streams().sched_yield(memory)
    }

    fn random_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        buf: GuestPtr<u8>,
        buf_len: Size,
    ) -> Result<()> {
        memory.as_slice(buf.as_array(buf_len))?;
        let mut done = 0;
        while done < buf_len {
            go_on(self.cancel)?;
            let some = RANDOM_MAX.min(buf_len - done);
            self.streams().random_get(memory, buf.add(done)?, some)?;
            done += some;
        }
        Ok(())
    }

    fn sock_accept(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _flags: Fdflags,
    ) -> Result<Fd> {
        self.no_socket(fd)
    }

    fn sock_recv(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _ri_data: IovecArray,
        _ri_flags: Riflags,
    ) -> Result<(Size, Roflags)> {
        self.no_socket(fd)
    }

    fn sock_send(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _si_data: CiovecArray,
        _si_flags: Siflags,
    ) -> Result<Size> {
        self.no_socket(fd)
    }

    fn sock_shutdown(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        fd: Fd,
        _how: Sdflags,
    ) -> Result<()> {
        self.no_socket(fd)
    }
}

impl Call<'_> {
    /// Closes what has no number any more.
    async fn close(&mut self, memory: &mut GuestMemory<'_>, closed: Descriptor) -> Result<()> {
        match closed {
            Descriptor::Stream(stream) => self.streams().fd_close(memory, stream.number()).await,
            Descriptor::File(_) | Descriptor::Directory(_) => Ok(()),
        }
    }

    /// No descriptor is a socket.
    fn no_socket<T>(&self, fd: Fd) -> Result<T> {
        self.descriptors().get(fd)?;
        Err(Errno::Notsock.into())
    }
}

fn advice_for_system(advice: Advice) -> wrt_platform::files::Advice {
    use wrt_platform::files::Advice as System;
    match advice {
        Advice::Normal => System::Normal,
        Advice::Sequential => System::Sequential,
        Advice::Random => System::Random,
        Advice::Willneed => System::WillNeed,
        Advice::Dontneed => System::DontNeed,
        Advice::Noreuse => System::NoReuse,
    }
}
