//! Apple's Hypervisor.framework, simulated: the `hv_*` C symbols, on any machine.
//!
//! wrt-vm's `hvf` backend runs over it unchanged, source and all, so that its tests run where
//! there is no Mac. The processor is Unicorn's (QEMU's translator); the framework's own rules
//! are enforced here, as strictly as they are known: [`RULES`] lists them, each with where it
//! is known from, and `tests/rules.rs` has a test for each. Where the framework's behaviour is
//! not known, the simulation is the stricter one.
//!
//! ```text
//! api.rs        the symbols: arguments checked, the rules' names
//! process.rs    what a process has one of: the VM, its memory map, the table of vCPUs
//! vcpu.rs       a vCPU: Unicorn, registers, entry and exit
//! guard.rs      memory of the guest's that this process itself cannot reach
//! exception.rs  what Unicorn leaves out: exceptions that the guest takes itself
//! control.rs    what a test may change: entitlement, failures, counters
//! ```
//!
//! What it does **not** show: caches and TLBs that hold stale entries, memory ordering, time,
//! interrupts, and anything that Apple's processors do and Armv8.5's manual does not say.

mod api;
mod control;
mod exception;
mod guard;
mod process;
mod rules;
mod vcpu;

pub use control::{Counters, count_instructions, counters, fail, forgive, grant, offer};
pub use rules::{RULES, Rule};
