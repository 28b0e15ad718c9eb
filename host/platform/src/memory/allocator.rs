//! Memory by the page, with guards, protection and inheritance.

use super::attributes::Attributes;
use super::budget::Budget;
use super::error::while_doing;
use super::mapping::Mapping;
use super::{
    AllocError, Allocation, Image, PAGE_MAX, Purgeable, Reservation, VmFlags, VmInherit, VmProt,
    page_size, sys,
};
use std::sync::Arc;

/// Says what an [`Allocator`]'s memory is to be like.
#[derive(Clone, Debug)]
#[must_use]
pub struct AllocatorBuilder {
    maximum: usize,
    guards: bool,
    attributes: Attributes,
}

impl Default for AllocatorBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl AllocatorBuilder {
    /// No maximum, guard pages, readable and writable, a copy of its own for a forked child.
    pub fn new() -> Self {
        let attributes = Attributes {
            flags: VmFlags::empty(),
            protection: VmProt::READ | VmProt::WRITE,
            inherit: VmInherit::Copy,
        };
        Self { maximum: usize::MAX, guards: true, attributes }
    }

    /// The most pages that can be allocated at a time, guards not counted.
    pub fn with_maximum_pages(mut self, pages: usize) -> Self {
        self.maximum = pages;
        self
    }

    /// Whether an inaccessible page lies on each side of an allocation, so that an overrun is a
    /// fault.
    pub fn with_guard_pages(mut self, guards: bool) -> Self {
        self.guards = guards;
        self
    }

    /// How the memory is to be had. [`VmFlags::COPY_ON_WRITE`] means nothing here.
    pub fn with_vm_flags(mut self, flags: VmFlags) -> Self {
        self.attributes.flags = flags;
        self
    }

    /// Adds [`VmFlags::PURGABLE`], or takes it away.
    pub fn with_purgeable_behavior(mut self, purgeable: bool) -> Self {
        self.attributes.flags.set(VmFlags::PURGABLE, purgeable);
        self
    }

    /// What the memory may be used for at first.
    pub fn with_vm_protection(mut self, protection: VmProt) -> Self {
        self.attributes.protection = protection;
        self
    }

    /// What a forked child finds in the memory's place.
    pub fn with_vm_inherit(mut self, inherit: VmInherit) -> Self {
        self.attributes.inherit = inherit;
        self
    }

    /// Makes the allocator.
    ///
    /// # Errors
    ///
    /// `Size` when its maximum is no page at all.
    pub fn build(self) -> Result<Allocator, AllocError> {
        if self.maximum == 0 {
            return Err(AllocError::Size(0));
        }
        let Self { maximum, guards, attributes } = self;
        Ok(Allocator { budget: Budget::new(maximum), guards, attributes })
    }
}

/// Hands out memory by the page: Mach's virtual memory on macOS; `mmap`, `madvise` and files in
/// memory on Linux. Cheap to clone; clones share the maximum.
#[derive(Clone, Debug)]
pub struct Allocator {
    budget: Arc<Budget>,
    guards: bool,
    attributes: Attributes,
}

impl Allocator {
    /// Pages of zeros. They take memory when they are written. The first begins a multiple of
    /// `alignment` bytes (a power of two), or a page.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the maximum would be exceeded, `Size` and `Alignment` for what cannot
    /// be; else what the system says.
    pub fn allocate(
        &self,
        pages: usize,
        alignment: Option<usize>,
    ) -> Result<Allocation, AllocError> {
        let allocation = self.place(pages, alignment)?;
        // SAFETY: address space that nobody uses yet.
        unsafe { sys::fill(allocation.base(), allocation.len(), &self.attributes) }
            .map_err(while_doing("commit memory"))?;
        Ok(allocation)
    }

    /// Address space for pages.
    fn place(&self, pages: usize, alignment: Option<usize>) -> Result<Allocation, AllocError> {
        let page = page_size();
        let len = pages.checked_mul(page).filter(|len| *len != 0);
        let len = len.ok_or(AllocError::Size(pages))?;
        let alignment = alignment.unwrap_or(page);
        if !alignment.is_power_of_two() {
            return Err(AllocError::Alignment(alignment));
        }
        let lease = self.budget.take(pages)?;
        let guard = if self.guards { page } else { 0 };
        let random = self.attributes.flags.contains(VmFlags::RANDOM_ADDR);
        let mapping = Mapping::new(len, guard, alignment, random)
            .map_err(while_doing("take address space"))?;
        Ok(Allocation { mapping, attributes: self.attributes, image: None, _lease: lease })
    }

    /// Copies the first `len` bytes. On macOS the kernel shares whole pages until one side
    /// writes; on Linux it is a copy at once, and [`Self::vm_remap`] is what shares.
    ///
    /// # Errors
    ///
    /// `Range` when either is shorter, `Protected` when the source is not readable or the
    /// destination not writable; else what the system says.
    pub fn vm_copy(
        &self,
        from: &Allocation,
        to: &mut Allocation,
        len: usize,
    ) -> Result<(), AllocError> {
        let have = from.len().min(to.len());
        if len > have {
            return Err(AllocError::Range { len, have });
        }
        if !from.protection().contains(VmProt::READ) {
            return Err(AllocError::Protected("readable"));
        }
        if !to.protection().contains(VmProt::WRITE) {
            return Err(AllocError::Protected("writable"));
        }
        // SAFETY: both have the rights and the length; they are two values, so that they do not
        // overlap, and `to` is borrowed exclusively.
        unsafe { sys::copy(from.base(), to.base(), len, to.attributes.flags) }
            .map_err(while_doing("copy memory"))
    }

    /// A copy of an allocation that shares its pages until one of the two writes them. It has
    /// this allocator's protection and inheritance; where children share memory, Linux copies
    /// at once.
    ///
    /// # Errors
    ///
    /// `NotCopyOnWrite` without that flag, `PurgeableShared` when either side is purgeable, and
    /// as [`Allocation::freeze`] and [`Self::instantiate`].
    pub fn vm_remap(
        &self,
        source: &mut Allocation,
        flags: VmFlags,
    ) -> Result<Allocation, AllocError> {
        if !flags.contains(VmFlags::COPY_ON_WRITE) {
            return Err(AllocError::NotCopyOnWrite);
        }
        self.instantiate(&source.freeze()?)
    }

    /// A copy of an image, which shares its pages until they are written.
    ///
    /// # Errors
    ///
    /// `PurgeableShared` when this allocator's memory is purgeable, and as [`Self::allocate`].
    pub fn instantiate(&self, image: &Image) -> Result<Allocation, AllocError> {
        if self.attributes.flags.contains(VmFlags::PURGABLE) {
            return Err(AllocError::PurgeableShared);
        }
        let mut copy = self.place(image.len() / page_size(), None)?;
        // SAFETY: address space that nobody uses yet, as long as the image.
        unsafe { image.pages.show(copy.base(), 0, copy.len(), &self.attributes) }
            .map_err(while_doing("map an image"))?;
        copy.image = Some(image.clone());
        Ok(copy)
    }

    /// Memory that the system may take while it is volatile; see [`Purgeable`]. It is readable
    /// and writable, and no child has it. It begins a page of any system
    /// ([`PAGE_MAX`](super::PAGE_MAX)).
    ///
    /// # Errors
    ///
    /// `NotPurgeable` when the allocator was not built for it, and as [`Self::allocate`].
    pub fn allocate_purgeable(&self, pages: usize) -> Result<Purgeable, AllocError> {
        if !self.attributes.flags.contains(VmFlags::PURGABLE) {
            return Err(AllocError::NotPurgeable);
        }
        let attributes = Attributes {
            flags: self.attributes.flags,
            protection: VmProt::READ | VmProt::WRITE,
            inherit: VmInherit::None,
        };
        let allocator = Self { attributes, ..self.clone() };
        allocator.allocate(pages, Some(PAGE_MAX)).map(Purgeable::new)
    }

    /// Address space for a guest's RAM, `len` bytes long, whose pages count against this
    /// allocator's maximum. It has the guards and the rules of [`Reservation`], whatever this
    /// allocator's are.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the maximum would be exceeded; else what the system says.
    pub fn reserve(&self, len: usize) -> Result<Reservation, AllocError> {
        let lease = self.budget.take(len.div_ceil(page_size()))?;
        let random = self.attributes.flags.contains(VmFlags::RANDOM_ADDR);
        Reservation::with(len, random, Some(lease)).map_err(while_doing("take address space"))
    }

    /// Pages allocated at present.
    pub fn pages_in_use(&self) -> usize {
        self.budget.used()
    }

    /// The most pages that can be allocated at a time.
    pub fn maximum_pages(&self) -> usize {
        self.budget.maximum
    }
}
