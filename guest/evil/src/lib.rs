//! Orders for the evil guest: a byte-code of hostile operations.
//!
//! A program is [`HEAD`], with which a WebAssembly binary begins (so that a host takes it for
//! one), and then [`Op`]s of [`OP_SIZE`] bytes each. Any bytes are a program: what is no
//! operation does nothing, what is out of range is cut. The guest runs a program for each
//! `Load`; between them it plays an honest runtime whose one function returns what was
//! [reported](Code::Report).
//!
//! Words live in [`REGISTERS`] registers, `r`. An address is `r[b] + x` unless said otherwise.
#![no_std]
#![forbid(unsafe_code)]

mod instructions;

pub use instructions::{Arm, ArmRegister, X86};

/// How a program begins.
pub const HEAD: [u8; 8] = *b"\0asm\x01\0\0\0";
/// Bytes of an operation.
pub const OP_SIZE: usize = 32;
/// Registers of a program.
pub const REGISTERS: usize = 16;
/// Words that a program may report.
pub const REPORT_MAX: usize = 900;
/// Loops that may be nested.
pub const LOOPS: usize = 8;

/// What stands before the operations that the guest runs before it says `Ready`. Whoever wants
/// others writes them behind it in the image's file.
pub const BOOT_MARK: [u8; 16] = *b"evil boot orders";
/// Operations that fit there.
pub const BOOT_OPS: usize = 16;

/// Where a guest that has made page tables of its own finds guest-physical memory, from address
/// 0 on: see [`Code::Window`].
pub const WINDOW: u64 = 0x7f80_0000_0000;
/// The same for EL1 of an Arm, which executes nothing that EL0 may write.
pub const ARM_PRIVILEGED_WINDOW: u64 = WINDOW + (4 << 36);
/// Bytes of the guest's own memory that programs may use, writable.
pub const SCRATCH_SIZE: usize = 64 << 10;

/// One operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Op {
    /// A [`Code`].
    pub code: u8,
    /// A register.
    pub a: u8,
    /// A register.
    pub b: u8,
    /// A width (1 << c bytes), or a count.
    pub c: u8,
    /// A count or a number.
    pub n: u32,
    /// A word.
    pub x: u64,
    /// A word.
    pub y: u64,
    /// A word.
    pub z: u64,
}

impl Op {
    /// The operation in these bytes.
    pub fn from_bytes(bytes: &[u8; OP_SIZE]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let [code, a, b, c, n @ ..] = word(0).to_le_bytes();
        Self { code, a, b, c, n: u32::from_le_bytes(n), x: word(8), y: word(16), z: word(24) }
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; OP_SIZE] {
        let Self { code, a, b, c, n, x, y, z } = self;
        let [n0, n1, n2, n3] = n.to_le_bytes();
        let head = u64::from_le_bytes([code, a, b, c, n0, n1, n2, n3]);
        let mut bytes = [0; OP_SIZE];
        for (to, word) in bytes.chunks_exact_mut(8).zip([head, x, y, z]) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

macro_rules! codes {
    ($( $(#[$meta:meta])* $name:ident, )*) => {
        /// What an operation does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Code { $( $(#[$meta])* $name, )* }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];
        }
    };
}

codes! {
    /// Nothing.
    Nop,
    /// `r[a] = x`.
    Set,
    /// `r[a] = r[b] + x`.
    Add,
    /// `r[a]` from memory.
    Load,
    /// `r[a]` to memory.
    Store,
    /// `y` to memory.
    Put,
    /// The `n` bytes that follow this operation, in the place of operations, to memory.
    Bytes,
    /// [`secret`] of `z` to `y` bytes of memory.
    Plant,
    /// Where `y` bytes of memory hold [`secret`] of `z`: `r[a]` words do, `r[a + 1]` pages
    /// cannot be read; `r[a + 2]` words are not zero.
    Scan,
    /// `r[a]` is the address of the guest's scratch memory.
    Scratch,
    /// A hypercall: call `n`, payload length `x`, arguments `r[0..12]`. Status, payload length
    /// and the first two values are in `r[12..16]` then.
    Call,
    /// The trapping instruction, with the mailbox as it is.
    Trap,
    /// Goes to the address, as to a function.
    Jump,
    /// Instruction `n` of the processor's table ([`X86`], [`Arm`]) in ring 3 (EL0), on `r[0..6]`.
    Instruction,
    /// Instruction `n` of the same table in ring 0 (EL1), on `r[0..6]`.
    Privileged,
    /// Back by `n` operations, `x` times. `a` tells nested loops apart.
    Loop,
    /// Takes `x` turns of doing nothing, for ever if it is 0.
    Spin,
    /// What the guest's exception handlers do: a [`Policy`], `n`.
    Policy,
    /// Makes page tables and uses them: all guest-physical memory is at [`WINDOW`], for ring 3,
    /// to read, write and execute. `x` is the guest-physical address of the image's data.
    Window,
    /// Adds `r[a]` and the next, `c` in all, to the report.
    Report,
    /// Adds to the report the registers with which the guest was started:
    /// [`X86::ENTRY_WORDS`], [`Arm::ENTRY_WORDS`].
    ReportEntry,
    /// What became of operations: `r[a]` is the vector of the last exception (on Arm its
    /// class), `r[a + 1]` its address, `r[a + 2]` how many there were. Then forgets them.
    Faults,
    /// The mailbox, delivered with [`secret`] of `x` in every register that the guest can
    /// write, odd flags and floating-point settings.
    Registers,
    /// Skips `n` operations if `r[a]` is `x`.
    SkipIf,
    /// `r[a]` is `r[a]` with the other bits of `x`.
    Xor,
}

macro_rules! policies {
    ($( $(#[$meta:meta])* $name:ident, )*) => {
        /// What the guest's handlers do with an exception that they were not asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Policy { $( $(#[$meta])* $name, )* }

        impl Policy {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];
        }
    };
}

policies! {
    /// The program goes on with its next operation.
    GoOn,
    /// Report it to the host, as an honest guest's stub does.
    Report,
    /// Halt.
    Halt,
    /// Loop for ever with interrupts off.
    Spin,
    /// Fault themselves, again and again.
    Fault,
    /// Deliver the mailbox from ring 0, again and again.
    Storm,
    /// Return to nowhere.
    Lost,
}

/// A word that nobody holds by accident, made of a number in such a way that a program that has
/// the number does not have the word.
pub const fn secret(seed: u64) -> u64 {
    // SplitMix64's finalizer.
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
