//! Exceptions of the runtime and of compiled code, delivered by the privileged stub.
//!
//! A fault of compiled Wasm code is a trap: the engine's handler recognises the instruction
//! and does not return. Any other is a bug of this kernel, and ends the VM.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use wrt_abi::layout::{STACK_MAX, STACK_TOP};

/// What the processor could not do.
#[derive(Clone, Copy, Debug)]
pub enum Cause {
    /// Execute an instruction: there is none like it, or it cannot divide. Compiled code traps
    /// so on purpose.
    Instruction,
    /// Reach an address.
    Access {
        /// The address.
        address: usize,
    },
}

/// An exception.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What happened.
    pub cause: Cause,
    /// Address of the instruction.
    pub ip: usize,
    /// Frame pointer at that time.
    pub fp: usize,
    /// Stack pointer at that time.
    pub sp: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Instruction => f.write_str("invalid instruction or division")?,
            Cause::Access { address } => {
                write!(f, "page fault at {address:#x}")?;
                let guard = (STACK_TOP - STACK_MAX) as usize;
                if self.sp < STACK_TOP as usize && self.sp > guard && address < self.sp {
                    f.write_str(" (below the kernel's stack)")?;
                }
            }
        }
        write!(f, " (instruction {:#x}, stack {:#x})", self.ip, self.sp)
    }
}

/// Whether a fault is being handled, by code that must not fault itself.
static HANDLING: AtomicBool = AtomicBool::new(false);

/// Compiled code is entered: what was handled before is over.
pub fn done() {
    HANDLING.store(false, Ordering::Relaxed);
}

/// First Rust code after an exception.
pub fn on_fault(fault: &Fault) -> ! {
    if HANDLING.swap(true, Ordering::Relaxed) {
        panic!("{fault}, while handling another");
    }
    crate::engine::on_fault(fault);
    panic!("{fault}");
}
