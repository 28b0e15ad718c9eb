//! What a guest of the process backend may try, and what comes of it.
//!
//! The guests here are a few instructions of machine code, as somebody would run who has got
//! out of the engine. Every attempt must end as a typed exit of that VM, or come to nothing,
//! and leave the host and other VMs as they were.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits here")]

mod arch;
mod artefact;
mod calls;
mod guest;
mod process;
mod walls;
