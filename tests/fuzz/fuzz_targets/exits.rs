//! See `wrt_fuzz::exits`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::exits::fuzz(data));
