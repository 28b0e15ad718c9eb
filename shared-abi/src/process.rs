//! The child process that stands in for a VM: its address map, and what it says of itself.
//!
//! The child's own program is one page of code at an address that no guest uses. Everything
//! else there is guest memory, or the *window*: all guest-physical memory, inaccessible, from
//! which the host has the kernel make the mappings that the guest sees.
//!
//! ```text
//! 0000_0000_0000  the guest's map, see [`layout`](crate::layout)
//! 5000_0000_0000  WINDOW  ---  guest-physical memory, from its first byte on
//! 6000_0000_0000  GATE    r-x  the one instruction that may call the system
//! ```
//!
//! It ends below 2^47: what x86-64 gives a process, and Linux on Arm one that has 47 or 48 bits.

use crate::layout::{GRANULE, REGION_BASE, REGION_COUNT, REGION_STRIDE};

/// First byte of the window.
pub const WINDOW_BASE: u64 = 0x5000_0000_0000;
/// Length of the window: all guest-physical addresses that there are.
pub const WINDOW_SIZE: u64 = 1 << 36;

/// First byte of the child's program, which begins with the gate. Nothing but the gate's page
/// stays mapped.
pub const GATE_BASE: u64 = 0x6000_0000_0000;
/// Bytes of the gate's page, on a kernel with the largest pages that a guest can do with.
pub const GATE_SIZE: u64 = GRANULE;
/// x86-64: length of `syscall`, which the gate begins with. The kernel takes the address
/// behind it for the caller's.
pub const X86_SYSCALL_LEN: u64 = 2;
/// Arm: length of `svc`, likewise.
pub const ARM_SVC_LEN: u64 = 4;

/// The descriptor of guest memory that the child begins with. It closes it.
pub const MEMORY_DESCRIPTOR: u32 = 0;

/// What the child reports when it is ready, in one word: [`READY`], or the number of the
/// [step](Step) that failed above an errno.
pub type Report = u64;

/// A child that is ready says so by this bit, and by the others what is kept from its guest.
pub const READY: Report = 1 << 63;
/// The processor's description of itself (CPUID).
pub const CPUID_FAULTS: Report = 1;
/// The processor's clock: the time stamp counter, or Arm's counter of time.
pub const CLOCK_FAULTS: Report = 2;

/// What a child does to itself before it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Map the window.
    Window = 1,
    /// Close its descriptors.
    Close = 2,
    /// Block signals.
    Signals = 3,
    /// Have itself killed when its parent dies.
    DieWithParent = 4,
    /// Have the processor's clock denied to itself.
    Clock = 5,
    /// Drop its capabilities.
    Capabilities = 6,
    /// Lower its resource limits.
    Limits = 7,
    /// Keep others from looking into it.
    Undumpable = 8,
    /// Refuse privileges for ever.
    NoNewPrivileges = 9,
    /// Deny system calls to itself.
    Filter = 10,
}

impl Step {
    /// The report of this step's failure.
    pub const fn failed(self, errno: u32) -> Report {
        (self as u64) << 32 | errno as u64
    }

    /// What failed, in words, by the upper half of a report.
    pub const fn describe(number: u64) -> &'static str {
        match number {
            1 => "map guest memory",
            2 => "close its descriptors",
            3 => "block signals",
            4 => "have itself killed when its parent dies",
            5 => "have the processor's clock denied to itself",
            6 => "drop its capabilities",
            7 => "lower its resource limits",
            8 => "keep others from looking into it",
            9 => "refuse new privileges",
            10 => "deny system calls to itself (seccomp)",
            _ => "do something that it has no name for",
        }
    }
}

const _: () = {
    assert!(REGION_BASE + REGION_COUNT * REGION_STRIDE <= WINDOW_BASE);
    assert!(WINDOW_BASE + WINDOW_SIZE <= GATE_BASE);
    assert!(GATE_BASE + GATE_SIZE < 1 << 47);
};
