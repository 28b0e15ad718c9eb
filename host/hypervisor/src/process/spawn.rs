//! Starting a child: from nothing to a traced process that executes the child's program.
//!
//! It is born as `posix_spawn` has it: with this process's memory until it executes its own
//! program, so that the cost does not grow with the size of this process, while the calling
//! thread waits. In between it makes system calls only, on a stack of its own: other threads
//! may hold any lock.

use crate::error::HypervisorError;
use std::ffi::{c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use wrt_abi::process::MEMORY_DESCRIPTOR;

bitflags::bitflags! {
    /// Namespaces of a child's own.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Namespaces: c_int {
        /// Users and groups, and all rights over the others.
        const USER = libc::CLONE_NEWUSER;
        /// Processes.
        const PROCESSES = libc::CLONE_NEWPID;
        /// Mounts.
        const MOUNTS = libc::CLONE_NEWNS;
        /// Network.
        const NETWORK = libc::CLONE_NEWNET;
        /// System V IPC.
        const IPC = libc::CLONE_NEWIPC;
        /// The machine's name.
        const NAME = libc::CLONE_NEWUTS;
        /// Control groups.
        const CGROUPS = libc::CLONE_NEWCGROUP;
    }
}

impl Namespaces {
    /// What to try, the most first. A user namespace may be denied and the others granted, to
    /// root; or all of them denied, as in most containers.
    pub(super) const ATTEMPTS: [Self; 3] =
        [Self::all(), Self::all().difference(Self::USER), Self::empty()];

    /// For people.
    pub(super) fn describe(self) -> String {
        let names = [
            (Self::USER, "user"),
            (Self::PROCESSES, "process"),
            (Self::MOUNTS, "mount"),
            (Self::NETWORK, "network"),
            (Self::IPC, "IPC"),
            (Self::NAME, "host name"),
            (Self::CGROUPS, "cgroup"),
        ];
        let had: Vec<&str> =
            names.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| *name).collect();
        if had.is_empty() { "none".to_owned() } else { had.join(", ") }
    }
}

/// A child that has stopped at its program's first instruction, traced by this thread.
pub(super) struct Newborn {
    pub(super) pid: libc::pid_t,
    pub(super) handle: OwnedFd,
}

/// Bytes of the newborn's stack, for a few system calls.
const STACK: usize = 32 << 10;

/// What a newborn is told, and tells.
struct Birth {
    program: c_int,
    memory: c_int,
    /// What failed, if something did, and its errno.
    failure: Option<(&'static str, c_int)>,
}

/// Starts a child with namespaces of its own and nothing else of this process but `memory`.
///
/// # Errors
///
/// What the system says; [`io::Error::raw_os_error`] of a refused `clone` is kept.
pub(super) fn spawn(
    program: BorrowedFd<'_>,
    memory: BorrowedFd<'_>,
    namespaces: Namespaces,
) -> Result<Newborn, HypervisorError> {
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / size_of::<u128>());
    let top = stack.as_mut_ptr().wrapping_add(stack.capacity());
    let mut birth =
        Birth { program: program.as_raw_fd(), memory: memory.as_raw_fd(), failure: None };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | namespaces.bits();
    let mut handle: c_int = -1;
    let blocked = SignalsBlocked::new();
    // SAFETY: `begin` runs on a stack of its own, which is aligned and outlives it, since this
    // thread waits until the child has another program or has ended; until then it makes only
    // system calls, and writes only to `birth`.
    let pid =
        unsafe { libc::clone(begin, top.cast(), flags, (&raw mut birth).cast(), &raw mut handle) };
    let error = io::Error::last_os_error();
    drop(blocked);
    if pid < 0 {
        return Err(HypervisorError::Call { action: "start a child process".into(), error });
    }
    // SAFETY: the kernel has just made this descriptor, for this alone.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    match birth.failure {
        None => Ok(Newborn { pid, handle }),
        Some((action, errno)) => {
            super::child::reap(pid);
            Err(HypervisorError::Call {
                action: action.into(),
                error: io::Error::from_raw_os_error(errno),
            })
        }
    }
}

/// The newborn's first and only code of this program.
extern "C" fn begin(birth: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its `Birth`, and waits.
    let birth = unsafe { &mut *birth.cast::<Birth>() };
    let action = match try_begin(birth) {
        Err(action) => action,
        Ok(never) => match never {},
    };
    // SAFETY: where the thread's errno is; the thread that it belongs to waits.
    birth.failure = Some((action, unsafe { *libc::__errno_location() }));
    // SAFETY: ends this process at once, without the handlers of the one that it came from.
    unsafe { libc::_exit(1) }
}

fn try_begin(birth: &Birth) -> Result<std::convert::Infallible, &'static str> {
    #[expect(clippy::cast_possible_wrap, reason = "a standard stream's number")]
    const MEMORY: c_int = MEMORY_DESCRIPTOR as c_int;
    let name: [*const c_char; 2] = [c"wrt-vm guest".as_ptr(), std::ptr::null()];
    let none: [*const c_char; 1] = [std::ptr::null()];
    // SAFETY: plain system calls, with strings and arrays that outlive them.
    unsafe {
        if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
            return Err("have a child process traced");
        }
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err("have a child process end with this one");
        }
        if libc::dup2(birth.memory, MEMORY) != MEMORY {
            return Err("give memory to a child process");
        }
        // All descriptors but the memory's go with the program, or when that begins.
        libc::syscall(
            libc::SYS_execveat,
            birth.program,
            c"".as_ptr(),
            name.as_ptr(),
            none.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err("execute the child's program")
}

/// Keeps signals from this thread, and from what it gives birth to: a traced child that stops
/// for one before it has its program would have this thread wait for ever.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn new() -> Self {
        // SAFETY: an all-zero set is valid; both are filled in. Blocking cannot fail.
        unsafe {
            let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set that was there before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
