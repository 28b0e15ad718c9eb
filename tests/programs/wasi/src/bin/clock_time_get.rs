//! `clock_time_get`: a plausible date, and a clock that never goes back.

use wasi_programs::*;

const START_OF_2020: Timestamp = 1_577_836_800_000_000_000;
const START_OF_2200: Timestamp = 7_258_118_400_000_000_000;

fn main() {
    let now = ok(clock_time_get(CLOCKID_REALTIME, 0));
    assert!((START_OF_2020..START_OF_2200).contains(&now), "{now}");

    let mut before = ok(clock_time_get(CLOCKID_MONOTONIC, 0));
    for _ in 0..1_000 {
        let after = ok(clock_time_get(CLOCKID_MONOTONIC, 1));
        assert!(after >= before, "{before} then {after}");
        before = after;
    }

    // The precision is a hint: no value of it is an error.
    ok(clock_time_get(CLOCKID_MONOTONIC, u64::MAX));

    // BADF and not INVAL is what wasmtime gives for a clock it lacks.
    fails(ERRNO_BADF, clock_time_get(CLOCKID_PROCESS_CPUTIME_ID, 0));
    fails(ERRNO_BADF, clock_time_get(CLOCKID_THREAD_CPUTIME_ID, 0));
}
