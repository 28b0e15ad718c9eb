//! See `wrt_fuzz::dispatcher`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::dispatcher::fuzz(data));
