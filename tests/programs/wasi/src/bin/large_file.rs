//! Large transfers, and offsets past 32 bits in a file that is mostly hole.

use wasi_programs::*;

const FIVE_GIB: u64 = 5 << 30;

fn main() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let fd = create_open("file", b"");
    assert_eq!(ok(fd_write(fd, &[&bytes])), bytes.len());
    assert_eq!(ok(fd_filestat_get(fd)).size, bytes.len() as u64);

    ok(fd_seek(fd, 0, WHENCE_SET));
    let mut back = vec![0; bytes.len() + 1];
    assert_eq!(ok(fd_read(fd, &mut [&mut back])), bytes.len());
    assert!(back[..bytes.len()] == bytes);

    assert_eq!(ok(fd_pread(fd, &mut [&mut back], 1)), bytes.len() - 1);
    assert!(back[..bytes.len() - 1] == bytes[1..]);
    assert_eq!(ok(fd_pwrite(fd, &[&bytes[1..]], 0)), bytes.len() - 1);

    let hole = create_open("hole", b"");
    assert_eq!(ok(fd_pwrite(hole, &[b"end"], FIVE_GIB)), 3);
    assert_eq!(ok(fd_seek(hole, 0, WHENCE_END)), FIVE_GIB + 3);
    ok(fd_seek(hole, -4, WHENCE_CUR));
    assert_eq!(read_to_end(hole), b"\0end");
    ok(path_unlink_file(ROOT, "hole"));
}
