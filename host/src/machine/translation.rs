//! Who translates the guest's addresses: page tables of the machine's, or the backend.
//!
//! A VM has page tables, which this writes into a part of the core that no guest-virtual
//! address leads to. A backend without them keeps an [`AddressSpace`] for the guest. Guest
//! memory tells the two apart here and nowhere else, but for two things: what is privileged
//! does not exist where there are no rings, and a processor may go on using translations that
//! the tables hold no more.

use super::arch::{PageTables, TABLE_SIZE};
use super::memory::MemoryRefused;
use crate::hypervisor::{Access, AddressSpace, Gpa, Gva, Vm};
use std::ptr::NonNull;

/// Page tables that a guest can have: 4 MiB of them, untouched until used.
const TABLES: usize = 1024;
/// Bytes of guest memory that they take.
pub(super) const TABLES_SIZE: usize = TABLES * TABLE_SIZE;

/// The form of a guest's translations.
#[derive(Debug)]
pub(super) enum Translation {
    /// Page tables in guest memory.
    Tables {
        /// What is known of them.
        tables: PageTables,
        /// Where the host has them.
        pool: NonNull<u64>,
    },
    /// The backend's.
    Backend,
}

// SAFETY: the pool is guest memory, which moves between threads with its machine.
unsafe impl Send for Translation {}

impl Translation {
    /// Page tables at `gpa`, zeroed as yet.
    ///
    /// # Safety
    ///
    /// 1. [`TABLES_SIZE`] bytes at `pool` stay readable and writable for this value's life.
    /// 2. They are aligned to 8 bytes, and nobody else refers to them.
    pub(super) unsafe fn tables(pool: NonNull<u64>, gpa: Gpa) -> Self {
        Self::Tables { tables: PageTables::new(gpa, TABLES), pool }
    }

    /// Whether the guest has a privileged side, which needs memory of its own.
    pub(super) fn has_privileged_side(&self) -> bool {
        matches!(self, Self::Tables { .. })
    }

    /// Whether translations that were taken away may be used until the memory that they led
    /// to is taken away too.
    pub(super) fn may_linger(&self) -> bool {
        matches!(self, Self::Tables { .. })
    }

    /// Address of the root table, if there are tables.
    pub(super) fn root(&self) -> Gpa {
        match self {
            Self::Tables { tables, .. } => tables.root(),
            Self::Backend => Gpa(0),
        }
    }

    /// Has the unprivileged guest reach `gpa` at `gva`.
    pub(super) fn map(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
    ) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { .. } => self.map_in_tables(gva, gpa, len, access, true),
            Self::Backend if len == 0 => Ok(()),
            Self::Backend => Ok(space(vm)?.map(gva, gpa, len, access)?),
        }
    }

    /// As [`Self::map`], for the stub alone. Does nothing where there is none.
    pub(super) fn map_privileged(
        &mut self,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
    ) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { .. } => self.map_in_tables(gva, gpa, len, access, false),
            Self::Backend => Ok(()),
        }
    }

    fn map_in_tables(
        &mut self,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
        user: bool,
    ) -> Result<(), MemoryRefused> {
        let Self::Tables { tables, pool } = self else { return Ok(()) };
        // SAFETY: as long and as valid as `tables` was promised (1), ours alone (2), and the
        // vCPU is stopped.
        let pool = unsafe { std::slice::from_raw_parts_mut(pool.as_ptr(), TABLES_SIZE / 8) };
        let mapped = tables.map(pool, gva, gpa, len, access, user);
        if mapped.is_err() {
            // Not half of it: the chunk behind it may go.
            tables.unmap(pool, gva, len);
        }
        mapped.map_err(|_| MemoryRefused::Limit)
    }

    /// Takes the translations of a range away.
    pub(super) fn unmap(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { tables, pool } => {
                // SAFETY: as in `map_in_tables`.
                let pool =
                    unsafe { std::slice::from_raw_parts_mut(pool.as_ptr(), TABLES_SIZE / 8) };
                tables.unmap(pool, gva, len);
            }
            Self::Backend if len == 0 => {}
            Self::Backend => space(vm)?.unmap(gva, len)?,
        }
        Ok(())
    }

    /// Takes all of them away. The memory of tables is the caller's to zero.
    pub(super) fn clear(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { tables, .. } => *tables = PageTables::new(tables.root(), TABLES),
            Self::Backend => space(vm)?.clear()?,
        }
        Ok(())
    }
}

fn space(vm: &mut dyn Vm) -> Result<&mut dyn AddressSpace, MemoryRefused> {
    // A VM that had one when this was made has one for ever.
    vm.address_space().ok_or(MemoryRefused::Unknown)
}
