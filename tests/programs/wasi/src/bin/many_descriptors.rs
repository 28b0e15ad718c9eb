//! A few hundred files open at once, each with a number and offset of its own.

use wasi_programs::*;

fn main() {
    create("file", b"0123456789");
    let fds: Vec<Fd> = (0..300).map(|_| ok(open("file", 0, READ))).collect();
    for (index, &fd) in fds.iter().enumerate() {
        ok(fd_seek(fd, index as i64 % 10, WHENCE_SET));
    }
    for (index, &fd) in fds.iter().enumerate() {
        let mut byte = [0];
        assert_eq!(ok(fd_read(fd, &mut [&mut byte])), 1);
        assert_eq!(byte[0], b"0123456789"[index % 10]);
    }

    let mut numbers = fds.clone();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), fds.len());

    // Closed and opened again, the numbers do not grow.
    let highest = *numbers.last().unwrap();
    for &fd in &fds {
        ok(fd_close(fd));
    }
    for _ in &fds {
        assert!(ok(open("file", 0, READ)) <= highest);
    }
}
