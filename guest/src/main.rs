//! The guest kernel: what runs inside a wrt-vm VM.
//!
//! There is no operating system here. A privileged stub of a few instructions
//! ([`arch`]) turns exceptions into exits; everything else is this runtime, which runs
//! unprivileged: a heap ([`heap`]), a Wasm engine ([`engine`]) and a loop that serves the
//! host's commands ([`command`]). All words to and from the host go through one mailbox
//! ([`hostcall`]).
//!
//! Whatever the runtime does, the host must survive it: nothing here is trusted.
#![no_std]
#![no_main]

extern crate alloc;

mod ahead;
mod arch;
mod command;
mod engine;
#[cfg(feature = "native")]
mod fault;
mod heap;
mod hostcall;
mod panic;
mod services;

use core::cell::UnsafeCell;
use engine::{Chosen, Engine as _};

/// The engine. It is not on the stack, so that it outlives a boot: a guest that boots in the
/// memory of another one, as that was between two commands, goes on with all that it knew.
static ENGINE: Resident = Resident(UnsafeCell::new(None));

struct Resident(UnsafeCell<Option<Chosen>>);

// SAFETY: there is one vCPU, and no interrupts.
unsafe impl Sync for Resident {}

/// First Rust code to run; the architecture's entry calls it on the runtime's stack. `trap` is
/// the host's word for how to reach it, see [`wrt_abi::boot`].
extern "C" fn runtime_main(trap: u64) -> ! {
    arch::set_trap(trap);
    let first = hostcall::ready(Chosen::KIND);
    // SAFETY: a boot comes here once, and nothing else names the static.
    let engine = unsafe { &mut *ENGINE.0.get() };
    command::serve(engine.get_or_insert_with(|| Chosen::new(command::stack(&first))), first)
}
