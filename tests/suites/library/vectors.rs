//! `wrt_vec`: each function against what it means, and what it does at the edges.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]
#![expect(clippy::cast_possible_truncation, reason = "small numbers of the tests' own")]

use crate::{call, instantiate, try_instantiate};
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};
use wrt_tests::{Setup, matrix};
use wrt_vm::error::{Interruption, TrapKind};
use wrt_vm::vm::ServiceId;
use wrt_vm::vm::{Instance, Memory};
use wrt_vm::{Error, MicroVm, Value};

const PAGE: u64 = 64 << 10;

/// Functions, their parameters (`N`: a size, `T`: a number) and results.
const FUNCTIONS: [(&str, &str, &str); 5] = [
    ("dot", "N N N", "(result T)"),
    ("sum", "N N", "(result T)"),
    ("max", "N N", "(result T)"),
    ("axpy", "N T N N", ""),
    ("gemm", "N N N T N N T N", ""),
];

/// Type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Real {
    F32,
    F64,
}

const REALS: [Real; 2] = [Real::F32, Real::F64];

impl Real {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn value(self, number: f64) -> Value {
        match self {
            Self::F32 => Value::F32((number as f32).to_bits()),
            Self::F64 => Value::F64(number.to_bits()),
        }
    }

    fn bytes(self, numbers: &[f64]) -> Vec<u8> {
        match self {
            Self::F32 => numbers.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
            Self::F64 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    fn numbers(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Self::F32 => {
                let (words, _) = bytes.as_chunks();
                words.iter().map(|word| f32::from_le_bytes(*word).into()).collect()
            }
            Self::F64 => {
                let (words, _) = bytes.as_chunks();
                words.iter().map(|word| f64::from_le_bytes(*word)).collect()
            }
        }
    }
}

/// A module that exports each function, for a memory of `pages` with addresses of type `n`.
fn module(n: &str, pages: u64) -> String {
    let (mut imports, mut functions) = (String::new(), String::new());
    for real in REALS {
        for (name, params, result) in FUNCTIONS {
            let name = format!("{name}_{}", real.name());
            let count = params.split(' ').count();
            let typed = |text: &str| text.replace('N', n).replace('T', real.name());
            let (params, result) = (typed(params), typed(result));
            let arguments: String = (0..count).map(|i| format!("(local.get {i})")).collect();
            let _ = write!(
                imports,
                r#"(import "wrt_vec" "{name}" (func ${name} (param {params}) {result}))"#
            );
            let _ = write!(
                functions,
                r#"(func (export "{name}") (param {params}) {result} (call ${name} {arguments}))"#
            );
        }
    }
    format!(r#"(module {imports} (memory (export "memory") {n} {pages}) {functions})"#)
}

/// A module of [`module`] in a VM.
struct World {
    setup: Setup,
    vm: MicroVm,
    instance: Instance,
    memory: Memory,
    wide: bool,
}

impl World {
    fn new(setup: Setup, wide: bool, pages: u64) -> Self {
        let mut vm = setup.vm();
        let n = if wide { "i64" } else { "i32" };
        let instance = instantiate(&mut vm, &module(n, pages));
        let memory = vm.memory(instance, "memory").unwrap();
        Self { setup, vm, instance, memory, wide }
    }

    fn size(&self, size: u64) -> Value {
        match self.wide {
            true => Value::I64(size.cast_signed()),
            false => Value::I32((size as u32).cast_signed()),
        }
    }

    fn put(&mut self, real: Real, at: u64, numbers: &[f64]) {
        self.vm.write_memory(self.memory, at, &real.bytes(numbers)).unwrap();
    }

    fn get(&mut self, real: Real, at: u64, count: usize) -> Vec<f64> {
        let mut bytes = vec![0; count * real.size() as usize];
        self.vm.read_memory(self.memory, at, &mut bytes).unwrap();
        real.numbers(&bytes)
    }

    fn try_call(&mut self, name: &str, real: Real, values: &[Value]) -> Result<Option<f64>, Error> {
        let name = format!("{name}_{}", real.name());
        let results = call(&mut self.vm, self.instance, &name, values)?;
        Ok(results.first().map(|value| match *value {
            Value::F32(bits) => f32::from_bits(bits).into(),
            Value::F64(bits) => f64::from_bits(bits),
            ref other => panic!("{name}: {other:?}"),
        }))
    }

    /// Calls what has a result of sizes alone.
    fn number(&mut self, name: &str, real: Real, sizes: &[u64]) -> f64 {
        let values: Vec<Value> = sizes.iter().map(|size| self.size(*size)).collect();
        let setup = self.setup;
        let result = self.try_call(name, real, &values);
        result.unwrap_or_else(|error| panic!("{setup}: {name} {sizes:?}: {error}")).unwrap()
    }

    fn try_axpy(&mut self, real: Real, n: u64, alpha: f64, x: u64, y: u64) -> Result<(), Error> {
        let values = [self.size(n), real.value(alpha), self.size(x), self.size(y)];
        self.try_call("axpy", real, &values).map(drop)
    }

    /// `[m, n, k]`, `[alpha, beta]`, `[a, b, c]`.
    fn try_gemm(
        &mut self,
        real: Real,
        [m, n, k]: [u64; 3],
        [alpha, beta]: [f64; 2],
        [a, b, c]: [u64; 3],
    ) -> Result<(), Error> {
        let (alpha, beta) = (real.value(alpha), real.value(beta));
        let [m, n, k, a, b, c] = [m, n, k, a, b, c].map(|size| self.size(size));
        self.try_call("gemm", real, &[m, n, k, alpha, a, b, beta, c]).map(drop)
    }
}

/// Small whole numbers, whose sums are exact in any order.
fn numbers(count: usize, step: usize) -> Vec<f64> {
    (0..count).map(|i| (i * step % 7) as f64 - 3.0).collect()
}

fn is_out_of_bounds<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Trap(trap))
        if trap.kind == TrapKind::MemoryOutOfBounds && trap.frames.len() == 1)
}

/// With both widths of addresses, aligned elements and others.
fn for_each(pages: u64, mut test: impl FnMut(&mut World, Real, u64)) {
    for setup in matrix() {
        for wide in [false, true] {
            let mut world = World::new(setup, wide, pages);
            for real in REALS {
                for odd in [0, 1, 6] {
                    test(&mut world, real, odd);
                }
            }
        }
    }
}

#[test]
fn vectors_of_many_lengths() {
    // The last takes the host several blocks.
    const LENGTHS: [usize; 6] = [0, 1, 3, 100, 4096, 100_001];
    for_each(32, |world, real, odd| {
        for n in LENGTHS {
            let (x, y) = (numbers(n, 3), numbers(n, 5));
            let (at, to) = (odd, 14 * PAGE + 16 * odd);
            world.put(real, at, &x);
            world.put(real, to, &y);
            let len = n as u64;
            let what = format!("{}: {} elements at {odd}", world.setup, n);
            let dot: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            assert_eq!(world.number("dot", real, &[len, at, to]), dot, "{what}");
            assert_eq!(world.number("sum", real, &[len, at]), x.iter().sum::<f64>(), "{what}");
            let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(world.number("max", real, &[len, at]), most, "{what}");
            world.try_axpy(real, len, 2.0, at, to).unwrap();
            let want: Vec<f64> = x.iter().zip(&y).map(|(x, y)| 2.0 * x + y).collect();
            assert!(world.get(real, to, n) == want, "{what}");
            assert!(world.get(real, at, n) == x, "{what}: x is as it was");
        }
    });
}

#[test]
fn matrices_of_many_shapes() {
    // As [m, n, k]; some are larger than the host's tiles.
    const SHAPES: [[usize; 3]; 9] = [
        [1, 1, 1],
        [2, 3, 4],
        [17, 33, 9],
        [515, 2, 3],
        [2, 515, 3],
        [2, 3, 515],
        [515, 514, 1],
        [5, 3, 0],
        [0, 3, 5],
    ];
    for_each(96, |world, real, odd| {
        for [m, n, k] in SHAPES {
            let (a, b, c) = (numbers(m * k, 3), numbers(k * n, 5), numbers(m * n, 2));
            let places = [odd, 30 * PAGE + odd, 60 * PAGE + odd];
            for (at, matrix) in places.into_iter().zip([&a, &b, &c]) {
                world.put(real, at, matrix);
            }
            let shape = [m, n, k].map(|size| size as u64);
            world.try_gemm(real, shape, [2.0, 3.0], places).unwrap();
            let mut want = c;
            for row in 0..m {
                for column in 0..n {
                    let product: f64 = (0..k).map(|i| a[row * k + i] * b[i * n + column]).sum();
                    let cell = &mut want[row * n + column];
                    *cell = 2.0 * product + 3.0 * *cell;
                }
            }
            let got = world.get(real, places[2], m * n);
            assert!(got == want, "{}: {real:?} {shape:?} at {odd}", world.setup);
        }
    });
}

#[test]
fn up_to_the_end_of_the_memory_and_no_further() {
    for_each(2, |world, real, odd| {
        let (end, size) = (2 * PAGE, real.size());
        let last = end - 10 * size;
        world.put(real, last, &[1.0; 10]);
        assert_eq!(world.number("sum", real, &[10, last]), 10.0);
        assert_eq!(world.number("sum", real, &[0, end]), 0.0, "nothing, at the end");
        // One byte, one element, everything that can be said in words of either width.
        let mut beyond = vec![(10, last + 1), (11, last), (1, end), (0, end + 1)];
        for word in [u64::from(u32::MAX), 1 << 31, 1 << 30, (1 << 29) + odd] {
            beyond.extend([(word, 0), (1, word), (word, word)]);
        }
        if world.wide {
            for word in [u64::MAX, 1 << 63, 1 << 62, 1 << 61, 1 << 32, u64::MAX / size] {
                beyond.extend([(word, 0), (1, word), (word, word), (0, word)]);
            }
        }
        for (n, at) in beyond {
            let what = format!("{}: {real:?} {n} at {at:#x}", world.setup);
            let [count, place, zero] = [n, at, 0].map(|size| world.size(size));
            for name in ["sum", "max"] {
                let ended = world.try_call(name, real, &[count, place]);
                assert!(is_out_of_bounds(&ended), "{what}: {name}: {ended:?}");
            }
            for values in [[count, place, zero], [count, zero, place]] {
                let ended = world.try_call("dot", real, &values);
                assert!(is_out_of_bounds(&ended), "{what}: dot: {ended:?}");
            }
            for (x, y) in [(at, 0), (0, at)] {
                let ended = world.try_axpy(real, n, 1.0, x, y);
                assert!(is_out_of_bounds(&ended), "{what}: axpy: {ended:?}");
            }
            for shape in [[n, 1, 1], [1, n, 1], [1, 1, n], [n, n, n]] {
                for places in [[at, 0, 0], [0, at, 0], [0, 0, at], [at, at, at]] {
                    let count = |rows: u64, columns: u64| rows.checked_mul(columns);
                    let [rows, columns, depth] = shape;
                    let sizes = [count(rows, depth), count(depth, columns), count(rows, columns)];
                    let inside = places.iter().zip(sizes).all(|(at, count)| {
                        let bytes = count.and_then(|count| count.checked_mul(size));
                        let to = bytes.and_then(|bytes| bytes.checked_add(*at));
                        to.is_some_and(|to| to <= end)
                    });
                    // What is there is small, or empty.
                    if inside {
                        continue;
                    }
                    let ended = world.try_gemm(real, shape, [1.0, 1.0], places);
                    let met = is_out_of_bounds(&ended);
                    assert!(met, "{what}: gemm {shape:?} {places:?}: {ended:?}");
                }
            }
        }
        assert_eq!(world.get(real, last, 10), [1.0; 10], "nothing was written");
        // Sizes that only fit when they are cut.
        if world.wide {
            for shape in [[1 << 32, 1 << 32, 1], [1 << 32, 1, 1 << 32], [1, 1 << 33, 1 << 31]] {
                let ended = world.try_gemm(real, shape, [1.0, 1.0], [0; 3]);
                assert!(is_out_of_bounds(&ended), "{}: {shape:?}: {ended:?}", world.setup);
            }
            // Any number of rows without an element, and any number of columns.
            world.try_gemm(real, [1 << 63, 0, 0], [1.0, 1.0], [0; 3]).unwrap();
            world.try_gemm(real, [0, 1 << 63, 0], [1.0, 1.0], [0; 3]).unwrap();
            world.try_gemm(real, [0, 0, 1 << 63], [1.0, 1.0], [0; 3]).unwrap();
        }
    });
}

#[test]
fn a_vector_may_overlap_the_other() {
    for setup in matrix() {
        let mut world = World::new(setup, false, 48);
        for real in REALS {
            // Within a block of the host's, and over several.
            for n in [50, 100_000] {
                let (middle, size, len) = (16 * PAGE, real.size(), n as u64);
                let shifts = [0, size, 5 * size, 1, 3, 4096 * size, 40_000 * size, len * size];
                for at in shifts.into_iter().flat_map(|shift| [middle - shift, middle + shift]) {
                    world.put(real, at, &numbers(n, 3));
                    world.put(real, middle, &numbers(n, 5));
                    // What is there now, which may be any number where elements lie across two.
                    let (x, y) = (world.get(real, at, n), world.get(real, middle, n));
                    world.try_axpy(real, len, 1.0, at, middle).unwrap();
                    let sum = |(x, y): (&f64, &f64)| match real {
                        Real::F32 => f64::from((x + y) as f32),
                        Real::F64 => x + y,
                    };
                    let want = x.iter().zip(&y).map(sum);
                    let same = |(a, b): (f64, f64)| a == b || (a.is_nan() && b.is_nan());
                    let got = world.get(real, middle, n);
                    let what = format!("{setup}: {real:?} {n} at {at:#x} and {middle:#x}");
                    assert!(got.into_iter().zip(want).all(same), "{what}");
                }
            }
        }
    }
}

#[test]
fn the_result_of_a_product_may_not_overlap_the_matrices() {
    for setup in matrix() {
        let mut world = World::new(setup, false, 1);
        for real in REALS {
            let matrix = 4 * real.size();
            world.put(real, 0, &[1.0; 64]);
            for places in [[0, 100, 0], [100, 0, 0], [0, 100, matrix - 1], [matrix - 1, 200, 0]] {
                let ended = world.try_gemm(real, [2, 2, 2], [1.0, 0.0], places);
                let Err(Error::Trap(trap)) = ended else { panic!("{setup}: {ended:?}") };
                assert_eq!(trap.kind, TrapKind::Host, "{setup}");
                assert!(trap.message.contains("overlaps"), "{setup}: {trap}");
                assert_eq!(world.get(real, 0, 64), [1.0; 64], "{setup}: nothing was written");
            }
            // The square of a matrix, next to it.
            world.put(real, 0, &[1.0, 2.0, 3.0, 4.0]);
            world.try_gemm(real, [2, 2, 2], [1.0, 0.0], [0, 0, matrix]).unwrap();
            assert_eq!(world.get(real, matrix, 4), [7.0, 10.0, 15.0, 22.0], "{setup}");
        }
    }
}

#[test]
fn not_a_number_and_zeros_have_a_meaning() {
    let nan = f64::NAN;
    for setup in matrix() {
        let mut world = World::new(setup, false, 4);
        for real in REALS {
            // In a vector register, and beside them.
            for place in [0, 5, 39] {
                let mut x = vec![1.0; 40];
                x[place] = nan;
                world.put(real, 0, &x);
                assert!(world.number("max", real, &[40, 0]).is_nan(), "{setup}");
                assert!(world.number("sum", real, &[40, 0]).is_nan(), "{setup}");
                assert!(world.number("dot", real, &[40, 0, 0]).is_nan(), "{setup}");
                x = vec![-0.0; 40];
                x[place] = 0.0;
                world.put(real, 0, &x);
                let most = world.number("max", real, &[40, 0]);
                assert!(most == 0.0 && most.is_sign_positive(), "{setup}: {most:?}");
            }
            world.put(real, 0, &[-0.0; 40]);
            assert!(world.number("max", real, &[40, 0]).is_sign_negative(), "{setup}");
            assert_eq!(world.number("max", real, &[0, 0]), f64::NEG_INFINITY, "{setup}");
            world.put(real, 0, &[f64::NEG_INFINITY, f64::INFINITY]);
            assert_eq!(world.number("max", real, &[1, 0]), f64::NEG_INFINITY, "{setup}");
            assert_eq!(world.number("max", real, &[2, 0]), f64::INFINITY, "{setup}");
            assert!(world.number("sum", real, &[2, 0]).is_nan(), "{setup}");

            // What is multiplied by zero is not there.
            let (a, c) = (0, 1024);
            world.put(real, a, &[1.0, 2.0, 3.0, 4.0]);
            world.put(real, c, &[nan; 4]);
            for depth in [2, 0] {
                world.try_gemm(real, [2, 2, depth], [1.0, 0.0], [a, a, c]).unwrap();
                let want = if depth == 2 { [7.0, 10.0, 15.0, 22.0] } else { [0.0; 4] };
                assert_eq!(world.get(real, c, 4), want, "{setup}");
                world.put(real, c, &[nan; 4]);
            }
            world.put(real, a, &[nan; 4]);
            world.put(real, c, &[1.0; 4]);
            world.try_gemm(real, [2, 2, 2], [0.0, 5.0], [a, a, c]).unwrap();
            assert_eq!(world.get(real, c, 4), [5.0; 4], "{setup}");
            world.try_gemm(real, [2, 2, 2], [1.0, 1.0], [a, a, c]).unwrap();
            assert!(world.get(real, c, 4).iter().all(|x| x.is_nan()), "{setup}");
        }
    }
}

#[test]
fn a_module_without_memory_has_nothing_to_reach() {
    let text = r#"(module (import "wrt_vec" "sum_f32" (func $sum (param i32 i32) (result f32)))
        (func (export "sum") (param i32 i32) (result f32)
            (call $sum (local.get 0) (local.get 1))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        let mut sum = |n, at| call(&mut vm, instance, "sum", &[Value::I32(n), Value::I32(at)]);
        assert_eq!(sum(0, 0).unwrap(), [Value::F32(0)], "{setup}");
        assert!(is_out_of_bounds(&sum(1, 0)), "{setup}");
        assert!(is_out_of_bounds(&sum(0, 1)), "{setup}");
    }
}

#[test]
fn a_start_function_may_call() {
    let text = r#"(module (import "wrt_vec" "max_f64" (func $max (param i32 i32) (result f64)))
        (memory (export "memory") 1)
        (data (i32.const 8) "\00\00\00\00\00\00\45\40")
        (global $most (export "most") (mut f64) (f64.const 0))
        (func $start (global.set $most (call $max (i32.const 2) (i32.const 0))))
        (start $start))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        let most = vm.global(instance, "most").unwrap();
        assert_eq!(most, Value::F64(42.0_f64.to_bits()), "{setup}");
        assert_eq!(vm.usage().exits.of(ServiceId::Vector), 1, "{setup}: a call is an exit");
    }
}

#[test]
fn imports_of_other_names_and_types_do_not_link() {
    let unknown = r#"(module (import "wrt_vec" "dot_i8" (func)))"#;
    let other = r#"(module (import "wrt_vec" "sum_f32" (func (param i32 i64) (result f32))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        for (text, name) in [(unknown, "dot_i8"), (other, "sum_f32")] {
            match try_instantiate(&mut vm, text) {
                Err(Error::Unlinkable { module, name: found, .. }) => {
                    assert_eq!((module.as_str(), found.as_str()), ("wrt_vec", name), "{setup}");
                }
                other => panic!("{setup}: {name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_long_call_ends_at_its_deadline_and_by_a_cancel() {
    // A product that takes a machine of any speed far longer than a test.
    const SIDE: u64 = 12_000;
    const MATRIX: u64 = SIDE * SIDE * 4;
    for setup in matrix() {
        for why in [Interruption::TimedOut, Interruption::Cancelled] {
            let mut world = World::new(setup, true, 2 * MATRIX / PAGE + 1);
            let [side, a, c] = [SIDE, 0, MATRIX].map(|size| world.size(size));
            let [one, zero] = [1.0, 0.0].map(|factor| Real::F32.value(factor));
            let gemm = world.vm.function(world.instance, "gemm_f32").unwrap();
            let handle = world.vm.cancel_handle();
            let soon = Duration::from_millis(50);
            let canceller = (why == Interruption::Cancelled).then(|| {
                thread::spawn(move || {
                    thread::sleep(soon);
                    handle.cancel()
                })
            });
            let deadline = if canceller.is_some() { Duration::from_secs(600) } else { soon };
            world.vm.set_deadline(Some(Instant::now() + deadline));
            let ended = world.vm.call(&gemm, &[side, side, side, one, a, a, zero, c]);
            let expected = matches!(&ended, Err(Error::Interrupted(found)) if *found == why);
            assert!(expected, "{setup}: {ended:?}");
            if let Some(canceller) = canceller {
                assert!(canceller.join().unwrap(), "{setup}: a cancel that hit says so");
            }
            world.vm.set_deadline(None);
            world.vm.reset().unwrap();
            world.instance = instantiate(&mut world.vm, &module("i64", 1));
            assert_eq!(world.number("sum", Real::F32, &[4, 0]), 0.0, "{setup}: it is good again");
        }
    }
}
