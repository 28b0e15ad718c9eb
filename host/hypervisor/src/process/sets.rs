//! The registers that are not general ones, by the sets in which the kernel has them.

use super::arch::OTHER_SETS;
use std::io;

/// Which registers, and how they are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetKind {
    /// `NT_...` of `linux/elf.h`.
    pub(super) number: u32,
    /// Whether every system has it.
    pub(super) always: bool,
    /// Whether it begins with its own length, a word of 32 bits. The kernel gives zeros beyond
    /// that, and would take them for registers.
    pub(super) tells_len: bool,
}

/// Everything that user code can set in registers but for the general ones.
#[derive(Debug)]
pub(super) struct RegisterSets(Vec<RegisterSet>);

#[derive(Debug)]
struct RegisterSet {
    kind: u32,
    bytes: Vec<u8>,
}

/// More than any set takes while nobody uses it: x86-64's AMX alone takes 8 KiB.
const ROOM: usize = 32 << 10;

impl RegisterSets {
    /// Reads all that the system has; `get` reads one, and returns its length.
    ///
    /// # Errors
    ///
    /// Those of `get`, but for a set that need not be.
    pub(super) fn read(get: impl Fn(u32, &mut [u8]) -> io::Result<usize>) -> io::Result<Self> {
        let mut sets = Vec::new();
        for &SetKind { number, always, tells_len } in OTHER_SETS {
            let mut bytes = vec![0; ROOM];
            let len = match get(number, &mut bytes) {
                Ok(len) => len,
                Err(error) if always => return Err(error),
                Err(_) => continue,
            };
            bytes.truncate(len);
            if tells_len && let Some(told) = bytes.first_chunk() {
                bytes.truncate(u32::from_le_bytes(*told) as usize);
            }
            bytes.shrink_to_fit();
            sets.push(RegisterSet { kind: number, bytes });
        }
        Ok(Self(sets))
    }

    /// Writes all of them by `set`.
    ///
    /// # Errors
    ///
    /// Those of `set`.
    pub(super) fn write(&self, set: impl Fn(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        self.0.iter().try_for_each(|RegisterSet { kind, bytes }| set(*kind, bytes))
    }
}
