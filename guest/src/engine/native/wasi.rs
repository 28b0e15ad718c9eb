//! WASI preview 1 and 0: every function is one hypercall over the caller's memory.

use super::State;
use super::values::wasmtime_type;
use crate::hostcall::{self, WasiOutcome};
use core::fmt;
use core::mem::MaybeUninit;
use wasmtime::{Caller, Engine, Error, Extern, FuncType, Linker, Module, Result, ValRaw, ValType};
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::value::ValueType;
use wrt_abi::wasi::{FIRST_ARGUMENT, Function, find};

/// The program has called `proc_exit`.
#[derive(Clone, Copy, Debug)]
pub struct Exit(pub i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit with code {}", self.0)
    }
}

impl core::error::Error for Exit {}

/// Defines the WASI functions that `module` imports, unless something else has.
pub fn define_imports(linker: &mut Linker<State>, engine: &Engine, module: &Module) {
    for import in module.imports() {
        let Some((function, index)) = find(import.module(), import.name()) else { continue };
        let params = function.params.iter().map(|&ty| wasmtime_type(ty));
        let ty = FuncType::new(engine, params, function.returns_errno.then_some(ValType::I32));
        // SAFETY: `call` reads as many values as the type has parameters, of their types, and
        // writes its result.
        let defined = unsafe {
            linker.func_new_unchecked(import.module(), function.name, ty, move |caller, values| {
                call(index, function, caller, values)
            })
        };
        // The linker allows shadowing, so this cannot fail; a registered module of the same
        // name comes later and wins.
        drop(defined);
    }
}

fn call(
    index: u64,
    function: &Function,
    mut caller: Caller<'_, State>,
    values: &mut [MaybeUninit<ValRaw>],
) -> Result<()> {
    let mut args = [0; REQUEST_ARGS];
    args[0] = index;
    // A module without memory can still call functions that need none.
    if let Some(Extern::Memory(memory)) = caller.get_export("memory") {
        args[1] = memory.data_ptr(&caller).expose_provenance() as u64;
        args[2] = memory.data_size(&caller) as u64;
    }
    let params = function.params.iter().zip(values.iter());
    for (arg, (ty, value)) in args[FIRST_ARGUMENT..].iter_mut().zip(params) {
        // SAFETY: the caller has written a value of this type for each parameter.
        let value = unsafe { value.assume_init_ref() };
        *arg = match ty {
            ValueType::I32 => value.get_u32().into(),
            // WASI has integers only.
            _ => value.get_u64(),
        };
    }
    // SAFETY: the memory is the caller's, which is stopped and has no references into it.
    match unsafe { hostcall::wasi(args) } {
        WasiOutcome::Returned(errno) => {
            if let (true, Some(result)) = (function.returns_errno, values.first_mut()) {
                result.write(ValRaw::i32(errno));
            }
            Ok(())
        }
        WasiOutcome::Exit(code) => Err(Error::from(Exit(code))),
        WasiOutcome::Trap(message) => Err(Error::msg(hostcall::message(message))),
    }
}
