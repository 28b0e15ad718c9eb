//! See `wrt_fuzz::worker`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::worker::fuzz(data));
