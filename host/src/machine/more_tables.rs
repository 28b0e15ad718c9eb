//! Page tables that a guest gets when the first are used up: one whose memories grow page by page,
//! or that has hundreds of them.
//!
//! They have guest-physical addresses of their own, which a guest without them has no memory at:
//! most guests are small, and the cost of a slot grows with its size.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::memory::{GUEST_PHYSICAL_MAX, MemoryRefused, READ_WRITE};
use super::translation::TABLES;
use wrt_abi::layout::REGION_COUNT;
use wrt_hypervisor::arch::{Format, PageTables};
use wrt_hypervisor::{Gpa, Mapping, Vm};
use wrt_platform::memory::{Protection, Reservation};

/// Guest-physical address of the first of them.
pub(super) const MORE_GPA: u64 = 0x5000_0000;
/// Tables of upper levels that a region has at most, and one that it begins with.
const TABLES_A_REGION: u64 = 3;

/// Tables beyond the first [`TABLES`].
#[derive(Debug)]
pub(super) struct MoreTables {
    /// How many there may be.
    max: usize,
    /// How many there are.
    count: usize,
    table_size: u64,
    /// Their memory, once there are any.
    memory: Option<Reservation>,
    /// Where the VM has them, mapping by mapping.
    mappings: Vec<Gpa>,
}

impl MoreTables {
    /// None as yet, of as many as a guest may need that has `limit` bytes of memory, each in the
    /// smallest pages.
    pub(super) fn new(format: &Format, limit: u64) -> Self {
        let of_pages = limit.min(GUEST_PHYSICAL_MAX).div_ceil(format.large_page_size());
        let max = (of_pages + TABLES_A_REGION * REGION_COUNT) as usize;
        let table_size = format.page_size();
        Self { max, count: 0, table_size, memory: None, mappings: Vec::new() }
    }

    /// Their memory, to be changed.
    pub(super) fn words(&mut self) -> &mut [u64] {
        let Some(memory) = &self.memory else { return &mut [] };
        let words = self.count * self.table_size as usize / 8;
        // SAFETY: the first `count` tables are committed, aligned as pages are, reached through
        // `&mut self` alone, and the vCPU is stopped while the host edits tables.
        unsafe { std::slice::from_raw_parts_mut(memory.base().cast().as_ptr(), words) }
    }

    /// Makes as many tables again as there are in all.
    pub(super) fn add_to(
        &mut self,
        tables: &mut PageTables,
        vm: &mut dyn Vm,
    ) -> Result<(), MemoryRefused> {
        let count = (TABLES + self.count).min(self.max - self.count);
        if count == 0 {
            return Err(MemoryRefused::Limit);
        }
        let memory = match &mut self.memory {
            Some(memory) => memory,
            none => none.insert(Reservation::new(self.max * self.table_size as usize)?),
        };
        let offset = self.count * self.table_size as usize;
        let len = count * self.table_size as usize;
        let gpa = Gpa(MORE_GPA + offset as u64);
        // SAFETY: within the reservation, since there are no more than `max` tables.
        let host = unsafe { memory.base().add(offset) };
        let mapping = Mapping { gpa, host, len: len as u64, access: READ_WRITE };
        // SAFETY: (1) the reservation is kept until `remove` has unmapped them, or the VM is gone;
        // (2) references are formed in `words` alone, with the vCPU stopped; (3) the bytes are
        // accessible from the next statement on.
        unsafe { vm.map(mapping) }?;
        if let Err(error) = memory.protect(offset, len, Protection::ReadWrite) {
            vm.unmap(gpa)?;
            return Err(error.into());
        }
        self.mappings.push(gpa);
        self.count += count;
        tables.add(Gpa(MORE_GPA), count);
        Ok(())
    }

    /// Takes all of them away. No table that stays leads to one.
    pub(super) fn remove(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        while let Some(&gpa) = self.mappings.last() {
            vm.unmap(gpa)?;
            self.mappings.pop();
        }
        self.count = 0;
        self.memory = None;
        Ok(())
    }
}
