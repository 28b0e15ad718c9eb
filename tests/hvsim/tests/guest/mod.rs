//! A VM with a few instructions in it, without translation: one test at a time has one.

use applevisor_sys::*;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A page.
pub const PAGE: usize = PAGE_SIZE;
/// Where the instructions are.
pub const CODE: u64 = 0x4000_0000;
/// `hvc #5`
pub const HVC_5: u32 = 0xd400_00a2;

static ALONE: Mutex<()> = Mutex::new(());

/// Keeps other tests of this process, which has one VM, away.
pub fn exclusively() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of an error.
pub fn answer(error: hv_error_t) -> hv_return_t {
    (error as u32).cast_signed()
}

/// Pages of this process.
pub struct Buffer {
    start: *mut u8,
    layout: Layout,
}

impl Buffer {
    /// So many, and zero.
    pub fn new(pages: usize) -> Self {
        let layout = Layout::from_size_align(pages * PAGE, PAGE).unwrap();
        // SAFETY: it has a size.
        Self { start: unsafe { alloc_zeroed(layout) }, layout }
    }

    /// An address in it.
    pub fn at(&self, offset: usize) -> *const u8 {
        self.start.wrapping_add(offset)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated so.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// Maps memory.
pub fn map(host: *const u8, ipa: u64, size: usize, flags: u64) -> hv_return_t {
    // SAFETY: buffers of these tests outlive their VMs.
    unsafe { hv_vm_map(host.cast(), ipa, size, flags) }
}

/// Makes a vCPU of the calling thread.
pub fn id_of_vcpu() -> Result<u64, hv_return_t> {
    let (mut id, mut exit) = (0, std::ptr::null());
    // SAFETY: the places are ours.
    match unsafe { hv_vcpu_create(&raw mut id, &raw mut exit, std::ptr::null_mut()) } {
        0 => Ok(id),
        error => Err(error),
    }
}

/// A VM with instructions.
pub struct Guest {
    id: u64,
    exit: *const hv_vcpu_exit_t,
    _code: Buffer,
    _alone: MutexGuard<'static, ()>,
}

impl Guest {
    /// Will execute these at EL1.
    pub fn new(instructions: &[u32]) -> Self {
        let alone = exclusively();
        let code = Buffer::new(1);
        for (i, word) in instructions.iter().enumerate() {
            // SAFETY: few of them.
            unsafe { code.start.cast::<u32>().add(i).write(*word) };
        }
        let (mut id, mut exit) = (0, std::ptr::null());
        // SAFETY: the places are ours; the code outlives the VM.
        unsafe {
            assert_eq!(hv_vm_create(std::ptr::null_mut()), 0);
            assert_eq!(map(code.start, CODE, PAGE, HV_MEMORY_READ | HV_MEMORY_EXEC), 0);
            assert_eq!(hv_vcpu_create(&raw mut id, &raw mut exit, std::ptr::null_mut()), 0);
        }
        let guest = Self { id, exit, _code: code, _alone: alone };
        guest.set(hv_reg_t::CPSR, 0x3c5);
        guest.set(hv_reg_t::PC, CODE);
        guest
    }

    /// The vCPU.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Runs until it stops.
    pub fn enter(&self) {
        // SAFETY: its memory is its own.
        assert_eq!(unsafe { hv_vcpu_run(self.id) }, 0);
    }

    /// Why it stopped.
    pub fn exit(&self) -> hv_vcpu_exit_t {
        // SAFETY: valid for as long as the vCPU.
        unsafe { self.exit.read_volatile() }
    }

    /// Runs until an exception.
    pub fn run(&self) -> hv_vcpu_exit_exception_t {
        self.enter();
        let exit = self.exit();
        assert_eq!(exit.reason, hv_exit_reason_t::EXCEPTION);
        exit.exception
    }

    /// Reads a register.
    pub fn get(&self, register: hv_reg_t) -> u64 {
        let mut value = 0;
        // SAFETY: the place is ours.
        assert_eq!(unsafe { hv_vcpu_get_reg(self.id, register, &raw mut value) }, 0);
        value
    }

    /// Sets a register.
    pub fn set(&self, register: hv_reg_t, value: u64) {
        // SAFETY: numbers.
        assert_eq!(unsafe { hv_vcpu_set_reg(self.id, register, value) }, 0);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // SAFETY: the vCPU is this thread's; the memory goes later.
        unsafe {
            assert_eq!(hv_vcpu_destroy(self.id), 0);
            assert_eq!(hv_vm_destroy(), 0);
        }
    }
}
