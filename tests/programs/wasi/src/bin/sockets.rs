//! `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`: nothing is one.

use wasi_programs::*;

fn main() {
    let file = create_open("file", b"12345");
    for fd in [FD_STDIN, FD_STDOUT, ROOT, file] {
        fails(ERRNO_NOTSOCK, sock_accept(fd, 0));
        fails(ERRNO_NOTSOCK, sock_recv(fd, &mut [&mut [0; 4]], 0));
        fails(ERRNO_NOTSOCK, sock_send(fd, &[b"data"], 0));
        fails(ERRNO_NOTSOCK, sock_shutdown(fd, SDFLAGS_RD | SDFLAGS_WR));
    }
    assert_eq!(read_to_end(file), b"12345");

    fails(ERRNO_BADF, sock_accept(NO_SUCH_FD, FDFLAGS_NONBLOCK));
    fails(ERRNO_BADF, sock_recv(NO_SUCH_FD, &mut [&mut [0; 4]], 0));
    fails(ERRNO_BADF, sock_send(NO_SUCH_FD, &[b"data"], 0));
    fails(ERRNO_BADF, sock_shutdown(NO_SUCH_FD, SDFLAGS_RD));
}
