//! wrt-vm's own import modules: what [`Import`] serves, for wasmtime.

use super::State;
use super::values::wasmtime_type;
use crate::engine::imports::{ARGUMENTS, Import, Refusal};
use core::mem::MaybeUninit;
use wasmtime::{Caller, Engine, Error, Extern, FuncType, Linker, Module, Result, Trap, ValRaw};
use wrt_abi::value::ValueType;

/// Defines those of their functions that `module` imports, unless something else has.
pub fn define_imports(linker: &mut Linker<State>, engine: &Engine, module: &Module) {
    for import in module.imports() {
        let Some(found) = Import::find(import.module(), import.name()) else { continue };
        let ty = import.ty();
        let wanted = |parameter| ty.func().and_then(|ty| ty.param(parameter));
        let size = found.size(|parameter| wanted(parameter).is_some_and(|ty| ty.is_i64()));
        let function = found.function();
        let params = function.param_types(size).map(wasmtime_type);
        let ty = FuncType::new(engine, params, function.result.map(wasmtime_type));
        // SAFETY: `call` reads as many values as the type has parameters, of their types, and
        // writes its result.
        let defined = unsafe {
            linker.func_new_unchecked(import.module(), function.name, ty, move |caller, values| {
                call(found, size, caller, values)
            })
        };
        // As for WASI's functions.
        drop(defined);
    }
}

fn call(
    import: Import,
    size: ValueType,
    mut caller: Caller<'_, State>,
    values: &mut [MaybeUninit<ValRaw>],
) -> Result<()> {
    let function = import.function();
    let mut arguments = [0; ARGUMENTS];
    let params = function.param_types(size).zip(values.iter());
    for (argument, (ty, value)) in arguments.iter_mut().zip(params) {
        // SAFETY: the caller has written a value of this type for each parameter.
        let value = unsafe { value.assume_init_ref() };
        *argument = match ty {
            ValueType::I32 => value.get_u32().into(),
            ValueType::F32 => value.get_f32().into(),
            ValueType::F64 => value.get_f64(),
            // No function has a parameter of another type.
            _ => value.get_u64(),
        };
    }
    // A module without memory can still call what needs none.
    let memory = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory.data_mut(&mut caller),
        _ => &mut [],
    };
    match import.call(memory, arguments) {
        Ok(bits) => {
            if let (Some(ty), Some(result)) = (function.result, values.first_mut()) {
                result.write(of_bits(ty, bits));
            }
            Ok(())
        }
        Err(Refusal::OutOfBounds) => Err(Error::from(Trap::MemoryOutOfBounds)),
        Err(Refusal::Message(message)) => Err(Error::msg(message)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits travel in the low half")]
fn of_bits(ty: ValueType, bits: u64) -> ValRaw {
    match ty {
        ValueType::F32 => ValRaw::f32(bits as u32),
        ValueType::F64 => ValRaw::f64(bits),
        // Results have no other types.
        _ => ValRaw::i32((bits as u32).cast_signed()),
    }
}
