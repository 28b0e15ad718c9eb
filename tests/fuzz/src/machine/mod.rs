//! A hypervisor for a guest that is a Rust value: [`Guest`].
//!
//! It is a backend like any other, with memory, translations and a vCPU, but no processor: what
//! a guest does between two exits is done by its [`Guest::run`], through the translations that
//! the machine gave it. So all that a guest can do to the host, a [`Guest`] can, at once and
//! without a processor that would have to be talked into it.
//!
//! It insists on what a backend is promised: mappings that do not touch and keep to W^X,
//! translations that lead to mapped memory and to no page table.

mod space;

pub use space::{Leaf, Space};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::fetches::watch::Watch;
use std::collections::BTreeMap;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::layout::{GRANULE, MAILBOX_BASE, SYSTEM_BASE};
use wrt_abi::mailbox::{
    MAILBOX_SIZE, PAYLOAD_MAX, PAYLOAD_OFFSET, REQUEST_OFFSET, RESPONSE_OFFSET, RESPONSE_VALUES,
    Request, Response,
};
use wrt_vm::hypervisor::{
    Access, AddressSpace, BootState, Exit, Gpa, Gva, Hypervisor, HypervisorError, Kicker, Mapping,
    Vcpu, Vm,
};

/// What runs in a VM.
pub trait Guest: Send {
    /// Begins anew: memory and registers are as at first.
    fn boot(&mut self);

    /// Goes on until it leaves the VM.
    fn run(&mut self, memory: &mut Memory) -> Exit;
}

/// How a VM translates its guest's addresses.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By page tables in its memory, an x86-64's.
    Tables,
    /// Itself.
    Itself,
}

/// Makes one VM, for one guest.
pub struct Mock<G> {
    form: Form,
    /// Whether what the host reads of guest memory is watched.
    watched: bool,
    guest: Arc<Mutex<G>>,
}

impl<G: Guest + 'static> Mock<G> {
    /// A hypervisor for a guest.
    pub fn new(form: Form, guest: G) -> Self {
        Self { form, watched: false, guest: Arc::new(Mutex::new(guest)) }
    }

    /// Has the VM see to it that the host reads no byte of the mailbox twice, and no page table.
    pub fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// The guest.
    pub fn guest(&self) -> &Mutex<G> {
        &self.guest
    }
}

impl<G: Guest + 'static> Hypervisor for Mock<G> {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn arch(&self) -> Arch {
        Arch::X86_64
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        let Self { form, watched, ref guest } = *self;
        Box::new(Self { form, watched, guest: Arc::clone(guest) })
    }

    fn code_features(&self) -> CpuFeatures {
        Arch::X86_64.baseline()
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        let space = (self.form == Form::Itself).then(Space::default);
        let memory = Memory { mappings: BTreeMap::new(), space, boot: BootState::default() };
        let memory = Shared(Arc::new(Mutex::new(memory)));
        let space = (self.form == Form::Itself).then(|| memory.clone());
        let guest = Arc::clone(&self.guest);
        Ok(Box::new(MockVm { memory, space, guest, watched: self.watched }))
    }
}

/// Guest memory, as the guest and its VM have it.
pub struct Memory {
    mappings: BTreeMap<u64, Mapping>,
    space: Option<Space>,
    boot: BootState,
}

// SAFETY: the pointers in it lead to guest memory, which moves between threads with its machine.
unsafe impl Send for Memory {}

#[derive(Clone)]
struct Shared(Arc<Mutex<Memory>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("no panic is survived")
    }
}

struct MockVm<G> {
    memory: Shared,
    /// The same, if the VM translates.
    space: Option<Shared>,
    guest: Arc<Mutex<G>>,
    #[cfg_attr(
        not(all(target_os = "linux", target_arch = "x86_64")),
        expect(dead_code, reason = "reads are watched on x86-64 Linux alone")
    )]
    watched: bool,
}

fn refusal(action: &'static str) -> HypervisorError {
    HypervisorError::Call { action: action.into(), error: io::ErrorKind::NotFound.into() }
}

impl<G: Guest + 'static> Vm for MockVm<G> {
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError> {
        let Mapping { gpa, host, len, access } = mapping;
        let mut memory = self.memory.lock();
        let addresses = gpa.0 | host.addr().get() as u64 | len;
        assert!(len > 0 && addresses.is_multiple_of(4096), "pages are whole: {mapping:?}");
        assert!(access.is_wx_safe(), "writable and executable: {mapping:?}");
        for other in memory.mappings.values() {
            let apart = |a: &Mapping, b: &Mapping| a.gpa.0 + a.len + GRANULE <= b.gpa.0;
            assert!(
                apart(&mapping, other) || apart(other, &mapping),
                "no guard between {mapping:?} and {other:?}"
            );
        }
        memory.mappings.insert(gpa.0, mapping);
        Ok(())
    }

    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError> {
        let mut memory = self.memory.lock();
        let mapping = memory.mappings.remove(&gpa.0).ok_or_else(|| refusal("unmap"))?;
        // Page tables may linger, as the processor's own copies do in a VM: nothing runs by them.
        if let Some(space) = &memory.space {
            let gone = gpa.0..gpa.0 + mapping.len;
            assert!(!space.leads_to(gone), "the guest still reaches what is taken away");
        }
        Ok(())
    }

    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError> {
        Ok(Box::new(MockVcpu {
            memory: self.memory.clone(),
            guest: Arc::clone(&self.guest),
            kick: Arc::default(),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            watch: self.watched.then(Watch::new),
        }))
    }

    fn address_space(&mut self) -> Option<&mut dyn AddressSpace> {
        self.space.as_mut().map(|space| space as &mut dyn AddressSpace)
    }

    fn forget_translations(&mut self) -> bool {
        true
    }

    fn boundary(&self) -> String {
        "none".to_owned()
    }
}

impl AddressSpace for Shared {
    fn map(&mut self, gva: Gva, gpa: Gpa, len: u64, access: Access) -> Result<(), HypervisorError> {
        let mut memory = self.lock();
        let space = memory.space.as_mut().ok_or_else(|| refusal("map"))?;
        space.map(Leaf { gva: gva.0, gpa: gpa.0, len, access, user: true });
        Ok(())
    }

    fn unmap(&mut self, gva: Gva, len: u64) -> Result<(), HypervisorError> {
        let mut memory = self.lock();
        memory.space.as_mut().ok_or_else(|| refusal("unmap"))?.unmap(gva.0..gva.0 + len);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), HypervisorError> {
        self.lock().space = Some(Space::default());
        Ok(())
    }
}

struct MockVcpu<G> {
    memory: Shared,
    guest: Arc<Mutex<G>>,
    kick: Arc<Kick>,
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    watch: Option<Watch>,
}

#[derive(Default)]
struct Kick(AtomicBool);

impl Kicker for Kick {
    fn kick(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<G: Guest + 'static> Vcpu for MockVcpu<G> {
    fn set_boot_state(&mut self, state: &BootState) -> Result<(), HypervisorError> {
        self.look_away();
        self.memory.lock().boot = *state;
        self.guest.lock().expect("no panic is survived").boot();
        Ok(())
    }

    fn run(&mut self) -> Result<Exit, HypervisorError> {
        self.look_away();
        if self.kick.0.load(Ordering::SeqCst) {
            return Ok(Exit::Kicked);
        }
        let exit = {
            let mut memory = self.memory.lock();
            self.guest.lock().expect("no panic is survived").run(&mut memory)
        };
        self.look();
        Ok(exit)
    }

    fn clear_kick(&mut self) {
        self.kick.0.store(false, Ordering::SeqCst);
    }

    fn kicker(&self) -> Arc<dyn Kicker> {
        Arc::clone(&self.kick) as Arc<dyn Kicker>
    }
}

impl<G> MockVcpu<G> {
    /// The guest has stopped: from now on the host may read each byte once.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn look(&mut self) {
        let memory = self.memory.lock();
        if let Some(watch) = &mut self.watch {
            let [mailbox, system] = [MAILBOX_BASE, SYSTEM_BASE].map(|at| memory.host_of(at));
            watch.arm(mailbox, system, memory.tables());
        }
    }

    /// The guest goes on.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn look_away(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.disarm();
        }
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn look(&mut self) {}

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn look_away(&mut self) {}
}

impl Memory {
    /// What an address leads to: the rest of the stretch from there on.
    pub fn translate(&self, gva: u64) -> Option<Leaf> {
        match &self.space {
            Some(space) => space.translate(gva),
            None => space::walk(self.boot.page_tables.0, gva, |gpa| self.word(gpa)),
        }
    }

    /// All that the guest's addresses lead to.
    pub fn leaves(&self) -> Vec<Leaf> {
        match &self.space {
            Some(space) => space.leaves(),
            None => space::leaves(self.boot.page_tables.0, |gpa| self.word(gpa)),
        }
    }

    /// The mapping that holds an address, and the address's place in it.
    pub fn mapping(&self, gpa: u64) -> Option<(&Mapping, u64)> {
        let (start, mapping) = self.mappings.range(..=gpa).next_back()?;
        (gpa - start < mapping.len).then_some((mapping, gpa - start))
    }

    /// The host's bytes behind an address, and how many there are.
    fn host(&self, gpa: u64) -> Option<(NonNull<u8>, u64)> {
        let (mapping, offset) = self.mapping(gpa)?;
        let place = usize::try_from(offset).ok()?;
        // SAFETY: within the mapping.
        Some((unsafe { mapping.host.add(place) }, mapping.len - offset))
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn host_of(&self, gva: u64) -> Option<NonNull<u8>> {
        let leaf = self.translate(gva)?;
        self.host(leaf.gpa).map(|(host, _)| host)
    }

    /// Where the host has the page tables, and how many bytes of them, guests' addresses of
    /// which lead to nothing: they are before SYSTEM and a guard.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn tables(&self) -> Option<(NonNull<u8>, usize)> {
        let system = self.translate(SYSTEM_BASE)?.gpa;
        let root = self.boot.page_tables.0;
        let (host, _) = self.host(root)?;
        Some((host, usize::try_from(system - GRANULE - root).ok()?))
    }

    /// Guest-physical addresses of the page tables and SYSTEM, if there are any.
    pub fn privileged(&self) -> std::ops::Range<u64> {
        match self.translate(SYSTEM_BASE) {
            Some(system) => self.boot.page_tables.0..system.gpa + GRANULE,
            None => 0..0,
        }
    }

    fn word(&self, gpa: u64) -> u64 {
        let (host, len) = self.host(gpa).expect("page tables are memory");
        assert!(len >= 8);
        // SAFETY: eight bytes of guest memory that is there; the host does nothing meanwhile.
        unsafe { host.cast::<u64>().as_ptr().read_unaligned() }
    }

    /// Writes as the guest would, page by page, as far as it may; returns how many bytes.
    pub fn write(&mut self, gva: u64, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let leaf = gva.checked_add(done as u64).and_then(|at| self.translate(at));
            let Some(leaf) = leaf.filter(|leaf| leaf.user && leaf.access.contains(Access::WRITE))
            else {
                break;
            };
            let (host, len) = self.host(leaf.gpa).expect("translations lead to memory");
            let len = usize::try_from(len.min(leaf.len)).unwrap_or(usize::MAX);
            let len = len.min(bytes.len() - done);
            // SAFETY: guest memory that is there, and nobody refers to while the guest runs.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes[done..].as_ptr(), host.as_ptr(), len);
            }
            done += len;
        }
        done
    }

    /// Reads as the guest would; as [`Self::write`].
    pub fn read(&self, gva: u64, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let leaf = gva.checked_add(done as u64).and_then(|at| self.translate(at));
            let Some(leaf) = leaf.filter(|leaf| leaf.user) else { break };
            let (host, len) = self.host(leaf.gpa).expect("translations lead to memory");
            let len = usize::try_from(len.min(leaf.len)).unwrap_or(usize::MAX);
            let len = len.min(bytes.len() - done);
            // SAFETY: as in `write`.
            unsafe {
                std::ptr::copy_nonoverlapping(host.as_ptr(), bytes[done..].as_mut_ptr(), len);
            }
            done += len;
        }
        done
    }

    /// Puts a request into the mailbox, and as much of a payload as fits.
    pub fn request(&mut self, request: &Request, payload: &[u8]) {
        let mut words = [request.call.to_le_bytes(), request.payload_len.to_le_bytes()].concat();
        words.extend(request.args.iter().flat_map(|word| word.to_le_bytes()));
        self.write(MAILBOX_BASE + REQUEST_OFFSET as u64, &words);
        let payload = &payload[..payload.len().min(PAYLOAD_MAX)];
        self.write(MAILBOX_BASE + PAYLOAD_OFFSET as u64, payload);
    }

    /// Takes the response out of the mailbox.
    ///
    /// # Panics
    ///
    /// When it is longer than the mailbox.
    pub fn response(&self) -> (Response, Vec<u8>) {
        let mut page = vec![0; MAILBOX_SIZE];
        assert_eq!(self.read(MAILBOX_BASE, &mut page), MAILBOX_SIZE, "the mailbox is there");
        let word = |at: usize| {
            u32::from_le_bytes(page[RESPONSE_OFFSET + at..][..4].try_into().expect("a word"))
        };
        let mut values = [0; RESPONSE_VALUES];
        for (value, bytes) in values.iter_mut().zip(page[RESPONSE_OFFSET + 8..].chunks(8)) {
            *value = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        let len = word(4) as usize;
        assert!(len <= PAYLOAD_MAX, "a payload of {len} bytes");
        let response = Response { status: word(0), payload_len: word(4), values };
        (response, page[PAYLOAD_OFFSET..][..len].to_vec())
    }

    /// What holds at any time: the guest reaches its own memory, and does no more with it than
    /// the VM allows.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn check(&self) {
        let privileged = self.privileged();
        let mut leaves = self.leaves();
        for leaf in &leaves {
            let (mapping, offset) = self.mapping(leaf.gpa).expect("a translation to nothing");
            assert!(offset + leaf.len <= mapping.len, "{leaf:x?} leaves its mapping");
            assert!(leaf.access.is_wx_safe(), "{leaf:x?} is writable and executable");
            assert!(mapping.access.contains(leaf.access), "{leaf:x?} allows what the VM does not");
            let apart = leaf.gpa + leaf.len <= privileged.start || privileged.end <= leaf.gpa;
            assert!(!leaf.user || apart, "{leaf:x?} leads to what is privileged");
        }
        leaves.sort_by_key(|leaf| leaf.gpa);
        for pair in leaves.windows(2) {
            assert!(pair[0].gpa + pair[0].len <= pair[1].gpa, "{pair:x?} are one memory");
        }
    }
}
