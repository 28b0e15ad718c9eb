//! Functions of the host's services, for wasmi.

use super::values::wasmi_type;
use crate::engine::limits::Limits;
use crate::services::{self, Refusal};
use alloc::vec::Vec;
use wasmi::{Caller, Error, Extern, F32, F64, FuncType, Linker, Module, TrapCode, Val, ValType};
use wrt_abi::services::{Arguments, Import};
use wrt_abi::value::ValueType;

/// Defines those of them that `module` imports, unless something else has.
pub fn define(linker: &mut Linker<Limits>, module: &Module) {
    for wanted in module.imports() {
        let Some(import) = Import::find(wanted.module(), wanted.name()) else { continue };
        let types = wanted.ty().func().map_or(&[][..], FuncType::params);
        let size = services::size(import, |param| types.get(param) == Some(&ValType::I64));
        let function = import.function();
        let params: Vec<ValType> = function.param_types(size).map(wasmi_type).collect();
        let ty = FuncType::new(params, function.result.map(wasmi_type));
        // The linker allows shadowing, so this cannot fail; a registered module of the same
        // name comes later and wins.
        let _ =
            linker.func_new(wanted.module(), function.name, ty, move |caller, params, results| {
                call(import, caller, params, results)
            });
    }
}

fn call(
    import: Import,
    mut caller: Caller<'_, Limits>,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut arguments = Arguments::default();
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
    match services::call(import, memory, &arguments) {
        Ok(bits) => {
            if let ([result], Some(ty)) = (results, import.function().result) {
                *result = of_bits(ty, bits);
            }
            Ok(())
        }
        Err(Refusal::Exit(code)) => Err(Error::i32_exit(code)),
        Err(Refusal::OutOfBounds) => Err(Error::from(TrapCode::MemoryOutOfBounds)),
        Err(Refusal::Message(message)) => Err(Error::new(message)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits travel in the low half")]
fn of_bits(ty: ValueType, bits: u64) -> Val {
    match ty {
        ValueType::I64 => Val::I64(bits.cast_signed()),
        ValueType::F32 => Val::F32(F32::from_bits(bits as u32)),
        ValueType::F64 => Val::F64(F64::from_bits(bits)),
        // Results have no other types.
        _ => Val::I32((bits as u32).cast_signed()),
    }
}
