//! Guest memory that this process itself cannot reach.
//!
//! `hv_vm_map` takes addresses, whatever may be done with what is there, and wrt-vm has guards
//! between the parts of a guest: pages of the process that nobody may touch. The framework finds
//! nothing there that it could map. Unicorn reads and writes a host's memory as its own, and the
//! process would die of it. So the fault is taken here: the page is opened, the vCPU stopped as
//! soon as it can be, and the page closed and emptied again before anybody looks. The instruction
//! has then been executed, on nothing, which shows to nobody: it is an abort of the second stage
//! that cannot be cured.

use crate::process::{Memory, PAGE};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::Once;

/// Pages that one stop may take: those of a store across an end, of a walk, and a few more until
/// the engine has noticed.
const MOST: usize = 16;

/// What the handler knows of the calling thread's vCPU, and leaves for it.
struct Watched {
    memory: *const Memory,
    engine: *mut c_void,
    touched: Cell<usize>,
    /// Host address of each page, its guest-physical address, and whether it was written.
    pages: [Cell<(usize, u64, bool)>; MOST],
}

thread_local! {
    static WATCHED: Cell<*const Watched> = const { Cell::new(std::ptr::null()) };
}

/// An access to what was not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    pub(crate) ipa: u64,
    pub(crate) write: bool,
}

/// Runs an engine over memory; tells the first access to a page of it that this process cannot
/// reach, if there was one.
pub(crate) fn watch<T>(
    memory: &Memory,
    engine: *mut c_void,
    run: impl FnOnce() -> T,
) -> (T, Option<Touch>) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(install);
    let watched = Watched {
        memory,
        engine,
        touched: Cell::new(0),
        pages: [const { Cell::new((0, 0, false)) }; MOST],
    };
    WATCHED.set(&raw const watched);
    let result = run();
    WATCHED.set(std::ptr::null());
    let touched = &watched.pages[..watched.touched.get()];
    for page in touched {
        close(page.get().0);
    }
    let first = touched.first().map(|page| {
        let (_, ipa, write) = page.get();
        Touch { ipa, write }
    });
    (result, first)
}

/// The handler that there was before.
static mut BEFORE: libc::sigaction = {
    // SAFETY: plain words, and none of them is zero's to misread: no handler, no flags.
    unsafe { std::mem::zeroed() }
};

fn install() {
    // SAFETY: once, before any vCPU runs; the handler keeps to what a handler may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut BEFORE);
    }
}

/// Opens the page, if it is of the calling thread's guest. Whatever else is wrong is somebody
/// else's: the instruction faults again, with the handler of before.
extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's own, for as long as this handler runs.
    let address = unsafe { (*info).si_addr() } as usize;
    // SAFETY: set and taken away by `watch` on this very thread, which waits below this.
    let watched = unsafe { WATCHED.get().as_ref() };
    if let Some(watched) = watched
        && watched.open(address, wrote(context))
    {
        return;
    }
    // SAFETY: written once, before there was anything to handle.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const BEFORE, std::ptr::null_mut()) };
}

impl Watched {
    fn open(&self, address: usize, write: bool) -> bool {
        // SAFETY: `watch` has borrowed it for as long as this is to be found.
        let memory = unsafe { &*self.memory };
        let number = self.touched.get();
        let inside = memory
            .stretches
            .iter()
            .find(|(_, stretch)| address.wrapping_sub(stretch.host) < stretch.len as usize);
        let (Some((ipa, stretch)), true) = (inside, number < MOST) else { return false };
        let page = address & !(PAGE as usize - 1);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a page of guest memory, which nobody else's runs on: its VM's vCPU is here.
        if unsafe { libc::mprotect(at(page), PAGE as usize, access) } != 0 {
            return false;
        }
        self.pages[number].set((page, ipa + (address - stretch.host) as u64, write));
        self.touched.set(number + 1);
        // SAFETY: the engine runs, below this.
        unsafe { uc_emu_stop(self.engine) };
        true
    }
}

/// As it was: nothing is there, nor can anything be had.
fn close(page: usize) {
    // SAFETY: a page that was closed before; what it holds was written to nothing.
    unsafe {
        libc::madvise(at(page), PAGE as usize, libc::MADV_DONTNEED);
        libc::mprotect(at(page), PAGE as usize, libc::PROT_NONE);
    }
}

fn at(page: usize) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(page)
}

/// Whether the fault was a write, where the system tells.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn wrote(context: *mut c_void) -> bool {
    /// Bit 1 of the error code: Intel SDM volume 3A, 5.7.
    const WRITE: i64 = 2;
    // SAFETY: the kernel's own, for as long as the handler runs.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE != 0
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn wrote(_: *mut c_void) -> bool {
    false
}

unsafe extern "C" {
    fn uc_emu_stop(engine: *mut c_void) -> i32;
}
