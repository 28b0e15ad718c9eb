//! A guest's memory with a hypervisor that takes notes.

use super::*;
use crate::machine::more_tables::MORE_GPA;
use std::io;
use wrt_abi::EngineKind;
use wrt_guest_images::GUESTS;
use wrt_hypervisor::arch::reading::{self, Entry};
use wrt_hypervisor::{AddressSpace, Vcpu};

/// Bytes that a guest of these tests may have.
pub(super) const LIMIT: u64 = 64 << 20;
const STACK: usize = 64 << 10;

/// Who translates the guest's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Page tables in the core, an x86-64's.
    X86_64,
    /// Page tables in the core, an Arm's.
    Aarch64,
    /// The hypervisor.
    Backend,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::X86_64, Self::Aarch64, Self::Backend];
}

/// Remembers what is mapped, and insists on the rules for it.
#[derive(Default)]
pub(super) struct Notes {
    /// What the guest reaches, page by page, if that is kept here.
    pub(super) space: Option<Space>,
    /// By address.
    pub(super) mappings: BTreeMap<u64, Mapping>,
    pub(super) refuse_maps: bool,
    pub(super) refuse_unmaps: bool,
    /// Whether it can have translations forgotten.
    pub(super) forgets: bool,
    /// Whether it wants no pages that RAM is to begin with.
    pub(super) makes_pages: bool,
}

// SAFETY: the pointers in it are read by one test thread, while what they point to lives.
unsafe impl Send for Notes {}

fn refusal() -> HypervisorError {
    HypervisorError::Call { action: "please".into(), error: io::Error::other("a test refuses") }
}

impl Vm for Notes {
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError> {
        if self.refuse_maps {
            return Err(refusal());
        }
        let Mapping { gpa, host, len, access } = mapping;
        let host = host.addr().get() as u64;
        assert!(len > 0, "an empty mapping");
        assert!((gpa.0 | host | len).is_multiple_of(4096), "pages are whole: {mapping:?}");
        assert!(access.is_wx_safe(), "writable and executable: {mapping:?}");
        let of_tables = |at: &u64| (MORE_GPA..CHUNKS_GPA).contains(at);
        for (start, other) in &self.mappings {
            // No address of the guest leads to page tables: those that are added are in one piece.
            let guard = if of_tables(&gpa.0) && of_tables(start) { 0 } else { GRANULE };
            let apart = gpa.0 + len + guard <= *start || start + other.len + guard <= gpa.0;
            assert!(apart, "no guard between {mapping:?} and {other:?}");
        }
        self.mappings.insert(gpa.0, mapping);
        Ok(())
    }

    fn takes_pages(&self) -> bool {
        !self.makes_pages
    }

    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError> {
        if self.refuse_unmaps {
            return Err(refusal());
        }
        self.mappings.remove(&gpa.0).map(drop).ok_or_else(refusal)
    }

    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError> {
        Err(refusal())
    }

    fn address_space(&mut self) -> Option<&mut dyn AddressSpace> {
        self.space.as_mut().map(|space| space as &mut dyn AddressSpace)
    }

    fn forget_translations(&mut self) -> bool {
        self.forgets
    }

    fn boundary(&self) -> String {
        "none".to_owned()
    }
}

/// An address space that takes notes: what each page leads to.
#[derive(Default)]
pub(super) struct Space {
    pages: BTreeMap<u64, Leaf>,
}

impl AddressSpace for Space {
    fn map(&mut self, gva: Gva, gpa: Gpa, len: u64, access: Access) -> Result<(), HypervisorError> {
        assert!(access.is_wx_safe() && (gva.0 | gpa.0 | len).is_multiple_of(4096) && len > 0);
        for offset in (0..len).step_by(4096) {
            let leaf = Leaf {
                gpa: gpa.0 + offset,
                writable: access.contains(Access::WRITE),
                user: true,
                executable: access.contains(Access::EXECUTE),
            };
            self.pages.insert(gva.0 + offset, leaf);
        }
        Ok(())
    }

    fn unmap(&mut self, gva: Gva, len: u64) -> Result<(), HypervisorError> {
        assert!((gva.0 | len).is_multiple_of(4096) && len > 0);
        for offset in (0..len).step_by(4096) {
            self.pages.remove(&(gva.0 + offset));
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), HypervisorError> {
        self.pages.clear();
        Ok(())
    }
}

impl Notes {
    /// The mapping that holds an address.
    pub(super) fn mapping_at(&self, gpa: u64) -> Option<&Mapping> {
        let (start, mapping) = self.mappings.range(..=gpa).next_back()?;
        (gpa < start + mapping.len).then_some(mapping)
    }
}

/// Host bytes behind `gpa..gpa + len`.
pub(super) fn host_bytes(mapping: &Mapping, gpa: u64, len: usize) -> Vec<u8> {
    let offset = gpa - mapping.gpa.0;
    assert!(offset + len as u64 <= mapping.len);
    // SAFETY: within the mapping, whose host bytes live (the trait's rule), and which no
    // vCPU writes: there is none.
    unsafe {
        let from = mapping.host.add(offset as usize).as_ptr();
        std::slice::from_raw_parts(from, len).to_vec()
    }
}

/// What a guest-virtual address leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) gpa: u64,
    pub(super) writable: bool,
    pub(super) user: bool,
    pub(super) executable: bool,
}

impl Leaf {
    fn new(gpa: u64, access: Access, user: bool) -> Self {
        let [writable, executable] =
            [Access::WRITE, Access::EXECUTE].map(|kind| access.contains(kind));
        Self { gpa, writable, user, executable }
    }
}

pub(super) struct Fixture {
    pub(super) vm: Notes,
    pub(super) memory: GuestMemory,
    pub(super) image: &'static Image<'static>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    pub(super) fn with_limit(limit: u64) -> Self {
        Self::with(limit, Form::X86_64)
    }

    pub(super) fn of(form: Form) -> Self {
        Self::with(LIMIT, form)
    }

    /// Another VM with the same image, that may have less.
    pub(super) fn small(&self) -> Self {
        Self::make(self.image, self.vm.space.is_some(), LIMIT / 4, None)
    }

    /// Another VM, whose guest goes on from one of this one's.
    pub(super) fn another(&self, from: &Prepared) -> Self {
        Self::make(self.image, self.vm.space.is_some(), LIMIT, Some(from))
    }

    fn with(limit: u64, form: Form) -> Self {
        // One image will do for both: nothing executes it.
        let mut image = Image::parse(GUESTS[0].image(EngineKind::Interp)).unwrap();
        image.arch = match form {
            Form::Aarch64 => Arch::Aarch64,
            Form::X86_64 | Form::Backend => Arch::X86_64,
        };
        // What VMs may map stays.
        let image: &'static _ = Box::leak(Box::new(image));
        Self::make(image, form == Form::Backend, limit, None)
    }

    /// A VM whose guest has a stack of another size.
    pub(super) fn with_stack(form: Form, stack: usize) -> Self {
        let Self { image, .. } = Self::of(form);
        let mut vm = Notes::default();
        let memory = GuestMemory::new(&mut vm, image, stack, LIMIT, None).unwrap();
        Self { vm, memory, image }
    }

    /// A backend that translates makes the pages, too.
    fn make(
        image: &'static Image<'static>,
        translates: bool,
        limit: u64,
        from: Option<&Prepared>,
    ) -> Self {
        let space = translates.then(Space::default);
        let mut vm = Notes { space, makes_pages: translates, ..Notes::default() };
        let memory = GuestMemory::new(&mut vm, image, STACK, limit, from).unwrap();
        Self { vm, memory, image }
    }

    pub(super) fn shared(len: usize) -> Arc<SharedBytes> {
        Arc::new(SharedBytes::new(len, |_| Ok::<_, io::Error>(())).unwrap())
    }

    pub(super) fn share(&mut self, len: u64) -> Gva {
        self.memory.share(&mut self.vm, Self::shared(len as usize), Content::Data).unwrap()
    }

    /// What the guest reaches at an address.
    pub(super) fn translate(&self, gva: u64) -> Option<Leaf> {
        if let Some(space) = &self.vm.space {
            let leaf = space.pages.get(&(gva & !0xfff))?;
            return Some(Leaf { gpa: leaf.gpa + gva % 4096, ..*leaf });
        }
        self.walk_tables(gva)
    }

    /// Walks the guest's page tables as its processor would.
    fn walk_tables(&self, gva: u64) -> Option<Leaf> {
        let format = arch::format(self.image.arch);
        let mut table = self.memory.boot_state().page_tables.0;
        for level in (1..=format.root).rev() {
            let at = table + format.index(level, gva) as u64 * 8;
            let bytes = host_bytes(self.vm.mapping_at(at).unwrap(), at, 8);
            let entry = u64::from_le_bytes(bytes.try_into().unwrap());
            match reading::read(self.image.arch, entry, level) {
                Entry::Nothing => return None,
                Entry::Table(address) => table = address,
                Entry::Page { address, access, user, .. } => {
                    let gpa = address + gva % (1 << format.span_bits(level - 1));
                    return Some(Leaf::new(gpa, access, user));
                }
            }
        }
        None
    }

    /// Every page that the guest reaches, and its length.
    pub(super) fn leaves(&self) -> Vec<(Leaf, u64)> {
        if let Some(space) = &self.vm.space {
            return space.pages.values().map(|leaf| (*leaf, 4096)).collect();
        }
        let format = arch::format(self.image.arch);
        let mut leaves = Vec::new();
        let mut tables = vec![(self.memory.boot_state().page_tables.0, format.root)];
        while let Some((table, level)) = tables.pop() {
            let bytes = host_bytes(self.vm.mapping_at(table).unwrap(), table, format.entries() * 8);
            for entry in bytes.chunks_exact(8) {
                let entry = u64::from_le_bytes(entry.try_into().unwrap());
                match reading::read(self.image.arch, entry, level) {
                    Entry::Nothing => {}
                    Entry::Table(address) => tables.push((address, level - 1)),
                    Entry::Page { address, access, user, .. } => {
                        let len = 1 << format.span_bits(level - 1);
                        leaves.push((Leaf::new(address, access, user), len));
                    }
                }
            }
        }
        leaves
    }

    /// All bytes of the core, the first heap included, but for the page tables.
    pub(super) fn core_bytes(&self) -> Vec<u8> {
        let core = &self.vm.mappings[&CORE_GPA.0];
        // The guards between its parts are part of the mapping, but nobody may touch them.
        let parts = self.memory.parts;
        [
            (parts.system, parts.system_size),
            (parts.stack, parts.stack_size),
            (parts.mailbox, MAILBOX_SIZE),
            (parts.data, parts.data_size),
            (parts.heap, HEAP_INITIAL as usize),
        ]
        .into_iter()
        .flat_map(|(at, len)| host_bytes(core, CORE_GPA.0 + at as u64, len))
        .collect()
    }

    /// Overwrites all of the core that a guest could write.
    pub(super) fn fill_core(&mut self, byte: u8) {
        let parts = self.memory.parts;
        for (at, len) in [
            (parts.system, parts.system_size),
            (parts.stack, parts.stack_size),
            (parts.mailbox, MAILBOX_SIZE),
            (parts.heap, HEAP_INITIAL as usize),
        ] {
            // SAFETY: these parts are committed, and no vCPU is there.
            unsafe { self.memory.backing.core.base().add(at).write_bytes(byte, len) };
        }
    }

    /// Mappings that a VM always has: the core, the image, and its code if that is copied; and
    /// those of page tables that it was given later.
    pub(super) fn fixed(&self) -> usize {
        2 + usize::from(self.memory.backing.translation.has_large_pages()) + self.more_tables()
    }

    /// Mappings of page tables beyond the core's.
    pub(super) fn more_tables(&self) -> usize {
        self.vm.mappings.range(MORE_GPA..CHUNKS_GPA).count()
    }

    /// All that must hold at any time.
    pub(super) fn check(&self) {
        let memory = &self.memory;
        let regions = memory.regions.values();
        let writable: u64 = regions.filter(|r| r.shared.is_none()).map(|r| r.mapped).sum();
        let (mapped, peak) = memory.usage();
        assert_eq!(mapped, memory.heap.mapped + writable);
        assert!(
            mapped <= peak && peak <= memory.backing.limit,
            "{mapped} and {peak} of {}",
            memory.backing.limit
        );
        let mut numbers: Vec<u64> = memory.regions.keys().chain(&memory.free).copied().collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..REGION_COUNT), "each number is free once, or in use");
        let regions = memory.regions.values().chain([&memory.heap]);
        let chunks: usize = regions.clone().map(|region| region.chunks.len()).sum();
        assert_eq!(self.vm.mappings.len(), chunks + self.fixed(), "a mapping that nobody owns");
        for region in regions {
            self.check_region(region);
        }
        let code = self.leaves().into_iter().filter(|(leaf, _)| leaf.executable);
        let executable: u64 = code
            .filter(|(leaf, _)| leaf.user)
            .map(|(leaf, len)| {
                assert!(!leaf.writable, "writable and executable");
                len
            })
            .sum();
        assert_eq!(executable, memory.executable());
    }

    fn check_region(&self, region: &Region) {
        let Region { gva, mapped, shared, content, .. } = region;
        let ends = [0, mapped / 2, mapped.saturating_sub(1)];
        for at in ends.into_iter().filter(|at| at < mapped) {
            let leaf = self.translate(gva.0 + at).expect("usable bytes are mapped");
            assert!(leaf.user && leaf.writable == shared.is_none());
            assert!(!leaf.executable || *content != Content::Data);
            let mapping = self.vm.mapping_at(leaf.gpa).expect("and backed");
            assert_eq!(mapping.access.contains(Access::WRITE), shared.is_none());
            let host = mapping.host.addr().get() as u64 + (leaf.gpa - mapping.gpa.0);
            let wanted = region.host.addr().get() as u64 + at;
            assert_eq!(host, wanted, "guest and host see the same byte at {gva} + {at:#x}");
        }
        assert!(self.translate(gva.0 - 1).is_none(), "a guard below {gva}");
        assert!(self.translate(gva.0 + mapped).is_none(), "nothing above {gva} + {mapped:#x}");
    }
}
