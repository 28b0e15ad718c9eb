//! wasmtime's values and types on the wire.

use super::State;
use alloc::vec::Vec;
use wasmtime::{ExternRef, Func, FuncType, HeapType, Ref, Store, V128, Val, ValType};
use wrt_abi::value::{ValueType, WireValue};
use wrt_abi::wire::{Malformed, Reader, Writer};

/// The wire's type for values of this type, if it has one.
fn wire_type(ty: &ValType) -> Option<ValueType> {
    Some(match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(reference) => match reference.heap_type() {
            HeapType::Func | HeapType::ConcreteFunc(_) | HeapType::NoFunc => ValueType::FuncRef,
            HeapType::Extern | HeapType::NoExtern => ValueType::ExternRef,
            _ => return None,
        },
    })
}

/// wasmtime's type for a wire type.
pub fn wasmtime_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        ValueType::V128 => ValType::V128,
        ValueType::FuncRef => ValType::FUNCREF,
        ValueType::ExternRef => ValType::EXTERNREF,
    }
}

/// Writes a function type: its parameters, then its results, each behind a count.
pub fn write_type(to: &mut Writer<'_>, ty: &FuncType) -> Result<(), Malformed> {
    write_types(to, ty.params())?;
    write_types(to, ty.results())
}

fn write_types(
    to: &mut Writer<'_>,
    types: impl ExactSizeIterator<Item = ValType>,
) -> Result<(), Malformed> {
    to.u32(u32::try_from(types.len()).map_err(|_| Malformed)?)?;
    for ty in types {
        to.u8(wire_type(&ty).ok_or(Malformed)? as u8)?;
    }
    Ok(())
}

/// Reads one value. A reference to a function is its number in `functions`.
pub fn read(from: &mut Reader<'_>, store: &mut Store<State>, functions: &[Func]) -> Option<Val> {
    Some(match WireValue::read(from).ok()? {
        WireValue::I32(value) => Val::I32(value),
        WireValue::I64(value) => Val::I64(value),
        WireValue::F32(bits) => Val::F32(bits),
        WireValue::F64(bits) => Val::F64(bits),
        WireValue::V128(bits) => Val::V128(V128::from(bits)),
        WireValue::FuncRef(None) => Val::FuncRef(None),
        WireValue::FuncRef(Some(number)) => Val::FuncRef(Some(*functions.get(number as usize)?)),
        WireValue::ExternRef(None) => Val::ExternRef(None),
        WireValue::ExternRef(Some(object)) => {
            Val::ExternRef(Some(ExternRef::new(store, object).ok()?))
        }
    })
}

/// Writes one value. A function that comes out for the first time gets a number.
pub fn write(
    to: &mut Writer<'_>,
    value: &Val,
    store: &Store<State>,
    functions: &mut Vec<Func>,
) -> Result<(), Malformed> {
    let wire = match value {
        Val::I32(value) => WireValue::I32(*value),
        Val::I64(value) => WireValue::I64(*value),
        Val::F32(bits) => WireValue::F32(*bits),
        Val::F64(bits) => WireValue::F64(*bits),
        Val::V128(value) => WireValue::V128(value.as_u128()),
        Val::FuncRef(None) => WireValue::FuncRef(None),
        Val::FuncRef(Some(func)) => {
            functions.push(*func);
            WireValue::FuncRef(u32::try_from(functions.len() - 1).ok())
        }
        Val::ExternRef(None) => WireValue::ExternRef(None),
        Val::ExternRef(Some(object)) => {
            // Only numbers are ever made into objects (`read`); but a program can make an
            // object of any of its own references, and that has no number.
            let data = object.data(store).map_err(|_| Malformed)?;
            let number = data.and_then(|data| data.downcast_ref::<u64>()).ok_or(Malformed)?;
            WireValue::ExternRef(Some(*number))
        }
        _ => return Err(Malformed),
    };
    wire.write(to)
}

/// A value of this type to put a result in the place of.
pub fn placeholder(ty: &ValType) -> Val {
    match ty {
        ValType::Ref(reference) => Val::from(Ref::null(reference.heap_type())),
        // Any number does: it is overwritten.
        _ => Val::I32(0),
    }
}
