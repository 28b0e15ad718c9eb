//! Functions of the host's services, for wasmtime.

use super::State;
use super::values::wasmtime_type;
use crate::services::{self, Refusal};
use core::fmt;
use core::mem::MaybeUninit;
use wasmtime::{Caller, Engine, Error, Extern, FuncType, Linker, Module, Result, Trap, ValRaw};
use wrt_abi::services::{Arguments, Import};
use wrt_abi::value::ValueType;

/// The program has called `proc_exit`.
#[derive(Clone, Copy, Debug)]
pub struct Exit(pub i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit with code {}", self.0)
    }
}

impl core::error::Error for Exit {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Exit(code) => Self::from(Exit(code)),
            Refusal::OutOfBounds => Self::from(Trap::MemoryOutOfBounds),
            Refusal::Message(message) => Self::msg(message),
        }
    }
}

/// Defines those of them that `module` imports, unless something else has.
pub fn define(linker: &mut Linker<State>, engine: &Engine, module: &Module) {
    for wanted in module.imports() {
        let Some(import) = Import::find(wanted.module(), wanted.name()) else { continue };
        let ty = wanted.ty();
        let param = |number| ty.func().and_then(|ty| ty.param(number));
        let size = services::size(import, |number| param(number).is_some_and(|ty| ty.is_i64()));
        let function = import.function();
        let params = function.param_types(size).map(wasmtime_type);
        let ty = FuncType::new(engine, params, function.result.map(wasmtime_type));
        // SAFETY: `call` reads as many values as the type has parameters, of their types, and
        // writes its result.
        let defined = unsafe {
            linker.func_new_unchecked(wanted.module(), function.name, ty, move |caller, values| {
                call(import, size, caller, values)
            })
        };
        // The linker allows shadowing, so this cannot fail; a registered module of the same
        // name comes later and wins.
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
    let mut arguments = Arguments::default();
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
    let bits = services::call(import, memory, &arguments)?;
    if let (Some(ty), Some(result)) = (function.result, values.first_mut()) {
        result.write(of_bits(ty, bits));
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits travel in the low half")]
fn of_bits(ty: ValueType, bits: u64) -> ValRaw {
    match ty {
        ValueType::I64 => ValRaw::i64(bits.cast_signed()),
        ValueType::F32 => ValRaw::f32(bits as u32),
        ValueType::F64 => ValRaw::f64(bits),
        // Results have no other types.
        _ => ValRaw::i32((bits as u32).cast_signed()),
    }
}
