//! `wrt_vec` in a VM against the same function in this process, and against a loop of vector
//! instructions in the same VM.
//!
//! The first says what the way to the host costs: an exit and checks for vectors, copies of
//! tiles for matrices. The second says from which size on a program gains by it.

use crate::pairs::{Pairs, Target};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};
use wrt_platform::vector::{self, Dimensions};
use wrt_vm::vm::Function;
use wrt_vm::{EngineKind, MicroVm, Module, Value};

/// Multiplications of elements in a run.
const WORK: usize = 1 << 22;

/// Both operands at the memory's beginning: one is half of the memory long.
const PROGRAM: &str = r#"(module
  (import "wrt_vec" "dot_f32" (func $dot (param i32 i32 i32) (result f32)))
  (import "wrt_vec" "gemm_f32" (func $gemm (param i32 i32 i32 f32 i32 i32 f32 i32)))
  (memory (export "memory") 512)
  (global $half i32 (i32.const 0x1000000))

  (func (export "host_dot") (param $n i32) (param $times i32) (result f32) (local $sum f32)
    (loop $again
      (local.set $sum (call $dot (local.get $n) (i32.const 0) (global.get $half)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum))

  (func (export "wasm_dot") (param $n i32) (param $times i32) (result f32)
    (local $at i32) (local $s v128) (local $t v128) (local $u v128) (local $v v128)
    (loop $again
      (local.set $s (v128.const i64x2 0 0))
      (local.set $t (v128.const i64x2 0 0))
      (local.set $u (v128.const i64x2 0 0))
      (local.set $v (v128.const i64x2 0 0))
      (local.set $at (i32.const 0))
      (loop $next
        (local.set $s (f32x4.add (local.get $s) (f32x4.mul
          (v128.load (local.get $at)) (v128.load offset=0x1000000 (local.get $at)))))
        (local.set $t (f32x4.add (local.get $t) (f32x4.mul
          (v128.load offset=16 (local.get $at)) (v128.load offset=0x1000010 (local.get $at)))))
        (local.set $u (f32x4.add (local.get $u) (f32x4.mul
          (v128.load offset=32 (local.get $at)) (v128.load offset=0x1000020 (local.get $at)))))
        (local.set $v (f32x4.add (local.get $v) (f32x4.mul
          (v128.load offset=48 (local.get $at)) (v128.load offset=0x1000030 (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $next (i32.lt_u (local.get $at) (i32.shl (local.get $n) (i32.const 2)))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.set $s (f32x4.add
      (f32x4.add (local.get $s) (local.get $t)) (f32x4.add (local.get $u) (local.get $v))))
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $s)) (f32x4.extract_lane 1 (local.get $s)))
      (f32.add (f32x4.extract_lane 2 (local.get $s)) (f32x4.extract_lane 3 (local.get $s)))))

  ;; The result is behind the first operand.
  (func (export "host_gemm") (param $n i32) (param $times i32) (result f32)
    (loop $again
      (call $gemm (local.get $n) (local.get $n) (local.get $n) (f32.const 1) (i32.const 0)
        (global.get $half) (f32.const 0) (i32.const 0x800000))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (f32.load (i32.const 0x800000)))

  (func (export "wasm_gemm") (param $n i32) (param $times i32) (result f32)
    (local $row i32) (local $a i32) (local $b i32) (local $c i32) (local $end i32)
    (local $depth i32) (local $factor v128) (local $bytes i32)
    (local.set $bytes (i32.shl (local.get $n) (i32.const 2)))
    (loop $again
      (memory.fill (i32.const 0x800000) (i32.const 0)
        (i32.mul (local.get $n) (local.get $bytes)))
      (local.set $row (i32.const 0))
      (local.set $a (i32.const 0))
      (loop $rows
        (local.set $b (global.get $half))
        (local.set $depth (i32.const 0))
        (loop $depths
          (local.set $factor (f32x4.splat (f32.load (local.get $a))))
          (local.set $c (i32.add (i32.const 0x800000)
            (i32.mul (local.get $row) (local.get $bytes))))
          (local.set $end (i32.add (local.get $b) (local.get $bytes)))
          (loop $columns
            (v128.store (local.get $c) (f32x4.add (v128.load (local.get $c))
              (f32x4.mul (local.get $factor) (v128.load (local.get $b)))))
            (local.set $c (i32.add (local.get $c) (i32.const 16)))
            (local.set $b (i32.add (local.get $b) (i32.const 16)))
            (br_if $columns (i32.lt_u (local.get $b) (local.get $end))))
          (local.set $a (i32.add (local.get $a) (i32.const 4)))
          (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
          (br_if $depths (i32.lt_u (local.get $depth) (local.get $n))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $rows (i32.lt_u (local.get $row) (local.get $n))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (f32.load (i32.const 0x800000))))"#;

pub(crate) fn run() -> bool {
    let mut guest = Guest::new();
    let mut met = true;
    for n in [1 << 10, 1 << 13, 1 << 16, 1 << 20] {
        let times = WORK / n;
        let (a, b) = (vec![1.0_f32; n], vec![1.0_f32; n]);
        let process = || {
            for _ in 0..times {
                black_box(vector::dot(black_box(&a), black_box(&b)).expect("one length"));
            }
        };
        let ratio = guest.compare("dot", n, times, process);
        if n == 1 << 20 {
            met &= Target::AtMost(1.25).judge("dot of 2^20, to the process", ratio);
        }
    }
    for n in [16, 64, 256, 512] {
        let times = (16 * WORK / (n * n * n)).max(1);
        let (a, b) = (vec![1.0_f32; n * n], vec![1.0_f32; n * n]);
        let mut c = vec![0.0; n * n];
        let square = Dimensions { m: n, k: n, n };
        let process = || {
            for _ in 0..times {
                vector::gemm(square, 1.0, black_box(&a), black_box(&b), 0.0, black_box(&mut c))
                    .expect("matrices of their sizes");
            }
        };
        let ratio = guest.compare("gemm", n, times, process);
        if n == 512 {
            met &= Target::AtMost(1.25).judge("gemm of 512, to the process", ratio);
        }
    }
    met
}

struct Guest {
    vm: MicroVm,
    functions: [[Function; 2]; 2],
}

impl Guest {
    fn new() -> Self {
        let mut vm = MicroVm::builder().engine(EngineKind::Native).build().expect("a VM");
        let module = Module::from_text(PROGRAM).expect("a module");
        let loaded = vm.load(&module).expect("a loaded module");
        let instance = vm.instantiate(loaded).expect("an instance");
        let memory = vm.memory(instance, "memory").expect("the export");
        let ones = 1.0_f32.to_le_bytes().repeat(1 << 20);
        for at in [0, 16 << 20] {
            vm.write_memory(memory, at, &ones).expect("within the memory");
        }
        let mut function = |name: &str| vm.function(instance, name).expect("the export");
        let functions = [["host_dot", "wasm_dot"], ["host_gemm", "wasm_gemm"]]
            .map(|names| names.map(&mut function));
        Self { vm, functions }
    }

    /// Prints how the call compares with the same in the process, and with the loop; returns
    /// the former. Either finds `n`.
    fn compare(&mut self, name: &str, n: usize, times: usize, mut process: impl FnMut()) -> f64 {
        let Self { vm, functions: [dot, gemm] } = self;
        let [host, wasm] = if name == "dot" { dot } else { gemm };
        let vm = RefCell::new(vm);
        let word = |number: usize| Value::I32(i32::try_from(number).expect("a small number"));
        let guest = |function: &Function| -> Duration {
            let started = Instant::now();
            let result = vm.borrow_mut().call(function, &[word(n), word(times)]);
            let time = started.elapsed();
            let n = Value::F32((n as f32).to_bits());
            assert_eq!(result.expect("a result"), [n], "{name} of {n:?}");
            time
        };
        let calls = times as f64;
        let to_loop = Pairs::measure(15, || guest(host), || guest(wasm));
        to_loop.print(&format!("{name} {n}, loop"), calls);
        let to_process = Pairs::measure(
            15,
            || guest(host),
            || {
                let started = Instant::now();
                process();
                started.elapsed()
            },
        );
        to_process.print(&format!("{name} {n}"), calls);
        to_process.ratio()
    }
}
