//! A guest of a few instructions, on the process backend's own face: nothing of ours is in it.

use crate::arch::{BREAKPOINT, instructions_changed, two_words};
use std::ptr::NonNull;
use wrt_platform::memory::{Protection, Reservation};
use wrt_vm::Backend;
use wrt_vm::hypervisor::BootState;
use wrt_vm::hypervisor::{Access, Exit, Gpa, Gva, Mapping, Vcpu, Vm};

/// Where its code is, and what may be done with it: read and execute.
pub(crate) const CODE: u64 = 0x40_0000;
/// Where its data is, the stack at the upper end: read and write.
pub(crate) const DATA: u64 = 0x80_0000;
pub(crate) const SIZE: u64 = 64 << 10;

const CODE_GPA: Gpa = Gpa(0x10_0000);
const DATA_GPA: Gpa = Gpa(0x20_0000);

/// Machine code of a test, as assembly: `code!(name: "instruction" ...)` makes a function of
/// that name that returns its bytes. The code must not depend on its place.
macro_rules! code {
    ($name:ident: $($line:literal)*) => {
        crate::arch::assemble!(
            concat!(".pushsection .rodata.hostile_", stringify!($name), ",\"a\",%progbits"),
            // The function may be compiled with those that call it, apart from this.
            concat!(".globl hostile_", stringify!($name), "_start"),
            concat!(".globl hostile_", stringify!($name), "_end"),
            concat!("hostile_", stringify!($name), "_start:"),
            $($line,)*
            concat!("hostile_", stringify!($name), "_end:"),
            ".popsection",
        );

        pub(crate) fn $name() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = concat!("hostile_", stringify!($name), "_start")]
                static START: u8;
                #[link_name = concat!("hostile_", stringify!($name), "_end")]
                static END: u8;
            }
            let (start, end) = (&raw const START, &raw const END);
            // SAFETY: the two labels enclose bytes of this program's read-only data.
            unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) }
        }
    };
}
pub(crate) use code;

/// A VM with code, data and a vCPU.
pub(crate) struct Guest {
    // Dropped in this order.
    vcpu: Box<dyn Vcpu>,
    vm: Box<dyn Vm>,
    memory: Reservation,
}

impl Guest {
    /// A guest; `None`, with a line that says so, where the backend does not work.
    pub(crate) fn new() -> Option<Self> {
        let vm = Backend::Process.open().and_then(|hypervisor| hypervisor.create_vm());
        let mut vm = match vm {
            Ok(vm) => vm,
            Err(error) => {
                wrt_tests::skip(&format!("no process backend: {error}"));
                return None;
            }
        };
        let memory = Reservation::new(2 * SIZE as usize).unwrap();
        for (gpa, offset) in [(CODE_GPA, 0), (DATA_GPA, SIZE as usize)] {
            let host = at(&memory, offset);
            let access = Access::READ | Access::WRITE;
            // SAFETY: the reservation is dropped after the VM, has never been accessible, and
            // is used while the vCPU is stopped.
            unsafe { vm.map(Mapping { gpa, host, len: SIZE, access }) }.unwrap();
        }
        memory.protect(0, 2 * SIZE as usize, Protection::ReadWrite).unwrap();
        let mut guest = Self { vcpu: vm.create_vcpu().unwrap(), vm, memory };
        guest.map();
        Some(guest)
    }

    /// Gives the guest what it has.
    pub(crate) fn map(&mut self) {
        let space = self.vm.address_space().expect("the backend keeps address spaces");
        let read_write = Access::READ | Access::WRITE;
        space.map(Gva(CODE), CODE_GPA, SIZE, Access::READ | Access::EXECUTE).unwrap();
        space.map(Gva(DATA), DATA_GPA, SIZE, read_write).unwrap();
    }

    /// Takes all away, and gives it back: a process that has ended is replaced.
    pub(crate) fn clear(&mut self) {
        self.vm.address_space().unwrap().clear().unwrap();
        self.map();
    }

    /// Boots code, and runs it to its first exit; what runs past its end delivers the mailbox.
    /// Registers are zero, but for the stack's.
    pub(crate) fn boot(&mut self, code: &[u8]) -> Exit {
        assert!(code.len() < SIZE as usize - 16);
        // SAFETY: within the code's part; the vCPU is stopped.
        unsafe {
            let to = self.memory.base().as_ptr();
            for at in (0..SIZE as usize).step_by(BREAKPOINT.len()) {
                to.add(at).cast::<[u8; BREAKPOINT.len()]>().write(BREAKPOINT);
            }
            std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len());
            // The code was there before, and may be where instructions are cached.
            instructions_changed(to, SIZE as usize);
        }
        let state = BootState { entry: Gva(CODE), stack: Gva(DATA + SIZE), ..BootState::default() };
        self.vcpu.set_boot_state(&state).unwrap();
        self.run()
    }

    /// Goes on to the next exit.
    pub(crate) fn run(&mut self) -> Exit {
        self.vcpu.run().unwrap()
    }

    /// A word of its data.
    pub(crate) fn data(&self, index: usize) -> u64 {
        // SAFETY: within the data's part; the vCPU is stopped.
        unsafe { at(&self.memory, SIZE as usize + 8 * index).cast::<u64>().read() }
    }

    /// Sets a word of its data.
    pub(crate) fn set_data(&mut self, index: usize, word: u64) {
        // SAFETY: as in `data`.
        unsafe { at(&self.memory, SIZE as usize + 8 * index).cast::<u64>().write(word) }
    }

    /// What the backend says of its boundary.
    pub(crate) fn boundary(&self) -> String {
        self.vm.boundary()
    }

    pub(crate) fn vcpu(&mut self) -> &mut dyn Vcpu {
        self.vcpu.as_mut()
    }

    /// Its process: this thread traces it.
    pub(crate) fn process(&self) -> i32 {
        let this = rustix::thread::gettid().as_raw_nonzero().get();
        match processes("TracerPid", this)[..] {
            [only] => only,
            ref others => panic!("this thread traces {others:?}"),
        }
    }

    /// That it still does what it is told to.
    pub(crate) fn assert_works(&mut self) {
        assert_eq!(self.boot(two_words()), Exit::Mailbox);
        assert_eq!(self.data(0), 42);
        assert_eq!(self.run(), Exit::Mailbox);
        assert_eq!(self.data(0), 43);
    }
}

fn at(memory: &Reservation, offset: usize) -> NonNull<u8> {
    assert!(offset < memory.len());
    // SAFETY: within the reservation.
    unsafe { memory.base().add(offset) }
}

/// Processes that hold a guest, and whose status has `id` in a field.
pub(crate) fn processes(field: &str, id: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a list of processes").flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if status(pid, "Name").as_deref() == Some("wrt-vm guest")
            && status(pid, field) == Some(id.to_string())
        {
            found.push(pid);
        }
    }
    found
}

/// A field of a process's status, if there still is the process.
pub(crate) fn status(pid: i32, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
