//! See `wrt_fuzz::wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::wire::fuzz(data));
