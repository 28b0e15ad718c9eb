//! Which bytes the host reads of guest memory, found out by the processor.
//!
//! While a watch is armed, the watched pages are inaccessible. An instruction of the host's that
//! touches them faults; the handler of the fault decodes it, notes the bytes that it reads, makes
//! the pages accessible and has the processor stop after that one instruction (the trap flag).
//! Then the bytes that were read are changed, and the pages are inaccessible again. So no read
//! escapes, be it in a place that nobody thought of, and no code has to be changed for it.
//!
//! A copy by the C library is one read, though its instructions overlap: within the library
//! instructions are stepped through until it returns. A `rep movs` is one read, too, and is done
//! by the handler.
//!
//! Linux on x86-64. One watch at a time: [`Watch::new`] waits for the other.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess};
use iced_x86::{Register, UsedMemory};
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use rustix::mm::{MprotectFlags, mprotect};
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use wrt_abi::layout::GRANULE;
use wrt_abi::mailbox::{MAILBOX_SIZE, PAYLOAD_OFFSET, Request};

/// What the host may do with watched bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Read each once.
    Mailbox,
    /// As well: what the stub reports of an exception.
    System,
    /// Not read: it has written them itself.
    Tables,
}

/// Bytes of the parts that may be read once.
const ONCE: usize = MAILBOX_SIZE + GRANULE as usize;

/// What the handlers work on.
struct State {
    armed: bool,
    ranges: [Option<(Part, Range<usize>)>; 3],
    /// For each byte that may be read once, whether it was.
    seen: [Seen; ONCE],
    /// Bytes of `seen` that the running instruction or copy has read.
    fresh: Range<usize>,
    /// Whether the pages are open for it.
    open: bool,
    /// Whether it is a copy by the C library.
    in_library: bool,
    violation: Option<Violation>,
    reads: usize,
    info: Option<InstructionInfoFactory>,
    library: Range<usize>,
    /// The handlers that were there before, of faults and of traps.
    before: [Option<libc::sigaction>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    Now,
    Before,
}

/// A read that must not be.
#[derive(Clone, Copy, Debug)]
struct Violation {
    part: Part,
    offset: usize,
    instruction: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, offset, instruction } = self;
        write!(f, "byte {offset:#x} of {part:?}, by the instruction at {instruction:#x}")
    }
}

struct Global(UnsafeCell<State>);

// SAFETY: touched by the thread that has the watch, and by its own signal handlers, which run
// only where that thread touches watched memory and not this.
unsafe impl Sync for Global {}

static STATE: Global = Global(UnsafeCell::new(State {
    armed: false,
    ranges: [const { None }; 3],
    seen: [Seen::No; ONCE],
    fresh: 0..0,
    open: false,
    in_library: false,
    violation: None,
    reads: 0,
    info: None,
    library: 0..0,
    before: [None; 2],
}));

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The right to watch.
pub struct Watch {
    _lock: MutexGuard<'static, ()>,
}

// SAFETY: the lock is of a kind that any thread can give back on Linux, and a machine that moves
// to another thread is not watched there.
unsafe impl Send for Watch {}

impl Watch {
    /// Waits until nobody else watches.
    pub fn new() -> Self {
        static INSTALLED: Once = Once::new();
        let lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        INSTALLED.call_once(install);
        Self { _lock: lock }
    }

    /// Watches the mailbox, SYSTEM if there is one, and page tables if there are any.
    pub fn arm(
        &mut self,
        mailbox: Option<NonNull<u8>>,
        system: Option<NonNull<u8>>,
        tables: Option<(NonNull<u8>, usize)>,
    ) {
        let range = |start: NonNull<u8>, len: usize| {
            let start = start.addr().get();
            start..start + len
        };
        // SAFETY: see `Global`.
        let state = unsafe { &mut *STATE.0.get() };
        state.ranges = [
            mailbox.map(|start| (Part::Mailbox, range(start, MAILBOX_SIZE))),
            system.map(|start| (Part::System, range(start, GRANULE as usize))),
            tables.map(|(start, len)| (Part::Tables, range(start, len))),
        ];
        state.seen.fill(Seen::No);
        // What the host has written and the rest of the page: it may not be read at all.
        state.seen[size_of::<Request>()..PAYLOAD_OFFSET].fill(Seen::Before);
        state.fresh = 0..0;
        state.violation = None;
        state.reads = 0;
        state.armed = true;
        state.protect(false);
    }

    /// Watches no more.
    ///
    /// # Panics
    ///
    /// When the host has read what it must not.
    pub fn disarm(&mut self) -> usize {
        // SAFETY: see `Global`.
        let state = unsafe { &mut *STATE.0.get() };
        if !std::mem::take(&mut state.armed) {
            return 0;
        }
        state.protect(true);
        state.ranges = [const { None }; 3];
        if let Some(violation) = state.violation.take() {
            panic!("the host reads a byte again, or one that it wrote: {violation}");
        }
        state.reads
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: see `Global`.
        let state = unsafe { &mut *STATE.0.get() };
        if std::mem::take(&mut state.armed) {
            state.protect(true);
        }
    }
}

/// Puts the handlers in place, and makes ready what they use, so that they allocate nothing.
fn install() {
    // SAFETY: see `Global`; no handler is there yet.
    let state = unsafe { &mut *STATE.0.get() };
    let mut info = InstructionInfoFactory::new();
    // movups xmm0, [rdi]
    let instruction = Decoder::new(64, &[0x0f, 0x10, 0x07], DecoderOptions::NONE).decode();
    let _ = info.info(&instruction);
    state.info = Some(info);
    state.library = library();
    for (place, signal) in [libc::SIGSEGV, libc::SIGTRAP].into_iter().enumerate() {
        // SAFETY: a handler of the right form, which is async-signal-safe: it allocates nothing,
        // takes no lock, and makes one system call.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = handle;
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            let mut before: libc::sigaction = std::mem::zeroed();
            assert_eq!(libc::sigaction(signal, &raw const action, &raw mut before), 0);
            state.before[place] = Some(before);
        }
    }
}

/// The code of the C library that copies: what the object spans that has `memcpy`.
fn library() -> Range<usize> {
    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes one object after another, and what it was given.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<(usize, Range<usize>)>()) };
        for number in 0..info.dlpi_phnum {
            // SAFETY: the object has so many headers.
            let header = unsafe { &*info.dlpi_phdr.add(number.into()) };
            #[expect(clippy::cast_possible_truncation, reason = "addresses of this process")]
            let start = (info.dlpi_addr + header.p_vaddr) as usize;
            #[expect(clippy::cast_possible_truncation, reason = "as above")]
            let span = start..start + header.p_memsz as usize;
            if header.p_type == libc::PT_LOAD
                && header.p_flags & libc::PF_X != 0
                && span.contains(&found.0)
            {
                found.1 = span;
                return 1;
            }
        }
        0
    }
    // SAFETY: a name that ends in a zero. What is called is the copy for this processor.
    let copy = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"memcpy".as_ptr()) };
    let mut found = (copy.addr(), 0..0);
    // SAFETY: the callback takes what it is given here.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    let own = install as *const () as usize;
    // Linked into this program it cannot be told from the rest.
    if found.1.contains(&own) { 0..0 } else { found.1 }
}

extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: see `Global`: the thread was stopped at an instruction that touches watched memory,
    // or follows one that did.
    let state = unsafe { &mut *STATE.0.get() };
    // SAFETY: what the kernel passes to handlers of this form.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<ucontext_t>()) };
    let registers = Registers(context);
    if signal == libc::SIGSEGV {
        // SAFETY: faults have an address.
        let address = unsafe { info.si_addr() }.addr();
        if state.armed && !state.open && state.part_of(address).is_some() {
            return state.begin(registers);
        }
    } else if state.open {
        return state.go_on(registers);
    }
    // Somebody else's. It happens again under the handler that was there before.
    let before = state.before[usize::from(signal == libc::SIGTRAP)];
    if let Some(before) = before {
        // SAFETY: as it was.
        unsafe { libc::sigaction(signal, &raw const before, std::ptr::null_mut()) };
    }
}

impl State {
    fn part_of(&self, address: usize) -> Option<(Part, usize)> {
        let found = self.ranges.iter().flatten().find(|(_, range)| range.contains(&address));
        found.map(|(part, range)| (*part, address - range.start))
    }

    /// Makes the watched pages accessible, or not.
    fn protect(&mut self, open: bool) {
        let flags =
            if open { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::empty() };
        self.open = open;
        for (_, range) in self.ranges.iter().flatten() {
            let start = std::ptr::with_exposed_provenance_mut::<c_void>(range.start);
            // SAFETY: guest memory that is accessible while the guest runs, and that no
            // reference covers. Should it be gone, the call fails.
            let _ = unsafe { mprotect(start, range.len(), flags) };
        }
    }

    /// An instruction has touched watched memory.
    fn begin(&mut self, mut registers: Registers<'_>) {
        self.protect(true);
        self.in_library = self.library.contains(&registers.instruction());
        self.fresh = 0..0;
        self.step(&mut registers);
    }

    /// An instruction is done.
    fn go_on(&mut self, mut registers: Registers<'_>) {
        if self.in_library && self.library.contains(&registers.instruction()) {
            self.step(&mut registers);
        } else {
            registers.stop_after_next(false);
            self.end();
        }
    }

    /// Notes what the next instruction reads, and has it executed.
    fn step(&mut self, registers: &mut Registers<'_>) {
        let at = registers.instruction();
        // SAFETY: the instruction that is about to be executed; the longest has 15 bytes, and
        // code is followed by more than that.
        let bytes =
            unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(at), 15) };
        let instruction = Decoder::with_ip(64, bytes, at as u64, DecoderOptions::NONE).decode();
        if let Some(size) = repeated_copy(&instruction) {
            let (from, len) = registers.copy(size, instruction.len());
            self.note(from, len, at);
            // It is done: on with what follows.
            if self.in_library {
                return self.step(registers);
            }
            return self.end();
        } else if let Some(mut info) = self.info.take() {
            for memory in info.info(&instruction).used_memory() {
                if let Some(address) = reads(memory).then(|| registers.address(memory)).flatten() {
                    self.note(address, memory.memory_size().size(), at);
                }
            }
            self.info = Some(info);
        }
        registers.stop_after_next(true);
    }

    /// Bytes are read, if they are watched.
    fn note(&mut self, start: usize, len: usize, instruction: usize) {
        for address in start..start.saturating_add(len) {
            let Some((part, offset)) = self.part_of(address) else { continue };
            self.reads += 1;
            let violation = Violation { part, offset, instruction };
            let place = match part {
                Part::Mailbox => offset,
                Part::System => MAILBOX_SIZE + offset,
                Part::Tables => {
                    self.violation.get_or_insert(violation);
                    continue;
                }
            };
            if self.seen[place] == Seen::Before {
                self.violation.get_or_insert(violation);
                continue;
            }
            self.seen[place] = Seen::Now;
            self.fresh = match self.fresh.is_empty() {
                true => place..place + 1,
                false => self.fresh.start.min(place)..self.fresh.end.max(place + 1),
            };
        }
    }

    /// The instruction or copy is done: what it has read changes, and is guarded again.
    fn end(&mut self) {
        for place in std::mem::replace(&mut self.fresh, 0..0) {
            if self.seen[place] != Seen::Now {
                continue;
            }
            self.seen[place] = Seen::Before;
            let (part, offset) = match place.checked_sub(MAILBOX_SIZE) {
                None => (Part::Mailbox, place),
                Some(offset) => (Part::System, offset),
            };
            let range = self.ranges.iter().flatten().find(|(found, _)| *found == part);
            if let Some((_, range)) = range {
                let byte = std::ptr::with_exposed_provenance_mut::<u8>(range.start + offset);
                // SAFETY: watched memory, which is open now.
                unsafe { byte.write_volatile(!byte.read_volatile()) };
            }
        }
        self.protect(false);
    }
}

/// Bytes of one step of a copy that repeats, if the instruction is one.
fn repeated_copy(instruction: &Instruction) -> Option<usize> {
    let size = match instruction.code() {
        Code::Movsb_m8_m8 => 1,
        Code::Movsw_m16_m16 => 2,
        Code::Movsd_m32_m32 => 4,
        Code::Movsq_m64_m64 => 8,
        _ => return None,
    };
    instruction.has_rep_prefix().then_some(size)
}

fn reads(memory: &UsedMemory) -> bool {
    matches!(
        memory.access(),
        OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

/// Registers of the thread that was stopped.
struct Registers<'a>(&'a mut ucontext_t);

/// The flag that has the processor stop after the next instruction.
const TRAP_FLAG: i64 = 1 << 8;
/// The flag that has copies go downwards.
const DIRECTION_FLAG: i64 = 1 << 10;

impl Registers<'_> {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "bits")]
    fn get(&self, register: c_int) -> usize {
        self.0.uc_mcontext.gregs[register as usize] as usize
    }

    #[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "bits")]
    fn set(&mut self, register: c_int, value: usize) {
        self.0.uc_mcontext.gregs[register as usize] = value as i64;
    }

    fn instruction(&self) -> usize {
        self.get(libc::REG_RIP)
    }

    fn stop_after_next(&mut self, stop: bool) {
        let flags = &mut self.0.uc_mcontext.gregs[libc::REG_EFL as usize];
        *flags = if stop { *flags | TRAP_FLAG } else { *flags & !TRAP_FLAG };
    }

    /// Where an operand is, unless it is the thread's own.
    fn address(&self, memory: &UsedMemory) -> Option<usize> {
        let address = memory.virtual_address(0, |register, _, _| match register {
            Register::ES | Register::CS | Register::SS | Register::DS => Some(0),
            Register::FS | Register::GS => None,
            register => number(register).map(|number| self.get(number) as u64),
        })?;
        usize::try_from(address).ok()
    }

    /// Does a copy that repeats, of `size` bytes a step, by an instruction of `len` bytes; returns
    /// what it has read.
    fn copy(&mut self, size: usize, len: usize) -> (usize, usize) {
        let [from, to, count] = [libc::REG_RSI, libc::REG_RDI, libc::REG_RCX].map(|r| self.get(r));
        let flags = self.0.uc_mcontext.gregs[libc::REG_EFL as usize];
        assert_eq!(flags & DIRECTION_FLAG, 0, "copies go upwards");
        let bytes = count * size;
        for offset in 0..bytes {
            // SAFETY: what the instruction would do, byte by byte; the pages are open.
            unsafe {
                let byte = std::ptr::with_exposed_provenance::<u8>(from + offset).read_volatile();
                std::ptr::with_exposed_provenance_mut::<u8>(to + offset).write_volatile(byte);
            }
        }
        self.set(libc::REG_RSI, from + bytes);
        self.set(libc::REG_RDI, to + bytes);
        self.set(libc::REG_RCX, 0);
        let next = self.instruction() + len;
        self.set(libc::REG_RIP, next);
        (from, bytes)
    }
}

fn number(register: Register) -> Option<c_int> {
    Some(match register.full_register() {
        Register::RAX => libc::REG_RAX,
        Register::RBX => libc::REG_RBX,
        Register::RCX => libc::REG_RCX,
        Register::RDX => libc::REG_RDX,
        Register::RSI => libc::REG_RSI,
        Register::RDI => libc::REG_RDI,
        Register::RBP => libc::REG_RBP,
        Register::RSP => libc::REG_RSP,
        Register::R8 => libc::REG_R8,
        Register::R9 => libc::REG_R9,
        Register::R10 => libc::REG_R10,
        Register::R11 => libc::REG_R11,
        Register::R12 => libc::REG_R12,
        Register::R13 => libc::REG_R13,
        Register::R14 => libc::REG_R14,
        Register::R15 => libc::REG_R15,
        _ => return None,
    })
}
