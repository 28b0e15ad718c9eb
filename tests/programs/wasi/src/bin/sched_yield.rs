//! `sched_yield`: nothing else runs, and that is no error.

use wasi_programs::*;

fn main() {
    for _ in 0..1_000 {
        ok(sched_yield());
    }
}
