//! The core: what a guest has from its first instruction on.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::super::image::{Image, Segment};
use super::super::read_only::{Part, ReadOnly};
use super::super::translation::tables_size;
use super::{
    CODE_GPA, CORE_GPA, GuestMemory, HEAP_INITIAL, IMAGE_GPA, LARGE_PAGE, MemoryRefused, READ_WRITE,
};
use wrt_abi::layout::{GRANULE, MAILBOX_BASE, STACK_TOP, SYSTEM_BASE, arm};
use wrt_abi::mailbox::MAILBOX_SIZE;
use wrt_hypervisor::arch::{Format, SYSTEM_SIZE, build_system};
use wrt_hypervisor::{Access, BootState, Gpa, Gva, Mapping, Vm};
use wrt_platform::memory::Protection;

/// Heap and stack bytes that every program touches, and whose pages are had in one go: of
/// what the host has, the hypervisor maps neighbours along with a page.
const HEAP_TOUCHED: usize = 128 << 10;
const STACK_TOUCHED: usize = 32 << 10;

/// Offsets in the core of what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreParts {
    /// The page tables come first.
    pub(super) tables_size: usize,
    pub(super) system: usize,
    pub(super) system_size: usize,
    pub(super) data: usize,
    pub(super) data_size: usize,
    pub(super) stack: usize,
    pub(super) stack_size: usize,
    pub(super) mailbox: usize,
    pub(super) heap: usize,
}

impl CoreParts {
    /// The parts of a guest; those of a privileged side if it has page tables.
    pub(super) fn new(
        image: &Image<'_>,
        stack_size: usize,
        tables: Option<&'static Format>,
    ) -> Self {
        let (tables_size, system_size) = match tables {
            Some(format) => (tables_size(format), SYSTEM_SIZE),
            None => (0, 0),
        };
        let data_size = data_size(image);
        // Each part is followed by a guard.
        let after = |at: usize, size: usize| {
            at + (size as u64 + GRANULE).next_multiple_of(GRANULE) as usize
        };
        let system = after(0, tables_size);
        let data = after(system, system_size);
        let stack = after(data, data_size);
        let stack = stack + stack_shift(stack as u64, stack_size as u64, tables) as usize;
        let mailbox = after(stack, stack_size);
        let heap = after(mailbox, MAILBOX_SIZE).next_multiple_of(LARGE_PAGE as usize);
        Self { tables_size, system, system_size, data, data_size, stack, stack_size, mailbox, heap }
    }

    /// What of the core is memory from the start: offsets and sizes.
    fn committed(&self) -> [(usize, usize); 6] {
        [
            (0, self.tables_size),
            (self.system, self.system_size),
            (self.data, self.data_size),
            (self.stack, self.stack_size),
            (self.mailbox, MAILBOX_SIZE),
            (self.heap, HEAP_INITIAL as usize),
        ]
    }
}

/// Bytes to leave out before the stack's place at `at`, so that large pages can map most of a
/// large stack: tables full of small ones would cost more than all else that a VM has.
fn stack_shift(at: u64, stack_size: u64, tables: Option<&'static Format>) -> u64 {
    let Some(large) = tables.map(Format::large_page_size).filter(|&large| stack_size >= large)
    else {
        return 0;
    };
    let wanted = (STACK_TOP - stack_size) % large;
    (wanted + large - (CORE_GPA.0 + at) % large) % large
}

/// Bytes from the first to the last writable segment's end.
fn data_size(image: &Image<'_>) -> usize {
    let writable = || image.segments.iter().filter(|segment| is_data(segment));
    let start = writable().map(|segment| segment.gva.0).min().unwrap_or(0);
    let end = writable().map(|segment| segment.gva.0 + segment.size).max().unwrap_or(0);
    usize::try_from((end - start).next_multiple_of(GRANULE)).unwrap_or(0)
}

fn is_data(segment: &Segment<'_>) -> bool {
    segment.access.contains(Access::WRITE)
}

impl GuestMemory {
    /// Gives the VM the core, and the guest what it may reach of it.
    pub(super) fn map_core(&mut self, vm: &mut dyn Vm) -> Result<(), MemoryRefused> {
        let mapping = Mapping {
            gpa: CORE_GPA,
            host: self.backing.core.base(),
            len: self.parts.heap as u64 + HEAP_INITIAL,
            access: READ_WRITE,
        };
        // SAFETY: (1) `self` keeps the core for as long as the machine keeps the VM, (2) and
        // reaches it by raw pointers only, with the vCPU stopped; (3) it is accessible from
        // the next statement on, but for a prepared guest's pages, which are already.
        unsafe { vm.map(mapping) }?;
        for (offset, size) in self.parts.committed().into_iter().filter(|(_, size)| *size > 0) {
            self.backing.core.protect(offset, size, Protection::ReadWrite)?;
        }
        let CoreParts {
            system,
            system_size,
            data,
            data_size,
            stack,
            stack_size,
            mailbox,
            heap,
            ..
        } = self.parts;
        let gpa = |offset: usize| Gpa(CORE_GPA.0 + offset as u64);
        let translation = &mut self.backing.translation;
        let size = system_size as u64;
        translation.map_privileged(Gva(SYSTEM_BASE), gpa(system), size, READ_WRITE)?;
        if let Some(doorbell) = self.doorbell {
            let gva = Gva(arm::DOORBELL_BASE);
            translation.map_privileged(gva, doorbell, GRANULE, READ_WRITE)?;
        }
        for (gva, offset, size) in [
            (STACK_TOP - stack_size as u64, stack, stack_size),
            (MAILBOX_BASE, mailbox, MAILBOX_SIZE),
        ] {
            translation.map(vm, Gva(gva), gpa(offset), size as u64, READ_WRITE)?;
        }
        if stack_size >= LARGE_PAGE as usize {
            // Most programs need a few pages of it.
            self.backing.core.prefer_small_pages(stack, stack_size);
        }
        self.backing.core.populate(
            stack + stack_size - STACK_TOUCHED.min(stack_size),
            STACK_TOUCHED.min(stack_size),
        );
        self.backing.core.populate(data, data_size);
        self.backing.core.populate(heap, HEAP_TOUCHED);
        self.grow_heap(vm, HEAP_INITIAL)
    }

    /// Gives the VM the image's read-only pages, and the guest all of the image.
    pub(super) fn map_image(
        &mut self,
        vm: &mut dyn Vm,
        image: &'static Image<'static>,
    ) -> Result<(), MemoryRefused> {
        let copy = match self.copies_code(image) {
            true => image.copy()?,
            false => None,
        };
        let copied = |gva| copy.is_some_and(|copy| copy.parts.iter().any(|part| part.gva == gva));
        let others = image.read_only().filter(|segment| !copied(segment.gva));
        self.image_code = 0;
        self.map_read_only(vm, IMAGE_GPA, &ReadOnly::of_file(others))?;
        if let Some(copy) = copy {
            self.map_read_only(vm, CODE_GPA, copy)?;
        }
        let data = image.segments.iter().find(|segment| is_data(segment)).map(|s| s.gva);
        if let Some(gva) = data {
            let gpa = Gpa(CORE_GPA.0 + self.parts.data as u64);
            self.backing.translation.map(vm, gva, gpa, self.parts.data_size as u64, READ_WRITE)?;
        }
        Ok(())
    }

    /// Whether the guest has its code by a copy on large pages.
    pub(super) fn copies_code(&self, image: &Image<'_>) -> bool {
        self.backing.translation.has_large_pages() && image.code_on_large_pages().is_some()
    }

    /// Maps what no guest writes, which is static.
    fn map_read_only(
        &mut self,
        vm: &mut dyn Vm,
        gpa: Gpa,
        image: &ReadOnly,
    ) -> Result<(), MemoryRefused> {
        let access = Access::READ | Access::EXECUTE;
        let mapping = Mapping { gpa, host: image.host, len: image.len, access };
        // SAFETY: (1) static bytes, or a copy that a static image keeps, on pages that hold
        // nothing else, (2) that nobody writes.
        unsafe { vm.map(mapping) }?;
        for &Part { gva, offset, len, access, privileged } in &image.parts {
            let gpa = Gpa(gpa.0 + offset);
            match privileged {
                true => self.backing.translation.map_privileged(gva, gpa, len, access)?,
                false => self.backing.translation.map(vm, gva, gpa, len, access)?,
            }
            if access.contains(Access::EXECUTE) && !privileged {
                self.image_code += len;
            }
        }
        Ok(())
    }

    /// Writes what a guest finds in its data when it boots for the first time.
    pub(super) fn write_data(&mut self, image: &Image<'_>) {
        let data_start = image.segments.iter().find(|s| is_data(s)).map_or(0, |s| s.gva.0);
        for segment in image.segments.iter().filter(|segment| is_data(segment)) {
            let offset = self.parts.data + (segment.gva.0 - data_start) as usize;
            // SAFETY: the part was made as long as all data segments together.
            unsafe {
                let to = self.backing.core.base().add(offset).as_ptr();
                std::ptr::copy_nonoverlapping(segment.bytes.as_ptr(), to, segment.bytes.len());
            }
        }
    }

    /// Writes what the stub and the processor find when the guest boots.
    pub(super) fn prepare_boot(&mut self, image: &Image<'_>) {
        let mut system = Box::new([0; SYSTEM_SIZE]);
        let doorbell = self.doorbell.is_some();
        self.boot = BootState {
            entry: image.entry,
            stack: Gva(STACK_TOP),
            faults: image.faults,
            page_tables: self.backing.translation.root(),
            descriptors: build_system(&mut system, image.arch, doorbell),
        };
        if !self.backing.translation.has_privileged_side() {
            return;
        }
        // SAFETY: the part is committed and SYSTEM_SIZE bytes long.
        unsafe {
            let to = self.backing.core.base().add(self.parts.system).as_ptr();
            std::ptr::copy_nonoverlapping(system.as_ptr(), to, SYSTEM_SIZE);
        }
    }
}
