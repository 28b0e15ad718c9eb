//! Many buffers in a call, and empty ones among them.
//!
//! wasmtime serves only the first buffer that is not empty, others all that
//! they can. A short count is what the interface allows, and programs loop
//! anyway.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"");

    let written = ok(fd_write(fd, &[b"", b"", b"one", b"", b"two"]));
    assert!([3, 6].contains(&written), "{written}");
    write_all(fd, &b"onetwo"[written..]);
    assert_eq!(ok(fd_tell(fd)), 6);
    let written = ok(fd_pwrite(fd, &[b"", b"three", b"four"], 6));
    assert!([5, 9].contains(&written), "{written}");
    assert_eq!(contents("file"), b"onetwothreefour"[..6 + written]);
    assert_eq!(ok(fd_tell(fd)), 6);

    ok(fd_seek(fd, 0, WHENCE_SET));
    for offset in [None, Some(3)] {
        let (mut first, mut second) = ([b'.'; 4], [b'.'; 4]);
        let buffers: &mut [&mut [u8]] = &mut [&mut [], &mut first, &mut [], &mut second];
        let read = match offset {
            None => ok(fd_read(fd, buffers)),
            Some(offset) => ok(fd_pread(fd, buffers, offset)),
        };
        assert!([4, 8].contains(&read), "{read}");
        let from = offset.unwrap_or(0) as usize;
        let places = [first, second].concat();
        assert_eq!(places[..read], b"onetwothreefour"[from..][..read]);
        assert!(places[read..].iter().all(|byte| *byte == b'.'));
        if offset.is_none() {
            assert_eq!(ok(fd_tell(fd)), read as u64);
        }
    }

    // Only empty buffers is no buffer.
    ok(fd_seek(fd, 4, WHENCE_SET));
    assert_eq!(ok(fd_read(fd, &mut [&mut [], &mut []])), 0);
    assert_eq!(ok(fd_write(fd, &[b"", b""])), 0);
    assert_eq!(ok(fd_tell(fd)), 4);

    // More of them than any host takes at once (Linux stops at 1,024).
    let bytes = vec![b'!'; 5_000];
    let many: Vec<&[u8]> = bytes.chunks(1).collect();
    let written = ok(fd_pwrite(fd, &many, 0));
    assert!((1..=5_000).contains(&written), "{written}");
    assert_eq!(contents("file")[..written], bytes[..written]);
    let mut places = vec![0; 5_000];
    let mut many: Vec<&mut [u8]> = places.chunks_mut(1).collect();
    let read = ok(fd_pread(fd, &mut many, 0));
    assert!((1..=5_000).contains(&read), "{read}");
    assert!(places[read..].iter().all(|byte| *byte == 0));
    assert!(places[..read.min(written)].iter().all(|byte| *byte == b'!'));
    let empty: Vec<&[u8]> = vec![b""; 5_000];
    assert_eq!(ok(fd_write(fd, &empty)), 0);

    // The standard streams as well.
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
