//! Modules of extreme sizes, and declarations beyond what can be.

use crate::{assert_works, instantiate};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module as Encoder, TypeSection, ValType,
};
use wrt_tests::matrix;
use wrt_vm::{Error, Module, Value};

/// A module that exports one function under `count` names of `len` bytes, which differ early: who
/// compares them is done soon.
pub(crate) fn of_exports(count: u32, len: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    for number in 0..count {
        exports.export(&format!("{number:-<len$}"), ExportKind::Func, 0);
    }
    let mut body = Function::new([]);
    body.instructions().end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Encoder::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    module.finish()
}

/// A module of `count` functions; function `n` returns its argument plus `n`. `sum` calls
/// all of them with 1 and adds up what they return. `padding` constants that nobody needs
/// make each longer; the last of `segments` data segments is written to address 0.
fn of_functions(count: u32, padding: u32, segments: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([], [ValType::I32]);

    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for number in 0..count {
        functions.function(0);
        let mut body = Function::new([]);
        let mut body_code = body.instructions();
        for constant in 0..padding {
            body_code.i32_const(constant.cast_signed() + 0x0100_0000).drop();
        }
        body_code.local_get(0).i32_const(number.cast_signed()).i32_add().end();
        code.function(&body);
    }
    functions.function(1);
    let mut sum = Function::new([(1, ValType::I32)]);
    let mut sum_code = sum.instructions();
    for number in 0..count {
        sum_code.i32_const(1).call(number).local_get(0).i32_add().local_set(0);
    }
    sum_code.local_get(0).end();
    code.function(&sum);

    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("sum", ExportKind::Func, count).export("memory", ExportKind::Memory, 0);
    let mut data = DataSection::new();
    for segment in 0..segments {
        data.active(0, &ConstExpr::i32_const(0), vec![segment as u8; 4096]);
    }

    let mut module = Encoder::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    module.finish()
}

/// What `sum` of [`of_functions`] returns.
fn sum_of(count: u32) -> i32 {
    ((count * (count - 1)) / 2 + count).cast_signed()
}

#[test]
fn ten_thousand_functions_are_called() {
    let module = Module::from_bytes(&of_functions(10_000, 0, 0)).unwrap();
    for setup in matrix() {
        let mut vm = setup.vm();
        let loaded = vm.load(&setup.module(module.clone())).unwrap();
        let instance = vm.instantiate(loaded).unwrap();
        let sum = vm.function(instance, "sum").unwrap();
        // The second time all of them are translated already.
        for _ in 0..2 {
            assert_eq!(vm.call(&sum, &[]).unwrap(), [Value::I32(sum_of(10_000))], "{setup}");
        }
    }
}

#[test]
fn a_module_of_thirty_megabytes_runs() {
    const FUNCTIONS: u32 = 5_000;
    const SEGMENTS: u32 = 4_000;
    let bytes = of_functions(FUNCTIONS, 500, SEGMENTS);
    assert!(bytes.len() > 30 << 20, "it has {} bytes only", bytes.len());
    let module = Module::from_bytes(&bytes).unwrap();
    for setup in matrix() {
        let mut vm = setup.vm();
        let loaded = vm.load(&setup.module(module.clone())).unwrap();
        let instance = vm.instantiate(loaded).unwrap();
        let sum = vm.function(instance, "sum").unwrap();
        assert_eq!(vm.call(&sum, &[]).unwrap(), [Value::I32(sum_of(FUNCTIONS))], "{setup}");
        let memory = vm.memory(instance, "memory").unwrap();
        let mut written = [0; 4096];
        vm.read_memory(memory, 0, &mut written).unwrap();
        assert_eq!(written, [(SEGMENTS - 1) as u8; 4096], "{setup}: the last segment wins");
    }
}

#[test]
fn declarations_that_cannot_be_met_are_refused() {
    for setup in matrix() {
        let mut vm = setup.vm();
        for text in [
            "(module (memory 65536) (memory 65536))",
            "(module (memory i64 0x1000000000000))",
            "(module (memory i64 0x20000))",
            "(module (memory i64 0xffffffff))",
        ] {
            let error = instantiate(&mut vm, text).unwrap_err();
            let refused =
                matches!(error, Error::MemoryLimit { wanted, allowed } if wanted > allowed);
            assert!(
                refused || matches!(error, Error::InvalidModule { .. }),
                "{setup}: {text}: {error}"
            );
        }
        for text in [
            "(module (table 0xffffffff funcref))",
            "(module (table 0x7fffffff externref))",
            "(module (table 10000001 funcref))",
            "(module (table i64 0xffffffffffff funcref))",
            "(module (table 6000000 funcref) (table 6000000 funcref))",
        ] {
            let error = instantiate(&mut vm, text).unwrap_err();
            assert!(
                matches!(error, Error::Failed(_) | Error::InvalidModule { .. }),
                "{setup}: {text}: {error:?}"
            );
            assert!(!error.to_string().is_empty());
        }
        // What a failed instantiation made before it failed counts until then.
        vm.reset().unwrap();
        // A maximum is a promise, not a demand.
        instantiate(&mut vm, "(module (memory 1 65536) (table 1 0xffffffff funcref))").unwrap();
        assert_works(&mut vm);
    }
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let good = of_functions(10, 0, 1);
        // Cut off in every section, and within words of every length.
        for len in (8..good.len()).step_by(7) {
            let module = Module::from_bytes(&good[..len]).unwrap();
            match vm.load(&module) {
                Ok(_) => assert_eq!(len, 8, "only the empty module is whole when cut"),
                Err(Error::InvalidModule { offset, reason }) => {
                    assert!(offset.is_none_or(|at| at <= len as u64), "{offset:?} of {len}");
                    assert!(!reason.is_empty());
                }
                Err(other) => panic!("{setup}: cut to {len} bytes: {other}"),
            }
        }
        assert_works(&mut vm);
    }
}
