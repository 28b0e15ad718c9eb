//! What wasmtime asks of its platform, and where this kernel has it.
//!
//! Source of the functions and their contracts: `runtime/vm/sys/custom/capi.rs` of wasmtime.
//! A mapping that wasmtime asks for is a region whose first bytes are usable and whose rest
//! faults. Neither linear memories nor code are such; see [`super::memory`] and [`Published`].

use crate::arch;
use crate::fault::{Cause, Fault};
use crate::hostcall;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use wasmtime::CustomCodeMemory;
use wrt_abi::layout::{GRANULE, REGION_BASE, REGION_MAX, REGION_STRIDE};

/// Protection of a mapping: nothing, or reading and writing.
const NONE: u32 = 0;
const READ_WRITE: u32 = 1 | 2;

/// What wasmtime takes for a page.
const PAGE: usize = GRANULE as usize;
/// What code is aligned to.
const CODE_ALIGNMENT: usize = 4096;

const OK: i32 = 0;
const REFUSED: i32 = 12;
const INVALID: i32 = 22;

/// The guest has one vCPU: its thread-local storage is a word.
static THREAD: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(_slot: usize) -> *mut u8 {
    THREAD.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(_slot: usize, value: *mut u8) {
    THREAD.store(value, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_page_size() -> usize {
    PAGE
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_new(size: usize, protection: u32, mapping: &mut *mut u8) -> i32 {
    let usable = match protection {
        NONE => 0,
        READ_WRITE => size,
        _ => return INVALID,
    };
    if size as u64 > REGION_MAX {
        return REFUSED;
    }
    match hostcall::region_reserve(usable) {
        Some(base) => {
            *mapping = ptr::with_exposed_provenance_mut(base);
            OK
        }
        None => REFUSED,
    }
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_munmap(mapping: *mut u8, _size: usize) -> i32 {
    hostcall::region_release(mapping.addr());
    OK
}

/// Makes more of a mapping usable. wasmtime asks for the bytes after those that are.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_mprotect(start: *mut u8, size: usize, protection: u32) -> i32 {
    if protection != READ_WRITE {
        return INVALID;
    }
    let Some(offset) = start.addr().checked_sub(REGION_BASE as usize) else { return INVALID };
    let into = offset % REGION_STRIDE as usize;
    let wanted = into.saturating_add(size);
    // Exactly as much: what follows must fault.
    match hostcall::region_commit(start.addr() - into, wanted, wanted) {
        Some(_) => OK,
        None => REFUSED,
    }
}

/// Only pools and images of memories are remapped, and there are none.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_remap(_start: *mut u8, _size: usize, _protection: u32) -> i32 {
    INVALID
}

/// There are no images: `wrt_engine_config` turns them off.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_new(
    _start: *const u8,
    _size: usize,
    image: &mut *mut u8,
) -> i32 {
    *image = ptr::null_mut();
    OK
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_map_at(_image: *mut u8, _at: *mut u8, _size: usize) -> i32 {
    INVALID
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_free(_image: *mut u8) {}

/// wasmtime's handler of traps: instruction, frame pointer, whether there is an address, and it.
type TrapHandler = extern "C" fn(usize, usize, bool, usize);

static HANDLER: AtomicUsize = AtomicUsize::new(0);

#[unsafe(no_mangle)]
extern "C" fn wasmtime_init_traps(handler: TrapHandler) -> i32 {
    HANDLER.store(handler as usize, Ordering::Relaxed);
    OK
}

/// Lets wasmtime look at a fault; returns if it is not a trap of compiled code.
pub fn on_fault(fault: &Fault) {
    let handler = HANDLER.load(Ordering::Relaxed);
    if handler == 0 {
        return;
    }
    // SAFETY: only `wasmtime_init_traps` stores here, and it is given such a function.
    let handler = unsafe { core::mem::transmute::<usize, TrapHandler>(handler) };
    match fault.cause {
        Cause::Access { address } => handler(fault.ip, fault.fp, true, address),
        Cause::Instruction => handler(fault.ip, fault.fp, false, 0),
    }
}

/// Code: a part of the artefact, which the host has mapped for reading and makes executable
/// on request. It is never writable.
pub struct Published;

impl CustomCodeMemory for Published {
    fn required_alignment(&self) -> usize {
        CODE_ALIGNMENT
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        match hostcall::code_publish(start.addr(), len) {
            true => {
                arch::make_executable(start, len);
                Ok(())
            }
            false => Err(wasmtime::Error::msg("the host does not let this be executed")),
        }
    }

    fn unpublish_executable(&self, _start: *const u8, _len: usize) -> wasmtime::Result<()> {
        // Modules live as long as the VM.
        Ok(())
    }
}
