//! `clock_res_get` for the two clocks there are and those there are not.

use wasi_programs::*;

fn main() {
    for id in [CLOCKID_REALTIME, CLOCKID_MONOTONIC] {
        let resolution = ok(clock_res_get(id));
        assert!(resolution > 0 && resolution <= 1_000_000_000);
    }
    // BADF and not INVAL is what wasmtime gives for a clock it lacks.
    fails(ERRNO_BADF, clock_res_get(CLOCKID_PROCESS_CPUTIME_ID));
    fails(ERRNO_BADF, clock_res_get(CLOCKID_THREAD_CPUTIME_ID));
}
