//! Why there is no memory.

use std::io;
use thiserror::Error;

/// Why an allocator did not do as it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AllocError {
    /// The allocator's own maximum is reached.
    #[error(
        "{pages} pages were asked for, {left} of {maximum} are left: free some, or raise the \
         maximum"
    )]
    Exhausted {
        /// Pages asked for.
        pages: usize,
        /// Pages left.
        left: usize,
        /// The allocator's maximum.
        maximum: usize,
    },
    /// No range of this size can exist.
    #[error("{0} pages are no size that memory can have: ask for at least one, and fewer")]
    Size(usize),
    /// An alignment is a power of two.
    #[error("{0} is no alignment: it must be a power of two")]
    Alignment(usize),
    /// Only an allocator with [`VmFlags::PURGABLE`](super::VmFlags) has purgeable memory.
    #[error("the allocator is not purgeable: build it with purgeable behaviour")]
    NotPurgeable,
    /// The system would take pages that a copy relies on.
    #[error("purgeable memory cannot be shared copy-on-write: use an allocator without it")]
    PurgeableShared,
    /// [`vm_remap`](super::Allocator::vm_remap) does no other sharing.
    #[error("memory is remapped copy-on-write only: pass VmFlags::COPY_ON_WRITE")]
    NotCopyOnWrite,
    /// The range is not within the memory.
    #[error("{len} bytes were meant and the memory has {have}")]
    Range {
        /// Bytes meant.
        len: usize,
        /// Bytes there.
        have: usize,
    },
    /// The memory's protection forbids it.
    #[error("the memory is not {0}: change its protection first")]
    Protected(&'static str),
    /// The bytes may be gone at any time.
    #[error("the memory is volatile: make it non-volatile first")]
    Volatile,
    /// The operating system refused.
    #[error("{doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// For `map_err`: the system refused while this was being done.
pub(crate) fn while_doing(doing: &'static str) -> impl FnOnce(io::Error) -> AllocError {
    move |error| AllocError::System { doing, error }
}
