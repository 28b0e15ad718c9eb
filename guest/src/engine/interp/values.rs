//! wasmi's values and types on the wire.

use alloc::vec::Vec;
use wasmi::{
    AsContext, AsContextMut, ExternRef, F32, F64, Func, FuncType, Nullable, V128, Val, ValType,
};
use wrt_abi::value::{ValueType, WireValue};
use wrt_abi::wire::{Malformed, Reader, Writer};

fn wire_type(ty: ValType) -> ValueType {
    match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::FuncRef => ValueType::FuncRef,
        ValType::ExternRef => ValueType::ExternRef,
    }
}

/// wasmi's type for a wire type.
pub fn wasmi_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::V128 => ValType::V128,
        ValueType::FuncRef => ValType::FuncRef,
        ValueType::ExternRef => ValType::ExternRef,
    }
}

/// Writes a function type: its parameters, then its results, each behind a count.
pub fn write_type(to: &mut Writer<'_>, ty: &FuncType) -> Result<(), Malformed> {
    for types in [ty.params(), ty.results()] {
        to.u32(u32::try_from(types.len()).map_err(|_| Malformed)?)?;
        for &ty in types {
            to.u8(wire_type(ty) as u8)?;
        }
    }
    Ok(())
}

/// Whether the values are of these types.
pub fn match_types(values: &[Val], types: &[ValType]) -> bool {
    values.len() == types.len() && values.iter().zip(types).all(|(value, &ty)| value.ty() == ty)
}

/// Reads one value. A reference to a function is its number in `functions`.
pub fn read(from: &mut Reader<'_>, store: impl AsContextMut, functions: &[Func]) -> Option<Val> {
    Some(match WireValue::read(from).ok()? {
        WireValue::I32(value) => Val::I32(value),
        WireValue::I64(value) => Val::I64(value),
        WireValue::F32(bits) => Val::F32(F32::from_bits(bits)),
        WireValue::F64(bits) => Val::F64(F64::from_bits(bits)),
        WireValue::V128(bits) => Val::V128(V128::from(bits)),
        WireValue::FuncRef(None) => Val::FuncRef(Nullable::Null),
        WireValue::FuncRef(Some(number)) => {
            Val::FuncRef(Nullable::Val(*functions.get(number as usize)?))
        }
        WireValue::ExternRef(None) => Val::ExternRef(Nullable::Null),
        WireValue::ExternRef(Some(object)) => {
            Val::ExternRef(Nullable::Val(ExternRef::new(store, object)))
        }
    })
}

/// Writes one value. A function that comes out for the first time gets a number.
pub fn write(
    to: &mut Writer<'_>,
    value: &Val,
    store: impl AsContext,
    functions: &mut Vec<Func>,
) -> Result<(), Malformed> {
    let wire = match value {
        Val::I32(value) => WireValue::I32(*value),
        Val::I64(value) => WireValue::I64(*value),
        Val::F32(value) => WireValue::F32(value.to_bits()),
        Val::F64(value) => WireValue::F64(value.to_bits()),
        Val::V128(value) => WireValue::V128(value.as_u128()),
        Val::FuncRef(Nullable::Null) => WireValue::FuncRef(None),
        Val::FuncRef(Nullable::Val(func)) => {
            functions.push(*func);
            WireValue::FuncRef(u32::try_from(functions.len() - 1).ok())
        }
        Val::ExternRef(Nullable::Null) => WireValue::ExternRef(None),
        Val::ExternRef(Nullable::Val(object)) => {
            // Only numbers are ever made into objects (`read`).
            let context = store.as_context();
            WireValue::ExternRef(object.data(context).downcast_ref::<u64>().copied())
        }
    };
    wire.write(to)
}
