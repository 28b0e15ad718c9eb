//! `random_get`: all of the buffer, nothing but the buffer, never the same.

use std::collections::HashSet;
use wasi_programs::*;

fn main() {
    // Every byte of the middle is written, which one draw does not show.
    let mut seen = [0_u8; 100];
    for _ in 0..50 {
        let mut buffer = [0; 102];
        ok(random_get(&mut buffer[1..101]));
        assert_eq!((buffer[0], buffer[101]), (0, 0));
        for (seen, byte) in seen.iter_mut().zip(&buffer[1..101]) {
            *seen |= byte;
        }
    }
    assert!(seen.iter().all(|&byte| byte != 0));

    let mut drawn = HashSet::new();
    for _ in 0..1_000 {
        let mut buffer = [0; 16];
        ok(random_get(&mut buffer));
        assert!(drawn.insert(buffer), "the same 128 bits twice");
    }

    ok(random_get(&mut []));
    ok(random_get(&mut vec![0; 1 << 20]));
}
