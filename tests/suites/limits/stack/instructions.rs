//! Every instruction, again and again in one call, on a small stack.
//!
//! An interpreter that dispatches by tail calls keeps a frame for each execution of an instruction
//! whose handler ends in a call that is none. With [`SMALL`] as the stack, eight bytes a time are
//! noticed after two thousand times.
//!
//! The modules are made from tables of instructions by their types. Each instruction has its
//! operands from locals, from constants and from the instruction before it, since an interpreter
//! has handlers for each.

use super::{SMALL, with_stack};
use crate::instantiate;
use std::fmt::Write as _;
use wrt_tests::matrix;
use wrt_vm::{Error, MicroVm, Value};

/// Times that each instruction is executed in a call.
const ROUNDS: u32 = 50_000;
/// The same where there is time: a program may well do it as often.
const MANY_ROUNDS: u32 = 1_000_000;
/// Statements of one loop.
const CHUNK: usize = 100;

const INTEGERS: [&str; 2] = ["i32", "i64"];
const FLOATS: [&str; 2] = ["f32", "f64"];

/// Where an operand comes from.
const SOURCES: [Source; 3] = [Source::Local, Source::Constant, Source::Register];

#[derive(Clone, Copy, PartialEq)]
enum Source {
    Local,
    Constant,
    Register,
}

/// An operand of a type. None is zero: it may be a divisor.
fn operand(ty: &str, source: Source) -> String {
    match (source, ty) {
        (Source::Local, _) => format!("(local.get ${ty})"),
        (Source::Constant, "v128") => "(v128.const i64x2 7 9)".to_owned(),
        (Source::Constant, _) => format!("({ty}.const 3)"),
        (Source::Register, "i32") => "(i32.or (local.get $i32) (i32.const 1))".to_owned(),
        (Source::Register, "i64") => "(i64.or (local.get $i64) (i64.const 1))".to_owned(),
        (Source::Register, "v128") => "(v128.not (local.get $v128))".to_owned(),
        (Source::Register, float) => format!("({float}.abs (local.get ${float}))"),
    }
}

/// Statements: `name` of operands of these types, from all sources, with a result of type `result`.
fn each(to: &mut Vec<String>, name: &str, operands: &[&str], result: &str) {
    let combinations = SOURCES.len().pow(operands.len() as u32);
    for combination in 0..combinations {
        let source = |place: usize| SOURCES[combination / SOURCES.len().pow(place as u32) % 3];
        let operands: Vec<String> =
            operands.iter().enumerate().map(|(place, ty)| operand(ty, source(place))).collect();
        let call = format!("({name} {})", operands.join(" "));
        to.push(match result {
            "" => call,
            _ => format!("(local.set $to-{result} {call})"),
        });
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// What a comparison may be fused with: a branch, a selection.
fn decide(to: &mut Vec<String>, name: &str, ty: &str) {
    for (left, right) in [(Source::Local, Source::Local), (Source::Register, Source::Constant)] {
        let compare = format!("({name} {} {})", operand(ty, left), operand(ty, right));
        to.push(format!("(block (br_if 0 {compare}) (nop))"));
        to.push(format!("(if {compare} (then (nop)) (else (nop)))"));
        for ty in ["i32", "i64", "f32", "f64"] {
            let (one, other) = (operand(ty, Source::Local), operand(ty, Source::Constant));
            to.push(format!("(local.set $to-{ty} (select {one} {other} {compare}))"));
        }
    }
}

fn numbers() -> Vec<String> {
    let mut to = Vec::new();
    for ty in INTEGERS {
        for name in words("clz ctz popcnt extend8_s extend16_s") {
            each(&mut to, &format!("{ty}.{name}"), &[ty], ty);
        }
        each(&mut to, &format!("{ty}.eqz"), &[ty], "i32");
        for name in
            words("add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr")
        {
            each(&mut to, &format!("{ty}.{name}"), &[ty, ty], ty);
        }
        for name in words("eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u") {
            each(&mut to, &format!("{ty}.{name}"), &[ty, ty], "i32");
            decide(&mut to, &format!("{ty}.{name}"), ty);
        }
        for float in FLOATS {
            for name in words("trunc_sat_@_s trunc_sat_@_u trunc_@_s trunc_@_u") {
                each(&mut to, &format!("{ty}.{}", name.replace('@', float)), &[float], ty);
            }
            for name in words("convert_@_s convert_@_u") {
                each(&mut to, &format!("{float}.{}", name.replace('@', ty)), &[ty], float);
            }
        }
    }
    for ty in FLOATS {
        for name in words("abs neg ceil floor trunc nearest sqrt") {
            each(&mut to, &format!("{ty}.{name}"), &[ty], ty);
        }
        to.push(format!("(local.set $to-{ty} ({ty}.neg ({ty}.abs (local.get ${ty}))))"));
        for name in words("add sub mul div min max copysign") {
            each(&mut to, &format!("{ty}.{name}"), &[ty, ty], ty);
        }
        for name in words("eq ne lt gt le ge") {
            each(&mut to, &format!("{ty}.{name}"), &[ty, ty], "i32");
            decide(&mut to, &format!("{ty}.{name}"), ty);
        }
    }
    for (name, from, into) in [
        ("i64.extend32_s", "i64", "i64"),
        ("i32.wrap_i64", "i64", "i32"),
        ("i64.extend_i32_s", "i32", "i64"),
        ("i64.extend_i32_u", "i32", "i64"),
        ("f32.demote_f64", "f64", "f32"),
        ("f64.promote_f32", "f32", "f64"),
        ("i32.reinterpret_f32", "f32", "i32"),
        ("i64.reinterpret_f64", "f64", "i64"),
        ("f32.reinterpret_i32", "i32", "f32"),
        ("f64.reinterpret_i64", "i64", "f64"),
    ] {
        each(&mut to, name, &[from], into);
    }
    for ty in ["i32", "i64", "f32", "f64", "v128"] {
        each(&mut to, "select", &[ty, ty, "i32"], ty);
        for source in SOURCES {
            to.push(format!("(global.set $g-{ty} {})", operand(ty, source)));
        }
        to.push(format!("(local.set $to-{ty} (global.get $g-{ty}))"));
        to.push(format!("(local.set $to-{ty} (local.tee ${ty} (local.get ${ty})))"));
    }
    let sides = "(local.get $i64) (local.get $i64)";
    for name in words("i64.add128 i64.sub128") {
        to.push(format!("({name} {sides} {sides}) (drop) (local.set $to-i64)"));
    }
    for name in words("i64.mul_wide_s i64.mul_wide_u") {
        to.push(format!("({name} {sides}) (drop) (local.set $to-i64)"));
    }
    to
}

/// Loads and stores of the first memory and of another one, whose addresses have 64 bits, at
/// small offsets and large ones.
fn memory() -> Vec<String> {
    let mut to = Vec::new();
    let loads = "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load i64.load8_s \
        i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u f32.load f64.load \
        v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s \
        v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat \
        v128.load32_zero v128.load64_zero";
    let stores = "i32.store i32.store8 i32.store16 i64.store i64.store8 i64.store16 i64.store32 \
        f32.store f64.store v128.store";
    for (memory, address) in [("$first", "i32"), ("$wide", "i64")] {
        for offset in ["", "offset=8", "offset=70000"] {
            for name in words(loads) {
                let ty = name.split('.').next().unwrap();
                each(&mut to, &format!("{name} {memory} {offset}"), &[address], ty);
            }
            for name in words(stores) {
                let ty = name.split('.').next().unwrap();
                each(&mut to, &format!("{name} {memory} {offset}"), &[address, ty], "");
            }
            for lane in words("8 16 32 64") {
                let at = operand(address, Source::Local);
                let (memory, vector) = (format!("{memory} {offset}"), "(local.get $v128)");
                to.push(format!(
                    "(local.set $to-v128 (v128.load{lane}_lane {memory} 1 {at} {vector}))"
                ));
                to.push(format!("(v128.store{lane}_lane {memory} 1 {at} {vector})"));
            }
        }
        to.push(format!("(local.set $to-{address} (memory.size {memory}))"));
        each(&mut to, &format!("memory.fill {memory}"), &[address, "i32", address], "");
        each(&mut to, &format!("memory.copy {memory} {memory}"), &[address, address, address], "");
        to.push(format!(
            "(memory.init {memory} $data ({address}.const 1) (i32.const 0) (i32.const 2))"
        ));
        // By nothing, and by more than there may be.
        for delta in [0, 60_000] {
            let delta = format!("({address}.const {delta})");
            to.push(format!("(local.set $to-{address} (memory.grow {memory} {delta}))"));
        }
    }
    to.push("(memory.copy $first $wide (i32.const 1) (i64.const 2) (i32.const 3))".to_owned());
    to.push("(memory.copy $wide $first (i64.const 1) (i32.const 2) (i32.const 3))".to_owned());
    to.push("(data.drop $dropped)".to_owned());
    to
}

fn tables() -> Vec<String> {
    let mut to = Vec::new();
    for (table, index, value) in
        [("$functions", "i32", "(ref.func $nothing)"), ("$wide-table", "i64", "(ref.null extern)")]
    {
        let kind = if table == "$functions" { "func" } else { "extern" };
        for source in [Source::Local, Source::Constant, Source::Register] {
            let at = operand(index, source);
            to.push(format!("(local.set ${kind} (table.get {table} {at}))"));
            to.push(format!("(table.set {table} {at} {value})"));
            to.push(format!("(table.set {table} {at} (local.get ${kind}))"));
        }
        let n = |n: u32| format!("({index}.const {n})");
        to.push(format!("(local.set $to-{index} (table.size {table}))"));
        to.push(format!("(table.fill {table} {} {value} {})", n(1), n(2)));
        to.push(format!("(table.copy {table} {table} {} {} {})", n(1), n(2), n(3)));
        // By nothing, and by more than there may be.
        for delta in [0, 100] {
            to.push(format!("(local.set $to-{index} (table.grow {table} {value} {}))", n(delta)));
        }
    }
    to.push("(table.init $functions $elements (i32.const 1) (i32.const 0) (i32.const 1))".into());
    to.push("(table.copy $functions $others (i32.const 1) (i32.const 0) (i32.const 1))".into());
    to.push("(elem.drop $dropped-elements)".into());
    to.push("(local.set $to-i32 (ref.is_null (local.get $func)))".into());
    to.push("(local.set $func (ref.func $nothing))".into());
    to.push("(local.set $func (select (result funcref) (local.get $func) (local.get $func) (local.get $i32)))".into());
    to
}

/// Calls of all kinds; those by the table are of functions of this instance and of another one.
fn calls() -> Vec<String> {
    let mut to = Vec::new();
    for call in [
        "call $nothing",
        "call $imported",
        "call_indirect $others (type $none) (i32.const 0)",
        "call_indirect $others (type $none) (i32.const 1)",
        "call_indirect $others (type $none) (i32.or (i32.eqz (local.get $i32)) (i32.const 1))",
        "call $tail-internal",
        "call $tail-imported",
        "call $tail-indirect (i32.const 0)",
        "call $tail-indirect (i32.const 1)",
    ] {
        to.push(format!("({call})"));
    }
    to.push(
        "(local.set $to-i64 (call $many (local.get $i32) (local.get $i64) (local.get $f64)))"
            .into(),
    );
    to.push("(block (block (br_table 0 1 0 (local.get $i32))) (nop))".into());
    to.push("(block (block (br_table 0 1 (i32.eqz (local.get $i32)))) (nop))".into());
    to.push(
        "(block (result i32 i64) (block (result i32 i64) (i32.const 1) (i64.const 2) \
         (br_table 0 1 0 (local.get $i32)))) (local.set $to-i64) (local.set $to-i32)"
            .into(),
    );
    to.push(
        "(loop (param) (result i32) (block (result i32) (br 0 (local.get $i32)))) \
         (local.set $to-i32)"
            .into(),
    );
    to.push("(if (result i64) (local.get $i32) (then (local.get $i64)) (else (i64.const 1))) (local.set $to-i64)".into());
    to
}

fn vectors() -> Vec<String> {
    const V: &str = "v128";
    let mut to = Vec::new();
    let shapes = [
        ("i8x16", "i32"),
        ("i16x8", "i32"),
        ("i32x4", "i32"),
        ("i64x2", "i64"),
        ("f32x4", "f32"),
        ("f64x2", "f64"),
    ];
    for (shape, lane) in shapes {
        each(&mut to, &format!("{shape}.splat"), &[lane], V);
        let extract = match shape {
            "i8x16" | "i16x8" => "extract_lane_s extract_lane_u",
            _ => "extract_lane",
        };
        for name in words(extract) {
            each(&mut to, &format!("{shape}.{name} 1"), &[V], lane);
        }
        each(&mut to, &format!("{shape}.replace_lane 1"), &[V, lane], V);
        let (unary, binary) = match shape {
            "i8x16" => (
                "abs neg popcnt",
                "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u narrow_i16x8_s narrow_i16x8_u add \
                 add_sat_s add_sat_u sub sub_sat_s sub_sat_u min_s min_u max_s max_u avgr_u \
                 swizzle relaxed_swizzle",
            ),
            "i16x8" => (
                "abs neg extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u extend_low_i8x16_s \
                 extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u",
                "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u narrow_i32x4_s narrow_i32x4_u add \
                 add_sat_s add_sat_u sub sub_sat_s sub_sat_u mul min_s min_u max_s max_u avgr_u \
                 q15mulr_sat_s relaxed_q15mulr_s extmul_low_i8x16_s extmul_high_i8x16_s \
                 extmul_low_i8x16_u extmul_high_i8x16_u relaxed_dot_i8x16_i7x16_s",
            ),
            "i32x4" => (
                "abs neg extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u extend_low_i16x8_s \
                 extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u trunc_sat_f32x4_s \
                 trunc_sat_f32x4_u trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero \
                 relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero \
                 relaxed_trunc_f64x2_u_zero",
                "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u add sub mul min_s min_u max_s max_u \
                 dot_i16x8_s extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u \
                 extmul_high_i16x8_u",
            ),
            "i64x2" => (
                "abs neg extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u \
                 extend_high_i32x4_u",
                "eq ne lt_s gt_s le_s ge_s add sub mul extmul_low_i32x4_s extmul_high_i32x4_s \
                 extmul_low_i32x4_u extmul_high_i32x4_u",
            ),
            "f32x4" => (
                "abs neg sqrt ceil floor trunc nearest convert_i32x4_s convert_i32x4_u \
                 demote_f64x2_zero",
                "eq ne lt gt le ge add sub mul div min max pmin pmax relaxed_min relaxed_max",
            ),
            _ => (
                "abs neg sqrt ceil floor trunc nearest convert_low_i32x4_s convert_low_i32x4_u \
                 promote_low_f32x4",
                "eq ne lt gt le ge add sub mul div min max pmin pmax relaxed_min relaxed_max",
            ),
        };
        for name in words(unary) {
            each(&mut to, &format!("{shape}.{name}"), &[V], V);
        }
        for name in words(binary) {
            each(&mut to, &format!("{shape}.{name}"), &[V, V], V);
        }
        if shape.starts_with('i') {
            each(&mut to, &format!("{shape}.all_true"), &[V], "i32");
            each(&mut to, &format!("{shape}.bitmask"), &[V], "i32");
            for name in words("shl shr_s shr_u") {
                each(&mut to, &format!("{shape}.{name}"), &[V, "i32"], V);
            }
            each(&mut to, &format!("{shape}.relaxed_laneselect"), &[V, V, V], V);
        } else {
            each(&mut to, &format!("{shape}.relaxed_madd"), &[V, V, V], V);
            each(&mut to, &format!("{shape}.relaxed_nmadd"), &[V, V, V], V);
        }
    }
    each(&mut to, "v128.not", &[V], V);
    for name in words("and andnot or xor") {
        each(&mut to, &format!("v128.{name}"), &[V, V], V);
    }
    each(&mut to, "v128.bitselect", &[V, V, V], V);
    each(&mut to, "v128.any_true", &[V], "i32");
    each(&mut to, "i32x4.relaxed_dot_i8x16_i7x16_add_s", &[V, V, V], V);
    each(&mut to, "i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23", &[V, V], V);
    to
}

/// What all modules define.
const DEFINITIONS: &str = r#"
    (type $none (func))
    (import "other" "nothing" (func $imported))
    (memory $first 2 4) (memory $wide i64 2 4)
    (data $data "ab") (data $dropped "ab")
    (table $functions 8 16 funcref) (table $wide-table i64 8 16 externref)
    (table $others funcref (elem $nothing $imported))
    (elem $elements func $nothing) (elem $dropped-elements func $nothing)
    (global $g-i32 (mut i32) (i32.const 1)) (global $g-i64 (mut i64) (i64.const 1))
    (global $g-f32 (mut f32) (f32.const 1)) (global $g-f64 (mut f64) (f64.const 1))
    (global $g-v128 (mut v128) (v128.const i64x2 1 1))
    (func $nothing)
    (func $tail-internal (return_call $nothing))
    (func $tail-imported (return_call $imported))
    (func $tail-indirect (param i32) (return_call_indirect $others (type $none) (local.get 0)))
    (func $many (param i32 i64 f64) (result i64) (local.get 1))"#;

/// A module whose exported functions `0`, `1`, ... execute a part of the statements each, as many
/// times as they are told.
fn module(statements: &[String]) -> (String, usize) {
    let mut text = format!("(module {DEFINITIONS}");
    let chunks = statements.chunks(CHUNK);
    let count = chunks.len();
    for (number, chunk) in chunks.enumerate() {
        let _ = write!(
            text,
            r#"(func (export "{number}") (param $rounds i32) (result i32) (local $done i32)
                (local $i32 i32) (local $i64 i64) (local $f32 f32) (local $f64 f64)
                (local $v128 v128) (local $func funcref) (local $extern externref)
                (local $to-i32 i32) (local $to-i64 i64) (local $to-f32 f32) (local $to-f64 f64)
                (local $to-v128 v128)
                (local.set $i32 (i32.const 5)) (local.set $i64 (i64.const 6))
                (local.set $f32 (f32.const 7)) (local.set $f64 (f64.const 8))
                (local.set $v128 (v128.const i64x2 3 4))
                (loop $again {}
                    (local.set $done (i32.add (local.get $done) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $done) (local.get $rounds))))
                (local.get $done))"#,
            chunk.join("\n")
        );
    }
    text.push(')');
    (text, count)
}

#[track_caller]
fn execute(vm: &mut MicroVm, statements: &[String], rounds: u32) -> Result<(), Error> {
    let other = instantiate(vm, r#"(module (func (export "nothing")))"#)?;
    vm.register(other, "other")?;
    let (text, count) = module(statements);
    let instance = instantiate(vm, &text)?;
    let rounds = Value::I32(rounds.cast_signed());
    for number in 0..count {
        let function = vm.function(instance, &number.to_string())?;
        assert_eq!(vm.call(&function, &[rounds])?, [rounds], "part {number}");
    }
    Ok(())
}

#[test]
fn no_instruction_uses_it_up() {
    execute_all(ROUNDS);
}

#[test]
#[ignore = "by night (tests/nightly): takes minutes"]
fn no_instruction_uses_it_up_in_a_million_rounds() {
    execute_all(MANY_ROUNDS);
}

fn execute_all(rounds: u32) {
    for (name, statements) in [
        ("numbers", numbers()),
        ("memory", memory()),
        ("tables", tables()),
        ("calls", calls()),
        ("vectors", vectors()),
    ] {
        for setup in matrix() {
            let mut vm = with_stack(setup, SMALL);
            let executed = execute(&mut vm, &statements, rounds);
            executed.unwrap_or_else(|error| panic!("{setup}: {name}: {error}"));
        }
    }
}
