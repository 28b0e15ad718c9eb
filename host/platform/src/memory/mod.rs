//! Memory by the page.
//!
//! An [`Allocator`] hands out pages with guards around them and with a protection and an
//! inheritance, copies that share pages until they are written ([`Image`]), memory that the
//! system may take back ([`Purgeable`]), and the address space that guest RAM lives in
//! ([`Reservation`]). All of it stands on one kind of mapping.
//!
//! ```
//! use wrt_platform::memory::{AllocatorBuilder, VmFlags, VmInherit};
//!
//! # fn main() -> Result<(), wrt_platform::memory::AllocError> {
//! let allocator = AllocatorBuilder::new()
//!     .with_maximum_pages(2048)
//!     .with_guard_pages(true)
//!     .with_vm_flags(VmFlags::RANDOM_ADDR)
//!     .with_vm_inherit(VmInherit::None)
//!     .build()?;
//! let mut prepared = allocator.allocate(100, None)?;
//! prepared.as_mut_slice().expect("writable")[0] = 7;
//! let copy = allocator.vm_remap(&mut prepared, VmFlags::COPY_ON_WRITE)?;
//! assert_eq!(copy.as_slice().expect("readable")[0], 7);
//! assert_eq!(copy.own_pages()?, 0);
//! # Ok(())
//! # }
//! ```

mod allocation;
mod allocator;
mod attributes;
mod budget;
mod draft;
mod error;
mod image;
mod limits;
mod mapping;
mod purgeable;
mod reservation;
mod shared;
#[cfg(target_os = "linux")]
mod sparse;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
mod sys;

pub use allocation::Allocation;
pub use allocator::{Allocator, AllocatorBuilder};
pub(crate) use attributes::Attributes;
pub use attributes::{VmFlags, VmInherit, VmProt};
pub use draft::Draft;
pub use error::AllocError;
pub use image::Image;
pub use limits::{check_address_space, name_limit};
pub use purgeable::{Contents, Purgeable, PurgeableState, purge, purge_all, volatile_bytes};
pub use reservation::{ALIGNMENT, GUARD, Protection, Reservation};
pub use shared::{PAGE_MAX, PageAligned, SharedBytes, unnamed_file};
#[cfg(target_os = "linux")]
pub use sparse::{SparseMemory, sealed_program, vacate};

use crate::availability::Availability;

/// Size of a page in bytes.
pub fn page_size() -> usize {
    rustix::param::page_size()
}

/// How the allocator stands on this machine.
pub fn availability() -> Availability {
    let here = Availability::full("memory", sys::HOW);
    let counted = AllocatorBuilder::new()
        .build()
        .and_then(|allocator| allocator.allocate(1, None))
        .and_then(|memory| memory.own_pages());
    match counted {
        Ok(_) => here,
        Err(error) => here.lacking(
            format!("the pages of a copy cannot be counted ({error})"),
            "mount /proc; without it each copy of changed memory makes an image anew",
        ),
    }
}

/// How purgeable memory stands on this machine.
pub fn purgeable_availability() -> Availability {
    Availability::full("purgeable", purgeable::HOW)
}

/// Asks the system to have the pages of readable memory at hand. Best effort.
pub fn populate_read(bytes: &[u8]) {
    let skip = bytes.as_ptr().align_offset(page_size());
    if let Some(pages) = bytes.get(skip..) {
        sys::populate_read(pages);
    }
}

/// The most physical memory that this process ever had, in bytes, if the system says.
pub fn peak_resident() -> Option<u64> {
    // SAFETY: an all-zero `rusage` is valid, and the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) == 0).then_some(usage)
    }?;
    // Linux counts in KiB, macOS in bytes (getrusage(2) of each).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(usage.ru_maxrss).ok()?.checked_mul(unit)
}
