//! Round trip of a WASI call from a child process against that of a breakpoint in a bare one.
//!
//! The floor is the least that a tracer can do: a child that executes breakpoints for ever, one
//! request to go on and one wait for each. Ours pays for the interpreter, the mailbox and WASI
//! as well. Where the two processes run decides most of the time on either side: on one
//! processor it is two switches, on two an interrupt each way.

use crate::hypercall::{CALLS, LOOP};
use crate::pairs::{Pairs, Target};
use std::arch::asm;
use std::time::Instant;
use wrt_vm::{Backend, MicroVm, Module, Value};

pub(crate) fn run() -> bool {
    let module = Module::from_text(LOOP).expect("a module");
    let mut vm = match MicroVm::builder().backend(Backend::Process).build() {
        Ok(vm) => vm,
        Err(error) => {
            eprintln!("skipped: {error}");
            return true;
        }
    };
    let loaded = vm.load(&module).expect("a loaded module");
    let instance = vm.instantiate(loaded).expect("an instance");
    let calls = vm.function(instance, "calls").expect("the export");
    let raw = RawChild::new();
    let pairs = Pairs::measure(
        31,
        || {
            let started = Instant::now();
            vm.call(&calls, &[Value::I32(CALLS)]).expect("a call");
            started.elapsed()
        },
        || {
            let started = Instant::now();
            (0..CALLS).for_each(|_| raw.run());
            started.elapsed()
        },
    );
    pairs.print("a call", f64::from(CALLS));
    Target::AtMost(1.25).judge("child, ratio", pairs.ratio())
}

/// A traced child that executes breakpoints.
struct RawChild(libc::pid_t);

impl RawChild {
    fn new() -> Self {
        // SAFETY: the child makes one system call, and then breakpoints for ever.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                loop {
                    asm!("int3");
                }
            }
            pid
        };
        assert!(pid > 0, "no child");
        let child = Self(pid);
        child.wait();
        child
    }

    /// Runs to the next breakpoint.
    fn run(&self) {
        // SAFETY: a request to our own child.
        let done = unsafe { libc::ptrace(libc::PTRACE_CONT, self.0, 0, 0) };
        assert_eq!(done, 0, "the child does not go on");
        self.wait();
    }

    fn wait(&self) {
        let mut status = 0;
        // SAFETY: a plain system call that fills `status` in.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) };
        assert_eq!((waited, status), (self.0, libc::SIGTRAP << 8 | 0x7f), "no breakpoint");
    }
}

impl Drop for RawChild {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: plain system calls about our own child.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, &raw mut status, libc::__WALL);
        }
    }
}
