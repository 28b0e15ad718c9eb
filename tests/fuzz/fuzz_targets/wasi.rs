//! See `wrt_fuzz::wasi`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::wasi::fuzz(data));
