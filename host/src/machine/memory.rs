//! Guest RAM: who owns which bytes, and how they grow.
//!
//! ```text
//! guest-physical      host mapping                                     in the guest's map
//! 0x0010_0000 core    one reservation, one slot:
//!                     tables | SYSTEM | data | stack | MAILBOX | heap  (guards between)
//! 0x0800_0000 image   the embedded file's own pages, read-only         IMAGE
//! 0x1_0000_0000 ...   chunks of heap growth and of regions             HEAP, REGION n
//! ```
//! The heap and each region are a reservation whose first bytes are usable. Growing one adds
//! memory slots (so that a small program pays for a small VM: KVM's cost of a slot grows with
//! its size) and page-table entries, never moves it, and never touches its pages.
//!
//! The guest's view of memory is bounded twice: per region by its reservation, and all
//! together by [`GuestMemory::new`]'s limit.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::addresses::{Addresses, UNIT};
use super::arch::{BootState, PageTables, SYSTEM_SIZE, TABLE_SIZE, build_system};
use super::image::{Image, Segment};
use super::mailbox::Mailbox;
use crate::hypervisor::{Access, Gpa, Gva, HypervisorError, Mapping, Vm};
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;
use std::sync::Arc;
use thiserror::Error;
use wrt_abi::layout::{
    GRANULE, HEAP_BASE, HEAP_MAX, MAILBOX_BASE, REGION_BASE, REGION_COUNT, REGION_MAX,
    REGION_STRIDE, STACK_TOP, SYSTEM_BASE,
};
use wrt_abi::mailbox::MAILBOX_SIZE;
use wrt_platform::memory::{Protection, Reservation, SharedBytes};

/// Page tables that a guest can have: 4 MiB of them, untouched until used.
const TABLES: usize = 1024;
const TABLES_SIZE: usize = TABLES * TABLE_SIZE;
/// Heap that exists from the start.
const HEAP_INITIAL: u64 = 512 << 10;
/// Heap and stack bytes that every program touches, and whose pages are had in one go.
const HEAP_TOUCHED: usize = 256 << 10;
const STACK_TOUCHED: usize = 32 << 10;

const CORE_GPA: Gpa = Gpa(0x0010_0000);
const IMAGE_GPA: Gpa = Gpa(0x0800_0000);
/// Above the hole below 4 GiB, where x86 machines have their devices.
const CHUNKS_GPA: u64 = 1 << 32;
/// Apple's default guest-physical space: 36 bits.
const CHUNKS_END: u64 = 1 << 36;

const LARGE_PAGE: u64 = 2 << 20;
/// Memory added beyond what was asked for, to save exits, at most.
const SLACK_MAX: u64 = 16 << 20;
/// Regions from this size on may be backed by large pages.
const LARGE_PAGES_FROM: u64 = 4 << 20;

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
    System(#[from] std::io::Error),
}

/// A growing stretch of guest memory.
#[derive(Debug)]
struct Region {
    gva: Gva,
    /// Host address of its first byte; the rest of the reservation follows.
    host: NonNull<u8>,
    max: u64,
    /// Bytes that the guest's page tables map.
    mapped: u64,
    /// Bytes behind which there is host memory: a sum of chunks.
    backed: u64,
    chunks: Vec<Chunk>,
    /// Guest-physical address of the last chunk's first byte, less its offset: adding an
    /// offset of that chunk yields its address.
    chunk_base: u64,
    /// The memory, unless it is part of the core's or a module's.
    reservation: Option<Reservation>,
    /// Kept alive while the guest reads it.
    shared: Option<Arc<SharedBytes>>,
    content: Content,
}

/// What the guest may do with a region besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Write it, if it is its own.
    Data,
    /// Have parts of it made executable: a compiled artefact.
    Code,
}

/// A stretch of guest-physical addresses with a mapping of its own.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    gpa: Gpa,
    len: u64,
}

// SAFETY: `host` points into memory that the region, its core or its module owns.
unsafe impl Send for Region {}

/// All memory of one guest.
#[derive(Debug)]
pub(crate) struct GuestMemory {
    core: Reservation,
    parts: CoreParts,
    tables: PageTables,
    heap: Region,
    regions: BTreeMap<u64, Region>,
    /// Numbers of regions that are free; the one that was used last comes first, because
    /// the page tables for its addresses are there already.
    free: VecDeque<u64>,
    /// Guest-physical addresses for chunks.
    addresses: Addresses,
    /// Bytes that the heap and all writable regions may map, and do map.
    limit: u64,
    mapped: u64,
    peak: u64,
    boot: BootState,
}

/// Offsets in the core of what it holds.
#[derive(Clone, Copy, Debug)]
struct CoreParts {
    system: usize,
    data: usize,
    stack: usize,
    stack_size: usize,
    mailbox: usize,
    heap: usize,
}

impl CoreParts {
    fn new(image: &Image<'_>, stack_size: usize) -> Self {
        let granule = GRANULE as usize;
        // Each part is followed by a guard.
        let mut next = 0;
        let mut place = |size: usize| {
            let at = next;
            next += size.next_multiple_of(granule) + granule;
            at
        };
        let _tables = place(TABLES_SIZE);
        let system = place(SYSTEM_SIZE);
        let data = place(data_size(image));
        let stack = place(stack_size);
        let mailbox = place(MAILBOX_SIZE);
        let heap = next.next_multiple_of(LARGE_PAGE as usize);
        Self { system, data, stack, stack_size, mailbox, heap }
    }
}

/// Bytes from the first to the last writable segment's end.
fn data_size(image: &Image<'_>) -> usize {
    let writable = || image.segments.iter().filter(|segment| is_data(segment));
    let start = writable().map(|segment| segment.gva.0).min().unwrap_or(0);
    let end = writable().map(|segment| segment.gva.0 + segment.size).max().unwrap_or(0);
    usize::try_from((end - start).next_multiple_of(TABLE_SIZE as u64)).unwrap_or(0)
}

fn is_data(segment: &Segment<'_>) -> bool {
    segment.access.contains(Access::WRITE)
}

const READ_WRITE: Access = Access::READ.union(Access::WRITE);

impl Content {
    /// What stage 2 allows for shared bytes of this kind; the guest's own tables allow less.
    fn access(self) -> Access {
        match self {
            Self::Data => Access::READ,
            Self::Code => Access::READ | Access::EXECUTE,
        }
    }
}

impl GuestMemory {
    /// Builds the memory of a guest that is about to boot.
    ///
    /// The heap and the regions that the guest asks for take at most `limit` bytes;
    /// `stack_size` is a multiple of [`GRANULE`].
    pub(crate) fn new(
        vm: &mut dyn Vm,
        image: &Image<'static>,
        stack_size: usize,
        limit: u64,
    ) -> Result<Self, MemoryRefused> {
        let parts = CoreParts::new(image, stack_size);
        let core = Reservation::new(parts.heap + HEAP_MAX as usize)?;
        for (offset, size) in [
            (0, TABLES_SIZE),
            (parts.system, SYSTEM_SIZE),
            (parts.data, data_size(image)),
            (parts.stack, parts.stack_size),
            (parts.mailbox, MAILBOX_SIZE),
            (parts.heap, HEAP_INITIAL as usize),
        ] {
            core.protect(offset, size, Protection::ReadWrite)?;
        }
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
        };
        let tables = PageTables::new(CORE_GPA, TABLES);
        let boot = BootState {
            entry: image.entry,
            stack: Gva(STACK_TOP),
            page_tables: tables.root(),
            gdt: (Gva(0), 0),
            idt: (Gva(0), 0),
            tss: (Gva(0), 0),
        };
        let mut memory = Self {
            core,
            parts,
            tables,
            heap,
            regions: BTreeMap::new(),
            free: (0..REGION_COUNT).collect(),
            addresses: Addresses::new(CHUNKS_GPA, CHUNKS_END),
            limit,
            mapped: 0,
            peak: 0,
            boot,
        };
        memory.map_core(vm)?;
        memory.map_image(vm, image)?;
        memory.prepare_boot(image)?;
        Ok(memory)
    }

    /// State in which the vCPU starts.
    pub(crate) fn boot_state(&self) -> &BootState {
        &self.boot
    }

    /// The mailbox page.
    pub(crate) fn mailbox(&self) -> Mailbox {
        // SAFETY: the part is committed, aligned, and lives as long as the core, which the
        // machine keeps beside the mailbox.
        unsafe { Mailbox::new(self.core.base().add(self.parts.mailbox)) }
    }

    /// A copy of the privileged structures and the stub's stack.
    pub(crate) fn copy_system(&self) -> Box<[u8; SYSTEM_SIZE]> {
        let mut copy = Box::new([0; SYSTEM_SIZE]);
        // SAFETY: the part is committed and as long as the copy; the vCPU is stopped.
        unsafe {
            let system = self.core.base().add(self.parts.system);
            std::ptr::copy_nonoverlapping(system.as_ptr(), copy.as_mut_ptr(), SYSTEM_SIZE);
        }
        copy
    }

    /// Bytes of heap and regions that are mapped, and the most there ever were.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.mapped, self.peak)
    }

    /// Length of the stack in bytes.
    pub(crate) fn stack_size(&self) -> u64 {
        self.parts.stack_size as u64
    }

    fn map_core(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        let mapping = Mapping {
            gpa: CORE_GPA,
            host: self.core.base(),
            len: self.parts.heap as u64 + HEAP_INITIAL,
            access: READ_WRITE,
        };
        // SAFETY: (1) `self` keeps the core for as long as the machine keeps the VM, (2) and
        // reaches it by raw pointers only, with the vCPU stopped.
        unsafe { vm.map(mapping) }?;
        let CoreParts { system, stack, stack_size, mailbox, .. } = self.parts;
        for (gva, offset, size, user) in [
            (SYSTEM_BASE, system, SYSTEM_SIZE, false),
            (STACK_TOP - stack_size as u64, stack, stack_size, true),
            (MAILBOX_BASE, mailbox, MAILBOX_SIZE, true),
        ] {
            let gpa = Gpa(CORE_GPA.0 + offset as u64);
            self.map_pages(Gva(gva), gpa, size as u64, READ_WRITE, user)?;
        }
        self.core.populate(
            stack + stack_size - STACK_TOUCHED.min(stack_size),
            STACK_TOUCHED.min(stack_size),
        );
        self.core.populate(self.parts.heap, HEAP_TOUCHED);
        self.grow_heap(vm, HEAP_INITIAL)
    }

    fn map_image(&mut self, vm: &mut dyn Vm, image: &Image<'static>) -> Result<(), MemoryRefused> {
        let read_only = || image.segments.iter().filter(|segment| !is_data(segment));
        // The file's pages, from the first to the last that hold read-only bytes.
        let start = read_only().map(|segment| segment.bytes.as_ptr()).min();
        let end = read_only().map(|segment| segment.bytes.as_ptr_range().end).max();
        if let (Some(start), Some(end)) = (start, end) {
            let len = (end.addr() - start.addr()).next_multiple_of(TABLE_SIZE) as u64;
            let mapping = Mapping {
                gpa: IMAGE_GPA,
                host: NonNull::from(&image.segments[0].bytes[0]),
                len,
                access: Access::READ | Access::EXECUTE,
            };
            debug_assert_eq!(mapping.host.as_ptr().cast_const(), start);
            // SAFETY: (1) static bytes, on pages that hold nothing else (the file is
            // padded to pages and page-aligned in the binary), (2) that nobody writes.
            unsafe { vm.map(mapping) }?;
            for segment in read_only() {
                let offset = segment.bytes.as_ptr().addr() - start.addr();
                let gpa = Gpa(IMAGE_GPA.0 + offset as u64);
                let len = segment.size.next_multiple_of(TABLE_SIZE as u64);
                self.map_pages(segment.gva, gpa, len, segment.access, !segment.privileged)?;
            }
        }
        let data = image.segments.iter().find(|segment| is_data(segment)).map(|s| s.gva);
        if let Some(gva) = data {
            let gpa = Gpa(CORE_GPA.0 + self.parts.data as u64);
            self.map_pages(gva, gpa, data_size(image) as u64, READ_WRITE, true)?;
        }
        Ok(())
    }

    /// Writes what a guest finds when it boots; its memory is zero otherwise.
    fn prepare_boot(&mut self, image: &Image<'_>) -> Result<(), MemoryRefused> {
        let data_start = image.segments.iter().find(|s| is_data(s)).map_or(0, |s| s.gva.0);
        for segment in image.segments.iter().filter(|segment| is_data(segment)) {
            let offset = self.parts.data + (segment.gva.0 - data_start) as usize;
            // SAFETY: the part was made as long as all data segments together.
            unsafe {
                let to = self.core.base().add(offset).as_ptr();
                std::ptr::copy_nonoverlapping(segment.bytes.as_ptr(), to, segment.bytes.len());
            }
        }
        let mut system = Box::new([0; SYSTEM_SIZE]);
        self.boot = build_system(&mut system, image.entry, self.tables.root());
        // SAFETY: the part is committed and SYSTEM_SIZE bytes long.
        unsafe {
            let to = self.core.base().add(self.parts.system).as_ptr();
            std::ptr::copy_nonoverlapping(system.as_ptr(), to, SYSTEM_SIZE);
        }
        Ok(())
    }

    /// Back to what [`Self::new`] made: every byte that the guest could write is as at first,
    /// every region is gone. The vCPU must be stopped, and boots next.
    pub(crate) fn reset(
        &mut self,
        vm: &mut dyn Vm,
        image: &Image<'static>,
    ) -> Result<(), MemoryRefused> {
        let numbers: Vec<u64> = self.regions.keys().copied().collect();
        for number in numbers {
            self.remove_region(vm, number)?;
        }
        for chunk in std::mem::take(&mut self.heap.chunks) {
            vm.unmap(chunk.gpa)?;
        }
        vm.unmap(CORE_GPA)?;
        vm.unmap(IMAGE_GPA)?;
        self.core.discard(0, self.core.len())?;
        self.core.protect(self.parts.heap, HEAP_MAX as usize, Protection::None)?;
        self.core.protect(self.parts.heap, HEAP_INITIAL as usize, Protection::ReadWrite)?;
        self.heap.mapped = 0;
        self.heap.backed = HEAP_INITIAL;
        self.heap.chunk_base = CORE_GPA.0 + self.parts.heap as u64;
        self.tables = PageTables::new(CORE_GPA, TABLES);
        self.free = (0..REGION_COUNT).collect();
        self.addresses = Addresses::new(CHUNKS_GPA, CHUNKS_END);
        self.mapped = 0;
        self.peak = 0;
        self.map_core(vm)?;
        self.map_image(vm, image)?;
        self.prepare_boot(image)
    }

    fn map_pages(
        &mut self,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
        user: bool,
    ) -> Result<(), MemoryRefused> {
        // SAFETY: the pool is the core's first part, committed and aligned; no other
        // reference to it exists, and the vCPU is stopped.
        let pool = unsafe {
            std::slice::from_raw_parts_mut(self.core.base().cast::<u64>().as_ptr(), TABLES_SIZE / 8)
        };
        let mapped = self.tables.map(pool, gva, gpa, len, access, user);
        if mapped.is_err() {
            // Not half of it: the chunk behind it may go.
            self.tables.unmap(pool, gva, len);
        }
        mapped.map_err(|_| MemoryRefused::Limit)
    }

    /// Makes a region whose first `len` bytes are usable and zero; returns its address.
    pub(crate) fn reserve(&mut self, vm: &mut dyn Vm, len: u64) -> Result<Gva, MemoryRefused> {
        if len > REGION_MAX {
            return Err(MemoryRefused::Limit);
        }
        let len = len.next_multiple_of(GRANULE);
        self.check_limit(len)?;
        let number = self.free.pop_front().ok_or(MemoryRefused::Limit)?;
        match Reservation::new(REGION_MAX as usize) {
            Ok(reservation) => self.make_region(vm, number, reservation, len),
            Err(error) => {
                self.free.push_front(number);
                Err(error.into())
            }
        }
    }

    /// Makes region `number`, which was taken from the free ones; if this fails it is back.
    fn make_region(
        &mut self,
        vm: &mut dyn Vm,
        number: u64,
        reservation: Reservation,
        len: u64,
    ) -> Result<Gva, MemoryRefused> {
        let gva = Gva(REGION_BASE + number * REGION_STRIDE);
        let mut region = Region {
            gva,
            host: reservation.base(),
            max: REGION_MAX,
            mapped: 0,
            backed: 0,
            chunks: Vec::new(),
            chunk_base: 0,
            reservation: Some(reservation),
            shared: None,
            content: Content::Data,
        };
        let grown = self.grow(vm, &mut region, len);
        self.regions.insert(number, region);
        if let Err(error) = grown {
            self.remove_region(vm, number)?;
            return Err(error);
        }
        Ok(gva)
    }

    /// Makes the first `least` bytes of the heap or a region usable, or some more, but not
    /// more than `most` (rounded to pages); returns how many are.
    pub(crate) fn commit(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        least: u64,
        most: u64,
    ) -> Result<u64, MemoryRefused> {
        if gva == Gva(HEAP_BASE) {
            self.grow_heap(vm, least)?;
            return Ok(self.heap.mapped);
        }
        let number = region_number(gva).ok_or(MemoryRefused::Unknown)?;
        let mut region = match self.regions.remove(&number) {
            Some(region) if region.shared.is_none() && region.gva == gva => region,
            Some(other) => {
                self.regions.insert(number, other);
                return Err(MemoryRefused::Unknown);
            }
            None => return Err(MemoryRefused::Unknown),
        };
        let grown = self.grow_with_slack(vm, &mut region, least, most);
        let usable = region.mapped;
        self.regions.insert(number, region);
        grown.map(|()| usable)
    }

    /// Gives a region back: the guest reaches it no more, and its contents are gone.
    pub(crate) fn release(&mut self, vm: &mut dyn Vm, gva: Gva) -> Result<(), MemoryRefused> {
        let number = region_number(gva).ok_or(MemoryRefused::Unknown)?;
        match self.regions.get(&number) {
            Some(region) if region.shared.is_none() && region.gva == gva => {
                self.remove_region(vm, number)
            }
            _ => Err(MemoryRefused::Unknown),
        }
    }

    /// Lets the guest read shared bytes; returns their address.
    pub(crate) fn share(
        &mut self,
        vm: &mut dyn Vm,
        bytes: Arc<SharedBytes>,
        content: Content,
    ) -> Result<Gva, MemoryRefused> {
        let (host, len) = bytes.pages();
        let len = len as u64;
        if len > REGION_MAX {
            return Err(MemoryRefused::Limit);
        }
        let number = self.free.pop_front().ok_or(MemoryRefused::Limit)?;
        let gva = Gva(REGION_BASE + number * REGION_STRIDE);
        let Some(chunk) = self.place_chunk(gva.0, len) else {
            self.free.push_front(number);
            return Err(MemoryRefused::Limit);
        };
        let gpa = chunk.gpa;
        let mapping = Mapping { gpa, host, len, access: content.access() };
        // SAFETY: (1) the region keeps the bytes alive until it is unmapped, (2) and nobody
        // writes them.
        if let Err(error) = unsafe { vm.map(mapping) } {
            self.give_chunk(chunk);
            self.free.push_front(number);
            return Err(error.into());
        }
        let region = Region {
            gva,
            host,
            max: len,
            mapped: len,
            backed: len,
            chunks: vec![chunk],
            chunk_base: gpa.0,
            reservation: None,
            shared: Some(bytes),
            content,
        };
        self.regions.insert(number, region);
        if let Err(error) = self.map_pages(gva, gpa, len, Access::READ, true) {
            self.remove_region(vm, number)?;
            return Err(error);
        }
        Ok(gva)
    }

    /// Takes shared bytes away from the guest.
    pub(crate) fn unshare(&mut self, vm: &mut dyn Vm, gva: Gva) -> Result<(), MemoryRefused> {
        let number = region_number(gva).ok_or(MemoryRefused::Unknown)?;
        match self.regions.get(&number) {
            Some(region) if region.shared.is_some() => self.remove_region(vm, number),
            _ => Err(MemoryRefused::Unknown),
        }
    }

    /// Makes a part of an artefact executable. Nobody can write it, in the guest's tables or
    /// at stage 2.
    ///
    /// The mapping is taken away and made anew, so that no translation that forbids execution
    /// stays with the processor.
    pub(crate) fn publish(
        &mut self,
        vm: &mut dyn Vm,
        start: Gva,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        let number = region_number(start).ok_or(MemoryRefused::Unknown)?;
        let region = self.regions.get(&number).ok_or(MemoryRefused::Unknown)?;
        let page = TABLE_SIZE as u64;
        let offset = start.0.checked_sub(region.gva.0).ok_or(MemoryRefused::Unknown)?;
        let end = offset.checked_add(len).ok_or(MemoryRefused::Unknown)?;
        let aligned = offset.is_multiple_of(page) && len.is_multiple_of(page);
        let [chunk] = region.chunks[..] else { return Err(MemoryRefused::Unknown) };
        if region.content != Content::Code || !aligned || end > region.mapped {
            return Err(MemoryRefused::Unknown);
        }
        let (gva, host) = (region.gva, region.host);
        self.unmap_pages(gva, chunk.len);
        vm.unmap(chunk.gpa)?;
        let access = Content::Code.access();
        let mapping = Mapping { gpa: chunk.gpa, host, len: chunk.len, access };
        // SAFETY: (1) the region keeps the bytes alive until it is unmapped, (2) and nobody
        // writes them.
        unsafe { vm.map(mapping) }?;
        for (from, to, access) in
            [(0, offset, Access::READ), (offset, end, access), (end, chunk.len, Access::READ)]
        {
            let (gva, gpa) = (Gva(gva.0 + from), Gpa(chunk.gpa.0 + from));
            self.map_pages(gva, gpa, to - from, access, true)?;
        }
        Ok(())
    }

    fn unmap_pages(&mut self, gva: Gva, len: u64) {
        // SAFETY: as in `map_pages`.
        let pool = unsafe {
            std::slice::from_raw_parts_mut(self.core.base().cast::<u64>().as_ptr(), TABLES_SIZE / 8)
        };
        self.tables.unmap(pool, gva, len);
    }

    fn remove_region(&mut self, vm: &mut dyn Vm, number: u64) -> Result<(), MemoryRefused> {
        let Some(mut region) = self.regions.remove(&number) else { return Ok(()) };
        // Tables first, then the slots: removing a slot also drops every translation that
        // the processor keeps.
        let mapped = std::mem::take(&mut region.mapped);
        self.unmap_pages(region.gva, mapped);
        if region.shared.is_none() {
            self.mapped -= mapped;
        }
        while let Some(&chunk) = region.chunks.last() {
            if let Err(error) = vm.unmap(chunk.gpa) {
                // The VM may still reach these bytes: they stay for as long as it does.
                self.regions.insert(number, region);
                return Err(error.into());
            }
            self.give_chunk(chunk);
            region.chunks.pop();
        }
        self.free.push_front(number);
        Ok(())
    }

    fn grow_heap(&mut self, vm: &mut dyn Vm, len: u64) -> Result<(), MemoryRefused> {
        let placeholder =
            Region { chunks: Vec::new(), reservation: None, shared: None, ..self.heap };
        let mut heap = std::mem::replace(&mut self.heap, placeholder);
        let grown = self.grow_with_slack(vm, &mut heap, len, HEAP_MAX);
        self.heap = heap;
        grown
    }

    /// Grows to `len` and a little more if there is room, so that the next growth needs no
    /// exit.
    fn grow_with_slack(
        &mut self,
        vm: &mut dyn Vm,
        region: &mut Region,
        least: u64,
        most: u64,
    ) -> Result<(), MemoryRefused> {
        if least > region.max {
            return Err(MemoryRefused::Limit);
        }
        let exact = least.next_multiple_of(GRANULE);
        let most = most.min(region.max).max(exact);
        if exact <= region.mapped {
            return Ok(());
        }
        let slack = if region.mapped == 0 { 0 } else { (exact / 4).min(SLACK_MAX) };
        let step = if exact >= LARGE_PAGES_FROM { LARGE_PAGE } else { GRANULE };
        let generous = (exact + slack).next_multiple_of(step).min(most) / GRANULE * GRANULE;
        match self.check_limit(generous - region.mapped) {
            Ok(()) => self.grow(vm, region, generous),
            Err(_) => {
                self.check_limit(exact - region.mapped)?;
                self.grow(vm, region, exact)
            }
        }
    }

    fn check_limit(&self, more: u64) -> Result<(), MemoryRefused> {
        match self.mapped.checked_add(more) {
            Some(total) if total <= self.limit => Ok(()),
            _ => Err(MemoryRefused::Limit),
        }
    }

    /// Maps the region's bytes up to `len`, a multiple of the granule within its bounds.
    fn grow(
        &mut self,
        vm: &mut dyn Vm,
        region: &mut Region,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        while region.mapped < len {
            if region.mapped == region.backed {
                self.add_chunk(vm, region, len)?;
            }
            // Up to the end of the last chunk: chunks are not contiguous in guest-physical
            // space.
            let end = len.min(region.backed);
            let gva = Gva(region.gva.0 + region.mapped);
            let gpa = Gpa(region.chunk_base.wrapping_add(region.mapped));
            let more = end - region.mapped;
            self.map_pages(gva, gpa, more, READ_WRITE, true)?;
            region.mapped = end;
            self.mapped += more;
        }
        self.peak = self.peak.max(self.mapped);
        Ok(())
    }

    /// Backs more of the region with memory: what is wanted, or twice what there is.
    fn add_chunk(
        &mut self,
        vm: &mut dyn Vm,
        region: &mut Region,
        wanted: u64,
    ) -> Result<(), MemoryRefused> {
        let doubled = (region.backed * 2).min(region.backed + 64 * SLACK_MAX);
        let target = wanted.max(doubled).min(region.max);
        let len = target - region.backed;
        let start = region.gva.0 + region.backed;
        let chunk = self.place_chunk(start, len).ok_or(MemoryRefused::Limit)?;
        if let Err(error) = self.back(vm, region, chunk, target >= LARGE_PAGES_FROM) {
            self.give_chunk(chunk);
            return Err(error);
        }
        region.chunks.push(chunk);
        region.chunk_base = chunk.gpa.0.wrapping_sub(region.backed);
        region.backed = target;
        Ok(())
    }

    /// Makes the region's next bytes appear at a chunk's addresses.
    fn back(
        &self,
        vm: &mut dyn Vm,
        region: &Region,
        Chunk { gpa, len }: Chunk,
        large_pages: bool,
    ) -> Result<(), MemoryRefused> {
        let offset = region.backed as usize;
        let (memory, base) = match &region.reservation {
            Some(own) => (own, 0),
            None => (&self.core, self.parts.heap),
        };
        memory.protect(base + offset, len as usize, Protection::ReadWrite)?;
        if large_pages {
            memory.prefer_large_pages(base + offset, len as usize);
        }
        // SAFETY: the offset lies within the region's reservation.
        let host = unsafe { region.host.add(offset) };
        // SAFETY: (1) the region keeps its reservation until its chunks are unmapped, (2) and
        // references into it are formed only while the vCPU is stopped.
        unsafe { vm.map(Mapping { gpa, host, len, access: READ_WRITE }) }?;
        Ok(())
    }

    /// Picks guest-physical addresses that are a whole number of large pages away from the
    /// guest-virtual ones, so that large pages can map them.
    fn place_chunk(&mut self, gva: u64, len: u64) -> Option<Chunk> {
        let into = gva % UNIT;
        let start = self.addresses.take(span(into, len)?)?;
        Some(Chunk { gpa: Gpa(start + into), len })
    }

    /// Makes a chunk's addresses free for others. Nothing may be mapped there any more.
    fn give_chunk(&mut self, Chunk { gpa, len }: Chunk) {
        let into = gpa.0 % UNIT;
        if let Some(span) = span(into, len) {
            self.addresses.give(gpa.0 - into, span);
        }
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

/// Addresses taken for `len` bytes that begin `into` a unit, with an inaccessible page behind
/// them.
fn span(into: u64, len: u64) -> Option<u64> {
    into.checked_add(len)?.checked_add(GRANULE)?.checked_next_multiple_of(UNIT)
}

fn region_number(gva: Gva) -> Option<u64> {
    let number = gva.0.checked_sub(REGION_BASE)? / REGION_STRIDE;
    (number < REGION_COUNT).then_some(number)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
