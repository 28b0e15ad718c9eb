//! Guest RAM: who owns which bytes, and how they grow.
//!
//! ```text
//! guest-physical      host mapping                                     in the guest's map
//! 0x0010_0000 core    one reservation, one slot:
//!                     tables | SYSTEM | data | stack | MAILBOX | heap  (guards between)
//! 0x4000_0000 image   read-only: the same pages for all VMs            IMAGE
//! 0x5000_0000 tables  where the core has too few: see `more_tables`
//! 0x1_0000_0000 ...   chunks of heap growth and of regions             HEAP, REGION n
//! ```
//! The heap and each region are a reservation whose first bytes are usable. Growing one adds
//! memory slots (so that a small program pays for a small VM: KVM's cost of a slot grows with
//! its size) and translations, never moves it, and never touches its pages. Where the backend
//! translates addresses itself there are neither page tables nor SYSTEM.
//!
//! The guest's view of memory is bounded twice: per region by its reservation, and all
//! together by [`GuestMemory::new`]'s limit.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

mod core;
mod prepared;
mod regions;

pub(crate) use prepared::Prepared;
pub(crate) use regions::Content;

use self::core::CoreParts;
use super::addresses::Addresses;
use super::image::Image;
use super::mailbox::Mailbox;
use super::translation::Translation;
use regions::{Backing, Region, region_number};
use std::collections::{BTreeMap, VecDeque};
use thiserror::Error;
use wrt_abi::cpu::Arch;
use wrt_abi::layout::{HEAP_BASE, HEAP_INITIAL, HEAP_MAX, REGION_COUNT, arm};
use wrt_hypervisor::arch::{self, SYSTEM_SIZE};
use wrt_hypervisor::{Access, BootState, Gpa, Gva, HypervisorError, Vm};
use wrt_platform::memory::Reservation;

const CORE_GPA: Gpa = Gpa(0x0010_0000);
/// Above the largest core.
const IMAGE_GPA: Gpa = Gpa(0x4000_0000);
/// Of code that is copied to large pages.
const CODE_GPA: Gpa = Gpa(0x4200_0000);
/// Above the hole below 4 GiB, where x86 machines have their devices.
const CHUNKS_GPA: u64 = 1 << 32;
/// Apple's default guest-physical space: 36 bits.
const CHUNKS_END: u64 = 1 << 36;
/// Bytes of guest-physical memory that heap and regions have at most.
pub(super) const GUEST_PHYSICAL_MAX: u64 = CHUNKS_END - CHUNKS_GPA;

/// A large page of x86-64, and of a host whose pages have 4 KiB.
pub(super) const LARGE_PAGE: u64 = 2 << 20;

/// Guest memory that cannot be had.
#[derive(Debug, Error)]
pub(crate) enum MemoryRefused {
    /// More than the limit; the guest may go on without.
    #[error("a limit is reached")]
    Limit,
    /// The guest named memory that it does not have.
    #[error("no such region")]
    Unknown,
    /// The system failed.
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
    /// The system has no address space or memory left.
    #[error("cannot get memory for the guest: {0}")]
    System(std::io::Error),
}

impl From<std::io::Error> for MemoryRefused {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

/// All memory of one guest.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    parts: CoreParts,
    backing: Backing,
    heap: Region,
    regions: BTreeMap<u64, Region>,
    /// Numbers of regions that are free; the one that was used last comes first, because
    /// the page tables for its addresses are there already.
    free: VecDeque<u64>,
    /// Bytes of the image that the unprivileged guest may execute.
    image_code: u64,
    /// Where the stub rings, if it does.
    doorbell: Option<Gpa>,
    /// Whether the system had no memory left, since the guest was made or reset.
    system_had_none: bool,
    boot: BootState,
}

pub(super) const READ_WRITE: Access = Access::READ.union(Access::WRITE);

impl GuestMemory {
    /// Builds the memory of a guest that is about to boot, for the first time or with what
    /// another one left, which must [suit](Prepared::suits) it.
    ///
    /// The heap and the regions that the guest asks for take at most `limit` bytes;
    /// `stack_size` is a multiple of [`GRANULE`].
    pub(crate) fn new(
        vm: &mut dyn Vm,
        image: &'static Image<'static>,
        stack_size: usize,
        limit: u64,
        from: Option<&Prepared>,
    ) -> Result<Self, MemoryRefused> {
        let backend_translates = vm.address_space().is_some();
        let format = (!backend_translates).then(|| arch::format(image.arch));
        let parts = CoreParts::new(image, stack_size, format);
        let core = Reservation::new(parts.heap + HEAP_MAX as usize)?;
        let translation = match format {
            None => Translation::Backend,
            // SAFETY: (1) the tables are the core's first part, and the word is in SYSTEM; both
            // are committed before they are used and live as long, (2) aligned as they are, and
            // told to nobody else.
            Some(format) => unsafe {
                let upkeep = (image.arch == Arch::Aarch64)
                    .then(|| core.base().add(parts.system + arm::SYSTEM_UPKEEP as usize).cast());
                Translation::tables(format, core.base().cast(), CORE_GPA, upkeep, limit)
            },
        };
        // SAFETY: the heap's offset lies within the reservation.
        let heap_host = unsafe { core.base().add(parts.heap) };
        let heap = Region {
            gva: Gva(HEAP_BASE),
            host: heap_host,
            max: HEAP_MAX,
            mapped: 0,
            backed: HEAP_INITIAL,
            chunks: Vec::new(),
            chunk_base: CORE_GPA.0 + parts.heap as u64,
            reservation: None,
            shared: None,
            content: Content::Data,
            published: Vec::new(),
        };
        let backing = Backing {
            core,
            translation,
            addresses: Addresses::new(CHUNKS_GPA, CHUNKS_END),
            limit,
            mapped: 0,
            peak: 0,
            much_expected: false,
        };
        let mut memory = Self {
            parts,
            backing,
            heap,
            regions: BTreeMap::new(),
            free: (0..REGION_COUNT).collect(),
            doorbell: vm.doorbell(),
            system_had_none: false,
            image_code: 0,
            boot: BootState::default(),
        };
        memory.fill(vm, image, from)?;
        Ok(memory)
    }

    /// Gives a VM that has nothing what a guest boots with.
    fn fill(
        &mut self,
        vm: &mut dyn Vm,
        image: &'static Image<'static>,
        from: Option<&Prepared>,
    ) -> Result<(), MemoryRefused> {
        if let Some(prepared) = from.filter(|_| self.shares_pages(vm)) {
            self.show_core(prepared)?;
        }
        self.map_core(vm)?;
        self.map_image(vm, image)?;
        match from {
            None => self.write_data(image),
            Some(prepared) => self.take_over(vm, prepared)?,
        }
        self.prepare_boot(image);
        Ok(())
    }

    /// Backs regions generously from now on, on large pages: a guest that uses much memory
    /// takes fewer faults, one that does not takes more memory than it needs.
    pub(crate) fn expect_much(&mut self) {
        self.backing.much_expected = true;
    }

    /// Whether the host's large pages save the guest faults.
    pub(crate) fn gains_by_large_pages(&self) -> bool {
        self.backing.translation.has_large_pages()
    }

    /// State in which the vCPU starts.
    pub(crate) fn boot_state(&self) -> &BootState {
        &self.boot
    }

    /// The mailbox page.
    pub(crate) fn mailbox(&self) -> Mailbox {
        // SAFETY: the part is committed, aligned, and lives as long as the core, which the
        // machine keeps beside the mailbox.
        unsafe { Mailbox::new(self.backing.core.base().add(self.parts.mailbox)) }
    }

    /// A copy of the privileged structures and the stub's stack, if there is a stub.
    pub(crate) fn copy_system(&self) -> Option<Box<[u8; SYSTEM_SIZE]>> {
        if !self.backing.translation.has_privileged_side() {
            return None;
        }
        let mut copy = Box::new([0; SYSTEM_SIZE]);
        // SAFETY: the part is committed and as long as the copy; the vCPU is stopped.
        unsafe {
            let system = self.backing.core.base().add(self.parts.system);
            std::ptr::copy_nonoverlapping(system.as_ptr(), copy.as_mut_ptr(), SYSTEM_SIZE);
        }
        Some(copy)
    }

    /// Bytes of heap and regions that are mapped, and the most there ever were.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.backing.mapped, self.backing.peak)
    }

    /// Notes that the guest could not have memory for lack of it.
    pub(crate) fn note_lack(&mut self) {
        self.system_had_none = true;
    }

    /// Whether the system had no memory left for the guest at some time.
    pub(crate) fn system_had_none(&self) -> bool {
        self.system_had_none
    }

    /// Bytes that the unprivileged guest may execute: its image's code, and what is published. It
    /// may write none of them.
    pub(crate) fn executable(&self) -> u64 {
        self.image_code + self.regions.values().map(Region::executable).sum::<u64>()
    }

    /// Length of the stack in bytes.
    pub(crate) fn stack_size(&self) -> u64 {
        self.parts.stack_size as u64
    }

    /// Back to what [`Self::new`] made: every byte that the guest could write is as at first,
    /// every region is gone; what another guest left is there, if it is given. The vCPU must be
    /// stopped, and boots next.
    pub(crate) fn reset(
        &mut self,
        vm: &mut dyn Vm,
        image: &'static Image<'static>,
        from: Option<&Prepared>,
    ) -> Result<(), MemoryRefused> {
        self.backing.translation.clear(vm)?;
        while let Some((&number, _)) = self.regions.first_key_value() {
            self.give_back(vm, number)?;
        }
        for chunk in std::mem::take(&mut self.heap.chunks) {
            vm.unmap(chunk.gpa)?;
        }
        vm.unmap(CORE_GPA)?;
        vm.unmap(IMAGE_GPA)?;
        if self.copies_code(image) {
            vm.unmap(CODE_GPA)?;
        }
        self.backing.core.hide(0, self.backing.core.len())?;
        self.heap.mapped = 0;
        self.heap.backed = HEAP_INITIAL;
        self.heap.chunk_base = CORE_GPA.0 + self.parts.heap as u64;
        self.free = (0..REGION_COUNT).collect();
        self.backing.addresses = Addresses::new(CHUNKS_GPA, CHUNKS_END);
        self.backing.mapped = 0;
        self.backing.peak = 0;
        self.system_had_none = false;
        self.fill(vm, image, from)
    }

    /// The bytes `gva..gva + len` of the heap or of a writable region.
    ///
    /// The guest named this range; anything else is refused. `&mut self` keeps the vCPU
    /// stopped and the range unique for as long as the slice lives.
    pub(crate) fn slice(&mut self, gva: Gva, len: u64) -> Result<&mut [u8], MemoryRefused> {
        if len == 0 {
            return Ok(&mut []);
        }
        let region = match region_number(gva) {
            Some(number) => self.regions.get(&number).ok_or(MemoryRefused::Unknown)?,
            None => &self.heap,
        };
        let offset = gva.0.checked_sub(region.gva.0).ok_or(MemoryRefused::Unknown)?;
        let end = offset.checked_add(len).ok_or(MemoryRefused::Unknown)?;
        if region.shared.is_some() || end > region.mapped {
            return Err(MemoryRefused::Unknown);
        }
        let (offset, len) = (offset as usize, len as usize);
        // SAFETY: the range is within the region's mapped, hence committed bytes; they are
        // initialised (anonymous memory is) and reached through `&mut self` alone.
        Ok(unsafe { std::slice::from_raw_parts_mut(region.host.add(offset).as_ptr(), len) })
    }
}

#[cfg(test)]
mod tests;
