//! What host and guest kernel agree on before the first mailbox: the image's header, and how
//! the runtime is told to trap.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of an image's [`Header`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"wrt-boot");

/// What an image says of itself, in the first bytes of its read-only data.
///
/// In a VM the image's own stub delivers faults to the runtime. Where there is no privileged
/// stub, the host does what the stub would do, and this tells it where to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// Where the runtime goes on after a fault, or 0 if it wants none delivered.
    pub fault_entry: u64,
    /// Its stack pointer then.
    pub fault_stack: u64,
}

/// First argument of the runtime: it delivers the mailbox by an `out` to
/// [`X86_MAILBOX_PORT`](crate::layout::X86_MAILBOX_PORT) (x86-64), `svc` (arm64).
pub const TRAP_BY_VM_EXIT: u64 = 0;
/// First argument of the runtime: it delivers the mailbox by a breakpoint instruction.
pub const TRAP_BY_BREAKPOINT: u64 = 1;

const _: () = assert!(size_of::<Header>() == 24);
