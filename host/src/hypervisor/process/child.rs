//! A traced child: what the tracer does to it.
//!
//! Source of the rules: `ptrace(2)`. All of it must happen on the thread that started the
//! child. The guest runs under `PTRACE_SYSEMU`, so that no system call of its begins; only a
//! [call](Child::call) through the gate is made with `PTRACE_CONT`, with registers that the
//! tracer sets, all of them.

use super::super::HypervisorError;
use super::arch::{Registers, Vectors};
use super::spawn::{Namespaces, Newborn, spawn};
use super::stop::{self, Stop};
use rustix::process::{Signal, pidfd_send_signal};
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::ThreadId;
use wrt_abi::process::{
    ADDRESS_END, CPUID_FAULTS, GATE_BASE, GATE_SIZE, READY, Report, Step, WINDOW_BASE, WINDOW_SIZE,
};

/// `PTRACE_SYSEMU` of `linux/ptrace.h`.
const PTRACE_SYSEMU: u32 = 31;
/// The lowest address that may be mapped is above it.
const LOWEST: u64 = 4096;

/// A system call that changes the child's mappings: its number and arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum MappingCall {
    /// Duplicates `len` bytes of the window from `from` on at `to`, as they are: inaccessible.
    Duplicate { from: u64, len: u64, to: u64 },
    /// Sets what may be done with a range.
    Protect { start: u64, len: u64, protection: c_int },
    /// Removes a range.
    Unmap { start: u64, len: u64 },
}

impl MappingCall {
    /// Number and arguments, in the order of the kernel's convention.
    pub(super) fn words(self) -> (u64, [u64; 5]) {
        match self {
            Self::Duplicate { from, len, to } => {
                let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED).cast_unsigned();
                // An old length of 0 makes a second mapping of shared pages.
                (libc::SYS_mremap.cast_unsigned(), [from, 0, len, flags.into(), to])
            }
            Self::Protect { start, len, protection } => {
                let protection = protection.cast_unsigned().into();
                (libc::SYS_mprotect.cast_unsigned(), [start, len, protection, 0, 0])
            }
            Self::Unmap { start, len } => (libc::SYS_munmap.cast_unsigned(), [start, len, 0, 0, 0]),
        }
    }
}

/// A child process that is stopped, but for the time between [`Self::resume`] and
/// [`Self::wait`].
pub(super) struct Child {
    pid: libc::pid_t,
    /// The thread that traces it. On another, a wait for a stop would never end.
    tracer: ThreadId,
    handle: Arc<OwnedFd>,
    /// The guest's registers, while those of a call are in their place.
    saved: Option<Box<Registers>>,
    /// Whether there is still a process.
    alive: bool,
    /// Namespaces of its own.
    pub(super) namespaces: Namespaces,
    /// Whether the processor denies its description of itself to the guest.
    pub(super) cpuid_faults: bool,
}

impl Child {
    /// Starts a child and sees it through its preparations, until nothing is mapped in it but
    /// the window and the gate.
    pub(super) fn start(
        program: BorrowedFd<'_>,
        memory: BorrowedFd<'_>,
        attempts: &[Namespaces],
    ) -> Result<Self, HypervisorError> {
        let mut refused = None;
        for &namespaces in attempts {
            match spawn(program, memory, namespaces) {
                Ok(newborn) => return Self::prepare(newborn, namespaces),
                // Namespaces that may not be had, or of which there are enough.
                Err(HypervisorError::Call { source, action }) if may_be_namespaces(&source) => {
                    refused = Some(HypervisorError::Call { source, action });
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or(HypervisorError::Unsupported("no child process was asked for")))
    }

    fn prepare(newborn: Newborn, namespaces: Namespaces) -> Result<Self, HypervisorError> {
        let Newborn { pid, handle } = newborn;
        let handle = Arc::new(handle);
        let mut child = Self {
            pid,
            tracer: std::thread::current().id(),
            handle,
            saved: None,
            alive: true,
            namespaces,
            cpuid_faults: false,
        };
        child.expect_breakpoint("execute the child's program")?;
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
        child.request(
            libc::PTRACE_SETOPTIONS,
            options.cast_unsigned() as usize,
            "trace a child",
        )?;
        child.request(libc::PTRACE_CONT, 0, "run a child")?;
        child.expect_breakpoint("prepare a child process")?;
        let report: Report = child.registers()?.result();
        if report & READY == 0 {
            return Err(HypervisorError::Call {
                action: Step::describe(report >> 32),
                source: io::Error::from_raw_os_error(
                    (report & 0xffff_ffff).try_into().unwrap_or(0),
                ),
            });
        }
        child.cpuid_faults = report & CPUID_FAULTS != 0;
        // The rest of the child's own program, its stack, and what the kernel puts into every
        // process.
        child.unmap_between(LOWEST, WINDOW_BASE)?;
        child.unmap_between(WINDOW_BASE + WINDOW_SIZE, GATE_BASE)?;
        child.unmap_between(GATE_BASE + GATE_SIZE, ADDRESS_END)?;
        Ok(child)
    }

    /// What names the process to its kickers.
    pub(super) fn handle(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.handle)
    }

    /// Its process id.
    pub(super) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Whether there is still a process.
    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    /// Unmaps all that the guest has.
    pub(super) fn unmap_guest(&mut self) -> Result<(), HypervisorError> {
        self.unmap_between(LOWEST, WINDOW_BASE)
    }

    fn unmap_between(&mut self, start: u64, end: u64) -> Result<(), HypervisorError> {
        self.call(MappingCall::Unmap { start, len: end - start }, None).map(|_| ())
    }

    /// Has the child make a call, and another one if that goes well.
    pub(super) fn call(
        &mut self,
        first: MappingCall,
        second: Option<MappingCall>,
    ) -> Result<(), HypervisorError> {
        const ACTION: &str = "change the mappings of a child process";
        if self.saved.is_none() {
            self.saved = Some(Box::new(self.registers()?));
        }
        self.set_registers(&Registers::for_call(first, second))?;
        loop {
            self.request(libc::PTRACE_CONT, 0, ACTION)?;
            let status = self.wait_status().map_err(failed(ACTION))?;
            match self.decode(status)? {
                Stop::Breakpoint => break,
                Stop::Disturbed => {}
                other => {
                    let source = io::Error::other(format!("the child stopped: {other:?}"));
                    return Err(failed(ACTION)(source));
                }
            }
        }
        let result = self.registers()?.result().cast_signed();
        match i32::try_from(-result) {
            Ok(errno @ 1..4096) => Err(failed(ACTION)(io::Error::from_raw_os_error(errno))),
            _ => Ok(()),
        }
    }

    /// Has the guest go on.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        let resumed = match self.saved.take() {
            Some(registers) => self.set_registers_raw(&registers),
            None => Ok(()),
        };
        let resumed = resumed.and_then(|()| self.request_raw(PTRACE_SYSEMU, std::ptr::null_mut()));
        match resumed {
            // It has been killed, which a wait explains.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) && self.is_traced_here() => {
                Ok(())
            }
            other => other,
        }
    }

    fn is_traced_here(&self) -> bool {
        self.tracer == std::thread::current().id()
    }

    /// Waits until the child stops, and says why.
    pub(super) fn wait(&mut self) -> Result<Stop, HypervisorError> {
        let status = self.wait_status().map_err(failed("wait for a child process"))?;
        // Without a look at anything else: this is what happens all the time.
        match stop::is_breakpoint(status) {
            true => Ok(Stop::Breakpoint),
            false => self.decode(status),
        }
    }

    fn decode(&mut self, status: c_int) -> Result<Stop, HypervisorError> {
        if !libc::WIFSTOPPED(status) {
            self.alive = false;
            return Ok(stop::decode(stop::RawStop { status, ..stop::RawStop::default() }));
        }
        if stop::is_breakpoint(status) {
            return Ok(Stop::Breakpoint);
        }
        // SAFETY: an all-zero `siginfo_t` is valid, and the kernel fills it in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        self.request_into(libc::PTRACE_GETSIGINFO, &raw mut info)?;
        let registers = self.registers()?;
        // SAFETY: plain data, whatever the signal; `decode` uses it for those that have it.
        let address = unsafe { info.si_addr() }.addr() as u64;
        let (instruction, stack, call) = registers.at_stop();
        Ok(stop::decode(stop::RawStop {
            status,
            code: info.si_code,
            address,
            instruction,
            stack,
            call,
        }))
    }

    fn expect_breakpoint(&mut self, action: &'static str) -> Result<(), HypervisorError> {
        let status = self.wait_status().map_err(failed(action))?;
        match self.decode(status)? {
            Stop::Breakpoint => Ok(()),
            other => Err(failed(action)(io::Error::other(format!("the child ended: {other:?}")))),
        }
    }

    fn wait_status(&mut self) -> io::Result<c_int> {
        let mut status = 0;
        loop {
            // SAFETY: a plain system call that fills `status` in.
            let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
            if waited == self.pid {
                return Ok(status);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// The registers as they are.
    pub(super) fn registers(&self) -> Result<Registers, HypervisorError> {
        let mut registers = Registers::default();
        self.request_into(libc::PTRACE_GETREGS, registers.as_mut_ptr())?;
        Ok(registers)
    }

    /// Sets registers, now.
    pub(super) fn set_registers(&mut self, registers: &Registers) -> Result<(), HypervisorError> {
        self.set_registers_raw(registers).map_err(failed("set a child's registers"))
    }

    /// Sets the registers with which the guest goes on.
    pub(super) fn set_guest_registers(
        &mut self,
        registers: &Registers,
    ) -> Result<(), HypervisorError> {
        self.saved = None;
        self.set_registers(registers)
    }

    fn set_registers_raw(&self, registers: &Registers) -> io::Result<()> {
        self.request_raw(libc::PTRACE_SETREGS, registers.as_ptr().cast_mut().cast())
    }

    /// Everything in the vector units, and their controls.
    pub(super) fn vectors(&self) -> Result<Vectors, HypervisorError> {
        let mut vectors = Vectors::room();
        let mut part = vectors.as_iovec();
        self.request_set(libc::PTRACE_GETREGSET, &raw mut part, "read a child's vectors")?;
        vectors.truncate(part.iov_len);
        Ok(vectors)
    }

    /// Puts back what [`Self::vectors`] returned.
    pub(super) fn set_vectors(&mut self, vectors: &mut Vectors) -> Result<(), HypervisorError> {
        let mut part = vectors.as_iovec();
        self.request_set(libc::PTRACE_SETREGSET, &raw mut part, "set a child's vectors")
    }

    fn request_set(
        &self,
        request: u32,
        part: *mut libc::iovec,
        action: &'static str,
    ) -> Result<(), HypervisorError> {
        let kind = std::ptr::without_provenance_mut::<c_void>(Vectors::KIND);
        // SAFETY: a request to our own child; `part` describes memory that is the caller's.
        let done = unsafe { libc::ptrace(request, self.pid, kind, part) };
        if done < 0 { Err(failed(action)(io::Error::last_os_error())) } else { Ok(()) }
    }

    /// A request that fills something in.
    fn request_into<T>(&self, request: u32, to: *mut T) -> Result<(), HypervisorError> {
        self.request_raw(request, to.cast()).map_err(failed("look at a child process"))
    }

    fn request(
        &self,
        request: u32,
        data: usize,
        action: &'static str,
    ) -> Result<(), HypervisorError> {
        let data = std::ptr::without_provenance_mut(data);
        self.request_raw(request, data).map_err(failed(action))
    }

    fn request_raw(&self, request: u32, data: *mut c_void) -> io::Result<()> {
        let none: *mut c_void = std::ptr::null_mut();
        // SAFETY: a request to our own child. Those that read or write memory of this process
        // are made with pointers to it.
        let done = unsafe { libc::ptrace(request, self.pid, none, data) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.alive {
            // Gone already, or ended by this: it is waited for either way.
            let _ = pidfd_send_signal(&self.handle, Signal::KILL);
            reap(self.pid);
        }
    }
}

/// Waits until a child of this thread has ended.
pub(super) fn reap(pid: libc::pid_t) {
    let mut status = 0;
    loop {
        // SAFETY: as in `wait_status`.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        let over = waited == pid && !libc::WIFSTOPPED(status);
        let gone = waited < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted;
        if over || gone {
            return;
        }
    }
}

fn may_be_namespaces(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [libc::EPERM, libc::EINVAL, libc::ENOSPC, libc::EUSERS, libc::EACCES]
        .iter()
        .any(|&refusal| errno == Some(refusal))
}

/// Makes the error of a failed call.
pub(super) fn failed(action: &'static str) -> impl FnOnce(io::Error) -> HypervisorError {
    move |source| HypervisorError::Call { action, source }
}
