//! The floor: a VM made by nothing but the ioctls that it takes.
//!
//! Its vCPU starts as ours does, in ring 3 of long mode, and executes `out` for ever, which a
//! task state segment allows. There are no descriptor tables: nothing may fault.

use kvm_bindings::{
    KVM_MAX_CPUID_ENTRIES, KVM_MEM_READONLY, kvm_regs, kvm_segment, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};

/// A memory slot: guest-physical address, length, whether the guest may write.
pub(crate) type Slot = (u64, usize, bool);

/// Three page tables, a task state segment and a page of code.
pub(crate) const SMALLEST: [Slot; 1] = [(0, 5 * PAGE, true)];
/// The slots of a fresh [`wrt_vm::MicroVm`], see host/src/machine/memory.rs: the core and the
/// image, to some pages.
pub(crate) const LIKE_OURS: [Slot; 2] =
    [(0x0010_0000, 6656 << 10, true), (0x4000_0000, 4356 << 10, false)];

const PAGE: usize = 4096;
const TSS_OFFSET: usize = 3 * PAGE;
const CODE_OFFSET: usize = 4 * PAGE;
/// `out 0x10, al; jmp` back to it.
const CODE: [u8; 4] = [0xe6, 0x10, 0xeb, 0xfc];

/// Intel SDM volume 3A, 2.5: PG, WP, NE, ET, MP, PE; OSXMMEXCPT, OSFXSR, PAE; LMA, LME.
const CR0: u64 = 0x8001_0033;
const CR4: u64 = 0x620;
const EFER: u64 = 0x500;
/// The reserved bit.
const RFLAGS: u64 = 2;
/// Present, writable, user, accessed, dirty; and large.
const TABLE: u64 = 0x27;
const LARGE: u64 = 0xe7;

/// A raw VM with one vCPU.
pub(crate) struct RawVm {
    vcpu: VcpuFd,
    _vm: VmFd,
    memory: Vec<Memory>,
}

/// Anonymous pages.
struct Memory {
    start: *mut u8,
    len: usize,
}

impl Memory {
    fn new(len: usize) -> Self {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "no memory for a VM");
        Self { start: start.cast(), len }
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.len);
        // SAFETY: within the mapping, which nothing refers to; the vCPU is stopped.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(offset), bytes.len());
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `new`; the VM that used it is gone.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

impl RawVm {
    /// Makes a VM that is ready to run.
    pub(crate) fn new(slots: &[Slot]) -> Result<Self, kvm_ioctls::Error> {
        let system = Kvm::new()?;
        let vm = system.create_vm()?;
        let memory: Vec<Memory> = slots.iter().map(|&(_, len, _)| Memory::new(len)).collect();
        for (number, (&(gpa, len, writable), memory)) in (0..).zip(slots.iter().zip(&memory)) {
            let region = kvm_userspace_memory_region {
                slot: number,
                flags: if writable { 0 } else { KVM_MEM_READONLY },
                guest_phys_addr: gpa,
                memory_size: len as u64,
                userspace_addr: memory.start.addr() as u64,
            };
            // SAFETY: the memory lives until the VM is dropped.
            unsafe { vm.set_user_memory_region(region) }?;
        }
        let tables = slots[0].0;
        write_tables(&memory[0], tables);
        // Behind the tables, or at the start of the last slot if there are several.
        let code = if slots.len() == 1 { CODE_OFFSET } else { 0 };
        let last = slots.len() - 1;
        memory[last].write(code, &CODE);
        // The I/O bitmap follows the segment's 104 bytes; zeros allow every port.
        memory[0].write(TSS_OFFSET + 102, &104u16.to_le_bytes());

        let vcpu = vm.create_vcpu(0)?;
        vcpu.set_cpuid2(&system.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?)?;
        let mut sregs = vcpu.get_sregs()?;
        (sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer) = (CR0, tables, CR4, EFER);
        sregs.cs = segment(0x23, 11, true);
        let data = segment(0x1b, 3, false);
        (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
        sregs.tr = kvm_segment {
            base: tables + TSS_OFFSET as u64,
            limit: 0xfff,
            selector: 0x28,
            type_: 11,
            present: 1,
            ..kvm_segment::default()
        };
        vcpu.set_sregs(&sregs)?;
        let rip = slots[last].0 + code as u64;
        vcpu.set_regs(&kvm_regs { rip, rflags: RFLAGS, ..kvm_regs::default() })?;
        Ok(Self { vcpu, _vm: vm, memory })
    }

    /// Runs to the next `out`.
    pub(crate) fn run(&mut self) {
        match self.vcpu.run() {
            Ok(VcpuExit::IoOut(0x10, _)) => {}
            other => panic!("the raw VM of {} slots ended: {other:?}", self.memory.len()),
        }
    }
}

/// Maps the first GiB to itself in large pages.
fn write_tables(memory: &Memory, at: u64) {
    let page = PAGE as u64;
    memory.write(0, &((at + page) | TABLE).to_le_bytes());
    memory.write(PAGE, &((at + 2 * page) | TABLE).to_le_bytes());
    let large: Vec<u8> = (0..512u64).flat_map(|n| ((n << 21) | LARGE).to_le_bytes()).collect();
    memory.write(2 * PAGE, &large);
}

/// A flat ring 3 segment.
fn segment(selector: u16, type_: u8, code: bool) -> kvm_segment {
    kvm_segment {
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        dpl: 3,
        s: 1,
        l: code.into(),
        db: (!code).into(),
        g: 1,
        ..kvm_segment::default()
    }
}
