//! An exit of a child process against that of a bare one.
//!
//! The floor is the least that a tracer can do: a child that executes breakpoints for ever, one
//! request to go on and one wait for each. Ours is the same guest, run by the backend. Where
//! the two processes run decides most of the time on either side: on one processor it is two
//! switches, on two an interrupt each way, which takes ten times as long in a VM. So runs are
//! short and many, and the median counts.
//!
//! A whole WASI call is shown beside it: the interpreter, the mailbox and WASI come on top.

use crate::hypercall::{CALLS, LOOP};
use crate::pairs::{Pairs, Target};
use std::arch::asm;
use std::time::{Duration, Instant};
use wrt_platform::memory::{Protection, Reservation};
use wrt_vm::hypervisor::BootState;
use wrt_vm::hypervisor::{Access, Exit, Gpa, Gva, HypervisorError, Mapping, Vcpu, Vm};
use wrt_vm::{Backend, MicroVm, Module, Value};

/// Exits in a run.
const EXITS: u32 = 200;
/// Where the guest is.
const CODE: u64 = 0x40_0000;
const SIZE: u64 = 16 << 10;
/// `int3; jmp` back to it.
const BREAKPOINTS: [u8; 3] = [0xcc, 0xeb, 0xfd];

pub(crate) fn run() -> bool {
    let mut ours = match Ours::new() {
        Ok(ours) => ours,
        Err(error) => {
            eprintln!("skipped: {error}");
            return true;
        }
    };
    let raw = RawChild::new();
    let bare = |count| {
        let started = Instant::now();
        (0..count).for_each(|_| raw.run());
        started.elapsed()
    };
    let pairs = Pairs::measure(151, || ours.time(EXITS), || bare(EXITS));
    pairs.print("an exit", f64::from(EXITS));
    let met = Target::AtMost(1.25).judge("child, ratio", pairs.ratio());

    Pairs::measure(31, call(), || bare(CALLS)).print("a WASI call", f64::from(CALLS));
    met
}

/// What makes and times [`CALLS`] WASI calls.
fn call() -> impl FnMut() -> Duration {
    let module = Module::from_text(LOOP).expect("a module");
    let mut vm = MicroVm::builder().backend(Backend::Process).build().expect("a VM");
    let loaded = vm.load(&module).expect("a loaded module");
    let instance = vm.instantiate(loaded).expect("an instance");
    let calls = vm.function(instance, "calls").expect("the export");
    move || {
        let started = Instant::now();
        vm.call(&calls, &[Value::I32(CALLS.cast_signed())]).expect("a call");
        started.elapsed()
    }
}

/// The backend, with a guest that executes breakpoints.
struct Ours {
    // Dropped in this order.
    vcpu: Box<dyn Vcpu>,
    _vm: Box<dyn Vm>,
    _memory: Reservation,
}

impl Ours {
    fn new() -> Result<Self, HypervisorError> {
        let mut vm = Backend::Process.open()?.create_vm()?;
        let size = usize::try_from(SIZE).expect("64 bits");
        let memory = Reservation::new(size).expect("address space");
        let (gpa, host) = (Gpa(0x10_0000), memory.base());
        let access = Access::READ | Access::WRITE;
        // SAFETY: the reservation is dropped after the VM, has never been accessible, and is
        // used before the vCPU runs.
        unsafe { vm.map(Mapping { gpa, host, len: SIZE, access }) }?;
        memory.protect(0, size, Protection::ReadWrite).expect("memory");
        // SAFETY: within it.
        unsafe { host.cast().write(BREAKPOINTS) };
        let space = vm.address_space().expect("the backend keeps address spaces");
        space.map(Gva(CODE), gpa, SIZE, Access::READ | Access::EXECUTE)?;
        let mut vcpu = vm.create_vcpu()?;
        vcpu.set_boot_state(&BootState { entry: Gva(CODE), ..BootState::default() })?;
        Ok(Self { vcpu, _vm: vm, _memory: memory })
    }

    fn time(&mut self, count: u32) -> Duration {
        let started = Instant::now();
        for _ in 0..count {
            assert_eq!(self.vcpu.run().expect("an exit"), Exit::Mailbox);
        }
        started.elapsed()
    }
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
