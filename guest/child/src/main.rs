//! The whole program of the child process that stands in for a VM.
//!
//! It maps guest memory where nobody can use it ([`wrt_abi::process`] has the address map),
//! gives up everything that a process has, denies itself every system call but the three that
//! change mappings, and stops. From then on its tracer has it run the guest. What it cannot
//! give up by itself it was born without: namespaces, environment, arguments.
//!
//! This is all that a guest could find in its process, so it is small, has no libraries in it,
//! and no data that it could write. Source of every rule: the kernel's manual pages, section
//! 2, by the call's name.
#![no_std]
#![no_main]

mod arch;
mod filter;
mod system;

use system::{Call, address, call, control};
use wrt_abi::process::{MEMORY_DESCRIPTOR, READY, Report, Step, WINDOW_BASE, WINDOW_SIZE};

const PROT_NONE: u64 = 0;
const MAP_SHARED: u64 = 1;
const MAP_NORESERVE: u64 = 0x4000;
const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;

const SIG_SETMASK: u64 = 2;
/// Signals that are not blocked: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, which the guest
/// causes, and SIGUSR1, by which the tracer is woken. Others would only disturb it.
const SIGNALS: [u64; 6] = [4, 5, 7, 8, 11, 10];

const PR_SET_PDEATHSIG: u64 = 1;
const PR_SET_DUMPABLE: u64 = 4;
const PR_SET_NAME: u64 = 15;
const PR_CAPBSET_DROP: u64 = 24;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const PR_CAP_AMBIENT: u64 = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: u64 = 4;
const SIGKILL: u64 = 9;

/// More than any kernel has.
const CAPABILITIES: u64 = 64;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// CORE, NPROC, NOFILE, MEMLOCK, LOCKS, MSGQUEUE, FSIZE: what a child has no use for.
const LIMITS: [u64; 7] = [4, 6, 7, 8, 10, 12, 1];

/// Does all of it; called by the architecture's `gate.S`.
extern "C" fn prepare() -> Report {
    match try_prepare() {
        Ok(kept) => READY | kept,
        Err((step, errno)) => step.failed(errno),
    }
}

fn try_prepare() -> Result<Report, (Step, u32)> {
    let at = |step| move |errno| (step, errno);
    map_window().map_err(at(Step::Window))?;
    call(Call::CloseRange, [0, u64::from(u32::MAX), 0, 0, 0, 0]).map_err(at(Step::Close))?;
    block_signals().map_err(at(Step::Signals))?;
    // Not to get what a terminal sends to its foreground; a leader of a session has done so.
    let _ = call(Call::SetSid, [0; 6]);
    let _ = control(PR_SET_NAME, address(c"wrt-vm guest".as_ptr()));

    let kept = arch::keep_processor().map_err(at(Step::Clock))?;
    control(PR_SET_NO_NEW_PRIVS, 1).map_err(at(Step::NoNewPrivileges))?;
    drop_capabilities().map_err(at(Step::Capabilities))?;
    lower_limits().map_err(at(Step::Limits))?;
    control(PR_SET_DUMPABLE, 0).map_err(at(Step::Undumpable))?;
    control(PR_SET_PDEATHSIG, SIGKILL).map_err(at(Step::DieWithParent))?;
    filter::install().map_err(at(Step::Filter))?;
    Ok(kept)
}

fn map_window() -> Result<(), u32> {
    let flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    let arguments = [WINDOW_BASE, WINDOW_SIZE, PROT_NONE, flags, MEMORY_DESCRIPTOR.into(), 0];
    match call(Call::Mmap, arguments)? {
        WINDOW_BASE => Ok(()),
        // A kernel before 4.17 takes the flag for a wish.
        _ => Err(17),
    }
}

fn block_signals() -> Result<(), u32> {
    let mut blocked = u64::MAX;
    for signal in SIGNALS {
        blocked &= !(1 << (signal - 1));
    }
    call(Call::SigProcMask, [SIG_SETMASK, address(&raw const blocked), 0, 8, 0, 0]).map(|_| ())
}

fn drop_capabilities() -> Result<(), u32> {
    for capability in 0..CAPABILITIES {
        // Refused where it may not, which does no harm: there is nothing to gain it back by.
        let _ = control(PR_CAPBSET_DROP, capability);
    }
    let _ = control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    // struct { __u32 version; int pid; }, then effective, permitted, inheritable, twice.
    let header = [CAPABILITY_VERSION_3, 0];
    let none = [0u32; 6];
    let (header, none) = (address(&raw const header), address(&raw const none));
    call(Call::CapSet, [header, none, 0, 0, 0, 0]).map(|_| ())
}

fn lower_limits() -> Result<(), u32> {
    let none = [0u64; 2];
    for limit in LIMITS {
        call(Call::PrLimit, [0, limit, address(&raw const none), 0, 0, 0])?;
    }
    Ok(())
}

/// There is nobody to tell: the tracer sees the instruction.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        arch::give_up();
    }
}
