//! See `wrt_fuzz::mailbox`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrt_fuzz::mailbox::fuzz(data));
