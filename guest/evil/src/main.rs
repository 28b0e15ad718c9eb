//! The evil guest: boots as an honest one does, and then does what it is ordered to.
//!
//! It is linked and booted like the guest kernel and has the same rights, in both rings. All
//! that it does is in [`wrt_evil`]'s byte-code. What an operation breaks stays broken; an
//! exception ends the operation and not the program, unless the orders say otherwise.
#![no_std]
#![no_main]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod gate;
mod interpreter;
mod mailbox;
mod serve;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

// The linker reads it; cargo, which does not know that, links anew when it changes.
const _: &str = include_str!("../../src/arch/link.ld");

use wrt_evil::{BOOT_MARK, BOOT_OPS, OP_SIZE};

/// Orders for the time before the first call, for whoever makes the image to write.
#[repr(C)]
struct Boot {
    mark: [u8; 16],
    orders: [u8; BOOT_OPS * OP_SIZE],
}

#[unsafe(link_section = ".data.boot")]
static mut BOOT: Boot = Boot { mark: BOOT_MARK, orders: [0; BOOT_OPS * OP_SIZE] };

/// First Rust code to run.
extern "C" fn runtime_main(trap: u64) -> ! {
    gate::set_trap(trap);
    // SAFETY: there is one thread. Volatile: others have written them, into the file.
    let boot = unsafe { (&raw const BOOT).read_volatile() };
    let mut program = interpreter::Program::new();
    if boot.mark == BOOT_MARK {
        program.run(&boot.orders);
    }
    serve::serve(program)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    mailbox::panic()
}
