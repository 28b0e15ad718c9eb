//! Handles mean nothing in another VM, nor after a reset.

use crate::instantiate;
use wrt_tests::matrix;
use wrt_vm::vm::{Function, Instance, LoadedModule, Memory};
use wrt_vm::{Error, MicroVm, Module, Value};

const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (global (export "global") i32 (i32.const 5))
    (func (export "f") (result i32) (i32.const 1)))"#;

struct Handles {
    module: LoadedModule,
    instance: Instance,
    function: Function,
    memory: Memory,
}

fn handles(vm: &mut MicroVm) -> Handles {
    let module = vm.load(&Module::from_text(MODULE).unwrap()).unwrap();
    let instance = vm.instantiate(module).unwrap();
    let function = vm.function(instance, "f").unwrap();
    let memory = vm.memory(instance, "memory").unwrap();
    Handles { module, instance, function, memory }
}

/// Tries all that can be done with handles; returns what each came to.
fn use_all(vm: &mut MicroVm, handles: &Handles) -> Vec<(&'static str, Result<(), Error>)> {
    let Handles { module, instance, function, memory } = handles;
    let (instance, memory) = (*instance, *memory);
    vec![
        ("instantiate", vm.instantiate(*module).map(drop)),
        ("register", vm.register(instance, "name")),
        ("function", vm.function(instance, "f").map(drop)),
        ("memory", vm.memory(instance, "memory").map(drop)),
        ("global", vm.global(instance, "global").map(drop)),
        ("exports", vm.exports(instance).map(drop)),
        ("call", vm.call(function, &[]).map(drop)),
        ("memory_size", vm.memory_size(memory).map(drop)),
        ("read_memory", vm.read_memory(memory, 0, &mut [0])),
        ("write_memory", vm.write_memory(memory, 0, &[0])),
    ]
}

#[track_caller]
fn assert_refused(vm: &mut MicroVm, handles: &Handles) {
    for (what, result) in use_all(vm, handles) {
        match result {
            Err(Error::WrongHandle) => {}
            other => panic!("{what} with a void handle: {other:?}"),
        }
    }
}

#[track_caller]
fn assert_good(vm: &mut MicroVm, handles: &Handles) {
    for (what, result) in use_all(vm, handles) {
        assert!(result.is_ok(), "{what}: {result:?}");
    }
}

#[test]
fn handles_of_another_vm_are_refused() {
    for setup in matrix() {
        let (mut one, mut other) = (setup.vm(), setup.vm());
        let (of_one, of_other) = (handles(&mut one), handles(&mut other));
        assert_refused(&mut one, &of_other);
        assert_refused(&mut other, &of_one);
        assert_good(&mut one, &of_one);
        assert_good(&mut other, &of_other);
    }
}

#[test]
fn handles_from_before_a_reset_are_refused() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let before = handles(&mut vm);
        vm.reset().unwrap();
        assert_refused(&mut vm, &before);
        let after = handles(&mut vm);
        assert_refused(&mut vm, &before);
        assert_good(&mut vm, &after);
    }
}

#[test]
fn a_function_reference_that_was_never_given_out_is_refused() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let text = r#"(module (func (export "f") (param funcref)))"#;
        let instance = instantiate(&mut vm, text).unwrap();
        let f = vm.function(instance, "f").unwrap();
        for number in [1000, u32::MAX] {
            let error = vm.call(&f, &[Value::FuncRef(Some(number))]).unwrap_err();
            assert!(matches!(error, Error::TypeMismatch(_)), "{setup}: {error:?}");
            assert!(error.to_string().contains("reference"), "{setup}: {error:?}");
        }
        vm.call(&f, &[Value::FuncRef(None)]).unwrap();
    }
}
