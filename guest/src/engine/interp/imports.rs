//! wrt-vm's own import modules: what [`Import`] serves, for wasmi.

use super::values::wasmi_type;
use crate::engine::imports::{ARGUMENTS, Import, Refusal};
use crate::engine::limits::Limits;
use alloc::vec::Vec;
use wasmi::{Caller, Error, Extern, F32, F64, FuncType, Linker, Module, TrapCode, Val, ValType};
use wrt_abi::value::ValueType;

/// Defines those of their functions that `module` imports, unless something else has.
pub fn define_imports(linker: &mut Linker<Limits>, module: &Module) {
    for import in module.imports() {
        let Some(found) = Import::find(import.module(), import.name()) else { continue };
        let wanted = import.ty().func().map_or(&[][..], FuncType::params);
        let size = found.size(|parameter| wanted.get(parameter) == Some(&ValType::I64));
        let function = found.function();
        let params: Vec<ValType> = function.param_types(size).map(wasmi_type).collect();
        let ty = FuncType::new(params, function.result.map(wasmi_type));
        // As for WASI's functions.
        let _ =
            linker.func_new(import.module(), function.name, ty, move |caller, params, results| {
                call(found, caller, params, results)
            });
    }
}

fn call(
    import: Import,
    mut caller: Caller<'_, Limits>,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut arguments = [0; ARGUMENTS];
    for (argument, param) in arguments.iter_mut().zip(params) {
        *argument = match param {
            Val::I32(value) => u64::from(value.cast_unsigned()),
            Val::I64(value) => value.cast_unsigned(),
            Val::F32(value) => value.to_bits().into(),
            Val::F64(value) => value.to_bits(),
            // No function has a parameter of another type.
            _ => 0,
        };
    }
    // A module without memory can still call what needs none.
    let memory = match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory.data_mut(&mut caller),
        _ => &mut [],
    };
    match import.call(memory, arguments) {
        Ok(bits) => {
            if let ([result], Some(ty)) = (results, import.function().result) {
                *result = of_bits(ty, bits);
            }
            Ok(())
        }
        Err(Refusal::OutOfBounds) => Err(Error::from(TrapCode::MemoryOutOfBounds)),
        Err(Refusal::Message(message)) => Err(Error::new(message)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits travel in the low half")]
fn of_bits(ty: ValueType, bits: u64) -> Val {
    match ty {
        ValueType::F32 => Val::F32(F32::from_bits(bits as u32)),
        ValueType::F64 => Val::F64(F64::from_bits(bits)),
        // Results have no other types.
        _ => Val::I32((bits as u32).cast_signed()),
    }
}
