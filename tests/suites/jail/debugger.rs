//! A debugger that has a running process make system calls: the nearest that a test comes to
//! code of an attacker in `wrt-vm` itself.

use crate::reach::Caller;
use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

/// `ERESTARTSYS` and its kin of the kernel's `linux/errno.h`: what a call that was stopped returns
/// to a debugger, and is made again after.
const RESTARTS: [i64; 3] = [-512, -513, -514];
/// `ERESTART_RESTARTBLOCK`: the same by `restart_syscall`.
const RESTART_BLOCK: i64 = -516;
/// Bytes of memory that is mapped for arguments.
const ROOM: usize = 64 << 10;

/// A process whose first thread is stopped in a system call.
pub(crate) struct Debugger {
    pid: libc::pid_t,
    before: libc::user_regs_struct,
    memory: File,
    room: usize,
}

impl Debugger {
    /// Stops a process's first thread in the call that it waits in.
    pub(crate) fn stop(pid: u32) -> io::Result<Self> {
        let pid = pid.cast_signed();
        ptrace(libc::PTRACE_SEIZE, pid, 0, libc::PTRACE_O_TRACESYSGOOD as usize)?;
        ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0)?;
        wait(pid)?;
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
        let before = registers(pid)?;
        let mut debugger = Self { pid, before, memory, room: 0 };
        let mut code = [0; 2];
        debugger.memory.read_exact_at(&mut code, before.rip - 2)?;
        if code != [0x0f, 0x05] {
            return Err(io::Error::other("it was not stopped in a system call"));
        }
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        let mapped = debugger.call(libc::SYS_mmap, [0, ROOM, protection, flags, usize::MAX, 0])?;
        debugger.room = usize::try_from(mapped)
            .map_err(|_| io::Error::from_raw_os_error(i32::try_from(-mapped).unwrap_or(0)))?;
        Ok(debugger)
    }
}

impl Caller for Debugger {
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(bytes.len() <= ROOM);
        self.memory.write_all_at(bytes, self.room as u64)?;
        Ok(self.room)
    }

    fn call(&mut self, number: i64, arguments: [usize; 6]) -> io::Result<isize> {
        let [a, b, c, d, e, f] = arguments.map(|argument| argument as u64);
        let mut registers = self.before;
        registers.rip -= 2;
        registers.rax = number.cast_unsigned();
        // Not to be made again by the kernel in the place of the stopped one.
        registers.orig_rax = u64::MAX;
        (registers.rdi, registers.rsi, registers.rdx) = (a, b, c);
        (registers.r10, registers.r8, registers.r9) = (d, e, f);
        set_registers(self.pid, &registers)?;
        // Its beginning, and its end.
        for _ in 0..2 {
            ptrace(libc::PTRACE_SYSCALL, self.pid, 0, 0)?;
            loop {
                let status = wait(self.pid)?;
                if libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80 {
                    break;
                }
                // A signal of its own, which it does not get.
                ptrace(libc::PTRACE_SYSCALL, self.pid, 0, 0)?;
            }
        }
        let returned = self::registers(self.pid)?.rax.cast_signed();
        isize::try_from(returned).map_err(io::Error::other)
    }
}

impl Drop for Debugger {
    /// Lets the process go on with the call that it was stopped in.
    fn drop(&mut self) {
        let mut registers = self.before;
        match registers.rax.cast_signed() {
            errno if RESTARTS.contains(&errno) => {
                registers.rip -= 2;
                registers.rax = registers.orig_rax;
            }
            RESTART_BLOCK => {
                registers.rip -= 2;
                registers.rax = libc::SYS_restart_syscall.cast_unsigned();
            }
            _ => {}
        }
        registers.orig_rax = u64::MAX;
        // Should it be gone, the test fails for that.
        let _ = set_registers(self.pid, &registers);
        let _ = ptrace(libc::PTRACE_DETACH, self.pid, 0, 0);
    }
}

#[cfg(target_env = "gnu")]
type Request = libc::c_uint;
#[cfg(not(target_env = "gnu"))]
type Request = c_int;

fn ptrace(request: Request, pid: libc::pid_t, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: requests of the callers' here that touch memory of this process touch registers
    // that outlive the call.
    match unsafe { libc::ptrace(request, pid, address, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn registers(pid: libc::pid_t) -> io::Result<libc::user_regs_struct> {
    // SAFETY: plain numbers, all zero is valid.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    ptrace(libc::PTRACE_GETREGS, pid, 0, (&raw mut registers).expose_provenance())?;
    Ok(registers)
}

fn set_registers(pid: libc::pid_t, registers: &libc::user_regs_struct) -> io::Result<()> {
    ptrace(libc::PTRACE_SETREGS, pid, 0, std::ptr::from_ref(registers).expose_provenance())
}

/// Waits until the process stops.
fn wait(pid: libc::pid_t) -> io::Result<c_int> {
    let mut status = 0;
    // SAFETY: writes one number.
    if unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } != pid {
        return Err(io::Error::last_os_error());
    }
    match libc::WIFSTOPPED(status) {
        true => Ok(status),
        false => Err(io::Error::other(format!("the process ended: status {status:#x}"))),
    }
}
