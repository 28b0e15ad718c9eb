//! See `wrt_fuzz::fetches`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::fetches::fuzz(data));
