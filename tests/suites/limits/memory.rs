//! What a program may have of memory.

use crate::{assert_works, instantiate, run};
use wrt_tests::matrix;
use wrt_vm::error::{TrapKind, VmEnd};
use wrt_vm::vm::Function;
use wrt_vm::{Error, MicroVm, Module, Value};

const PAGE: u64 = 64 << 10;

const GROWER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "touch") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#;

fn grow(vm: &mut MicroVm, function: &Function, pages: i32) -> i32 {
    match vm.call(function, &[Value::I32(pages)]).unwrap()[..] {
        [Value::I32(before)] => before,
        ref other => panic!("memory.grow answered {other:?}"),
    }
}

#[test]
fn a_module_that_wants_more_than_the_limit_is_refused_with_both_figures() {
    for setup in matrix() {
        let mut vm = setup.builder().max_memory(16 * PAGE).build().unwrap();
        let error = instantiate(&mut vm, "(module (memory 17))").unwrap_err();
        let Error::MemoryLimit { wanted, allowed } = error else { panic!("{setup}: {error}") };
        assert_eq!((wanted, allowed), (17 * PAGE, 16 * PAGE));
        let text = error.to_string();
        assert!(text.contains("1.1 MiB") && text.contains("1.0 MiB"), "{text}");
        assert_works(&mut vm);
        instantiate(&mut vm, "(module (memory 16))").unwrap();
    }
}

#[test]
fn growth_stops_at_the_limit_and_keeps_what_was_there() {
    for setup in matrix() {
        let mut vm = setup.builder().max_memory(64 * PAGE).build().unwrap();
        let instance = instantiate(&mut vm, GROWER).unwrap();
        let [grow_function, touch] = ["grow", "touch"].map(|f| vm.function(instance, f).unwrap());
        let memory = vm.memory(instance, "memory").unwrap();
        let pattern: Vec<u8> = (0..PAGE).map(|at| (at % 251) as u8).collect();
        vm.write_memory(memory, 0, &pattern).unwrap();

        // From one page up to the limit, through every way that memory is had: from the
        // heap, moved to a region, grown in place.
        let mut size = 1;
        for step in [1, 1, 2, 3, 8, 16, 32] {
            assert_eq!(grow(&mut vm, &grow_function, step), size);
            size += step;
        }
        assert_eq!(size, 64);
        for too_many in [1, 2, 1000, 65_535, -1] {
            assert_eq!(grow(&mut vm, &grow_function, too_many), -1, "{setup}: by {too_many}");
        }
        assert_eq!(run(&mut vm, instance, "size").unwrap(), [Value::I32(64)]);
        assert_eq!(vm.memory_size(memory).unwrap(), 64 * PAGE);

        let mut now = vec![0; pattern.len()];
        vm.read_memory(memory, 0, &mut now).unwrap();
        assert!(now == pattern, "{setup}: the first page changed");
        let mut rest = vec![1; 63 * PAGE as usize];
        vm.read_memory(memory, PAGE, &mut rest).unwrap();
        assert!(rest.iter().all(|byte| *byte == 0), "{setup}: new pages are not zero");

        vm.call(&touch, &[Value::I32(64 * PAGE as i32 - 1)]).unwrap();
        let beyond = vm.call(&touch, &[Value::I32(64 * PAGE as i32)]).unwrap_err();
        assert!(
            matches!(&beyond, Error::Trap(trap) if trap.kind == TrapKind::MemoryOutOfBounds),
            "{setup}: {beyond}"
        );
        assert_works(&mut vm);
    }
}

#[test]
fn all_memories_of_a_vm_share_the_limit() {
    for setup in matrix() {
        let mut vm = setup.builder().max_memory(10 * PAGE).build().unwrap();
        instantiate(&mut vm, "(module (memory 4))").unwrap();
        instantiate(&mut vm, "(module (memory 2) (memory 2))").unwrap();
        let error = instantiate(&mut vm, "(module (memory 3))").unwrap_err();
        assert!(
            matches!(error, Error::MemoryLimit { wanted, allowed }
                if (wanted, allowed) == (11 * PAGE, 10 * PAGE)),
            "{setup}: {error}"
        );
        let instance = instantiate(&mut vm, GROWER).unwrap();
        let grow_function = vm.function(instance, "grow").unwrap();
        assert_eq!(grow(&mut vm, &grow_function, 2), -1);
        assert_eq!(grow(&mut vm, &grow_function, 1), 1);
    }
}

#[test]
fn a_whole_32_bit_memory_can_be_had() {
    for setup in matrix() {
        let mut vm = setup.builder().build().unwrap();
        let instance = instantiate(&mut vm, GROWER).unwrap();
        let grow_function = vm.function(instance, "grow").unwrap();
        assert_eq!(grow(&mut vm, &grow_function, 65_535), 1);
        assert_eq!(grow(&mut vm, &grow_function, 1), -1);
        let touch = vm.function(instance, "touch").unwrap();
        let memory = vm.memory(instance, "memory").unwrap();
        for at in [0, 1 << 31, u32::MAX] {
            vm.call(&touch, &[Value::I32(at.cast_signed())]).unwrap();
            let mut byte = [0];
            vm.read_memory(memory, at.into(), &mut byte).unwrap();
            assert_eq!(byte, [1], "{setup}: at {at:#x}");
        }
    }
}

/// A function that grows the memory by so many pages until that fails, and returns its pages then.
fn grows_by_steps(index: &str) -> String {
    format!(
        r#"(module (memory (export "memory") {index} 1)
            (func (export "grow") (param {index}) (result {index})
                (loop $again
                    (br_if $again ({index}.ne
                        (memory.grow (local.get 0)) ({index}.const -1))))
                (memory.size))
            (func (export "touch") (param {index}) (i32.store8 (local.get 0) (i32.const 1))))"#
    )
}

#[test]
fn a_memory_grows_page_by_page_to_the_end() {
    for setup in matrix() {
        let mut vm = setup.builder().max_memory(4 << 30).build().unwrap();
        let instance = instantiate(&mut vm, &grows_by_steps("i32")).unwrap();
        let grow = vm.function(instance, "grow").unwrap();
        let grown = vm.call(&grow, &[Value::I32(1)]).unwrap();
        assert_eq!(grown, [Value::I32(65_536)], "{setup}");
        let touch = vm.function(instance, "touch").unwrap();
        vm.call(&touch, &[Value::I32(-1)]).unwrap();
        assert_works(&mut vm);
    }
}

#[test]
fn a_64_bit_memory_has_eight_gibibytes() {
    let (most, pages) = (8_u64 << 30, (8 << 30) / PAGE);
    for setup in matrix() {
        let mut vm = setup.builder().max_memory(most + PAGE).build().unwrap();
        // Made as large as that, grown at once, and grown by steps past what it began with.
        for (begin, step) in [(pages, 1), (1, pages - 1), (6, 6)] {
            vm.reset().unwrap();
            let text = grows_by_steps("i64").replace("i64 1)", &format!("i64 {begin})"));
            let instance = instantiate(&mut vm, &text).unwrap();
            let [grow, touch] = ["grow", "touch"].map(|f| vm.function(instance, f).unwrap());
            let grown = vm.call(&grow, &[Value::I64(step.cast_signed())]).unwrap();
            let reached = pages - (pages - begin) % step;
            assert_eq!(
                grown,
                [Value::I64(reached.cast_signed())],
                "{setup}: from {begin} by {step}"
            );
            let end = reached * PAGE;
            vm.call(&touch, &[Value::I64(end.cast_signed() - 1)]).unwrap();
            let beyond = vm.call(&touch, &[Value::I64(end.cast_signed())]).unwrap_err();
            assert!(
                matches!(&beyond, Error::Trap(trap) if trap.kind == TrapKind::MemoryOutOfBounds),
                "{setup}: {beyond}"
            );
            let memory = vm.memory(instance, "memory").unwrap();
            let mut byte = [0];
            vm.read_memory(memory, end - 1, &mut byte).unwrap();
            assert_eq!(byte, [1], "{setup}");
        }
        vm.reset().unwrap();
        let too_large = format!("(module (memory i64 {}))", pages + 1);
        let error = instantiate(&mut vm, &too_large).unwrap_err();
        assert!(!matches!(error, Error::Ended(_)), "{setup}: {error}");
        assert_works(&mut vm);
    }
}

#[test]
fn hundreds_of_memories_can_be_had() {
    const OF_A_MODULE: usize = 100;
    let text = format!(
        r#"(module {} (func (export "touch")
            (i32.store8 0 (i32.const 65535) (i32.const 1))
            (i32.store8 99 (i32.const 65535) (i32.const 1))))"#,
        "(memory 1)".repeat(OF_A_MODULE)
    );
    for setup in matrix() {
        let mut vm = setup.builder().build().unwrap();
        for number in 0..8 {
            let instance = instantiate(&mut vm, &text);
            let instance = instance.unwrap_or_else(|error| panic!("{setup}: {number}: {error}"));
            run(&mut vm, instance, "touch").unwrap();
        }
        assert_works(&mut vm);
    }
}

#[test]
fn tables_grow_to_their_limit() {
    let text = r#"(module
        (table $one 0 funcref) (table $other 0 externref) (elem declare func $grow)
        (func $grow (export "grow") (param i32) (result i32)
            (loop $again
                (br_if $again (i32.ne (i32.const -1)
                    (table.grow $one (ref.func $grow) (local.get 0)))))
            (table.size $one))
        (func (export "grow-other") (result i32) (table.grow $other (ref.null extern) (i32.const 1)))
        (func (export "last") (result i32)
            (ref.is_null (table.get $one (i32.sub (table.size $one) (i32.const 1))))))"#;
    for setup in matrix() {
        for step in [100, 2_500_000] {
            let mut vm = setup.builder().build().unwrap();
            let instance = instantiate(&mut vm, text).unwrap();
            let grow = vm.function(instance, "grow").unwrap();
            let grown = vm.call(&grow, &[Value::I32(step)]).unwrap();
            assert_eq!(grown, [Value::I32(10_000_000)], "{setup}: by {step}");
            assert_eq!(run(&mut vm, instance, "last").unwrap(), [Value::I32(0)], "{setup}");
            assert_eq!(run(&mut vm, instance, "grow-other").unwrap(), [Value::I32(-1)], "{setup}");
            assert_works(&mut vm);
        }
    }
}

/// The engine keeps the names of exports, in its own memory: loading a module full of them
/// again and again uses that up.
#[test]
fn an_engine_without_memory_ends_its_vm_and_nothing_else() {
    let module = Module::from_bytes(&crate::modules::of_exports(20_000, 2_000)).unwrap();
    for setup in matrix() {
        let module = setup.module(module.clone());
        let mut vm = setup.builder().max_memory(PAGE).build().unwrap();
        let error = (0..200).find_map(|_| vm.load(&module).err());
        let error = error.expect("memory for 200 such modules is above every limit");
        assert!(
            matches!(error, Error::Ended(VmEnd::OutOfMemory { wanted }) if wanted > 0),
            "{setup}: {error}"
        );
        let after = vm.load(&module).unwrap_err();
        assert!(matches!(after, Error::Ended(VmEnd::Earlier)), "{setup}: {after}");
        vm.reset().unwrap();
        assert_works(&mut vm);
    }
}
