//! Every function of `wasi_snapshot_preview1`, with slices for buffers.

// A glob gives way to what is defined here under the same name.
pub use wasip1::*;

macro_rules! calls {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $value:ty;)*) => {$(
        pub fn $name($($argument: $type),*) -> Result<$value, Errno> {
            // SAFETY: The host gets no pointer but those to the slices given
            // here and to the result on wasip1's stack.
            unsafe { wasip1::$name($($argument),*) }
        }
    )*};
}

calls! {
    fn args_sizes_get() -> (Size, Size);
    fn environ_sizes_get() -> (Size, Size);
    fn clock_res_get(id: Clockid) -> Timestamp;
    fn clock_time_get(id: Clockid, precision: Timestamp) -> Timestamp;
    fn fd_advise(fd: Fd, offset: Filesize, len: Filesize, advice: Advice) -> ();
    fn fd_allocate(fd: Fd, offset: Filesize, len: Filesize) -> ();
    fn fd_close(fd: Fd) -> ();
    fn fd_datasync(fd: Fd) -> ();
    fn fd_fdstat_get(fd: Fd) -> Fdstat;
    fn fd_fdstat_set_flags(fd: Fd, flags: Fdflags) -> ();
    fn fd_fdstat_set_rights(fd: Fd, base: Rights, inheriting: Rights) -> ();
    fn fd_filestat_get(fd: Fd) -> Filestat;
    fn fd_filestat_set_size(fd: Fd, size: Filesize) -> ();
    fn fd_filestat_set_times(
        fd: Fd,
        atim: Timestamp,
        mtim: Timestamp,
        fst_flags: Fstflags
    ) -> ();
    fn fd_prestat_get(fd: Fd) -> Prestat;
    fn fd_renumber(fd: Fd, to: Fd) -> ();
    fn fd_seek(fd: Fd, offset: Filedelta, whence: Whence) -> Filesize;
    fn fd_sync(fd: Fd) -> ();
    fn fd_tell(fd: Fd) -> Filesize;
    fn path_create_directory(fd: Fd, path: &str) -> ();
    fn path_filestat_get(fd: Fd, flags: Lookupflags, path: &str) -> Filestat;
    fn path_filestat_set_times(
        fd: Fd,
        flags: Lookupflags,
        path: &str,
        atim: Timestamp,
        mtim: Timestamp,
        fst_flags: Fstflags
    ) -> ();
    fn path_link(
        old_fd: Fd,
        old_flags: Lookupflags,
        old_path: &str,
        new_fd: Fd,
        new_path: &str
    ) -> ();
    fn path_open(
        fd: Fd,
        dirflags: Lookupflags,
        path: &str,
        oflags: Oflags,
        fs_rights_base: Rights,
        fs_rights_inheriting: Rights,
        fdflags: Fdflags
    ) -> Fd;
    fn path_remove_directory(fd: Fd, path: &str) -> ();
    fn path_rename(fd: Fd, old_path: &str, new_fd: Fd, new_path: &str) -> ();
    fn path_symlink(old_path: &str, fd: Fd, new_path: &str) -> ();
    fn path_unlink_file(fd: Fd, path: &str) -> ();
    fn proc_raise(sig: Signal) -> ();
    fn sched_yield() -> ();
    fn sock_accept(fd: Fd, flags: Fdflags) -> Fd;
    fn sock_shutdown(fd: Fd, how: Sdflags) -> ();
}

pub fn args_get(argv: &mut [*mut u8], argv_buf: &mut [u8]) -> Result<(), Errno> {
    assert_eq!(args_sizes_get(), Ok((argv.len(), argv_buf.len())));
    // SAFETY: Both buffers have the size the host asks for.
    unsafe { wasip1::args_get(argv.as_mut_ptr(), argv_buf.as_mut_ptr()) }
}

pub fn environ_get(environ: &mut [*mut u8], environ_buf: &mut [u8]) -> Result<(), Errno> {
    assert_eq!(environ_sizes_get(), Ok((environ.len(), environ_buf.len())));
    // SAFETY: Both buffers have the size the host asks for.
    unsafe { wasip1::environ_get(environ.as_mut_ptr(), environ_buf.as_mut_ptr()) }
}

pub fn fd_prestat_dir_name(fd: Fd, path: &mut [u8]) -> Result<(), Errno> {
    // SAFETY: The host writes at most the length given.
    unsafe { wasip1::fd_prestat_dir_name(fd, path.as_mut_ptr(), path.len()) }
}

pub fn fd_readdir(fd: Fd, buf: &mut [u8], cookie: Dircookie) -> Result<Size, Errno> {
    // SAFETY: The host writes at most the length given.
    unsafe { wasip1::fd_readdir(fd, buf.as_mut_ptr(), buf.len(), cookie) }
}

pub fn path_readlink(fd: Fd, path: &str, buf: &mut [u8]) -> Result<Size, Errno> {
    // SAFETY: The host writes at most the length given.
    unsafe { wasip1::path_readlink(fd, path, buf.as_mut_ptr(), buf.len()) }
}

pub fn random_get(buf: &mut [u8]) -> Result<(), Errno> {
    // SAFETY: The host writes exactly the length given.
    unsafe { wasip1::random_get(buf.as_mut_ptr(), buf.len()) }
}

pub fn poll_oneoff(in_: &[Subscription], out: &mut [Event]) -> Result<Size, Errno> {
    assert!(out.len() >= in_.len());
    // SAFETY: There is room for one event per subscription.
    unsafe { wasip1::poll_oneoff(in_.as_ptr(), out.as_mut_ptr(), in_.len()) }
}

pub fn proc_exit(rval: Exitcode) -> ! {
    // SAFETY: The call takes no pointer.
    unsafe { wasip1::proc_exit(rval) };
    unreachable!("proc_exit returned")
}

/// The iovecs that make the host fill `buffers` in order.
fn iovecs(buffers: &mut [&mut [u8]]) -> Vec<Iovec> {
    buffers
        .iter_mut()
        .map(|buffer| Iovec { buf: buffer.as_mut_ptr(), buf_len: buffer.len() })
        .collect()
}

/// The ciovecs that make the host take `buffers` in order.
fn ciovecs(buffers: &[&[u8]]) -> Vec<Ciovec> {
    buffers.iter().map(|buffer| Ciovec { buf: buffer.as_ptr(), buf_len: buffer.len() }).collect()
}

pub fn fd_read(fd: Fd, buffers: &mut [&mut [u8]]) -> Result<Size, Errno> {
    // SAFETY: The iovecs name buffers borrowed for the length of the call.
    unsafe { wasip1::fd_read(fd, &iovecs(buffers)) }
}

pub fn fd_pread(fd: Fd, buffers: &mut [&mut [u8]], offset: Filesize) -> Result<Size, Errno> {
    // SAFETY: As in `fd_read`.
    unsafe { wasip1::fd_pread(fd, &iovecs(buffers), offset) }
}

pub fn sock_recv(
    fd: Fd,
    buffers: &mut [&mut [u8]],
    ri_flags: Riflags,
) -> Result<(Size, Roflags), Errno> {
    // SAFETY: As in `fd_read`.
    unsafe { wasip1::sock_recv(fd, &iovecs(buffers), ri_flags) }
}

pub fn fd_write(fd: Fd, buffers: &[&[u8]]) -> Result<Size, Errno> {
    // SAFETY: As in `fd_read`.
    unsafe { wasip1::fd_write(fd, &ciovecs(buffers)) }
}

pub fn fd_pwrite(fd: Fd, buffers: &[&[u8]], offset: Filesize) -> Result<Size, Errno> {
    // SAFETY: As in `fd_read`.
    unsafe { wasip1::fd_pwrite(fd, &ciovecs(buffers), offset) }
}

pub fn sock_send(fd: Fd, buffers: &[&[u8]], si_flags: Siflags) -> Result<Size, Errno> {
    // SAFETY: As in `fd_read`.
    unsafe { wasip1::sock_send(fd, &ciovecs(buffers), si_flags) }
}
