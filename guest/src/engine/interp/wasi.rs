//! WASI preview 1 and 0: every function is one hypercall over the caller's memory.

use super::values::wasmi_type;
use crate::engine::limits::Limits;
use crate::hostcall::{self, WasiOutcome};
use alloc::vec::Vec;
use wasmi::{Caller, Error, Extern, FuncType, Linker, Module, Val, ValType};
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::wasi::{FIRST_ARGUMENT, find};

/// Defines the WASI functions that `module` imports, unless something else has.
pub fn define_imports(linker: &mut Linker<Limits>, module: &Module) {
    for import in module.imports() {
        let Some((function, index)) = find(import.module(), import.name()) else { continue };
        let params: Vec<ValType> = function.params.iter().map(|&ty| wasmi_type(ty)).collect();
        let results = function.returns_errno.then_some(ValType::I32);
        let ty = FuncType::new(params, results);
        // The linker allows shadowing, so this cannot fail; a registered module of the same
        // name comes later and wins.
        let _ =
            linker.func_new(import.module(), function.name, ty, move |caller, params, results| {
                call(index, &caller, params, results)
            });
    }
}

fn call(
    index: u64,
    caller: &Caller<'_, Limits>,
    params: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let mut args = [0; REQUEST_ARGS];
    args[0] = index;
    // A module without memory can still call functions that need none.
    if let Some(Extern::Memory(memory)) = caller.get_export("memory") {
        args[1] = memory.data_ptr(caller).expose_provenance() as u64;
        args[2] = memory.data_size(caller) as u64;
    }
    for (arg, param) in args[FIRST_ARGUMENT..].iter_mut().zip(params) {
        *arg = match param {
            Val::I32(value) => u64::from(value.cast_unsigned()),
            Val::I64(value) => value.cast_unsigned(),
            // No WASI function has a parameter of another type.
            _ => 0,
        };
    }
    // SAFETY: the memory is the caller's, which is stopped and has no references into it.
    match unsafe { hostcall::wasi(args) } {
        WasiOutcome::Returned(errno) => {
            if let [result] = results {
                *result = Val::I32(errno);
            }
            Ok(())
        }
        WasiOutcome::Exit(code) => Err(Error::i32_exit(code)),
        WasiOutcome::Trap(message) => Err(Error::new(hostcall::message(message))),
    }
}
