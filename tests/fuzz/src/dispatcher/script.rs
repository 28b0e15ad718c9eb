//! A guest that does one step after another, and looks whether the host has done what it says.

use crate::machine::{Guest, Memory};
use arbitrary::Arbitrary;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wrt_abi::layout::{
    GRANULE, HEAP_BASE, HEAP_INITIAL, MAILBOX_BASE, REGION_BASE, REGION_COUNT, REGION_FIRST,
    REGION_STRIDE, SYSTEM_BASE,
};
use wrt_abi::mailbox::{PAYLOAD_MAX, REQUEST_ARGS, Request, Response};
use wrt_abi::report::{Frame, TrapReport};
use wrt_abi::services::{Import, ServiceId};
use wrt_abi::value::{ValueType, WireValue};
use wrt_abi::wire::Writer;
use wrt_abi::{ABI_VERSION, Call, Command, Reply, Status};
use wrt_vm::hypervisor::{Access, Exit, Fault, Gpa};

/// What a guest does until its next exit.
#[derive(Arbitrary, Clone, Debug)]
pub struct Step {
    /// Bytes that it writes somewhere.
    pub writes: Vec<(Word, Vec<u8>)>,
    /// How it leaves.
    pub leave: Leave,
}

/// How a guest leaves the VM.
#[derive(Arbitrary, Clone, Debug)]
pub enum Leave {
    /// With a call.
    Call {
        /// Which.
        call: CallNumber,
        /// Its arguments.
        args: Vec<Word>,
        /// What goes with it.
        payload: Vec<u8>,
        /// A length of the payload other than its own.
        len: Option<u32>,
    },
    /// With a call of a service's function on one of its regions.
    Function {
        /// Which service.
        of: u32,
        /// Which function of it.
        function: u8,
        /// Which region is the linear memory.
        memory: u8,
        /// Its length, unless it is all of it.
        len: Option<Word>,
        /// The function's arguments.
        args: Vec<Word>,
    },
    /// With pages of a module that it was given, to be executable.
    Publish {
        /// Which module.
        which: u8,
        /// The first page.
        start: u8,
        /// How many.
        pages: u8,
    },
    /// With the answer to a command.
    Answer {
        /// Which kind: a [`Reply`], mostly a good one, or none.
        reply: u8,
        /// Its words.
        words: [Word; 3],
        /// Its payload.
        payload: Answer,
    },
    /// With whatever is in the mailbox.
    Mailbox,
    /// By another exit.
    Exit(OtherExit),
}

/// The number of a call.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum CallNumber {
    /// That of a call that there is.
    Known(u8),
    /// Any.
    Raw(u32),
}

/// A word of a request: mostly one that is near to something.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Word {
    /// A small number.
    Small(u8),
    /// So many granules.
    Granules(u16),
    /// Near a power of two.
    Power {
        /// Which.
        bit: u8,
        /// How near.
        offset: i8,
    },
    /// In the heap.
    Heap(u32),
    /// Near a region of its own.
    Mine {
        /// Which.
        which: u8,
        /// How far into it.
        offset: i32,
    },
    /// In any region.
    Region {
        /// Which.
        number: u16,
        /// How far into it.
        offset: i32,
    },
    /// One of the parts that are no heap and no region.
    Part {
        /// Which.
        which: u8,
        /// How far into it.
        offset: i16,
    },
    /// How many things are in the payload.
    Count,
    /// Any.
    Raw(u64),
}

/// A command's answer.
#[derive(Arbitrary, Clone, Debug)]
pub enum Answer {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Values of Wasm.
    Values(Vec<(u8, u128)>),
    /// A function's type.
    Type {
        /// Of its parameters.
        params: Vec<u8>,
        /// Of its results.
        results: Vec<u8>,
    },
    /// A trap's report.
    Trap {
        /// What it says.
        message: Vec<u8>,
        /// How deep it was.
        depth: Option<u32>,
        /// Its frames.
        frames: Vec<(u32, u32, Vec<u8>)>,
    },
    /// Strings behind their lengths.
    Strings(Vec<Vec<u8>>),
}

/// An exit that is no call.
#[derive(Arbitrary, Clone, Copy, Debug)]
#[expect(missing_docs, reason = "those of `Exit`")]
pub enum OtherExit {
    Kicked,
    Exception,
    Fault { vector: u8, instruction: u64, stack: u64, address: Option<u64> },
    SystemCall(u64),
    Memory { gpa: u64, write: bool },
    Port { port: u16, width: u8, write: bool },
    Halt,
    TripleFault,
    Failed(u64),
    Unexpected(u32),
}

/// Steps that one VM makes at most.
const STEPS: usize = 64;
/// Bytes that one step writes at most.
const WRITES: usize = 16;
/// Pages of a module, and some behind it.
const MODULE_PAGES: u64 = 20;
/// What a function gets where a step says nothing, if it is not WASI's: a product of two matrices
/// that is defined, or short text. Arguments of which one may be wrong are right by chance too
/// seldom.
const PRODUCT: [u64; 8] = [2, 2, 2, 1, 64, 128, 1, 192];
/// The smallest page that a guest's addresses are translated by.
const PAGE: u64 = 4096;

/// The guest.
pub struct Scripted {
    boots: bool,
    steps: VecDeque<Step>,
    booted: bool,
    /// The request that the host is serving.
    asked: Option<Request>,
    regions: Regions,
    /// Those of the guest that the owner has kept.
    snapshot: Option<Regions>,
}

/// What a guest has beside its heap.
#[derive(Clone)]
struct Regions {
    /// Usable bytes of its own, by address.
    own: BTreeMap<u64, u64>,
    /// Addresses of modules that it was given.
    given: BTreeSet<u64>,
}

impl Default for Regions {
    fn default() -> Self {
        Self { own: BTreeMap::from([(REGION_FIRST, 0)]), given: BTreeSet::new() }
    }
}

impl Scripted {
    /// A guest with its steps; `boots` is whether it boots by itself.
    pub fn new(steps: &[Step], boots: bool) -> Self {
        let steps = steps.iter().take(STEPS).cloned().collect();
        let regions = Regions::default();
        Self { boots, steps, booted: false, asked: None, regions, snapshot: None }
    }

    /// The owner has kept what the guest is now.
    pub fn keep(&mut self) {
        self.snapshot = Some(self.regions.clone());
    }

    /// The next guest goes on from what was kept, or else from what this one is now.
    pub fn go_on(&mut self) {
        self.regions.clone_from(self.snapshot.get_or_insert(self.regions.clone()));
    }

    /// The next guest goes on from nothing.
    pub fn begin_anew(&mut self) {
        self.regions = Regions::default();
    }
}

impl Guest for Scripted {
    fn boot(&mut self) {
        self.booted = false;
        self.asked = None;
    }

    fn run(&mut self, memory: &mut Memory) -> Exit {
        if !self.booted {
            memory.check();
        }
        if let Some(asked) = self.asked.take() {
            self.check(asked, memory);
        }
        if !std::mem::replace(&mut self.booted, true) && self.boots {
            let args = [u64::from(ABI_VERSION)];
            return self.request(memory, Call::Ready as u32, &args, &[], None);
        }
        let Some(Step { writes, leave }) = self.steps.pop_front() else { return Exit::Halt };
        for (at, bytes) in writes.iter().take(WRITES) {
            memory.write(self.word(*at, 0), bytes);
        }
        self.leave(memory, leave)
    }
}

impl Scripted {
    fn leave(&mut self, memory: &mut Memory, leave: Leave) -> Exit {
        match leave {
            Leave::Call { call, args, payload, len } => {
                let call = match call {
                    CallNumber::Known(index) => {
                        Call::ALL[usize::from(index) % Call::ALL.len()] as u32
                    }
                    CallNumber::Raw(number) => number,
                };
                let args: Vec<u64> = args.iter().map(|word| self.word(*word, 0)).collect();
                self.request(memory, call, &args, &payload, len)
            }
            Leave::Function { of, function, memory: which, len, args } => {
                let service = ServiceId::ALL[of as usize % ServiceId::ALL.len()];
                let usual = if service == ServiceId::Wasi { &[][..] } else { &PRODUCT };
                let imports: Vec<Import> = service.imports().collect();
                let import = imports[usize::from(function) % imports.len()];
                let (base, usable) = self.mine(which);
                let len = len.map_or(usable, |len| self.word(len, 0));
                let mut words = vec![import.word(), base, len];
                words.extend(args.iter().map(|word| self.word(*word, 0)));
                words.extend(usual.iter().skip(args.len()));
                self.request(memory, Call::Service as u32, &words, &[], None)
            }
            Leave::Publish { which, start, pages } => {
                let given = &self.regions.given;
                let module = given.iter().nth(usize::from(which) % given.len().max(1));
                let start = module.unwrap_or(&REGION_BASE) + u64::from(start) % MODULE_PAGES * PAGE;
                let words = [start, u64::from(pages) % MODULE_PAGES * PAGE];
                self.request(memory, Call::CodePublish as u32, &words, &[], None)
            }
            Leave::Answer { reply, words, payload } => {
                let (payload, count) = payload.bytes();
                let [a, b, c] = words.map(|word| self.word(word, count));
                let reply = match reply {
                    0..64 => Reply::ALL[usize::from(reply) % Reply::ALL.len()] as u64,
                    64..240 => Reply::Ok as u64,
                    // None, from the next number on.
                    240.. => (Reply::ALL.len() + usize::from(reply - 240)) as u64,
                };
                self.request(memory, Call::Done as u32, &[reply, a, b, c], &payload, None)
            }
            Leave::Mailbox => Exit::Mailbox,
            Leave::Exit(exit) => exit.into(),
        }
    }

    fn request(
        &mut self,
        memory: &mut Memory,
        call: u32,
        words: &[u64],
        payload: &[u8],
        len: Option<u32>,
    ) -> Exit {
        let own = u32::try_from(payload.len().min(PAYLOAD_MAX)).unwrap_or(0);
        let mut args = [0; REQUEST_ARGS];
        let words = &words[..words.len().min(REQUEST_ARGS)];
        args[..words.len()].copy_from_slice(words);
        let request = Request { call, payload_len: len.unwrap_or(own), args };
        memory.request(&request, payload);
        self.asked = Some(request);
        Exit::Mailbox
    }

    /// One of its regions, or the heap.
    fn mine(&self, which: u8) -> (u64, u64) {
        let index = usize::from(which) % (self.regions.own.len() + 1);
        let region = self.regions.own.iter().nth(index);
        region.map_or((HEAP_BASE, HEAP_INITIAL), |(gva, usable)| (*gva, *usable))
    }

    fn word(&self, word: Word, count: usize) -> u64 {
        match word {
            Word::Small(number) => number.into(),
            Word::Granules(number) => u64::from(number) * GRANULE,
            Word::Power { bit, offset } => (1u64 << (bit % 64)).wrapping_add_signed(offset.into()),
            Word::Heap(offset) => HEAP_BASE + u64::from(offset),
            Word::Mine { which, offset } => self.mine(which).0.wrapping_add_signed(offset.into()),
            Word::Region { number, offset } => {
                let number = u64::from(number) % (REGION_COUNT + 1);
                (REGION_BASE + number * REGION_STRIDE).wrapping_add_signed(offset.into())
            }
            Word::Part { which, offset } => {
                let parts = [MAILBOX_BASE, SYSTEM_BASE, wrt_abi::layout::IMAGE_BASE, 0];
                parts[usize::from(which) % parts.len()].wrapping_add_signed(offset.into())
            }
            Word::Count => count as u64,
            Word::Raw(number) => number,
        }
    }

    /// What the host says of the last request is so.
    fn check(&mut self, asked: Request, memory: &Memory) {
        let (Response { status, values, .. }, _payload) = memory.response();
        let status = Status::try_from(status).expect("the host's numbers are known");
        let done = status == Status::Ok;
        let [a, b, ..] = asked.args;
        match Call::try_from(asked.call).expect("another call has ended the VM") {
            Call::Ready | Call::Done => {
                let command = Command::try_from(values[0]).expect("a command");
                assert!(done, "{command:?} with {status:?}");
                if command == Command::Load {
                    self.regions.given.insert(values[1]);
                }
            }
            Call::RegionReserve if done => {
                self.regions.own.insert(values[0], 0);
                self.grown(memory, values[0], a, None);
            }
            Call::RegionCommit if done => self.grown(memory, a, b, Some(values[0])),
            Call::RegionRelease if done => {
                self.regions.own.remove(&a).expect("only what is there can be released");
                assert!(memory.translate(a).is_none(), "{a:#x} is still there");
            }
            Call::CodePublish if done && b > 0 => {
                for at in [a, a + (b - 1)] {
                    let leaf = memory.translate(at).expect("code is there");
                    assert!(leaf.access == Access::READ | Access::EXECUTE && leaf.user);
                }
            }
            Call::RegionReserve | Call::RegionCommit | Call::RegionRelease | Call::CodePublish => {
                assert!(done || matches!(status, Status::Invalid | Status::Refused));
            }
            // They have the guest's own memory only.
            Call::Service => return,
            Call::Panic | Call::OutOfMemory => unreachable!("they have ended the VM"),
        }
        memory.check();
    }

    /// A region has `least` bytes now, or so many as the host says, and not one more.
    fn grown(&mut self, memory: &Memory, gva: u64, least: u64, says: Option<u64>) {
        let whole = says.unwrap_or_else(|| least.next_multiple_of(GRANULE));
        assert!(whole >= least, "{whole:#x} bytes where {least:#x} were asked for");
        if gva != HEAP_BASE {
            let usable = self.regions.own.get_mut(&gva).expect("only what is there can grow");
            assert!(whole >= *usable, "it has shrunk");
            *usable = whole;
        }
        assert!(memory.translate(gva - 1).is_none(), "a guard before {gva:#x}");
        assert!(memory.translate(gva + whole).is_none(), "a page more at {gva:#x}");
        let mut at = gva;
        while at < gva + whole {
            let leaf = memory.translate(at).expect("it is there");
            assert!(leaf.user && leaf.access == Access::READ | Access::WRITE);
            at += leaf.len;
        }
    }
}

impl Answer {
    /// The payload, and how many things are in it.
    fn bytes(&self) -> (Vec<u8>, usize) {
        let mut buffer = vec![0; PAYLOAD_MAX];
        let mut writer = Writer::new(&mut buffer);
        let mut count = 0;
        // What does not fit is left out: the mailbox could not hold it.
        match self {
            Self::Bytes(bytes) => {
                let _ = writer.put(&bytes[..bytes.len().min(PAYLOAD_MAX)]);
            }
            Self::Values(values) => {
                for (ty, bits) in values {
                    let value = value(*ty, *bits);
                    count += usize::from(value.write(&mut writer).is_ok());
                }
            }
            Self::Type { params, results } => {
                for types in [params, results] {
                    count += types.len();
                    let types: Vec<u8> = types.iter().map(|ty| ty % 9).collect();
                    let _ = writer.bytes(&types);
                }
            }
            Self::Trap { message, depth, frames } => {
                let _ = TrapReport::begin(&mut writer, message, *depth);
                for (module, function, name) in frames {
                    let (module, function) = (*module, *function);
                    let frame = Frame { module, function, offset: Some(module), name };
                    count += usize::from(frame.write(&mut writer).is_ok());
                }
            }
            Self::Strings(strings) => {
                for string in strings {
                    count += usize::from(writer.bytes(string).is_ok());
                }
                // Those of a list of exports come in pairs.
                count /= 2;
            }
        }
        let len = writer.len();
        buffer.truncate(len);
        (buffer, count)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any value will do")]
fn value(ty: u8, bits: u128) -> WireValue {
    match ValueType::try_from(ty % 8) {
        Ok(ValueType::I32) => WireValue::I32((bits as u32).cast_signed()),
        Ok(ValueType::I64) => WireValue::I64((bits as u64).cast_signed()),
        Ok(ValueType::F32) => WireValue::F32(bits as u32),
        Ok(ValueType::F64) => WireValue::F64(bits as u64),
        Ok(ValueType::FuncRef) => WireValue::FuncRef((bits >> 64 != 0).then_some(bits as u32)),
        Ok(ValueType::ExternRef) => WireValue::ExternRef((bits >> 64 != 0).then_some(bits as u64)),
        Ok(ValueType::V128) | Err(_) => WireValue::V128(bits),
    }
}

impl From<OtherExit> for Exit {
    fn from(exit: OtherExit) -> Self {
        match exit {
            OtherExit::Kicked => Self::Kicked,
            OtherExit::Exception => Self::Exception,
            OtherExit::Fault { vector, instruction, stack, address } => {
                Self::Fault(Fault { vector, instruction, stack, address })
            }
            OtherExit::SystemCall(number) => Self::SystemCall { number },
            OtherExit::Memory { gpa, write } => Self::Memory { gpa: Gpa(gpa), write },
            OtherExit::Port { port, width, write } => Self::Port { port, width, write },
            OtherExit::Halt => Self::Halt,
            OtherExit::TripleFault => Self::TripleFault,
            OtherExit::Failed(code) => Self::Failed { code },
            OtherExit::Unexpected(reason) => Self::Unexpected { reason },
        }
    }
}
