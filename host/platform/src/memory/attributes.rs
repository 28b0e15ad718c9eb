//! What memory may be used for, and by whom.

use bitflags::bitflags;

bitflags! {
    /// How an allocator's memory is to be had.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct VmFlags: u32 {
        /// The system may take the memory while it is volatile (`VM_FLAGS_PURGABLE`; Linux:
        /// `MADV_FREE`). See [`Purgeable`](super::Purgeable).
        const PURGABLE = 1 << 0;
        /// Each allocation has a random address of its own (`VM_FLAGS_RANDOM_ADDR`; Linux: a
        /// random hint), beyond the one random base that all of a process's memory has.
        const RANDOM_ADDR = 1 << 1;
        /// The memory's pages are the first to be reclaimed (`VM_FLAGS_NO_CACHE`; Linux:
        /// `MADV_COLD` after this crate has written them).
        const NO_CACHE = 1 << 2;
        /// Of [`vm_remap`](super::Allocator::vm_remap): pages are shared until one is written.
        const COPY_ON_WRITE = 1 << 3;
    }
}

bitflags! {
    /// What memory may be used for. It can never be executed: that is the `jit` system's.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct VmProt: u32 {
        /// Reading.
        const READ = 1 << 0;
        /// Writing. Processors let what is writable be read, too.
        const WRITE = 1 << 1;
    }
}

/// What a forked child finds in the place of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VmInherit {
    /// Nothing: touching it is a fault (`VM_INHERIT_NONE`; Linux: `MADV_DONTFORK`).
    None,
    /// A copy of its own, of the moment of the fork (`VM_INHERIT_COPY`).
    #[default]
    Copy,
    /// The same memory (`VM_INHERIT_SHARE`; Linux: `MAP_SHARED`).
    Share,
}

/// All of the above, for one range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub(crate) flags: VmFlags,
    pub(crate) protection: VmProt,
    pub(crate) inherit: VmInherit,
}
