//! An enumeration or a set of flags that is none, in the call the first
//! argument names: the program is ended at once.
//!
//! INVAL would be an answer, and wasmtime gives it for what lies in memory
//! (see `poll_errors`). For an argument of the call itself it traps.

use wasi_programs::wasi_snapshot_preview1::*;
use wasi_programs::{READ, ROOT, create_open, exit_on_panic};

fn main() {
    exit_on_panic();
    let call = std::env::args().nth(1).expect("the name of a call");

    let root = ROOT as i32;
    let read = READ as i64;
    let fd = create_open("file", b"12345") as i32;
    let mut result = [0_u64; 8];
    let out = result.as_mut_ptr() as i32;
    let (file, new) = ("file".as_ptr() as i32, "new".as_ptr() as i32);

    println!("calling {call}");
    // SAFETY: Every pointer is to `result` or a string literal.
    let result = unsafe {
        match call.as_str() {
            "clock_res_get id" => clock_res_get(4, out),
            "clock_time_get id" => clock_time_get(-1, 0, out),
            "fd_advise advice" => fd_advise(fd, 0, 0, 6),
            "fd_seek whence" => fd_seek(fd, 0, 3, out),
            // The value is looked at before the descriptor.
            "fd_seek whence and fd" => fd_seek(9_999, 0, 3, out),
            "proc_raise sig" => proc_raise(31),
            // One flag more than there are.
            "fd_fdstat_set_flags flags" => fd_fdstat_set_flags(fd, 1 << 5),
            "fd_fdstat_set_rights base" => fd_fdstat_set_rights(fd, 1 << 30, 0),
            "fd_fdstat_set_rights inheriting" => fd_fdstat_set_rights(fd, 0, 1 << 30),
            "fd_filestat_set_times fst_flags" => fd_filestat_set_times(fd, 0, 0, 1 << 4),
            "path_filestat_get flags" => path_filestat_get(root, 1 << 1, file, 4, out),
            "path_filestat_set_times flags" => {
                path_filestat_set_times(root, 1 << 1, file, 4, 0, 0, 0)
            }
            "path_filestat_set_times fst_flags" => {
                path_filestat_set_times(root, 0, file, 4, 0, 0, 1 << 4)
            }
            "path_link old_flags" => path_link(root, 1 << 1, file, 4, root, new, 3),
            "path_open dirflags" => path_open(root, 1 << 1, file, 4, 0, read, 0, 0, out),
            "path_open oflags" => path_open(root, 0, new, 3, 1 | 1 << 4, read, 0, 0, out),
            "path_open base" => path_open(root, 0, new, 3, 1, 1 << 30, 0, 0, out),
            "path_open inheriting" => path_open(root, 0, new, 3, 1, read, 1 << 30, 0, out),
            "path_open fdflags" => path_open(root, 0, new, 3, 1, read, 0, 1 << 5, out),
            "sock_accept flags" => sock_accept(fd, 1 << 5, out),
            "sock_recv ri_flags" => sock_recv(fd, out, 0, 1 << 2, out, out),
            "sock_shutdown how" => sock_shutdown(fd, 1 << 2),
            _ => panic!("no such call: {call}"),
        }
    };
    panic!("{call} came back with {result}");
}
