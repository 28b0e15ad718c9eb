//! Standard input to its end, echoed: through odd sizes and in one go.

use wasi_programs::*;

fn main() {
    let mut all = Vec::new();
    let mut buffer = vec![0; 100_000];
    for size in [1, 2, 3, 5, 7, 1_000, 100_000].into_iter().cycle() {
        let read = ok(fd_read(FD_STDIN, &mut [&mut buffer[..size]]));
        if read == 0 {
            break;
        }
        assert!(read <= size);
        all.extend_from_slice(&buffer[..read]);
    }
    // The end stays the end.
    for _ in 0..3 {
        assert_eq!(ok(fd_read(FD_STDIN, &mut [&mut buffer])), 0);
    }
    write_all(FD_STDOUT, &all);
}
