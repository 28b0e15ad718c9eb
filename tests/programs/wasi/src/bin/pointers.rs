//! A pointer out of bounds or not aligned, in the call the first argument
//! names: the program is ended at once.
//!
//! The interface has an errno for it (`fault`), but wasmtime follows the
//! description of the interface's format: such a call traps.

use std::arch::wasm32::{memory_grow, memory_size};
use wasi_programs::wasi_snapshot_preview1::*;
use wasi_programs::{READ, ROOT, create_open, exit_on_panic};

/// A page-aligned address past any memory these programs ever have.
const OUTSIDE: i32 = 0x7fff_0000;
/// Inside, but not where anything larger than a byte may lie.
const UNALIGNED: i32 = 1025;

fn main() {
    exit_on_panic();
    let call = std::env::args().nth(1).expect("the name of a call");

    let root = ROOT as i32;
    let fd = create_open("file", b"0123456789") as i32;
    let mut space = [0_u64; 32];
    let inside = space.as_mut_ptr() as i32;
    let (path, length) = ("file".as_ptr() as i32, 4);
    // Eight bytes, all zeros, and then no more memory.
    let last = memory_size::<0>() + 1;
    assert_ne!(memory_grow::<0>(1), usize::MAX);
    let end = ((last << 16) - 8) as i32;
    // One iovec, good in itself, with a buffer that is not.
    let mut iovec = [OUTSIDE, 16];
    let bad_buffer = iovec.as_mut_ptr() as i32;
    let mut iovec_across = [end, 9];
    let long_buffer = iovec_across.as_mut_ptr() as i32;
    // A subscription to a clock that is due at once is all zeros.
    let subscription = inside;

    println!("calling {call}");
    // SAFETY: None. The host is expected to catch every one of these.
    let result = unsafe {
        match call.as_str() {
            "args_get argv" => args_get(OUTSIDE, inside),
            "args_get argv unaligned" => args_get(UNALIGNED, inside),
            "args_get argv_buf" => args_get(inside, OUTSIDE),
            "args_sizes_get argc" => args_sizes_get(OUTSIDE, inside),
            "args_sizes_get unaligned" => args_sizes_get(UNALIGNED, inside),
            "args_sizes_get argv_buf_size" => args_sizes_get(inside, OUTSIDE),
            "environ_get environ" => environ_get(OUTSIDE, inside),
            "environ_get environ_buf" => environ_get(inside, OUTSIDE),
            "environ_sizes_get count" => environ_sizes_get(OUTSIDE, inside),
            "environ_sizes_get size" => environ_sizes_get(inside, OUTSIDE),
            "clock_res_get" => clock_res_get(0, OUTSIDE),
            "clock_time_get" => clock_time_get(0, 0, OUTSIDE),
            "clock_time_get unaligned" => clock_time_get(0, 0, UNALIGNED),
            "clock_time_get across the end" => clock_time_get(0, 0, end + 8),
            "clock_time_get last address" => clock_time_get(0, 0, -8),
            "fd_fdstat_get" => fd_fdstat_get(fd, OUTSIDE),
            "fd_filestat_get" => fd_filestat_get(fd, OUTSIDE),
            "fd_pread iovs" => fd_pread(fd, OUTSIDE, 1, 0, inside),
            "fd_pread buffer" => fd_pread(fd, bad_buffer, 1, 0, inside),
            "fd_pread nread" => fd_pread(fd, inside, 0, 0, OUTSIDE),
            "fd_prestat_get" => fd_prestat_get(root, OUTSIDE),
            "fd_prestat_dir_name" => fd_prestat_dir_name(root, OUTSIDE, 16),
            "fd_pwrite iovs" => fd_pwrite(fd, OUTSIDE, 1, 0, inside),
            "fd_pwrite buffer" => fd_pwrite(fd, bad_buffer, 1, 0, inside),
            "fd_read iovs" => fd_read(fd, OUTSIDE, 1, inside),
            "fd_read iovs unaligned" => fd_read(fd, UNALIGNED, 1, inside),
            "fd_read iovs across the end" => fd_read(fd, end, 2, inside),
            "fd_read buffer" => fd_read(fd, bad_buffer, 1, inside),
            "fd_read buffer across the end" => fd_read(fd, long_buffer, 1, inside),
            "fd_read nread" => fd_read(fd, inside, 0, OUTSIDE),
            "fd_readdir buf" => fd_readdir(root, OUTSIDE, 64, 0, inside),
            "fd_readdir bufused" => fd_readdir(root, inside, 64, 0, OUTSIDE),
            "fd_seek" => fd_seek(fd, 0, 0, OUTSIDE),
            "fd_tell" => fd_tell(fd, OUTSIDE),
            "fd_write iovs" => fd_write(fd, OUTSIDE, 1, inside),
            "fd_write buffer" => fd_write(fd, bad_buffer, 1, inside),
            "fd_write buffer across the end" => fd_write(fd, long_buffer, 1, inside),
            "fd_write nwritten" => fd_write(fd, inside, 0, OUTSIDE),
            "fd_write stdout buffer" => fd_write(1, bad_buffer, 1, inside),
            "path_create_directory" => path_create_directory(root, OUTSIDE, 4),
            "path_filestat_get path" => path_filestat_get(root, 0, OUTSIDE, 4, inside),
            "path_filestat_get filestat" => path_filestat_get(root, 0, path, length, OUTSIDE),
            "path_filestat_set_times" => path_filestat_set_times(root, 0, OUTSIDE, 4, 0, 0, 0),
            "path_link old" => path_link(root, 0, OUTSIDE, 4, root, path, length),
            "path_link new" => path_link(root, 0, path, length, root, OUTSIDE, 4),
            "path_open path" => path_open(root, 0, OUTSIDE, 4, 0, READ as i64, 0, 0, inside),
            "path_open path across the end" => {
                path_open(root, 0, end, 9, 0, READ as i64, 0, 0, inside)
            }
            "path_open opened_fd" => {
                path_open(root, 0, path, length, 0, READ as i64, 0, 0, OUTSIDE)
            }
            "path_readlink path" => path_readlink(root, OUTSIDE, 4, inside, 8, inside),
            "path_remove_directory" => path_remove_directory(root, OUTSIDE, 4),
            "path_rename old" => path_rename(root, OUTSIDE, 4, root, path, length),
            "path_rename new" => path_rename(root, path, length, root, OUTSIDE, 4),
            "path_symlink old" => path_symlink(OUTSIDE, 4, root, path, length),
            "path_symlink new" => path_symlink(path, length, root, OUTSIDE, 4),
            "path_unlink_file" => path_unlink_file(root, OUTSIDE, 4),
            "poll_oneoff in" => poll_oneoff(OUTSIDE, inside, 1, inside),
            "poll_oneoff in unaligned" => poll_oneoff(UNALIGNED, inside, 1, inside),
            "poll_oneoff out" => poll_oneoff(subscription, OUTSIDE, 1, inside),
            "poll_oneoff nevents" => poll_oneoff(subscription, inside + 64, 1, OUTSIDE),
            "random_get" => random_get(OUTSIDE, 16),
            _ => panic!("no such call: {call}"),
        }
    };
    panic!("{call} came back with {result}");
}
