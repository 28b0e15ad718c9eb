//! Reading and writing linear memory from outside.

use crate::{call, instantiate};
use wrt_tests::matrix;
use wrt_vm::{Error, Value};

const PAGE: u64 = 64 << 10;
const PAGE_BYTES: usize = 64 << 10;

const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (memory (export "second") 0)
    (data (i32.const 100) "from the module")
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

#[test]
fn host_and_program_see_the_same_bytes() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, MODULE);
        let memory = vm.memory(instance, "memory").unwrap();
        let mut text = [0; 15];
        vm.read_memory(memory, 100, &mut text).unwrap();
        assert_eq!(&text, b"from the module", "{setup}");

        for at in [0u16, 1, 4095, u16::MAX] {
            vm.write_memory(memory, at.into(), &[0xa5]).unwrap();
            let seen = call(&mut vm, instance, "load", &[Value::I32(at.into())]).unwrap();
            assert_eq!(seen, [Value::I32(0xa5)], "{setup}: at {at}");
            call(&mut vm, instance, "store", &[Value::I32(at.into()), Value::I32(7)]).unwrap();
            let mut byte = [0];
            vm.read_memory(memory, at.into(), &mut byte).unwrap();
            assert_eq!(byte, [7], "{setup}: at {at}");
        }
    }
}

#[test]
fn a_memory_that_moves_is_found_again() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, MODULE);
        let memory = vm.memory(instance, "memory").unwrap();
        vm.write_memory(memory, 5, b"stays").unwrap();
        let mut pages = 1;
        for more in [1u16, 14, 100, 1000] {
            call(&mut vm, instance, "grow", &[Value::I32(more.into())]).unwrap();
            pages += u64::from(more);
            assert_eq!(vm.memory_size(memory).unwrap(), pages * PAGE, "{setup}");
            let mut bytes = [0; 5];
            vm.read_memory(memory, 5, &mut bytes).unwrap();
            assert_eq!(&bytes, b"stays", "{setup}");
            vm.write_memory(memory, pages * PAGE - 1, &[1]).unwrap();
        }
    }
}

#[test]
fn ranges_that_are_not_in_the_memory_are_refused() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, MODULE);
        let memory = vm.memory(instance, "memory").unwrap();
        let empty = vm.memory(instance, "second").unwrap();
        assert_eq!(vm.memory_size(empty).unwrap(), 0);
        for (memory, at, len) in [
            (memory, PAGE, 1),
            (memory, PAGE - 1, 2),
            (memory, 0, PAGE_BYTES + 1),
            (memory, u64::MAX, 1),
            (memory, u64::MAX, 2),
            (memory, u64::MAX - 1, 1),
            (memory, 1 << 63, 1),
            (memory, PAGE + 1, 0),
            (empty, 0, 1),
        ] {
            let mut bytes = vec![0x5a; len];
            let read = vm.read_memory(memory, at, &mut bytes).unwrap_err();
            assert!(
                matches!(read, Error::OutOfRange { .. }),
                "{setup}: {len} at {at:#x}: {read:?}"
            );
            assert!(bytes.iter().all(|byte| *byte == 0x5a), "nothing was read");
            let written = vm.write_memory(memory, at, &bytes).unwrap_err();
            assert!(
                matches!(written, Error::OutOfRange { .. }),
                "{setup}: {len} at {at:#x}: {written:?}"
            );
            assert!(written.to_string().contains("are not in a memory of"), "{written}");
        }
        // At the very end there is nothing, and that can be had.
        vm.read_memory(memory, PAGE, &mut []).unwrap();
        vm.write_memory(empty, 0, &[]).unwrap();
        let mut whole = vec![0; PAGE_BYTES];
        vm.read_memory(memory, 0, &mut whole).unwrap();
        vm.write_memory(memory, 0, &whole).unwrap();
    }
}
