//! Values for calls, and what is compared of those that come back.

use crate::generate::Numbers;
use wrt_vm::Value;
use wrt_vm::vm::ValueType;

/// Sets of values that each function is called with.
const SETS: u64 = 3;

/// Values to call a function with; always the same for the same types.
pub(crate) fn arguments(types: &[ValueType]) -> Vec<Vec<Value>> {
    let set = |number| {
        let mut numbers = Numbers(number);
        types.iter().map(|ty| argument(*ty, number, &mut numbers)).collect()
    };
    let sets = if types.is_empty() { 1 } else { SETS };
    (0..sets).map(set).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "any bits do")]
fn argument(ty: ValueType, set: u64, numbers: &mut Numbers) -> Value {
    let random = numbers.next();
    // Zeros, then what is at the edges, then anything.
    let bits = match set {
        0 => 0,
        1 => [u64::MAX, 1, 1 << 31 | 1 << 63, 0x7fff_ffff, i64::MAX as u64][random as usize % 5],
        _ => random,
    };
    match ty {
        ValueType::I32 => Value::I32((bits as u32).cast_signed()),
        ValueType::I64 => Value::I64(bits.cast_signed()),
        ValueType::F32 if set == 2 => Value::F32((random as i32 as f32 / 1000.0).to_bits()),
        ValueType::F32 => Value::F32(bits as u32),
        ValueType::F64 if set == 2 => Value::F64((random.cast_signed() as f64 / 1e6).to_bits()),
        ValueType::F64 => Value::F64(bits),
        ValueType::V128 => Value::V128(u128::from(bits) << 64 | u128::from(numbers.next())),
        ValueType::FuncRef => Value::FuncRef(None),
        ValueType::ExternRef if set == 0 => Value::ExternRef(None),
        ValueType::ExternRef => Value::ExternRef(Some(random)),
    }
}

/// A value without what only its engine knows: the number of a function.
pub(crate) fn comparable(value: Value) -> Value {
    match value {
        Value::FuncRef(Some(_)) => Value::FuncRef(Some(0)),
        other => other,
    }
}
