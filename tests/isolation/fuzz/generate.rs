//! Programs from numbers.
//!
//! Mostly sequences of calls that are nearly right, since those get furthest; some of what ends
//! the VM, mostly last, since nothing comes after.

use super::super::arch::{CHUNKS_GPA, Processor};
use super::super::orders::Orders;
use wrt_abi::Call;
use wrt_abi::layout::{
    GRANULE, HEAP_BASE, HEAP_INITIAL, HEAP_MAX, IMAGE_BASE, MAILBOX_BASE, REGION_BASE, REGION_MAX,
    REGION_STRIDE, STACK_TOP, SYSTEM_BASE,
};
use wrt_abi::services::wasi::FunctionId;
use wrt_abi::services::{Import, ServiceId, word};
use wrt_evil::{Code, Op, Policy, WINDOW, secret};

/// Bytes of the region that WASI calls are about.
const MEMORY: u64 = 64 << 10;

/// A source of numbers, SplitMix64, for guests of a processor.
struct Numbers {
    state: u64,
    processor: &'static Processor,
}

impl Numbers {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        secret(self.state)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        let index = usize::try_from(self.below(all.len() as u64)).unwrap_or(0);
        all[index]
    }

    /// A word that arithmetic, or a lookup, may go wrong with.
    fn word(&mut self) -> u64 {
        let near = self.below(17).wrapping_sub(8);
        let base = match self.below(9) {
            0 => 0,
            1 => 1 << self.below(64),
            2 => self.of(&[HEAP_BASE, HEAP_BASE + HEAP_INITIAL, HEAP_BASE + HEAP_MAX]),
            3 => REGION_BASE + self.below(5) * REGION_STRIDE,
            4 => self.of(&[REGION_MAX, REGION_STRIDE, GRANULE, 4096, 2 << 20]),
            5 => self.of(&[MAILBOX_BASE, STACK_TOP, SYSTEM_BASE, IMAGE_BASE, 0x0060_0000]),
            6 => self.below(1 << 20),
            7 => return self.below(64),
            _ => return self.next(),
        };
        base.wrapping_add(if self.one_in(2) { 0 } else { near })
    }

    /// A guest-physical address of interest.
    fn physical(&mut self) -> u64 {
        let places = &self.processor.places;
        let base = match self.below(9) {
            0..3 => places.tables.start + self.below(48) * places.table,
            3 => places.system,
            4 => places.data,
            5 => self.of(places.image),
            6 => CHUNKS_GPA + self.below(16 << 20),
            7 => self.of(&[0, 0xfee0_0000, 0xfffb_d000, places.tables.end, (1 << 36) - 4096]),
            _ => self.below(1 << 36),
        };
        base + self.below(512) * 8
    }

    /// The number of an instruction.
    fn instruction(&mut self) -> u32 {
        let number = self.below(self.processor.instructions.into());
        u32::try_from(number).unwrap_or(0)
    }
}

/// The program of a number, for a guest of a processor.
pub(super) fn program(number: u64, processor: &'static Processor) -> Orders {
    let mut numbers = Numbers { state: number, processor };
    let n = &mut numbers;
    // A region for the calls that want one; its address is kept in r[11] by `Add` when wanted.
    let mut orders = Orders::new().call(Call::RegionReserve, 0, &[MEMORY]);
    let phrases = 4 + n.below(24);
    for _ in 0..phrases {
        let from = orders.len();
        let kind = n.below(32);
        orders = match kind {
            0..15 => function(n, orders),
            15..20 => mailbox(n, orders),
            20..23 => region(n, orders),
            23 => orders.call(Call::RegionReserve, 0, &[n.below(1 << 22)]),
            24..27 => instruction(n, orders, false),
            27 => memory(n, orders),
            28..30 => orders.registers(n.next()),
            _ => raw(n, orders),
        };
        // Again and again, mostly the same; but what moves memory takes milliseconds.
        let turns = if (20..24).contains(&kind) { 3 } else { 500 };
        let len = u32::try_from(orders.len() - from).unwrap_or(0);
        if !n.one_in(3) && len > 0 {
            orders = orders.repeat(len, n.below(turns));
        }
    }
    for _ in 0..n.below(3) {
        orders = match n.below(8) {
            0 | 1 => instruction(n, orders, true),
            2 => physical(n, orders),
            3 => orders.policy(policy(n)).instruction(n.instruction(), n.word(), n.word()),
            4 => exception_in_ring_0(n, orders),
            5 => last(n, orders),
            6 => code(n, orders),
            _ => orders,
        };
    }
    orders
}

/// A function of a service, or what is behind the last one.
fn function(n: &mut Numbers, mut orders: Orders) -> Orders {
    let mut words: Vec<u64> =
        ServiceId::ALL.iter().flat_map(|it| it.imports()).map(Import::word).collect();
    words.extend(ServiceId::ALL.iter().map(|service| word(*service as u32, 0, u16::MAX)));
    let function = n.of(&words);
    // Its end is the program's; its sleep is the deadline's, which is slow.
    let function = match function == FunctionId::PollOneoff.import().word() && !n.one_in(200) {
        true => FunctionId::RandomGet.import().word(),
        false => function,
    };
    let base = REGION_BASE + 2 * REGION_STRIDE;
    let (base, len) = match n.one_in(12) {
        true => (n.word(), n.word()),
        false => (base, MEMORY),
    };
    let mut args = vec![function, base, len];
    for _ in 0..9 {
        args.push(match n.below(4) {
            0 => n.below(8),
            1 => n.below(MEMORY),
            2 => MEMORY.wrapping_sub(n.below(16)),
            _ => n.word(),
        });
    }
    if n.one_in(4) {
        orders = orders.plant(base.wrapping_add(n.below(MEMORY / 8) * 8), n.below(256), n.below(4));
    }
    orders.call(Call::Service, 0, &args)
}

fn region(n: &mut Numbers, orders: Orders) -> Orders {
    let base = match n.below(4) {
        0 => n.word(),
        1 => HEAP_BASE,
        _ => REGION_BASE + n.below(8) * REGION_STRIDE,
    };
    match n.below(6) {
        0 => orders.call(Call::RegionReserve, 0, &[n.word()]),
        1 | 2 => orders.call(Call::RegionCommit, 0, &[base, n.below(8 << 20), n.word()]),
        3 => orders.call(Call::RegionCommit, 0, &[base, n.word(), n.word()]),
        4 if base != REGION_BASE + 2 * REGION_STRIDE => {
            orders.call(Call::RegionRelease, 0, &[base])
        }
        _ => orders.call(Call::CodePublish, 0, &[base, n.word()]),
    }
}

/// Anything in the mailbox, delivered.
fn mailbox(n: &mut Numbers, mut orders: Orders) -> Orders {
    // The number of a call that goes on, mostly.
    let call = match n.one_in(40) {
        true => n.next(),
        false => n.of(&[7, 8, 8, 8, 9]),
    };
    orders = orders.put(3, MAILBOX_BASE, call | n.below(1 << 15) << 32);
    for _ in 0..n.below(6) {
        orders = orders.put(3, MAILBOX_BASE + 8 + n.below(60) * 8, n.word());
    }
    orders.trap()
}

fn instruction(n: &mut Numbers, orders: Orders, ring_0: bool) -> Orders {
    let of = n.instruction();
    let mut orders = orders.scratch(2).set(4, n.word()).set(5, n.word());
    for register in [0, 1, 2, 3] {
        if n.one_in(2) {
            orders = orders.set(register, n.word());
        }
    }
    match ring_0 {
        true => orders.privileged_as_it_is(of),
        false => orders.instruction_as_it_is(of),
    }
}

fn memory(n: &mut Numbers, orders: Orders) -> Orders {
    let at = n.word();
    match n.below(4) {
        0 => orders.load(0, at),
        1 => orders.put(n.below(4).to_le_bytes()[0], at, n.next()),
        2 => orders.jump(at),
        _ => orders.plant(at, n.below(1 << 16), n.below(4)),
    }
}

/// An operation of random bytes.
fn raw(n: &mut Numbers, mut orders: Orders) -> Orders {
    let [code, a, b, c, ..] = n.next().to_le_bytes();
    // What only takes time takes none.
    let idle = [Code::Spin as u8, Code::Loop as u8, Code::Bytes as u8, Code::Scan as u8];
    let number = code % 32;
    if !idle.contains(&number) {
        let count = n.below(300).to_le_bytes();
        let n32 = u32::from_le_bytes([count[0], count[1], 0, 0]);
        let y = n.word() % (1 << 20);
        orders.push(Op { code: number, a, b, c, n: n32, x: n.word(), y, z: n.below(4) });
    }
    orders
}

/// Guest-physical memory by tables of its own.
fn physical(n: &mut Numbers, orders: Orders) -> Orders {
    let mut orders = orders.window(n.processor);
    for _ in 0..1 + n.below(6) {
        let at = WINDOW + n.physical();
        orders = match n.below(6) {
            0 => orders.load(0, at),
            1..4 => {
                let value = match n.below(3) {
                    0 => n.physical() | n.below(0x200) | n.below(2) << 63,
                    1 => 0,
                    _ => n.next(),
                };
                orders.put(3, at, value)
            }
            4 => orders.plant(at, n.below(8192), n.below(4)),
            _ => orders.jump(at),
        };
    }
    // And the host goes on editing them.
    region(n, orders).call(Call::RegionReserve, 0, &[n.below(4 << 20)])
}

/// What handlers do; seldom what only a deadline ends.
fn policy(n: &mut Numbers) -> Policy {
    match n.of(Policy::ALL) {
        Policy::Spin | Policy::Storm if !n.one_in(16) => Policy::Fault,
        policy => policy,
    }
}

fn exception_in_ring_0(n: &mut Numbers, orders: Orders) -> Orders {
    let orders = orders.policy(policy(n));
    instruction(n, orders, true)
}

/// Bytes of code that nobody has written.
fn code(n: &mut Numbers, orders: Orders) -> Orders {
    let bytes: Vec<u8> = (0..1 + n.below(16)).map(|_| n.next().to_le_bytes()[0]).collect();
    // The scratch memory is a page of the data's.
    let place = WINDOW + n.processor.places.data + n.below(32) * 4096;
    orders.window(n.processor).set(5, place).bytes(5, 0, &bytes).jump(place)
}

/// A call that there is no way back from.
fn last(n: &mut Numbers, orders: Orders) -> Orders {
    match n.below(5) {
        0 => orders.call(Call::Panic, n.of(&[0, 100, u32::MAX]), &[]),
        1 => orders.call(Call::OutOfMemory, 0, &[n.word()]),
        2 => orders.call(Call::Ready, 0, &[n.word(), n.word()]),
        3 => orders.call(Call::Done, n.of(&[0, 64, u32::MAX]), &[n.below(13), n.word(), n.word()]),
        _ => orders.set(0, n.word()).call_as_it_is(n.next().to_le_bytes()[0].into(), 0),
    }
}
