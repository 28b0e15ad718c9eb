//! The guest's address map.
//!
//! Guest-virtual addresses are fixed here; guest-physical addresses are handed out by the
//! host as memory is added, because Apple's default IPA space is only 36 bits wide.
//! Everything between two regions is unmapped, in the guest's tables and in the host's own
//! mapping of guest RAM.
//!
//! ```text
//! 0000_0000_0000  never mapped: null pointers fault
//! 0000_0020_0000  IMAGE    text r-x, rodata r--, data rw-   (stub page: privileged r-x)
//! 0000_0180_0000  SYSTEM   privileged: descriptor tables, stub stack
//! 0000_0190_0000  DOORBELL privileged, Arm: nothing behind it
//! 0000_01c0_0000  MAILBOX  rw-
//! 0000_0ff0_0000  STACK    rw-, grows down from STACK_TOP, guard below
//! 0000_4000_0000  HEAP     rw-, grows up
//! 0008_0000_0000  REGION 0 one reservation each: a linear memory or any allocation too
//! 000c_0000_0000  REGION 1 large for the heap (rw-), a module (r--), compiled code (r--, r-x)
//! ```
//!
//! Page tables are not in this map: no guest-virtual address leads to them.

/// Granule of every region: 16 KiB, a page of Apple silicon and a multiple of x86's.
pub const GRANULE: u64 = 16 << 10;

/// First byte of the guest image.
pub const IMAGE_BASE: u64 = 0x0020_0000;
/// Most bytes that the image may span.
pub const IMAGE_MAX: u64 = 0x0120_0000;

/// Privileged structures of the stub (x86-64: GDT, IDT, TSS and the stub's stack).
pub const SYSTEM_BASE: u64 = 0x0180_0000;

/// The mailbox page.
pub const MAILBOX_BASE: u64 = 0x01c0_0000;

/// One past the highest byte of the runtime's stack. Large pages of every kind can end here.
pub const STACK_TOP: u64 = 0x3000_0000;
/// Largest stack that a host may give.
pub const STACK_MAX: u64 = WASM_STACK_MAX + KERNEL_STACK_MAX;
/// Most bytes of the stack that compiled Wasm code may use, where an engine runs it there.
pub const WASM_STACK_MAX: u64 = 512 << 20;
/// Most bytes of the stack that are the runtime's own.
pub const KERNEL_STACK_MAX: u64 = 1 << 20;
/// Bytes of stack that Wasm calls may use unless the host is told otherwise.
pub const WASM_STACK_DEFAULT: u64 = 64 << 20;
/// Bytes of stack in the configuration that the compiler and the guest share; no host gives less.
/// The host's word for the stack comes with the first module.
pub const WASM_STACK: u64 = 1 << 20;

/// First byte of the runtime's heap.
pub const HEAP_BASE: u64 = 0x4000_0000;
/// Reservation of the heap in bytes: small objects only, large ones get a region.
pub const HEAP_MAX: u64 = 4 << 30;
/// Bytes of the heap that are usable from the start.
pub const HEAP_INITIAL: u64 = 512 << 10;

/// First region's address.
pub const REGION_BASE: u64 = 0x0008_0000_0000;
/// Distance between two regions: the reservation and an equally large guard.
pub const REGION_STRIDE: u64 = 16 << 30;
/// Bytes that a region may grow to: a whole 32-bit linear memory with room to spare.
pub const REGION_MAX: u64 = 8 << 30;
/// How many regions a VM may hold at once.
pub const REGION_COUNT: u64 = 1024;
/// A region that is the runtime's from the start, with nothing committed: the first linear
/// memory needs one call less.
pub const REGION_FIRST: u64 = REGION_BASE;

/// x86-64: the one I/O port open to the runtime. An `out` to it delivers the mailbox.
pub const X86_MAILBOX_PORT: u16 = 0x0a00;
/// x86-64: port of the privileged stub's exception report. Closed to the runtime.
pub const X86_FAULT_PORT: u16 = 0x0a02;
/// x86-64: distance in bytes between the stub's exception vectors, from its first byte.
pub const X86_VECTOR_STRIDE: u64 = 16;

/// What the stub and the host agree on where the processor is an Arm.
///
/// SYSTEM holds two words for the stub; the runtime cannot reach it.
pub mod arm {
    /// Offset in SYSTEM of the doorbell's guest-virtual address, or of 0: then `hvc` takes its
    /// place. Linux keeps `hvc` to itself, so KVM's guests ring.
    pub const SYSTEM_DOORBELL: u64 = 0;
    /// Offset in SYSTEM of a word that the host sets to anything but 0 when it has changed
    /// page tables, and the stub back to 0 when it has forgotten what it knew of them.
    pub const SYSTEM_UPKEEP: u64 = 8;

    /// Guest-virtual address of the doorbell, a page that only the stub reaches. There is no
    /// memory behind it: a store to it leaves the VM.
    pub const DOORBELL_BASE: u64 = 0x0190_0000;
    /// Offset of the 32-bit store that delivers the mailbox.
    pub const RING_MAILBOX: u64 = 0;
    /// Offset of the 32-bit store that reports an exception.
    pub const RING_FAULT: u64 = 8;

    /// Number of the `hvc` that delivers the mailbox.
    pub const HVC_MAILBOX: u16 = 0x0a00;
    /// Number of the `hvc` that reports an exception.
    pub const HVC_FAULT: u16 = 0x0a02;

    /// Where a vCPU starts, from the stub's first byte; its vectors are before.
    pub const BOOT_OFFSET: u64 = 0x800;
    /// PSTATE of the runtime: EL0, all interrupts masked.
    pub const PSTATE_EL0: u64 = 0x3c0;
}

/// Flag of an image segment (in ELF's `PF_MASKOS` bits) that only the stub may reach.
pub const PF_PRIVILEGED: u32 = 0x0010_0000;

const _: () = {
    assert!(IMAGE_BASE + IMAGE_MAX <= SYSTEM_BASE);
    assert!(SYSTEM_BASE < MAILBOX_BASE);
    assert!(SYSTEM_BASE.is_multiple_of(1 << 16));
    assert!(SYSTEM_BASE < arm::DOORBELL_BASE && arm::DOORBELL_BASE < MAILBOX_BASE);
    assert!(MAILBOX_BASE + crate::mailbox::MAILBOX_SIZE as u64 <= STACK_TOP - STACK_MAX);
    assert!(STACK_TOP < HEAP_BASE);
    assert!(HEAP_BASE + HEAP_MAX <= REGION_BASE);
    assert!(REGION_MAX < REGION_STRIDE);
    // Below 2^47: canonical user addresses on x86-64, TTBR0 with a 16 KiB granule on Arm.
    assert!(REGION_BASE + REGION_COUNT * REGION_STRIDE <= 1 << 47);
    assert!(IMAGE_BASE.is_multiple_of(GRANULE) && HEAP_BASE.is_multiple_of(GRANULE));
};
