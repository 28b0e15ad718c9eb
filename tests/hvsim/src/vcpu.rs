//! A vCPU.

use crate::control::{CANCELED, COUNTING, EXITS, PRIVILEGED, TAKEN};
use crate::exception::{
    Engine, read, read_system, reason, set_pstate, system, take, write, write_system,
};
use crate::guard::{Touch, watch};
use crate::process::{Control, Memory, vm};
use applevisor_sys::{
    hv_exit_reason_t, hv_reg_t, hv_sys_reg_t, hv_vcpu_exit_exception_t, hv_vcpu_exit_t,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use unicorn_engine::{Arch, HookType, MemType, Mode, Prot, RegisterARM64 as Reg, Unicorn};

/// QEMU's "max": all of Armv8.5 that it has.
const MODEL_MAX: i32 = 3;

/// Class of a supervisor call from 64-bit code, with IL.
const SVC: u64 = 0x15 << 26 | 1 << 25;
/// Of a hypervisor call.
const HVC: u64 = 0x16 << 26 | 1 << 25;
/// Of an abort from below: of a fetch, of data.
const FETCH_ABORT: u64 = 0x20 << 26 | 1 << 25;
const DATA_ABORT: u64 = 0x24 << 26 | 1 << 25;
/// WFI or WFE.
const WAIT: u64 = 1 << 26 | 1 << 25;

/// What made the vCPU stop.
#[derive(Clone, Copy, Debug)]
struct Stop {
    reason: hv_exit_reason_t,
    syndrome: u64,
    far: u64,
    ipa: u64,
}

/// What hooks leave for the loop that runs.
type Stopped = Rc<Cell<Option<Stop>>>;

pub(crate) struct Vcpu {
    engine: Engine<'static>,
    /// What `hv_vcpu_create` gave away a pointer to.
    exit: Box<hv_vcpu_exit_t>,
    stopped: Stopped,
    /// The memory that the engine was told of.
    seen: Memory,
    control: Arc<Control>,
    pub(crate) vtimer_masked: bool,
    pub(crate) vtimer_offset: u64,
    pub(crate) trap_debug_exceptions: bool,
    pub(crate) trap_debug_registers: bool,
}

thread_local! {
    /// The calling thread's vCPUs: one at most.
    static MINE: RefCell<BTreeMap<u64, Vcpu>> = const { RefCell::new(BTreeMap::new()) };
}

/// Does something with a vCPU of the calling thread; `None` if it has none of that number.
pub(crate) fn with<T>(id: u64, work: impl FnOnce(&mut Vcpu) -> T) -> Option<T> {
    MINE.with_borrow_mut(|mine| mine.get_mut(&id).map(work))
}

/// Whether the calling thread has one.
pub(crate) fn thread_has_one() -> bool {
    MINE.with_borrow(|mine| !mine.is_empty())
}

/// Gives the calling thread a vCPU; returns where its exits will be told.
pub(crate) fn create(id: u64, control: Arc<Control>) -> *const hv_vcpu_exit_t {
    let vcpu = Vcpu::new(control);
    let exit: *const hv_vcpu_exit_t = &raw const *vcpu.exit;
    MINE.with_borrow_mut(|mine| mine.insert(id, vcpu));
    exit
}

/// Takes it away again; whether it was there.
pub(crate) fn destroy(id: u64) -> bool {
    let vcpu = MINE.with_borrow_mut(|mine| mine.remove(&id));
    vcpu.is_some()
}

impl Vcpu {
    fn new(control: Arc<Control>) -> Self {
        let mut engine = Unicorn::new(Arch::ARM64, Mode::LITTLE_ENDIAN).expect("Unicorn has Arm");
        engine.ctl_set_cpu_model(MODEL_MAX).expect("Unicorn has QEMU's models");
        let stopped = Stopped::default();
        hook_exceptions(&mut engine, &stopped);
        hook_memory(&mut engine, &stopped);
        if COUNTING.load(SeqCst) {
            hook_instructions(&mut engine);
        }
        // As the framework starts a guest: below a hypervisor, in 64-bit state. SCR_EL3: RW,
        // HCE, NS. HCR_EL2: RW.
        write_system(&mut engine, system(3, 6, 1, 1, 0), 1 << 10 | 1 << 8 | 1);
        write_system(&mut engine, system(3, 4, 1, 1, 0), 1 << 31);
        control.engine.store(engine.get_handle() as usize, SeqCst);
        let nothing =
            hv_vcpu_exit_exception_t { syndrome: 0, virtual_address: 0, physical_address: 0 };
        let exit = hv_vcpu_exit_t { reason: hv_exit_reason_t::UNKNOWN, exception: nothing };
        Self {
            engine,
            exit: Box::new(exit),
            stopped,
            seen: Memory::default(),
            control,
            // `hv_vcpu_set_vtimer_mask`: a new vCPU's is not masked.
            vtimer_masked: false,
            vtimer_offset: 0,
            trap_debug_exceptions: false,
            trap_debug_registers: false,
        }
    }

    /// Runs until it stops, and tells why.
    pub(crate) fn run(&mut self) {
        self.follow_memory();
        self.control.running.store(true, SeqCst);
        self.stopped.set(None);
        let stop = loop {
            if self.control.cancel.swap(false, SeqCst) {
                CANCELED.fetch_add(1, SeqCst);
                break Stop { reason: hv_exit_reason_t::CANCELED, syndrome: 0, far: 0, ipa: 0 };
            }
            let pc = read(&self.engine, Reg::PC);
            let handle = self.engine.get_handle().cast();
            let (result, touch) =
                watch(&self.seen, handle, || self.engine.emu_start(pc, u64::MAX, 0, 0));
            if let Some(Touch { ipa, write }) = touch {
                // Whatever came of it: there was nothing.
                self.stopped.set(None);
                EXITS.fetch_add(1, SeqCst);
                let syndrome = DATA_ABORT | u64::from(write) << 6 | 0x07;
                let reason = hv_exit_reason_t::EXCEPTION;
                break Stop { reason, syndrome, far: ipa, ipa };
            }
            if let Some(stop) = self.stopped.take() {
                EXITS.fetch_add(1, SeqCst);
                break stop;
            }
            if self.control.cancel.load(SeqCst) {
                continue;
            }
            if let Err(error) = result {
                eprintln!("hvsim: Unicorn: {error:?} at {:#x}", read(&self.engine, Reg::PC));
                break Stop { reason: hv_exit_reason_t::UNKNOWN, syndrome: 0, far: 0, ipa: 0 };
            }
            // It came back for no reason of ours: the processor waits for an interrupt. The
            // program counter is at the instruction.
            EXITS.fetch_add(1, SeqCst);
            let reason = hv_exit_reason_t::EXCEPTION;
            break Stop { reason, syndrome: WAIT, far: 0, ipa: 0 };
        };
        self.control.running.store(false, SeqCst);
        let Stop { reason, syndrome, far, ipa } = stop;
        let exception =
            hv_vcpu_exit_exception_t { syndrome, virtual_address: far, physical_address: ipa };
        *self.exit = hv_vcpu_exit_t { reason, exception };
    }

    /// Tells the engine what has changed in the VM's memory.
    fn follow_memory(&mut self) {
        let vm = vm();
        let Some(vm) = vm.as_ref() else { return };
        if self.seen.generation == vm.memory.generation {
            return;
        }
        let now = &vm.memory.stretches;
        for (ipa, stretch) in &self.seen.stretches {
            if now.get(ipa) != Some(stretch) {
                self.engine.mem_unmap(*ipa, stretch.len).expect("it was mapped");
            }
        }
        for (ipa, stretch) in now {
            if self.seen.stretches.get(ipa) != Some(stretch) {
                let rights = Prot(u32::try_from(stretch.flags).unwrap_or(0));
                // SAFETY: whoever called `hv_vm_map` keeps the memory until `hv_vm_unmap`.
                let mapped = unsafe {
                    let host = std::ptr::with_exposed_provenance_mut::<c_void>(stretch.host);
                    self.engine.mem_map_ptr(*ipa, stretch.len, rights, host)
                };
                mapped.expect("it does not overlap");
            }
        }
        self.seen = vm.memory.clone();
        self.engine.ctl_flush_tb().expect("Unicorn forgets code");
        self.engine.ctl_flush_tlb().expect("Unicorn forgets translations");
    }

    pub(crate) fn get(&self, register: hv_reg_t) -> u64 {
        match general(register) {
            Some(register) => read(&self.engine, register),
            None => read(&self.engine, Reg::PSTATE),
        }
    }

    pub(crate) fn set(&mut self, register: hv_reg_t, value: u64) {
        match general(register) {
            Some(register) => write(&mut self.engine, register, value),
            None => set_pstate(&mut self.engine, value),
        }
    }

    /// A system register; `None` if there is no such.
    pub(crate) fn get_system(&self, register: hv_sys_reg_t) -> Option<u64> {
        match self.named(register) {
            Some(register) => Some(read(&self.engine, register)),
            None => read_system(&self.engine, encoding(register)),
        }
    }

    /// Sets a system register; whether there is such.
    pub(crate) fn set_system(&mut self, register: hv_sys_reg_t, value: u64) -> bool {
        let set = match self.named(register) {
            Some(register) => {
                write(&mut self.engine, register, value);
                true
            }
            None => write_system(&mut self.engine, encoding(register), value),
        };
        self.engine.ctl_flush_tlb().expect("Unicorn forgets translations");
        set
    }

    /// Those that Unicorn has under a name of their own. The stack pointer in use is another.
    fn named(&self, register: hv_sys_reg_t) -> Option<Reg> {
        let on_own_stack = read(&self.engine, Reg::PSTATE) & 1 == 1;
        Some(match register {
            hv_sys_reg_t::SP_EL0 if on_own_stack => Reg::SP_EL0,
            hv_sys_reg_t::SP_EL1 if !on_own_stack => Reg::SP_EL1,
            hv_sys_reg_t::SP_EL0 | hv_sys_reg_t::SP_EL1 => Reg::SP,
            hv_sys_reg_t::ELR_EL1 => Reg::ELR_EL1,
            hv_sys_reg_t::ESR_EL1 => Reg::ESR_EL1,
            hv_sys_reg_t::FAR_EL1 => Reg::FAR_EL1,
            hv_sys_reg_t::VBAR_EL1 => Reg::VBAR_EL1,
            _ => return None,
        })
    }
}

/// Unicorn's name of a general register; `None` for PSTATE.
fn general(register: hv_reg_t) -> Option<Reg> {
    const X: [Reg; 31] = [
        Reg::X0,
        Reg::X1,
        Reg::X2,
        Reg::X3,
        Reg::X4,
        Reg::X5,
        Reg::X6,
        Reg::X7,
        Reg::X8,
        Reg::X9,
        Reg::X10,
        Reg::X11,
        Reg::X12,
        Reg::X13,
        Reg::X14,
        Reg::X15,
        Reg::X16,
        Reg::X17,
        Reg::X18,
        Reg::X19,
        Reg::X20,
        Reg::X21,
        Reg::X22,
        Reg::X23,
        Reg::X24,
        Reg::X25,
        Reg::X26,
        Reg::X27,
        Reg::X28,
        Reg::X29,
        Reg::X30,
    ];
    match register {
        hv_reg_t::PC => Some(Reg::PC),
        hv_reg_t::FPCR => Some(Reg::FPCR),
        hv_reg_t::FPSR => Some(Reg::FPSR),
        hv_reg_t::CPSR => None,
        x => X.get(x as usize).copied(),
    }
}

/// `hv_sys_reg_t` is the register's encoding.
fn encoding(register: hv_sys_reg_t) -> unicorn_engine::RegisterARM64CP {
    let bits = register as u32;
    system(bits >> 14 & 3, bits >> 11 & 7, bits >> 7 & 15, bits >> 3 & 15, bits & 7)
}

fn hook_exceptions(engine: &mut Engine<'static>, stopped: &Stopped) {
    let stopped = Rc::clone(stopped);
    let hook = move |engine: &mut Engine<'_>, number: u32| {
        let pc = read(engine, Reg::PC);
        let exit = |engine: &mut Engine<'_>, syndrome| {
            let reason = hv_exit_reason_t::EXCEPTION;
            stopped.set(Some(Stop { reason, syndrome, far: 0, ipa: 0 }));
            engine.emu_stop().expect("it runs");
        };
        // Calls are told from their instructions: what Unicorn knows takes long to find out.
        match number {
            reason::UNDEFINED => {
                // Unicorn takes `hvc` for undefined where there is no EL2.
                if let Some(call) = hypervisor_call(engine, pc) {
                    engine.set_pc(pc + 4).expect("a program counter");
                    return exit(engine, HVC | u64::from(call));
                }
            }
            reason::SUPERVISOR_CALL => {
                if let Some(call) = supervisor_call(engine, pc.wrapping_sub(4)) {
                    take(engine, SVC | u64::from(call), None, pc);
                    TAKEN.fetch_add(1, SeqCst);
                    return;
                }
            }
            _ => {}
        }
        let Details { syndrome, far } = details(engine);
        match number {
            reason::HYPERVISOR_CALL => return exit(engine, syndrome),
            reason::UNDEFINED | reason::SUPERVISOR_CALL | reason::BREAKPOINT => {
                take(engine, syndrome, None, pc)
            }
            reason::PREFETCH_ABORT | reason::DATA_ABORT => take(engine, syndrome, Some(far), pc),
            _ => return exit(engine, syndrome),
        }
        TAKEN.fetch_add(1, SeqCst);
    };
    engine.add_intr_hook(hook).expect("Unicorn has hooks");
}

/// The number of the `hvc` at an address, if it is one and EL1 executes it.
fn hypervisor_call(engine: &Engine<'_>, pc: u64) -> Option<u16> {
    let word = instruction(engine, pc)?;
    let is_call = word & 0xffe0_001f == 0xd400_0002;
    (at_el1(engine) && is_call).then_some((word >> 5 & 0xffff) as u16)
}

/// The number of the `svc` at an address, if it is one.
fn supervisor_call(engine: &Engine<'_>, pc: u64) -> Option<u16> {
    let word = instruction(engine, pc)?;
    (word & 0xffe0_001f == 0xd400_0001).then_some((word >> 5 & 0xffff) as u16)
}

fn instruction(engine: &Engine<'_>, pc: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    engine.vmem_read(pc, Prot::EXEC, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// Counts instructions at EL1.
fn hook_instructions(engine: &mut Engine<'static>) {
    let hook = |engine: &mut Engine<'_>, _: u64, _: u32| {
        if at_el1(engine) {
            PRIVILEGED.fetch_add(1, SeqCst);
        }
    };
    // From 1 to 0: everywhere.
    engine.add_code_hook(1, 0, hook).expect("Unicorn has hooks");
}

fn at_el1(engine: &Engine<'_>) -> bool {
    read(engine, Reg::PSTATE) >> 2 & 3 == 1
}

/// Accesses that the second stage has no memory for, or no right to.
fn hook_memory(engine: &mut Engine<'static>, stopped: &Stopped) {
    let stopped = Rc::clone(stopped);
    let hook = move |engine: &mut Engine<'_>, kind: MemType, ipa: u64, size: usize, _: i64| {
        let pc = read(engine, Reg::PC);
        let fetch = matches!(kind, MemType::FETCH_UNMAPPED | MemType::FETCH_PROT);
        let write = matches!(kind, MemType::WRITE_UNMAPPED | MemType::WRITE_PROT);
        let denied = matches!(kind, MemType::FETCH_PROT | MemType::WRITE_PROT | MemType::READ_PROT);
        // A permission fault, or a translation fault, of level 3.
        let status = if denied { 0x0f } else { 0x07 };
        let syndrome = if fetch {
            FETCH_ABORT | status
        } else {
            // ISV, SAS, SRT, WnR: of a plain load or store.
            let register = instruction(engine, pc).map_or(0, |word| u64::from(word & 31));
            let width = u64::from(size.trailing_zeros().min(3));
            DATA_ABORT | 1 << 24 | width << 22 | register << 16 | u64::from(write) << 6 | status
        };
        // The virtual address is not to be had here.
        let reason = hv_exit_reason_t::EXCEPTION;
        stopped.set(Some(Stop { reason, syndrome, far: ipa, ipa }));
        let _ = engine.emu_stop();
        false
    };
    engine.add_mem_hook(HookType::MEM_INVALID, 0, u64::MAX, hook).expect("Unicorn has hooks");
}

/// What QEMU knows of the exception that a hook was called for.
struct Details {
    syndrome: u64,
    far: u64,
}

/// Reads them out of a copy of the processor's state, where Unicorn does not offer them.
fn details(engine: &Engine<'_>) -> Details {
    let state = snapshot(engine);
    let at = *PLACE.get_or_init(find_place);
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&state[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    // struct { uint32_t syndrome; uint32_t fsr; uint64_t vaddress; ... } exception;
    Details { syndrome: word(at) & 0xffff_ffff, far: word(at + 8) }
}

/// Where in a snapshot QEMU's `env->exception` begins.
static PLACE: OnceLock<usize> = OnceLock::new();

/// Has a processor of its own execute `svc #0xabcd`, and looks for the syndrome of that.
fn find_place() -> usize {
    const SYNDROME: [u8; 4] = 0x5600_abcd_u32.to_le_bytes();
    const CALL: [u8; 4] = (0xd400_0001_u32 | 0xabcd << 5).to_le_bytes();
    let mut engine = Unicorn::new(Arch::ARM64, Mode::LITTLE_ENDIAN).expect("Unicorn has Arm");
    engine.ctl_set_cpu_model(MODEL_MAX).expect("Unicorn has QEMU's models");
    let found = Rc::new(Cell::new(None));
    let place = Rc::clone(&found);
    engine
        .add_intr_hook(move |engine: &mut Engine<'_>, _| {
            let state = snapshot(engine);
            let mut places =
                (0..state.len() - 16).step_by(4).filter(|at| state[*at..at + 4] == SYNDROME);
            place.set(places.next().filter(|_| places.next().is_none()));
            engine.emu_stop().expect("it runs");
        })
        .expect("Unicorn has hooks");
    engine.mem_map(0, 0x1000, Prot::ALL).expect("memory");
    engine.mem_write(0, &CALL).expect("memory");
    let _ = engine.emu_start(0, 0x100, 0, 1);
    found.get().expect("this Unicorn keeps an exception's syndrome in its state, once")
}

unsafe extern "C" {
    fn uc_context_alloc(engine: *mut c_void, context: *mut *mut c_void) -> i32;
    fn uc_context_save(engine: *mut c_void, context: *mut c_void) -> i32;
    fn uc_context_size(engine: *mut c_void) -> usize;
    fn uc_context_free(context: *mut c_void) -> i32;
}

/// A copy of the processor's state, as QEMU has it.
fn snapshot(engine: &Engine<'_>) -> Vec<u8> {
    let handle = engine.get_handle().cast();
    let mut context = std::ptr::null_mut();
    // SAFETY: the engine is alive; the context is freed once, and as large as it says.
    unsafe {
        assert_eq!(uc_context_alloc(handle, &raw mut context), 0, "memory for a context");
        assert_eq!(uc_context_save(handle, context), 0, "a context is saved");
        let len = uc_context_size(handle);
        let copy = std::slice::from_raw_parts(context.cast::<u8>(), len).to_vec();
        uc_context_free(context);
        copy
    }
}
