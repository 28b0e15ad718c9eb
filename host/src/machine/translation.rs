//! Who translates the guest's addresses: page tables of the machine's, or the backend.
//!
//! A VM has page tables, which this writes into a part of the core that no guest-virtual
//! address leads to. A backend without them keeps an [`AddressSpace`] for the guest. Guest
//! memory tells the two apart here and nowhere else, but for two things: what is privileged
//! does not exist where there are no rings, and a processor may go on using translations that
//! the tables hold no more. An Arm guest's stub sees to that when it is asked; an x86-64 guest
//! has them until the memory that they lead to is gone.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::memory::{LARGE_PAGE, MemoryRefused};
use super::more_tables::MoreTables;
use std::ptr::NonNull;
use wrt_hypervisor::arch::{Format, OutOfTables, PageTables, Pool};
use wrt_hypervisor::{Access, AddressSpace, Gpa, Gva, Vm};

/// Page tables that a guest has from the start; they are untouched until used.
pub(super) const TABLES: usize = 1024;

/// Bytes of guest memory that tables of a form take.
pub(super) fn tables_size(format: &Format) -> usize {
    TABLES * format.page_size() as usize
}

/// The form of a guest's translations.
#[derive(Debug)]
pub(super) enum Translation {
    /// Page tables in guest memory.
    Tables {
        /// What is known of them.
        tables: PageTables,
        /// Where the host has the first.
        pool: NonNull<u64>,
        /// Those that were added.
        more: Box<MoreTables>,
        /// Where the host asks the stub to have the processor forget what it knows of them,
        /// if it does.
        upkeep: Option<NonNull<u64>>,
    },
    /// The backend's.
    Backend,
}

// SAFETY: the pool is guest memory, which moves between threads with its machine.
unsafe impl Send for Translation {}

impl Translation {
    /// Page tables at `gpa`, zeroed as yet, for a guest that may have `limit` bytes of memory.
    ///
    /// # Safety
    ///
    /// 1. [`tables_size`] bytes at `pool`, and the word `upkeep`, stay readable and writable
    ///    for this value's life.
    /// 2. They are aligned to 8 bytes, and nobody else refers to them.
    pub(super) unsafe fn tables(
        format: &'static Format,
        pool: NonNull<u64>,
        gpa: Gpa,
        upkeep: Option<NonNull<u64>>,
        limit: u64,
    ) -> Self {
        let more = Box::new(MoreTables::new(format, limit));
        Self::Tables { tables: PageTables::new(format, gpa, TABLES), pool, more, upkeep }
    }

    /// Bytes of the smallest page, which all addresses and lengths here are multiples of.
    pub(super) fn page_size(&self) -> u64 {
        match self {
            Self::Tables { tables, .. } => tables.format().page_size(),
            Self::Backend => wrt_platform::memory::page_size() as u64,
        }
    }

    /// Whether the guest has a privileged side, which needs memory of its own.
    pub(super) fn has_privileged_side(&self) -> bool {
        matches!(self, Self::Tables { .. })
    }

    /// Whether there are page tables whose large pages are as large as the host's.
    pub(super) fn has_large_pages(&self) -> bool {
        match self {
            Self::Tables { tables, .. } => tables.format().large_page_size() == LARGE_PAGE,
            Self::Backend => false,
        }
    }

    /// Whether translations that were taken away may be used until the memory that they led
    /// to is taken away too.
    pub(super) fn may_linger(&self) -> bool {
        matches!(self, Self::Tables { upkeep: None, .. })
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
            Self::Tables { .. } => self.map_in_tables(Some(vm), gva, gpa, len, access, true),
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
            Self::Tables { .. } => self.map_in_tables(None, gva, gpa, len, access, false),
            Self::Backend => Ok(()),
        }
    }

    /// Has a range that is not mapped yet be mapped so that [`Self::allow_more`] can change any
    /// part of it, where page tables do that by the size of their pages.
    pub(super) fn expect_changes(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        loop {
            let Some((tables, mut pool)) = self.edit() else { return Ok(()) };
            match tables.use_small_pages(&mut pool, gva, len) {
                Ok(()) => return Ok(()),
                Err(OutOfTables) => self.add_tables(vm)?,
            }
        }
    }

    /// Lets the guest do more with a part of what it reaches at `gva`: `access`, and what it
    /// could do before. Returns whether that is possible as things are.
    ///
    /// What a processor, or a hypervisor that shadows page tables, knows of a page is at worst
    /// that less is allowed than is. The one forgets that on request. The other looks at the
    /// tables again when the guest meets a refusal: it finds the same memory in a page of the
    /// same size there, which it can cope with, unlike a table in a page's place.
    pub(super) fn allow_more(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
    ) -> Result<bool, MemoryRefused> {
        match self {
            Self::Tables { tables, upkeep, .. } => {
                // The stub sees to it where there is upkeep.
                if !tables.has_edges_at(gva, len) || upkeep.is_none() && !vm.forget_translations() {
                    return Ok(false);
                }
                self.map_in_tables(Some(vm), gva, gpa, len, access, true)?;
            }
            Self::Backend if len == 0 => {}
            Self::Backend => space(vm)?.map(gva, gpa, len, access)?,
        }
        Ok(true)
    }

    /// Maps a range in the tables, of which there are more then, if there is a VM to add them to.
    fn map_in_tables(
        &mut self,
        mut vm: Option<&mut dyn Vm>,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
        user: bool,
    ) -> Result<(), MemoryRefused> {
        loop {
            let Some((tables, mut pool)) = self.edit() else { return Ok(()) };
            let Err(OutOfTables) = tables.map(&mut pool, gva, gpa, len, access, user) else {
                return Ok(());
            };
            // Not half of it: the chunk behind it may go.
            tables.unmap(&mut pool, gva, len);
            match &mut vm {
                Some(vm) => self.add_tables(*vm)?,
                None => return Err(MemoryRefused::Limit),
            }
        }
    }

    fn add_tables(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { tables, more, .. } => more.add_to(tables, vm),
            Self::Backend => Err(MemoryRefused::Unknown),
        }
    }

    /// The tables and their memory, to be changed; the processor will forget what it knows of
    /// them before the runtime goes on, if it can be asked to.
    fn edit(&mut self) -> Option<(&mut PageTables, Pool<'_>)> {
        let Self::Tables { tables, pool, more, upkeep } = self else { return None };
        if let Some(upkeep) = upkeep {
            // SAFETY: valid (1) and ours (2), and the vCPU is stopped. Volatile: the stub
            // writes it too. What it wrote is not read.
            unsafe { upkeep.as_ptr().write_volatile(1) };
        }
        let words = tables_size(tables.format()) / 8;
        // SAFETY: as long and as valid as `tables` was promised (1), ours alone (2), and the
        // vCPU is stopped.
        let first = unsafe { std::slice::from_raw_parts_mut(pool.as_ptr(), words) };
        Some((tables, Pool { first, more: more.words() }))
    }

    /// Takes the translations of a range away.
    pub(super) fn unmap(
        &mut self,
        vm: &mut dyn Vm,
        gva: Gva,
        len: u64,
    ) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { .. } => {
                if let Some((tables, mut pool)) = self.edit() {
                    tables.unmap(&mut pool, gva, len);
                }
            }
            Self::Backend if len == 0 => {}
            Self::Backend => space(vm)?.unmap(gva, len)?,
        }
        Ok(())
    }

    /// Gives what translations of a range took to others, of which there are none any more. The
    /// memory that they led to is gone from the VM, and with it what the processor knew of them.
    pub(super) fn release(&mut self, gva: Gva, len: u64) {
        if let Some((tables, mut pool)) = self.edit() {
            tables.release(&mut pool, gva, len);
        }
    }

    /// Takes all of them away. The memory of the first tables is the caller's to zero.
    pub(super) fn clear(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        match self {
            Self::Tables { tables, more, .. } => {
                tables.clear();
                more.remove(vm)?;
            }
            Self::Backend => space(vm)?.clear()?,
        }
        Ok(())
    }
}

fn space(vm: &mut dyn Vm) -> Result<&mut dyn AddressSpace, MemoryRefused> {
    // A VM that had one when this was made has one for ever.
    vm.address_space().ok_or(MemoryRefused::Unknown)
}
