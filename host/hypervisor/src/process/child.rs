//! A traced child: what the tracer does to it.
//!
//! Source of the rules: `ptrace(2)`. All of it must happen on the thread that started the
//! child. The guest runs under `PTRACE_SYSEMU`, so that no system call of its begins; only a
//! [call](Child::call) through the gate is made with `PTRACE_CONT`, with registers that the
//! tracer sets, all of them.

use super::arch::{self, Registers};
use super::kick;
use super::ptrace::{self, Request};
use super::sets::RegisterSets;
use super::spawn::{Namespaces, Newborn, spawn};
use super::stop::{self, Stop};
use crate::error::HypervisorError;
use rustix::process::{Signal, pidfd_send_signal};
use std::ffi::c_int;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::ThreadId;
use wrt_abi::layout::GRANULE;
use wrt_abi::process::{GATE_BASE, GATE_SIZE, READY, Report, Step, WINDOW_BASE, WINDOW_SIZE};
use wrt_platform::memory::name_limit;

/// The lowest address that may be mapped is above it, on any kernel.
const LOWEST: u64 = GRANULE;

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
    /// Registers with which the guest goes on, if they are not those that the child has.
    saved: Option<Registers>,
    /// Whether there is still a process.
    alive: bool,
    /// Namespaces of its own.
    pub(super) namespaces: Namespaces,
    /// What of the processor is kept from the guest.
    pub(super) kept: Report,
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
                Err(HypervisorError::Call { error, action }) if may_be_namespaces(&error) => {
                    refused = Some(HypervisorError::Call { error, action });
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused
            .unwrap_or(HypervisorError::Unsupported("no child process was asked for".into())))
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
            kept: 0,
        };
        child.expect_breakpoint("execute the child's program")?;
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
        child.request(Request::SetOptions, options.cast_unsigned() as usize, "trace a child")?;
        child.request(Request::Continue, 0, "run a child")?;
        child.expect_breakpoint("prepare a child process")?;
        let report: Report = child.registers()?.result();
        if report & READY == 0 {
            return Err(HypervisorError::Call {
                action: Step::describe(report >> 32).into(),
                error: name_limit(io::Error::from_raw_os_error(
                    (report & 0xffff_ffff).try_into().unwrap_or(0),
                )),
            });
        }
        child.kept = report & !READY;
        // The rest of the child's own program, its stack, and what the kernel puts into every
        // process.
        child.unmap_between(LOWEST, WINDOW_BASE)?;
        child.unmap_between(WINDOW_BASE + WINDOW_SIZE, GATE_BASE)?;
        child.unmap_between(GATE_BASE + GATE_SIZE, arch::address_end())?;
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
            self.saved = Some(self.registers()?);
        }
        self.set_registers(&Registers::for_call(first, second))?;
        // Ends: the gate makes one or two calls, and each disturbance is one kick.
        loop {
            self.request(Request::Continue, 0, ACTION)?;
            let status = self.wait_status().map_err(failed(ACTION))?;
            match self.decode(status)? {
                Stop::Breakpoint => break,
                Stop::Disturbed => {}
                other => {
                    let error = io::Error::other(format!("the child {other}"));
                    return Err(failed(ACTION)(error));
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
            Some(registers) => registers.write(self.pid),
            None => Ok(()),
        };
        let resumed = resumed.and_then(|()| ptrace::request(self.pid, Request::EmulateCalls, 0));
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
        // With no more looked at than must be: this is what happens all the time.
        if stop::is_breakpoint(status) {
            self.pass_breakpoint()?;
            return Ok(Stop::Breakpoint);
        }
        let stop = self.decode(status)?;
        if let Stop::SystemCall { .. } = stop {
            self.leave_call()?;
        }
        Ok(stop)
    }

    /// Has the guest go on behind the breakpoint that it stopped at.
    fn pass_breakpoint(&mut self) -> Result<(), HypervisorError> {
        if arch::BREAKPOINT_LEN == 0 {
            return Ok(());
        }
        match Registers::read(self.pid) {
            Ok(mut registers) => {
                registers.skip(arch::BREAKPOINT_LEN);
                self.saved = Some(registers);
                Ok(())
            }
            // It has been killed, which a wait explains.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            Err(error) => Err(failed("look at a child process")(error)),
        }
    }

    /// Brings the child from before a call, which is not made, to behind it. While it is before
    /// one, Arm's kernel keeps a register of its own (x7) in the place of the guest's. The
    /// signal stops it before it executes anything.
    fn leave_call(&mut self) -> Result<(), HypervisorError> {
        const ACTION: &str = "bring a child process past a system call";
        let left = pidfd_send_signal(&self.handle, kick::SIGNAL).map_err(io::Error::from);
        let left = left.and_then(|()| ptrace::request(self.pid, Request::EmulateCalls, 0));
        match left {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                return Err(failed(ACTION)(error));
            }
            _ => {}
        }
        let status = self.wait_status().map_err(failed(ACTION))?;
        self.alive = libc::WIFSTOPPED(status);
        Ok(())
    }

    fn decode(&mut self, status: c_int) -> Result<Stop, HypervisorError> {
        if !libc::WIFSTOPPED(status) {
            self.alive = false;
            return Ok(stop::decode(stop::RawStop { status, ..stop::RawStop::default() }));
        }
        if stop::is_breakpoint(status) {
            return Ok(Stop::Breakpoint);
        }
        let info = ptrace::signal(self.pid).map_err(failed("look at a child process"))?;
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
            other => Err(failed(action)(io::Error::other(format!("the child {other}")))),
        }
    }

    fn wait_status(&mut self) -> io::Result<c_int> {
        let mut status = 0;
        // Ends when the child stops or ends, to which each kick leads; an interruption is a signal
        // of another's, and those end.
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
        Registers::read(self.pid).map_err(failed("look at a child process"))
    }

    /// Sets registers, now.
    pub(super) fn set_registers(&mut self, registers: &Registers) -> Result<(), HypervisorError> {
        registers.write(self.pid).map_err(failed("set a child's registers"))
    }

    /// Sets the registers with which the guest goes on.
    pub(super) fn set_guest_registers(
        &mut self,
        registers: &Registers,
    ) -> Result<(), HypervisorError> {
        self.saved = None;
        self.set_registers(registers)
    }

    /// Everything that user code can set in registers besides the general ones.
    pub(super) fn other_registers(&self) -> Result<RegisterSets, HypervisorError> {
        RegisterSets::read(|set, room| ptrace::registers(self.pid, set, room))
            .map_err(failed("read a child's registers"))
    }

    /// Puts back what [`Self::other_registers`] returned.
    pub(super) fn set_other_registers(
        &mut self,
        sets: &RegisterSets,
    ) -> Result<(), HypervisorError> {
        sets.write(|set, bytes| ptrace::set_registers(self.pid, set, bytes))
            .map_err(failed("set a child's registers"))
    }

    fn request(
        &self,
        request: Request,
        data: usize,
        action: &'static str,
    ) -> Result<(), HypervisorError> {
        ptrace::request(self.pid, request, data).map_err(failed(action))
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
    // Ends: the child was killed, and is in no system call that could keep it.
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
    move |error| HypervisorError::Call { action: action.into(), error: name_limit(error) }
}
