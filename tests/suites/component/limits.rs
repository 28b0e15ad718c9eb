//! Limits hold for components as for modules.

use crate::text::returns;
use crate::{HANG, outputs, setups};
use std::time::{Duration, Instant};
use wrt_tests::Setup;
use wrt_vm::error::{Interruption, TrapKind};
use wrt_vm::vm::Instance;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Error, MicroVm, Module, WasiConfig};

/// How long a program may run that would never end.
const SOON: Duration = Duration::from_millis(300);
const MIB: u64 = 1 << 20;

/// A VM with an instance of the ordinary program in it, and what that prints.
fn program(setup: Setup, max_memory: u64, args: &[&str]) -> (MicroVm, Instance, OutputBuffer) {
    let stdout = OutputBuffer::new(1 << 20);
    let wasi = WasiConfig::new()
        .arg("program")
        .args(args.iter().copied())
        .stdout(Output::Capture(stdout.clone()));
    let mut vm = setup.builder().max_memory(max_memory).wasi(wasi).build().unwrap();
    vm.set_deadline(Some(Instant::now() + HANG));
    let file = wrt_tests::programs::build_components(outputs()).join("program.wasm");
    let loaded = vm.load(&setup.module(Module::from_file(file).unwrap())).unwrap();
    let instance = vm.instantiate(loaded).unwrap();
    (vm, instance, stdout)
}

/// The VM is good after a reset.
fn assert_works(setup: Setup, vm: &mut MicroVm) {
    vm.set_deadline(None);
    vm.reset().unwrap();
    let module = setup.module(Module::from_text(&returns(0)).unwrap());
    let loaded = vm.load(&module).unwrap();
    let instance = vm.instantiate(loaded).unwrap();
    vm.run(instance).unwrap();
}

#[test]
fn memory_stops_growing_at_the_limit() {
    for setup in setups() {
        let (mut vm, instance, stdout) = program(setup, 64 * MIB, &["hog"]);
        vm.run(instance).unwrap();
        let printed = String::from_utf8(stdout.contents().to_vec()).unwrap();
        let taken: u64 = printed.trim_end().strip_suffix(" MiB").unwrap().parse().unwrap();
        assert!((32..64).contains(&taken), "{setup}: {printed}");
    }
}

#[test]
fn a_component_that_wants_more_than_the_limit_is_refused_with_both_figures() {
    for setup in setups() {
        let mut vm = setup.builder().max_memory(MIB).build().unwrap();
        let text = "(component (core module $m (memory 17)) (core instance (instantiate $m)))";
        let loaded = vm.load(&setup.module(Module::from_text(text).unwrap())).unwrap();
        let error = vm.instantiate(loaded).unwrap_err();
        let Error::MemoryLimit { wanted, allowed } = error else { panic!("{setup}: {error}") };
        assert_eq!((wanted, allowed), (17 << 16, MIB));
    }
}

#[test]
fn more_instances_than_a_vm_takes_are_refused() {
    for setup in setups() {
        let mut vm = setup.vm();
        let each = "(core instance (instantiate $m))";
        let text = format!("(component (core module $m) {})", each.repeat(600));
        let loaded = vm.load(&setup.module(Module::from_text(&text).unwrap())).unwrap();
        // The limit is 10,000 in all.
        let error = (0..20).find_map(|_| vm.instantiate(loaded).err()).expect("an error");
        assert!(matches!(error, Error::Failed(_)), "{setup}: {error}");
        assert!(error.to_string().contains("instance count too high"), "{setup}: {error}");
        assert_works(setup, &mut vm);
    }
}

#[test]
fn time_runs_out_for_a_program_that_spins_and_for_one_that_sleeps() {
    for setup in setups() {
        for args in [&["spin"][..], &["sleep", "3600000"]] {
            let (mut vm, instance, _) = program(setup, 64 * MIB, args);
            vm.set_deadline(Some(Instant::now() + SOON));
            let error = vm.run(instance).unwrap_err();
            let timed_out = matches!(error, Error::Interrupted(Interruption::TimedOut));
            assert!(timed_out, "{setup}: {args:?}: {error}");
            assert_works(setup, &mut vm);
        }
    }
}

#[test]
fn a_program_that_sleeps_can_be_cancelled() {
    for setup in setups() {
        let (mut vm, instance, _) = program(setup, 64 * MIB, &["sleep", "3600000"]);
        let handle = vm.cancel_handle();
        let ender = std::thread::spawn(move || {
            std::thread::sleep(SOON);
            handle.cancel()
        });
        let error = vm.run(instance).unwrap_err();
        assert!(matches!(error, Error::Interrupted(Interruption::Cancelled)), "{setup}: {error}");
        assert!(ender.join().unwrap());
        assert_works(setup, &mut vm);
    }
}

#[test]
fn recursion_ends_in_a_trap() {
    for setup in setups() {
        let (mut vm, instance, _) = program(setup, 64 * MIB, &["recurse"]);
        let error = vm.run(instance).unwrap_err();
        // The compiler of the program may have given it a stack that ends first.
        let kinds = [TrapKind::StackOverflow, TrapKind::MemoryOutOfBounds];
        let Error::Trap(trap) = error else { panic!("{setup}: {error}") };
        assert!(kinds.contains(&trap.kind), "{setup}: {trap}");
        assert!(trap.frames.iter().any(|frame| frame.name.is_some()), "{setup}: {trap}");
        assert_works(setup, &mut vm);
    }
}
