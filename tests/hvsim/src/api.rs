//! The framework's functions.
//!
//! Each asks [`verdict`] first, so that every one can be made to fail. Comments name the
//! [rules](crate::RULES) that a check enforces.

use crate::control::{is_entitled, number, verdict};
use crate::process::{Control, Memory, PAGE, Stretch, Vm, vcpus, vm};
use crate::vcpu;
use applevisor_sys::{
    hv_error_t, hv_feature_reg_t, hv_interrupt_type_t, hv_reg_t, hv_return_t, hv_sys_reg_t,
    hv_vcpu_exit_t,
};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicPtr, AtomicU64};
use std::thread;

const OK: hv_return_t = 0;
const BAD_ARGUMENT: hv_error_t = hv_error_t::HV_BAD_ARGUMENT;
const NO_DEVICE: hv_error_t = hv_error_t::HV_NO_DEVICE;

/// Widths of guest-physical addresses.
const IPA_DEFAULT: u32 = 36;
const IPA_MAX: u32 = 40;
/// vCPUs of a VM, at most.
const VCPUS_MAX: u32 = 64;

/// Defines a function of the framework: its body yields an answer, unless it is to fail.
macro_rules! api {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block
    )*) => {$(
        $(#[$meta])*
        ///
        /// # Safety
        ///
        /// As the framework has it: places that are written to are valid.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($arg: $ty),*) -> hv_return_t {
            if let Some(error) = verdict(stringify!($name)) {
                return error;
            }
            answer(|| $body)
        }
    )*};
}

/// What a function returns for what its body yields.
fn answer(body: impl FnOnce() -> Result<(), hv_error_t>) -> hv_return_t {
    body().map_or_else(number, |()| OK)
}

/// Writes to a place of the caller's.
fn put<T>(place: *mut T, value: T) -> Result<(), hv_error_t> {
    if place.is_null() || !place.is_aligned() {
        return Err(BAD_ARGUMENT);
    }
    // SAFETY: the caller's promise.
    unsafe { place.write(value) };
    Ok(())
}

/// A configuration: an object of its own, so that each can be told from the others.
struct VmConfig {
    ipa_bits: u32,
}

/// What a caller says is a configuration.
fn config<'a>(config: *mut c_void) -> Result<&'a mut VmConfig, hv_error_t> {
    // SAFETY: the caller has it of `hv_vm_config_create`.
    unsafe { config.cast::<VmConfig>().as_mut() }.ok_or(BAD_ARGUMENT)
}

/// Makes a configuration.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn hv_vm_config_create() -> *mut c_void {
    Box::into_raw(Box::new(VmConfig { ipa_bits: IPA_DEFAULT })).cast()
}

/// A vCPU's configuration has nothing in it that can be changed: one serves all.
static VCPU_CONFIG: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Makes a vCPU's configuration.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn hv_vcpu_config_create() -> *mut c_void {
    (&raw const VCPU_CONFIG).cast_mut().cast()
}

/// Releases a configuration.
///
/// # Safety
///
/// It is one, and is not used again.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn os_release(object: *mut c_void) {
    if !object.is_null() && object != hv_vcpu_config_create() {
        // SAFETY: made by `hv_vm_config_create`, which is the only other object that there is.
        drop(unsafe { Box::from_raw(object.cast::<VmConfig>()) });
    }
}

/// The number of the next vCPU.
static NEXT_VCPU: AtomicU64 = AtomicU64::new(1);

fn in_vm<T>(work: impl FnOnce(&mut Vm) -> Result<T, hv_error_t>) -> Result<T, hv_error_t> {
    work(vm().as_mut().ok_or(NO_DEVICE)?)
}

/// Does something with a vCPU: `owning_thread`.
fn mine<T>(
    id: u64,
    work: impl FnOnce(&mut vcpu::Vcpu) -> Result<T, hv_error_t>,
) -> Result<T, hv_error_t> {
    vcpu::with(id, work).unwrap_or(Err(BAD_ARGUMENT))
}

/// `granule`, `ipa_range`.
fn check_range(vm: &Vm, ipa: u64, size: usize) -> Result<u64, hv_error_t> {
    let size = size as u64;
    let end = ipa.checked_add(size).ok_or(BAD_ARGUMENT)?;
    if size == 0
        || !ipa.is_multiple_of(PAGE)
        || !size.is_multiple_of(PAGE)
        || end > 1 << vm.ipa_bits
    {
        return Err(BAD_ARGUMENT);
    }
    Ok(size)
}

fn check(holds: bool) -> Result<(), hv_error_t> {
    if holds { Ok(()) } else { Err(BAD_ARGUMENT) }
}

api! {
    /// Largest width of guest-physical addresses.
    fn hv_vm_config_get_max_ipa_size(bits: *mut u32) { put(bits, IPA_MAX) }

    /// Width of guest-physical addresses unless it is set.
    fn hv_vm_config_get_default_ipa_size(bits: *mut u32) { put(bits, IPA_DEFAULT) }

    /// Sets the width of guest-physical addresses: `ipa_range`.
    fn hv_vm_config_set_ipa_size(object: *mut c_void, bits: u32) {
        check((32..=IPA_MAX).contains(&bits))?;
        config(object)?.ipa_bits = bits;
        Ok(())
    }

    /// The width of guest-physical addresses.
    fn hv_vm_config_get_ipa_size(object: *mut c_void, bits: *mut u32) {
        put(bits, config(object)?.ipa_bits)
    }

    /// Makes the VM: `entitled`, `one_vm`.
    fn hv_vm_create(object: *mut c_void) {
        if !is_entitled() {
            return Err(hv_error_t::HV_DENIED);
        }
        let ipa_bits = if object.is_null() { IPA_DEFAULT } else { config(object)?.ipa_bits };
        let mut vm = vm();
        if vm.is_some() {
            return Err(hv_error_t::HV_BUSY);
        }
        *vm = Some(Vm { memory: Memory::default(), ipa_bits });
        Ok(())
    }

    /// Destroys the VM: `destroy_order`.
    fn hv_vm_destroy() {
        let mut vm = vm();
        if vm.is_none() {
            return Err(NO_DEVICE);
        }
        if !vcpus().is_empty() {
            return Err(hv_error_t::HV_BUSY);
        }
        *vm = None;
        Ok(())
    }

    /// Maps memory: `granule`, `ipa_range`, `no_overlap`, `rights`.
    fn hv_vm_map(address: *const c_void, ipa: u64, size: usize, flags: u64) {
        in_vm(|vm| {
            let len = check_range(vm, ipa, size)?;
            let host = address.expose_provenance();
            check(host != 0 && (host as u64).is_multiple_of(PAGE) && flags & !7 == 0)?;
            check(vm.memory.add(ipa, Stretch { len, host, flags }))
        })
    }

    /// Unmaps memory, all of which is mapped.
    fn hv_vm_unmap(ipa: u64, size: usize) {
        in_vm(|vm| {
            let len = check_range(vm, ipa, size)?;
            check(vm.memory.change(ipa, len, |_| None))
        })
    }

    /// Changes the rights to memory, all of which is mapped.
    fn hv_vm_protect(ipa: u64, size: usize, flags: u64) {
        in_vm(|vm| {
            let len = check_range(vm, ipa, size)?;
            check(flags & !7 == 0)?;
            check(vm.memory.change(ipa, len, |stretch| Some(Stretch { flags, ..stretch })))
        })
    }

    /// How many vCPUs a VM may have.
    fn hv_vm_get_max_vcpu_count(count: *mut u32) { put(count, VCPUS_MAX) }

    /// What a vCPU says of itself: an Armv8.4 with granules of 16 KiB, PAN, LSE and dot
    /// products, as far as Unicorn has them too.
    fn hv_vcpu_config_get_feature_reg(object: *mut c_void, register: hv_feature_reg_t, value: *mut u64) {
        check(object == hv_vcpu_config_create())?;
        put(value, match register {
            hv_feature_reg_t::ID_AA64MMFR0_EL1 => 2 << 20 | 1 << 20 | 2,
            hv_feature_reg_t::ID_AA64MMFR1_EL1 => 1 << 20,
            hv_feature_reg_t::ID_AA64ISAR0_EL1 => 1 << 44 | 2 << 20,
            hv_feature_reg_t::ID_AA64PFR0_EL1 => 0x11,
            _ => 0,
        })
    }

    /// Gives the calling thread a vCPU: `one_vcpu_a_thread`.
    fn hv_vcpu_create(id: *mut u64, exit: *mut *const hv_vcpu_exit_t, _config: *mut c_void) {
        in_vm(|_| Ok(()))?;
        if vcpu::thread_has_one() {
            return Err(hv_error_t::HV_BUSY);
        }
        let control = Arc::new(Control::default());
        {
            let mut vcpus = vcpus();
            if vcpus.len() >= VCPUS_MAX as usize {
                return Err(hv_error_t::HV_NO_RESOURCES);
            }
            let number = NEXT_VCPU.fetch_add(1, SeqCst);
            put(id, number)?;
            vcpus.insert(number, Arc::clone(&control));
        }
        // SAFETY: written just above.
        put(exit, vcpu::create(unsafe { *id }, control))
    }

    /// Destroys a vCPU: `owning_thread`.
    fn hv_vcpu_destroy(id: u64) {
        check(vcpu::destroy(id))?;
        vcpus().remove(&id);
        Ok(())
    }

    /// Runs a vCPU: `owning_thread`, `sticky_cancel`, `pc_after_exit`.
    fn hv_vcpu_run(id: u64) {
        mine(id, |vcpu| {
            vcpu.run();
            Ok(())
        })
    }

    /// Has vCPUs return, from any thread: `sticky_cancel`.
    fn hv_vcpus_exit(ids: *const u64, count: u32) {
        check(!ids.is_null())?;
        // SAFETY: the caller has so many.
        for id in unsafe { std::slice::from_raw_parts(ids, count as usize) } {
            let control = vcpus().get(id).map(Arc::clone).ok_or(BAD_ARGUMENT)?;
            control.cancel.store(true, SeqCst);
            // Unicorn forgets to stop if it is only about to start.
            while control.running.load(SeqCst) && control.cancel.load(SeqCst) {
                let engine = std::ptr::with_exposed_provenance_mut(control.engine.load(SeqCst));
                // SAFETY: the vCPU runs, so its engine is there.
                unsafe { uc_emu_stop(engine) };
                thread::yield_now();
            }
        }
        Ok(())
    }

    /// Reads a register.
    fn hv_vcpu_get_reg(id: u64, register: hv_reg_t, value: *mut u64) {
        mine(id, |vcpu| put(value, vcpu.get(register)))
    }

    /// Sets a register.
    fn hv_vcpu_set_reg(id: u64, register: hv_reg_t, value: u64) {
        mine(id, |vcpu| {
            vcpu.set(register, value);
            Ok(())
        })
    }

    /// Reads a system register.
    fn hv_vcpu_get_sys_reg(id: u64, register: hv_sys_reg_t, value: *mut u64) {
        mine(id, |vcpu| put(value, vcpu.get_system(register).ok_or(BAD_ARGUMENT)?))
    }

    /// Sets a system register.
    fn hv_vcpu_set_sys_reg(id: u64, register: hv_sys_reg_t, value: u64) {
        mine(id, |vcpu| check(vcpu.set_system(register, value)))
    }

    /// Whether the virtual timer is masked.
    fn hv_vcpu_get_vtimer_mask(id: u64, masked: *mut bool) {
        mine(id, |vcpu| put(masked, vcpu.vtimer_masked))
    }

    /// Masks the virtual timer, or not.
    fn hv_vcpu_set_vtimer_mask(id: u64, masked: bool) {
        mine(id, |vcpu| {
            vcpu.vtimer_masked = masked;
            Ok(())
        })
    }

    /// The virtual timer's offset.
    fn hv_vcpu_get_vtimer_offset(id: u64, offset: *mut u64) {
        mine(id, |vcpu| put(offset, vcpu.vtimer_offset))
    }

    /// Sets the virtual timer's offset.
    fn hv_vcpu_set_vtimer_offset(id: u64, offset: u64) {
        mine(id, |vcpu| {
            vcpu.vtimer_offset = offset;
            Ok(())
        })
    }

    /// Whether debug exceptions leave the guest.
    fn hv_vcpu_get_trap_debug_exceptions(id: u64, trapped: *mut bool) {
        mine(id, |vcpu| put(trapped, vcpu.trap_debug_exceptions))
    }

    /// Has debug exceptions leave the guest, or not.
    fn hv_vcpu_set_trap_debug_exceptions(id: u64, trapped: bool) {
        mine(id, |vcpu| {
            vcpu.trap_debug_exceptions = trapped;
            Ok(())
        })
    }

    /// Whether accesses to debug registers leave the guest.
    fn hv_vcpu_get_trap_debug_reg_accesses(id: u64, trapped: *mut bool) {
        mine(id, |vcpu| put(trapped, vcpu.trap_debug_registers))
    }

    /// Has accesses to debug registers leave the guest, or not.
    fn hv_vcpu_set_trap_debug_reg_accesses(id: u64, trapped: bool) {
        mine(id, |vcpu| {
            vcpu.trap_debug_registers = trapped;
            Ok(())
        })
    }

    /// Interrupts are not simulated.
    fn hv_vcpu_get_pending_interrupt(_id: u64, _kind: hv_interrupt_type_t, _pending: *mut bool) {
        Err(hv_error_t::HV_UNSUPPORTED)
    }

    /// Interrupts are not simulated.
    fn hv_vcpu_set_pending_interrupt(_id: u64, _kind: hv_interrupt_type_t, _pending: bool) {
        Err(hv_error_t::HV_UNSUPPORTED)
    }

    /// Time is not simulated.
    fn hv_vcpu_get_exec_time(_id: u64, _time: *mut u64) { Err(hv_error_t::HV_UNSUPPORTED) }
}

unsafe extern "C" {
    fn uc_emu_stop(engine: *mut c_void) -> i32;
}
