//! The heap's growth, and regions: stretches of guest memory that come, grow and go.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::super::addresses::{Addresses, UNIT};
use super::super::translation::Translation;
use super::{GuestMemory, LARGE_PAGE, MemoryRefused, READ_WRITE};
use crate::artifact::Text;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use wrt_abi::layout::{
    GRANULE, HEAP_BASE, HEAP_MAX, REGION_BASE, REGION_COUNT, REGION_MAX, REGION_STRIDE,
};
use wrt_hypervisor::{Access, Gpa, Gva, Mapping, Vm};
use wrt_platform::memory::{Protection, Reservation, SharedBytes};

/// Memory added beyond what was asked for, to save exits, at most.
const SLACK_MAX: u64 = 16 << 20;
/// Artefacts up to this size are mapped by small pages, so that parts of them can be made
/// executable where they are.
const SMALL_PAGES_UP_TO: u64 = 64 << 20;
/// Regions from this size on may be backed by large pages.
const LARGE_PAGES_FROM: u64 = 4 << 20;
/// Ranges of one artefact that can be made executable, at most; one is what engines need.
const PUBLISHED_MAX: usize = 64;
/// What a region is backed with at least, where much is expected.
const MUCH: u64 = 8 << 20;

/// What heap and regions grow by: memory and addresses, and what is known of them all together.
#[derive(Debug)]
pub(super) struct Backing {
    /// The heap's memory, among others.
    pub(super) core: Reservation,
    pub(super) translation: Translation,
    /// Guest-physical addresses for chunks.
    pub(super) addresses: Addresses,
    /// Bytes that the heap and all writable regions may map, and do map.
    pub(super) limit: u64,
    pub(super) mapped: u64,
    pub(super) peak: u64,
    /// Whether regions will become large, and soon.
    pub(super) much_expected: bool,
}

/// A growing stretch of guest memory.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) gva: Gva,
    /// Host address of its first byte; the rest of the reservation follows.
    pub(super) host: NonNull<u8>,
    pub(super) max: u64,
    /// Bytes that the guest reaches.
    pub(super) mapped: u64,
    /// Bytes behind which there is host memory: a sum of chunks.
    pub(super) backed: u64,
    pub(super) chunks: Vec<Chunk>,
    /// Guest-physical address of the last chunk's first byte, less its offset: adding an
    /// offset of that chunk yields its address.
    pub(super) chunk_base: u64,
    /// The memory, unless it is part of the core's or a module's.
    pub(super) reservation: Option<Reservation>,
    /// Kept alive while the guest reads it.
    pub(super) shared: Option<Arc<SharedBytes>>,
    pub(super) content: Content,
    /// Offsets of what was made executable.
    pub(super) published: Vec<Range<u64>>,
}

/// What the guest may do with a region besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// Write it, if it is its own.
    Data,
    /// Have parts of it made executable: a compiled artefact.
    Code,
    /// Execute the part of it that is known to be code: an artefact of our own.
    Known(Text),
}

/// A stretch of guest-physical addresses with a mapping of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) gpa: Gpa,
    pub(super) len: u64,
}

// SAFETY: `host` points into memory that the region, its core or its module owns.
unsafe impl Send for Region {}

impl Region {
    /// Bytes of it that the guest may execute.
    pub(super) fn executable(&self) -> u64 {
        if let Content::Known(text) = self.content {
            return text.end.min(self.mapped) - text.start.min(self.mapped);
        }
        // Ranges may overlap.
        let mut ranges = self.published.clone();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut counted = 0;
        ranges.iter().fold(0, |sum, range| {
            let more = range.end.saturating_sub(counted.max(range.start));
            counted = counted.max(range.end);
            sum + more
        })
    }
}

impl Content {
    /// What stage 2 allows for shared bytes of this kind; the guest's own tables allow less.
    fn access(self) -> Access {
        match self {
            Self::Data => Access::READ,
            Self::Code | Self::Known(_) => Access::READ | Access::EXECUTE,
        }
    }

    /// What the guest's own tables allow at first: offsets of parts of `len` bytes.
    fn parts(self, len: u64) -> [(u64, u64, Access); 3] {
        let (start, end) = match self {
            Self::Data | Self::Code => (len, len),
            Self::Known(Text { start, end }) => (start.min(len), end.min(len)),
        };
        [(0, start, Access::READ), (start, end, self.access()), (end, len, Access::READ)]
    }
}

impl GuestMemory {
    /// Makes a region whose first `len` bytes are usable and zero; returns its address.
    pub(crate) fn reserve(&mut self, vm: &mut dyn Vm, len: u64) -> Result<Gva, MemoryRefused> {
        if len > REGION_MAX {
            return Err(MemoryRefused::Limit);
        }
        let len = len.next_multiple_of(GRANULE);
        self.backing.check_limit(len)?;
        let number = self.free.pop_front().ok_or(MemoryRefused::Limit)?;
        match Reservation::new(REGION_MAX as usize) {
            Ok(reservation) => self.make_region(vm, number, reservation, 0, len),
            Err(error) => {
                self.free.push_front(number);
                Err(error.into())
            }
        }
    }

    /// Makes region `number`, which was taken from the free ones; if this fails it is back. Its
    /// first `len` bytes are usable, and `backed` have memory at least.
    pub(super) fn make_region(
        &mut self,
        vm: &mut dyn Vm,
        number: u64,
        reservation: Reservation,
        backed: u64,
        len: u64,
    ) -> Result<Gva, MemoryRefused> {
        let gva = Gva(REGION_BASE + number * REGION_STRIDE);
        let region = Region {
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
            published: Vec::new(),
        };
        let region = self.regions.entry(number).insert_entry(region).into_mut();
        let grown = self.backing.back_up_to(vm, region, backed);
        if let Err(error) = grown.and_then(|()| self.backing.grow(vm, region, len)) {
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
        match self.regions.get_mut(&number) {
            Some(region) if region.shared.is_none() && region.gva == gva => {
                self.backing.grow_with_slack(vm, region, least, most)?;
                Ok(region.mapped)
            }
            _ => Err(MemoryRefused::Unknown),
        }
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
        let number = self.free.pop_front().ok_or(MemoryRefused::Limit)?;
        self.share_as(vm, number, bytes, content)
    }

    /// As [`Self::share`], in region `number`, which was taken from the free ones; if this fails
    /// it is back.
    pub(super) fn share_as(
        &mut self,
        vm: &mut dyn Vm,
        number: u64,
        bytes: Arc<SharedBytes>,
        content: Content,
    ) -> Result<Gva, MemoryRefused> {
        let (host, len) = bytes.pages();
        let len = len as u64;
        let into = match content {
            // Large pages of the host's begin where the guest's do.
            Content::Known(_) => host.addr().get() as u64 % LARGE_PAGE,
            Content::Data | Content::Code => 0,
        };
        let gva = Gva(REGION_BASE + number * REGION_STRIDE + into);
        let chunk = if len > REGION_MAX { None } else { self.backing.place_chunk(gva.0, len) };
        let Some(chunk) = chunk else {
            self.free.push_front(number);
            return Err(MemoryRefused::Limit);
        };
        let gpa = chunk.gpa;
        let mapping = Mapping { gpa, host, len, access: content.access() };
        // SAFETY: (1) the region keeps the bytes alive until it is unmapped, (2) and nobody
        // writes them.
        if let Err(error) = unsafe { vm.map(mapping) } {
            self.backing.give_chunk(chunk);
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
            published: Vec::new(),
        };
        self.regions.insert(number, region);
        if let Err(error) = self.translate_shared(vm, gva, gpa, len, content) {
            self.remove_region(vm, number)?;
            return Err(error);
        }
        Ok(gva)
    }

    fn translate_shared(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        content: Content,
    ) -> Result<(), MemoryRefused> {
        if content == Content::Code && len <= SMALL_PAGES_UP_TO {
            self.backing.translation.expect_changes(vm, gva, len)?;
        }
        for (from, to, access) in content.parts(len) {
            let (gva, gpa) = (Gva(gva.0 + from), Gpa(gpa.0 + from));
            self.backing.translation.map(vm, gva, gpa, to - from, access)?;
        }
        Ok(())
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
    /// Where that cannot be done in place, the mapping is taken away and made anew, so that no
    /// translation that forbids execution stays with the processor, if it may.
    pub(crate) fn publish(
        &mut self,
        vm: &mut dyn Vm,
        start: Gva,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        let number = region_number(start).ok_or(MemoryRefused::Unknown)?;
        let region = self.regions.get_mut(&number).ok_or(MemoryRefused::Unknown)?;
        let translation = &mut self.backing.translation;
        let page = translation.page_size();
        let offset = start.0.checked_sub(region.gva.0).ok_or(MemoryRefused::Unknown)?;
        let end = offset.checked_add(len).ok_or(MemoryRefused::Unknown)?;
        let aligned = offset.is_multiple_of(page) && len.is_multiple_of(page);
        let [chunk] = region.chunks[..] else { return Err(MemoryRefused::Unknown) };
        if !aligned || end > region.mapped {
            return Err(MemoryRefused::Unknown);
        }
        match region.content {
            Content::Code => {}
            Content::Known(text) if text.start <= offset && end <= text.end => return Ok(()),
            _ => return Err(MemoryRefused::Unknown),
        }
        if region.published.contains(&(offset..end)) {
            return Ok(());
        }
        if region.published.len() >= PUBLISHED_MAX {
            return Err(MemoryRefused::Limit);
        }
        let (gva, host) = (region.gva, region.host);
        let access = Content::Code.access();
        let gpa = Gpa(chunk.gpa.0 + offset);
        if translation.allow_more(vm, start, gpa, len, access)? {
            region.published.push(offset..end);
            return Ok(());
        }
        // Of what was executable before, nothing is any more.
        region.published.clear();
        region.published.push(offset..end);
        translation.unmap(vm, gva, chunk.len)?;
        if translation.may_linger() {
            vm.unmap(chunk.gpa)?;
            let mapping = Mapping { gpa: chunk.gpa, host, len: chunk.len, access };
            // SAFETY: (1) the region keeps the bytes alive until it is unmapped, (2) and nobody
            // writes them.
            unsafe { vm.map(mapping) }?;
        }
        for (from, to, access) in
            [(0, offset, Access::READ), (offset, end, access), (end, chunk.len, Access::READ)]
        {
            let (gva, gpa) = (Gva(gva.0 + from), Gpa(chunk.gpa.0 + from));
            translation.map(vm, gva, gpa, to - from, access)?;
        }
        Ok(())
    }

    fn remove_region(&mut self, vm: &mut dyn Vm, number: u64) -> Result<(), MemoryRefused> {
        let Some(region) = self.regions.get_mut(&number) else { return Ok(()) };
        // Translations first, then the slots: removing a slot also drops every translation
        // that the processor keeps.
        let mapped = std::mem::take(&mut region.mapped);
        if region.shared.is_none() {
            self.backing.mapped -= mapped;
        }
        // Should this fail, the guest may still reach these bytes: they stay for as long as the VM
        // does.
        self.backing.translation.unmap(vm, region.gva, mapped)?;
        self.give_back(vm, number)
    }

    /// Takes a region's memory away, to which no translation leads any more.
    pub(super) fn give_back(&mut self, vm: &mut dyn Vm, number: u64) -> Result<(), MemoryRefused> {
        let Some(region) = self.regions.get_mut(&number) else { return Ok(()) };
        while let Some(&chunk) = region.chunks.last() {
            // Should this fail, the VM may still reach these bytes: they stay for as long as it
            // does.
            vm.unmap(chunk.gpa)?;
            self.backing.give_chunk(chunk);
            region.chunks.pop();
        }
        self.regions.remove(&number);
        self.backing.translation.release(Gva(REGION_BASE + number * REGION_STRIDE), REGION_STRIDE);
        self.free.push_front(number);
        Ok(())
    }

    pub(super) fn grow_heap(&mut self, vm: &mut dyn Vm, len: u64) -> Result<(), MemoryRefused> {
        self.backing.grow_with_slack(vm, &mut self.heap, len, HEAP_MAX)
    }

    /// As [`Backing::back_up_to`] and [`Backing::grow`].
    pub(super) fn back_heap(
        &mut self,
        vm: &mut dyn Vm,
        backed: u64,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        self.backing.back_up_to(vm, &mut self.heap, backed)?;
        self.backing.grow(vm, &mut self.heap, len)
    }
}

impl Backing {
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

    pub(super) fn check_limit(&self, more: u64) -> Result<(), MemoryRefused> {
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
            self.translation.map(vm, gva, gpa, more, READ_WRITE)?;
            region.mapped = end;
            self.mapped += more;
        }
        self.peak = self.peak.max(self.mapped);
        Ok(())
    }

    /// Backs the region's first bytes with memory, `backed` of them at least.
    fn back_up_to(
        &mut self,
        vm: &mut dyn Vm,
        region: &mut Region,
        backed: u64,
    ) -> Result<(), MemoryRefused> {
        if backed <= region.backed { Ok(()) } else { self.add_chunk(vm, region, backed) }
    }

    /// Backs more of the region with memory: what is wanted, or twice what there is.
    fn add_chunk(
        &mut self,
        vm: &mut dyn Vm,
        region: &mut Region,
        wanted: u64,
    ) -> Result<(), MemoryRefused> {
        let doubled = (region.backed * 2).min(region.backed + 64 * SLACK_MAX);
        let least = if self.much_expected && region.reservation.is_some() { MUCH } else { 0 };
        let target = wanted.max(doubled).max(least).min(region.max);
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
        let memory = region.reservation.as_ref().unwrap_or(&self.core);
        // SAFETY: the offset lies within the region's reservation.
        let host = unsafe { region.host.add(offset) };
        // Where that is in the reservation.
        let at = host.addr().get() - memory.base().addr().get();
        // SAFETY: (1) the region keeps its reservation until its chunks are unmapped, (2) and
        // references into it are formed only while the vCPU is stopped; (3) nothing of it was
        // accessible, but for a prepared guest's pages.
        unsafe { vm.map(Mapping { gpa, host, len, access: READ_WRITE }) }?;
        if let Err(error) = memory.protect(at, len as usize, Protection::ReadWrite) {
            vm.unmap(gpa)?;
            return Err(error.into());
        }
        if large_pages {
            memory.prefer_large_pages(at, len as usize);
        }
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
}

/// Addresses taken for `len` bytes that begin `into` a unit, with an inaccessible page behind
/// them.
fn span(into: u64, len: u64) -> Option<u64> {
    into.checked_add(len)?.checked_add(GRANULE)?.checked_next_multiple_of(UNIT)
}

pub(super) fn region_number(gva: Gva) -> Option<u64> {
    let number = gva.0.checked_sub(REGION_BASE)? / REGION_STRIDE;
    (number < REGION_COUNT).then_some(number)
}
