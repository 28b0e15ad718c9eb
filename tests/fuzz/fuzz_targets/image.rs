//! See `wrt_fuzz::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::image::fuzz(data));
