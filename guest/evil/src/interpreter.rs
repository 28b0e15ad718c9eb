//! Does what orders say.

use crate::{arch, gate, mailbox};
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_evil::{Code, LOOPS, OP_SIZE, Op, REGISTERS, REPORT_MAX, SCRATCH_SIZE, secret};

const PAGE: u64 = 4096;

#[repr(C, align(4096))]
struct Scratch([u8; SCRATCH_SIZE]);

static mut SCRATCH: Scratch = Scratch([0; SCRATCH_SIZE]);

/// The state of programs. It outlives each of them.
pub struct Program {
    r: [u64; REGISTERS],
    loops: [u64; LOOPS],
    report: [u64; REPORT_MAX],
    reported: usize,
}

impl Program {
    /// Nothing done yet.
    pub fn new() -> Self {
        Self { r: [0; REGISTERS], loops: [0; LOOPS], report: [0; REPORT_MAX], reported: 0 }
    }

    /// Forgets what was reported.
    pub fn begin(&mut self) {
        self.reported = 0;
        self.loops = [0; LOOPS];
    }

    /// What was reported.
    pub fn report(&self) -> &[u64] {
        self.report.get(..self.reported).unwrap_or_default()
    }

    /// Runs operations to their end.
    pub fn run(&mut self, orders: &[u8]) {
        let mut at = 0;
        while let Some(bytes) = orders.get(at..).and_then(|rest| rest.first_chunk()) {
            let op = Op::from_bytes(bytes);
            at += OP_SIZE;
            match Code::ALL.get(usize::from(op.code)) {
                Some(Code::Bytes) => {
                    let len = op.n as usize;
                    let rest = orders.get(at..).unwrap_or_default();
                    let bytes = rest.get(..len).unwrap_or(rest);
                    let to = self.address(&op);
                    gate::attempt(|| {
                        for (offset, byte) in bytes.iter().enumerate() {
                            arch::write(to.wrapping_add(offset as u64), (*byte).into(), 0);
                        }
                        arch::make_executable(to, bytes.len());
                    });
                    at = at.saturating_add(len.next_multiple_of(OP_SIZE));
                }
                Some(Code::Loop) => {
                    let turns = &mut self.loops[usize::from(op.a) % LOOPS];
                    if *turns < op.x {
                        *turns += 1;
                        at = at.saturating_sub((op.n as usize + 1).saturating_mul(OP_SIZE));
                    } else {
                        *turns = 0;
                    }
                }
                Some(Code::SkipIf) if *self.register(op.a) == op.x => {
                    at = at.saturating_add((op.n as usize).saturating_mul(OP_SIZE));
                }
                Some(&code) => self.execute(code, &op),
                None => {}
            }
        }
    }

    fn register(&mut self, number: u8) -> &mut u64 {
        &mut self.r[usize::from(number) % REGISTERS]
    }

    fn address(&self, op: &Op) -> u64 {
        self.r[usize::from(op.b) % REGISTERS].wrapping_add(op.x)
    }

    fn add_to_report(&mut self, word: u64) {
        if let Some(place) = self.report.get_mut(self.reported) {
            *place = word;
            self.reported += 1;
        }
    }

    fn execute(&mut self, code: Code, op: &Op) {
        let address = self.address(op);
        match code {
            Code::Nop | Code::Bytes | Code::Loop | Code::SkipIf => {}
            Code::Set => *self.register(op.a) = op.x,
            Code::Add => *self.register(op.a) = address,
            Code::Xor => *self.register(op.a) ^= op.x,
            Code::Load => {
                let mut word = 0;
                if gate::attempt(|| word = arch::read(address, op.c)) {
                    *self.register(op.a) = word;
                }
            }
            Code::Store => {
                let word = *self.register(op.a);
                gate::attempt(|| arch::write(address, word, op.c));
            }
            Code::Put => {
                gate::attempt(|| arch::write(address, op.y, op.c));
            }
            Code::Plant => plant(address, op.y, secret(op.z)),
            Code::Scan => {
                let found = scan(address, op.y, secret(op.z));
                for (register, count) in (op.a..).zip(found) {
                    *self.register(register) = count;
                }
            }
            Code::Scratch => *self.register(op.a) = (&raw const SCRATCH).addr() as u64,
            Code::Call => self.call(op.n, op.x as u32),
            Code::Trap => {
                gate::attempt(arch::trap);
            }
            Code::Jump => self.with_registers(|registers| gate::jump(registers, address as usize)),
            Code::Instruction => {
                self.with_registers(|registers| gate::instruction(registers, op.n));
            }
            Code::Privileged => self.with_registers(|registers| gate::privileged(registers, op.n)),
            Code::Spin => spin(op.x),
            Code::Policy => {
                gate::attempt(|| gate::set_policy(op.n));
            }
            Code::Window => {
                gate::attempt(|| arch::open_window(op.x));
            }
            Code::Report => {
                for register in 0..op.c {
                    let word = *self.register(op.a.wrapping_add(register));
                    self.add_to_report(word);
                }
            }
            Code::ReportEntry => {
                for word in gate::entry_words() {
                    self.add_to_report(word);
                }
            }
            Code::Faults => {
                for (register, word) in (op.a..).zip(gate::take_faults()) {
                    *self.register(register) = word;
                }
            }
            Code::Registers => {
                gate::attempt(|| gate::trap_with(secret(op.x)));
            }
        }
    }

    fn with_registers(&mut self, mut what: impl FnMut(&mut [u64; 6])) {
        let mut registers = [0; 6];
        registers.copy_from_slice(&self.r[..6]);
        if gate::attempt(|| what(&mut registers)) {
            self.r[..6].copy_from_slice(&registers);
        }
    }

    fn call(&mut self, number: u32, payload_len: u32) {
        let mut args = [0; REQUEST_ARGS];
        args.copy_from_slice(&self.r[..REQUEST_ARGS]);
        let mut answer = None;
        gate::attempt(|| answer = Some(mailbox::call(number, payload_len, args)));
        if let Some(response) = answer {
            let [first, second, ..] = response.values;
            let words = [response.status.into(), response.payload_len.into(), first, second];
            self.r[REQUEST_ARGS..].copy_from_slice(&words);
        }
    }
}

fn spin(turns: u64) {
    let mut turn = 0_u64;
    while turns == 0 || turn < turns {
        core::hint::spin_loop();
        turn = turn.wrapping_add(1);
    }
}

/// Parts of a range that lie in one page each: address and end.
fn pages(start: u64, len: u64) -> impl Iterator<Item = (u64, u64)> {
    let end = start.saturating_add(len);
    let mut at = start;
    core::iter::from_fn(move || {
        let from = at;
        at = ((from / PAGE).wrapping_add(1)).saturating_mul(PAGE).min(end);
        (from < end).then_some((from, at))
    })
}

fn plant(start: u64, len: u64, word: u64) {
    for (from, to) in pages(start, len) {
        gate::attempt(|| {
            for address in (from..to).step_by(8) {
                arch::write(address, word, 3);
            }
        });
    }
}

/// Words that are `word`, pages that cannot be read, words that are not zero.
fn scan(start: u64, len: u64, word: u64) -> [u64; 3] {
    let [mut hits, mut closed, mut others] = [0; 3];
    for (from, to) in pages(start, len) {
        let read_all = gate::attempt(|| {
            for address in (from..to).step_by(8) {
                let found = arch::read(address, 3);
                hits += u64::from(found == word);
                others += u64::from(found != 0);
            }
        });
        closed += u64::from(!read_all);
    }
    [hits, closed, others]
}
