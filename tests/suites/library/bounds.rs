//! Loads and stores at the edges of memories, and far beyond them.
//!
//! An engine that leaves bounds checks to the processor has to have unmapped memory wherever
//! an address and an offset can lead: all over the 4 GiB that 32 bits address, and past them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use crate::instantiate;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use wrt_tests::{Setup, matrix};
use wrt_vm::error::TrapKind;
use wrt_vm::vm::{Function, Instance, Memory};
use wrt_vm::{EngineKind, Error, MicroVm, Value};

const PAGE: u64 = 64 << 10;
/// What compiled code may rely on: bytes after a 32-bit memory's 4 GiB that always fault.
const GUARD: u64 = 32 << 20;
/// All that 32 bits can address.
const ALL: u64 = 1 << 32;

/// An instruction that reads or writes memory.
struct Access {
    /// Its name.
    name: &'static str,
    /// Bytes that it reads or writes.
    width: u8,
    /// The instruction with its operands, as `ACCESS`; a load's result is made an `i64`.
    text: &'static str,
    /// For a load: which bytes of those it reads are compared, from the first to be.
    compared: Option<(u8, u8)>,
}

const fn load(name: &'static str, width: u8, bytes: u8, text: &'static str) -> Access {
    Access { name, width, text, compared: Some((0, bytes)) }
}

const fn store(name: &'static str, width: u8, text: &'static str) -> Access {
    Access { name, width, text, compared: None }
}

const I32: &str = "(i64.extend_i32_u (ACCESS (local.get 0)))";
const I64: &str = "(ACCESS (local.get 0))";
const BYTE_LANE: &str = "(i64.extend_i32_u (i8x16.extract_lane_u 15 (ACCESS (local.get 0))))";
const HALF_LANE: &str = "(i64.extend_i32_u (i16x8.extract_lane_u 0 (ACCESS (local.get 0))))";
const WORD_LANE: &str = "(i64.extend_i32_u (i32x4.extract_lane 0 (ACCESS (local.get 0))))";
const LOW_LANE: &str = "(i64x2.extract_lane 0 (ACCESS (local.get 0)))";
const HIGH_LANE: &str = "(i64x2.extract_lane 1 (ACCESS (local.get 0)))";

const STORE_I32: &str = "(ACCESS (local.get 0) (i32.const 0x55667788))";
const STORE_I64: &str = "(ACCESS (local.get 0) (i64.const 0x1122334455667788))";
const STORE_LANE: &str = "(ACCESS 0 (local.get 0) (v128.const i64x2 0x1122334455667788 0))";
/// What the stores write, or its first bytes.
const STORED: u128 = 0x99aa_bbcc_ddee_ff00_1122_3344_5566_7788;

#[rustfmt::skip]
const ACCESSES: &[Access] = &[
    load("i32.load8_s", 1, 1, I32),
    load("i32.load8_u", 1, 1, I32),
    load("i32.load16_s", 2, 2, I32),
    load("i32.load16_u", 2, 2, I32),
    load("i32.load", 4, 4, I32),
    load("i64.load8_s", 1, 1, I64),
    load("i64.load8_u", 1, 1, I64),
    load("i64.load16_s", 2, 2, I64),
    load("i64.load16_u", 2, 2, I64),
    load("i64.load32_s", 4, 4, I64),
    load("i64.load32_u", 4, 4, I64),
    load("i64.load", 8, 8, I64),
    load("f32.load", 4, 4, "(i64.extend_i32_u (i32.reinterpret_f32 (ACCESS (local.get 0))))"),
    load("f64.load", 8, 8, "(i64.reinterpret_f64 (ACCESS (local.get 0)))"),
    load("v128.load", 16, 8, LOW_LANE),
    Access { name: "v128.load", width: 16, text: HIGH_LANE, compared: Some((8, 8)) },
    load("v128.load8x8_s", 8, 1, HALF_LANE),
    load("v128.load8x8_u", 8, 1, HALF_LANE),
    load("v128.load16x4_s", 8, 2, WORD_LANE),
    load("v128.load16x4_u", 8, 2, WORD_LANE),
    load("v128.load32x2_s", 8, 4, LOW_LANE),
    load("v128.load32x2_u", 8, 4, LOW_LANE),
    load("v128.load8_splat", 1, 1, BYTE_LANE),
    load("v128.load16_splat", 2, 2, HALF_LANE),
    load("v128.load32_splat", 4, 4, WORD_LANE),
    load("v128.load64_splat", 8, 8, HIGH_LANE),
    load("v128.load32_zero", 4, 4, WORD_LANE),
    load("v128.load64_zero", 8, 8, LOW_LANE),
    load("v128.load8_lane", 1, 1,
        "(i64.extend_i32_u (i8x16.extract_lane_u 0
            (ACCESS 0 (local.get 0) (v128.const i64x2 0 0))))"),
    load("v128.load16_lane", 2, 2,
        "(i64.extend_i32_u (i16x8.extract_lane_u 0
            (ACCESS 0 (local.get 0) (v128.const i64x2 0 0))))"),
    load("v128.load32_lane", 4, 4,
        "(i64.extend_i32_u (i32x4.extract_lane 0
            (ACCESS 0 (local.get 0) (v128.const i64x2 0 0))))"),
    load("v128.load64_lane", 8, 8,
        "(i64x2.extract_lane 0 (ACCESS 0 (local.get 0) (v128.const i64x2 0 0)))"),
    store("i32.store8", 1, STORE_I32),
    store("i32.store16", 2, STORE_I32),
    store("i32.store", 4, STORE_I32),
    store("i64.store8", 1, STORE_I64),
    store("i64.store16", 2, STORE_I64),
    store("i64.store32", 4, STORE_I64),
    store("i64.store", 8, STORE_I64),
    store("f32.store", 4, "(ACCESS (local.get 0) (f32.reinterpret_i32 (i32.const 0x55667788)))"),
    store("f64.store", 8,
        "(ACCESS (local.get 0) (f64.reinterpret_i64 (i64.const 0x1122334455667788)))"),
    store("v128.store", 16,
        "(ACCESS (local.get 0) (v128.const i64x2 0x1122334455667788 0x99aabbccddeeff00))"),
    store("v128.store8_lane", 1, STORE_LANE),
    store("v128.store16_lane", 2, STORE_LANE),
    store("v128.store32_lane", 4, STORE_LANE),
    store("v128.store64_lane", 8, STORE_LANE),
];

/// Type of a memory's addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Bits32,
    Bits64,
}

impl Width {
    /// Offsets in instructions.
    fn offsets(self) -> &'static [u64] {
        let all: &[u64] =
            &[0, 1, PAGE, GUARD - 1, GUARD, GUARD + 1, 1 << 31, ALL - 1, ALL, 1 << 63, u64::MAX];
        match self {
            // The instruction has no room for others.
            Self::Bits32 => &all[..8],
            Self::Bits64 => all,
        }
    }

    /// Addresses for an access of `width` bytes with an offset, to a memory of `size` bytes.
    fn addresses(self, size: u64, offset: u64, width: u64) -> BTreeSet<u64> {
        let near = |at: u64| [at.wrapping_sub(1), at, at.wrapping_add(1)];
        // Where the first byte of the access is to be.
        let mut targets = vec![0, 1, size.wrapping_sub(width + 1), size.wrapping_sub(width / 2)];
        for at in [size.wrapping_sub(width), size, PAGE, 2 * PAGE, ALL, ALL + GUARD] {
            targets.extend(near(at));
        }
        let mut addresses: BTreeSet<u64> =
            targets.into_iter().map(|at| at.wrapping_sub(offset)).collect();
        // Wherever that leads.
        addresses.extend([0, 1, size, PAGE, 3 * PAGE, 1 << 24, GUARD]);
        addresses.extend([ALL / 2 - 1, ALL / 2, ALL - PAGE, ALL - width, ALL - 1]);
        match self {
            Self::Bits32 => addresses.retain(|at| *at < ALL),
            Self::Bits64 => {
                addresses.extend([ALL, ALL + 1, 2 * ALL, 1 << 47, 1 << 48]);
                addresses.extend([1 << 63, u64::MAX - PAGE, u64::MAX - width, u64::MAX]);
            }
        }
        addresses
    }

    #[expect(clippy::cast_possible_truncation, reason = "32-bit addresses have 32 bits")]
    fn value(self, address: u64) -> Value {
        match self {
            Self::Bits32 => Value::I32((address as u32).cast_signed()),
            Self::Bits64 => Value::I64(address.cast_signed()),
        }
    }
}

/// A module with one memory, a function for each access with each offset, and `grow`.
fn module(width: Width, pages: u64) -> String {
    let ty = match width {
        Width::Bits32 => "i32",
        Width::Bits64 => "i64",
    };
    let mut text = format!(
        r#"(module (memory (export "memory") {ty} {pages})
            (func (export "grow") (param {ty}) (result {ty}) (memory.grow (local.get 0)))"#
    );
    for (number, access) in ACCESSES.iter().enumerate() {
        for offset in width.offsets() {
            let result = if access.compared.is_some() { "(result i64)" } else { "" };
            let code = access.text.replace("ACCESS", &format!("{} offset={offset}", access.name));
            let _ =
                write!(text, r#"(func (export "{number} {offset}") (param {ty}) {result} {code})"#);
        }
    }
    text.push(')');
    text
}

/// A module of [`module`] in a VM.
struct World {
    setup: Setup,
    vm: MicroVm,
    width: Width,
    instance: Instance,
    memory: Memory,
    functions: Vec<(&'static Access, u64, Function)>,
}

impl World {
    fn new(setup: Setup, width: Width, pages: u64) -> Self {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, &module(width, pages));
        let memory = vm.memory(instance, "memory").unwrap();
        let mut functions = Vec::new();
        for (number, access) in ACCESSES.iter().enumerate() {
            for offset in width.offsets() {
                let function = vm.function(instance, &format!("{number} {offset}")).unwrap();
                functions.push((access, *offset, function));
            }
        }
        Self { setup, vm, width, instance, memory, functions }
    }

    fn grow(&mut self, pages: u64) {
        let before = self.vm.memory_size(self.memory).unwrap() / PAGE;
        let function = self.vm.function(self.instance, "grow").unwrap();
        let answer = self.vm.call(&function, &[self.width.value(pages)]).unwrap();
        assert_eq!(answer, [self.width.value(before)], "{}", self.setup);
    }

    /// Tries all accesses at all addresses.
    fn check(&mut self) {
        let size = self.vm.memory_size(self.memory).unwrap();
        let Self { setup, vm, width: address_width, memory, functions, .. } = self;
        let (mut inside, mut outside) = (0, 0);
        for (access, offset, function) in functions.iter() {
            let width = u64::from(access.width);
            for address in address_width.addresses(size, *offset, width) {
                let first = u128::from(address) + u128::from(*offset);
                let end = first + u128::from(width);
                let value = address_width.value(address);
                let call = |vm: &mut MicroVm| vm.call(function, &[value]);
                let what = || {
                    format!("{setup}: {} at {address:#x} + {offset:#x} of {size:#x}", access.name)
                };
                match u64::try_from(first) {
                    Ok(first) if end <= u128::from(size) => {
                        inside += 1;
                        within(vm, *memory, access, first, call, what);
                    }
                    _ => {
                        outside += 1;
                        // Of an access across the end, the part before it could be written. (An
                        // Arm may make two stores of one of 16 bytes, and be done with the first
                        // when the second faults: Arm ARM B2.2.1. Those that are one, it undoes.)
                        let native = setup.engine == EngineKind::Native;
                        let torn = setup.is_arm() && native && width == 16;
                        let across = first < u128::from(size) && !torn;
                        let end = across.then(|| size - MARK.len() as u64);
                        beyond(vm, *memory, end, call, what);
                    }
                }
            }
        }
        assert_eq!(inside > 0, size > 0, "{setup}");
        assert!(outside > 1000, "{setup}: {outside}");
    }
}

/// An access that is to work: a load finds what was written, a store writes as much as it says.
fn within(
    vm: &mut MicroVm,
    memory: Memory,
    access: &Access,
    first: u64,
    call: impl FnOnce(&mut MicroVm) -> Result<Vec<Value>, Error>,
    what: impl Fn() -> String,
) {
    // Different for every address.
    let seed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let before = (u128::from(seed) << 64 | u128::from(!seed.rotate_left(17))).to_le_bytes();
    let before = &before[..access.width.into()];
    vm.write_memory(memory, first, before).unwrap();
    let results = call(vm).unwrap_or_else(|error| panic!("{}: {error}", what()));
    let Some((from, count)) = access.compared else {
        let mut after = [0; 16];
        let after = &mut after[..access.width.into()];
        vm.read_memory(memory, first, after).unwrap();
        assert_eq!(after, &STORED.to_le_bytes()[..after.len()], "{}", what());
        return;
    };
    let [Value::I64(result)] = results[..] else { panic!("{}: {results:?}", what()) };
    let compared = usize::from(from)..usize::from(from + count);
    assert_eq!(result.to_le_bytes()[..count.into()], before[compared], "{}", what());
}

/// What is written where nothing else is to be.
const MARK: [u8; 16] = [0xa5; 16];

/// An access that is to trap, and to write nothing.
fn beyond(
    vm: &mut MicroVm,
    memory: Memory,
    marked: Option<u64>,
    call: impl FnOnce(&mut MicroVm) -> Result<Vec<Value>, Error>,
    what: impl Fn() -> String,
) {
    if let Some(at) = marked {
        vm.write_memory(memory, at, &MARK).unwrap();
    }
    match call(vm) {
        Err(Error::Trap(trap)) if trap.kind == TrapKind::MemoryOutOfBounds => {
            assert_eq!(trap.frames.len(), 1, "{}: {trap}", what());
        }
        other => panic!("{}: {other:?}", what()),
    }
    if let Some(at) = marked {
        let mut after = [0; MARK.len()];
        vm.read_memory(memory, at, &mut after).unwrap();
        assert_eq!(after, MARK, "{}: something was written", what());
    }
}

#[test]
fn of_a_memory_that_is_empty_and_grows() {
    for setup in matrix() {
        let mut world = World::new(setup, Width::Bits32, 0);
        world.check();
        world.grow(1);
        world.check();
    }
}

#[test]
fn of_a_memory_that_grows_past_the_size_of_its_guard() {
    for setup in matrix() {
        let mut world = World::new(setup, Width::Bits32, 1);
        world.check();
        world.grow(1);
        world.check();
        world.grow(GUARD / PAGE + 8);
        world.check();
    }
}

#[test]
fn of_a_memory_of_all_that_32_bits_address() {
    for setup in matrix() {
        World::new(setup, Width::Bits32, ALL / PAGE).check();
    }
}

#[test]
fn of_a_memory_with_64_bit_addresses() {
    for setup in matrix() {
        let mut world = World::new(setup, Width::Bits64, 0);
        world.check();
        world.grow(1);
        world.check();
        world.grow(GUARD / PAGE + 8);
        world.check();
    }
}
