//! Many buffers in a call, and empty ones among them.
//!
//! wasmtime serves only the first buffer that is not empty. A short count is
//! what the interface allows, and programs loop anyway.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"");

    assert_eq!(ok(fd_write(fd, &[b"", b"", b"one", b"", b"two"])), 3);
    assert_eq!(ok(fd_write(fd, &[b"two", b"three"])), 3);
    assert_eq!(ok(fd_pwrite(fd, &[b"", b"three", b"four"], 6)), 5);
    assert_eq!(contents("file"), b"onetwothree");
    assert_eq!(ok(fd_tell(fd)), 6);

    ok(fd_seek(fd, 0, WHENCE_SET));
    let (mut first, mut second) = ([b'.'; 4], [b'.'; 4]);
    let buffers: &mut [&mut [u8]] = &mut [&mut [], &mut first, &mut [], &mut second];
    assert_eq!(ok(fd_read(fd, buffers)), 4);
    assert_eq!(ok(fd_pread(fd, buffers, 3)), 4);
    assert_eq!((&first, &second), (b"twot", b"...."));
    assert_eq!(ok(fd_tell(fd)), 4);

    // Only empty buffers is no buffer.
    assert_eq!(ok(fd_read(fd, &mut [&mut [], &mut []])), 0);
    assert_eq!(ok(fd_write(fd, &[b"", b""])), 0);
    assert_eq!(ok(fd_tell(fd)), 4);

    // More of them than any host takes at once (Linux stops at 1,024).
    let mut bytes = vec![0; 5_000];
    let mut many: Vec<&mut [u8]> = bytes.chunks_mut(1).collect();
    assert_eq!(ok(fd_read(fd, &mut many)), 1);
    let many: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(ok(fd_write(fd, &many)), 1);
    let empty: Vec<&[u8]> = vec![b""; 5_000];
    assert_eq!(ok(fd_write(fd, &empty)), 0);

    // The standard streams may do more at once.
    let written = ok(fd_write(FD_STDOUT, &[b"", b"out", b"put"]));
    assert!([3, 6].contains(&written), "{written}");
    write_all(FD_STDOUT, &b"output"[written..]);
    let (mut first, mut second) = ([b'.'; 4], [b'.'; 4]);
    let buffers: &mut [&mut [u8]] = &mut [&mut [], &mut first, &mut second];
    let read = ok(fd_read(FD_STDIN, buffers));
    let places = [first, second].concat();
    assert_eq!(places[..read], b"input"[..read]);
    assert!(places[read..].iter().all(|byte| *byte == b'.'));
}
