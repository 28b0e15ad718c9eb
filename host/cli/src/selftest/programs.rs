//! The programs of the self-test, and what must come of each.

use wrt_vm::error::TrapKind;

/// A program.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// WebAssembly text.
    pub(super) text: &'static str,
    pub(super) expected: Expected,
}

/// What must come of a program.
pub(super) enum Expected {
    /// It ends, having printed this.
    Prints(&'static str),
    /// It traps.
    Traps(TrapKind),
    /// It never ends by itself.
    Endless,
}

use Expected::{Endless, Prints, Traps};

/// All of them.
pub(super) const PROGRAMS: &[Program] = &[
    Program {
        name: "hello",
        text: include_str!("../../../../examples/hello.wat"),
        expected: Prints("Hello from a micro-VM!\n"),
    },
    // Bytes of the first and the last page, a growth that is granted and one that is not.
    Program {
        name: "memory",
        text: r#"(module
            (memory 1 100)
            (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
            (func (export "_start")
                (i64.store (i32.const 65528) (i64.const 0x0123456789abcdef))
                (call $must (i32.eq (memory.grow (i32.const 63)) (i32.const 1)))
                (call $must (i64.eqz (i64.load (i32.const 4194296))))
                (i64.store (i32.const 4194296) (i64.const -2))
                (call $must (i64.eq (i64.load (i32.const 4194296)) (i64.const -2)))
                (call $must (i64.eq (i64.load (i32.const 65528)) (i64.const 0x0123456789abcdef)))
                (call $must (i32.eq (memory.grow (i32.const 100)) (i32.const -1)))
                (call $must (i32.eq (memory.size) (i32.const 64)))))"#,
        expected: Prints(""),
    },
    // Floating point and vectors that live across exits.
    Program {
        name: "vectors",
        text: r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (memory (export "memory") 1)
            (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
            (func (export "_start")
                (local $round i32) (local $sum f64) (local $lanes v128)
                (local.set $lanes (v128.const i32x4 1 2 3 4))
                (loop $again
                    (drop (call $yield))
                    (local.set $sum
                        (f64.add (local.get $sum) (f64.sqrt (f64.convert_i32_s (local.get $round)))))
                    (local.set $lanes (i32x4.add (local.get $lanes) (local.get $lanes)))
                    (local.set $round (i32.add (local.get $round) (i32.const 1)))
                    (br_if $again (i32.lt_s (local.get $round) (i32.const 5))))
                ;; 1 + sqrt 2 + sqrt 3 + 2
                (call $must (f64.lt
                    (f64.abs (f64.sub (local.get $sum) (f64.const 6.146264369941972)))
                    (f64.const 1e-12)))
                (call $must (i32.eq (i32x4.extract_lane 0 (local.get $lanes)) (i32.const 32)))
                (call $must (i32.eq (i32x4.extract_lane 3 (local.get $lanes)) (i32.const 128)))))"#,
        expected: Prints(""),
    },
    Program {
        name: "just-beyond",
        text: r#"(module (memory 1)
            (func (export "_start") (drop (i64.load (i32.const 65529)))))"#,
        expected: Traps(TrapKind::MemoryOutOfBounds),
    },
    Program {
        name: "far-beyond",
        text: r#"(module (memory 1)
            (func (export "_start")
                (i32.store8 offset=4294967295 (i32.const -1) (i32.const 1))))"#,
        expected: Traps(TrapKind::MemoryOutOfBounds),
    },
    Program {
        name: "unreachable",
        text: r#"(module (func (export "_start") unreachable))"#,
        expected: Traps(TrapKind::Unreachable),
    },
    Program {
        name: "division",
        text: r#"(module (global $zero (mut i32) (i32.const 0))
            (func (export "_start") (drop (i32.div_s (i32.const 1) (global.get $zero)))))"#,
        expected: Traps(TrapKind::IntegerDivisionByZero),
    },
    Program {
        name: "overflow",
        text: r#"(module (global $least (mut i32) (i32.const 0x80000000))
            (func (export "_start") (drop (i32.div_s (global.get $least) (i32.const -1)))))"#,
        expected: Traps(TrapKind::IntegerOverflow),
    },
    Program {
        name: "null-call",
        text: r#"(module (table 1 funcref) (type $f (func))
            (func (export "_start") (call_indirect (type $f) (i32.const 0))))"#,
        expected: Traps(TrapKind::IndirectCallToNull),
    },
    Program {
        name: "wrong-call",
        text: r#"(module (table 1 funcref) (elem (i32.const 0) $f) (type $t (func (result i32)))
            (func $f)
            (func (export "_start") (drop (call_indirect (type $t) (i32.const 0)))))"#,
        expected: Traps(TrapKind::BadSignature),
    },
    Program {
        name: "recursion",
        text: r#"(module (func $f (param i32) (result i32)
                (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
            (func (export "_start") (drop (call $f (i32.const 0)))))"#,
        expected: Traps(TrapKind::StackOverflow),
    },
    Program {
        name: "endless",
        text: r#"(module (func (export "_start") (loop $l (br $l))))"#,
        expected: Endless,
    },
];
