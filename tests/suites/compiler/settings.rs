//! Code that was made for something else is refused, by the name of what differs.

use crate::{compiler, in_process, run, setups};
use wasmtime::{Config, Engine, ModuleVersionStrategy};
use wrt_vm::compiler::{Arch, Target};
use wrt_vm::{Error, Module, Value};

const MODULE: &str = r#"(module (memory 1) (func (export "f") (result i32) (i32.const 42)))"#;

/// The other architecture.
const OTHER: Arch = match Target::ARCH {
    Arch::X86_64 => Arch::Aarch64,
    Arch::Aarch64 => Arch::X86_64,
};

/// Code as another wasmtime would make it.
fn code(change: impl FnOnce(&mut Config)) -> Module {
    let target = Target::baseline(Target::ARCH);
    let mut config = in_process(target);
    change(&mut config);
    let module = Module::from_text(MODULE).unwrap();
    let code = Engine::new(&config).unwrap().precompile_module(module.as_slice()).unwrap();
    Module::from_code(&code, target).unwrap()
}

#[test]
fn code_for_another_architecture_is_refused_before_a_guest_sees_it() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let compiled = compiler(setup).compile(&module, Target::baseline(OTHER)).unwrap();
        let mut vm = setup.vm();
        let exits = vm.usage().exits.total();
        let error = vm.load(&compiled).unwrap_err();
        assert_eq!(vm.usage().exits.total(), exits, "{setup}");
        let text = error.to_string();
        assert!(matches!(error, Error::UnusableArtifact(_)), "{setup}: {text}");
        let names = [OTHER, Target::ARCH].map(|arch| arch.to_string());
        assert!(names.iter().all(|name| text.contains(name)), "{setup}: {text}");

        // The header may lie; then the guest notices.
        let forged = Target::baseline(Target::ARCH);
        let forged = Module::from_code(compiled.as_slice(), forged).unwrap();
        let error = vm.load(&forged).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::UnusableArtifact(_)), "{setup}: {text}");
        assert!(text.contains("compiled for architecture"), "{setup}: {text}");
    }
}

#[test]
fn code_of_other_settings_is_refused_by_their_name() {
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 9] = [
        ("guard", |config| {
            config.memory_guard_size(0);
        }),
        ("reservation", |config| {
            config.memory_reservation(1 << 20);
        }),
        ("fuel", |config| {
            config.consume_fuel(true);
        }),
        ("epoch interruption", |config| {
            config.epoch_interruption(true);
        }),
        ("Signals", |config| {
            config.signals_based_traps(false);
        }),
        ("operating system", |config| {
            config.target(&format!("{}-unknown-linux-gnu", Target::ARCH)).unwrap();
        }),
        ("avx512", |config| {
            // SAFETY: the code is not run.
            unsafe { config.cranelift_flag_enable("has_avx512f") };
        }),
        ("version 'another'", |config| {
            let another = ModuleVersionStrategy::Custom("another".to_owned());
            config.module_version(another).unwrap();
        }),
        ("version '48'", |config| {
            config.module_version(ModuleVersionStrategy::WasmtimeVersion).unwrap();
        }),
    ];
    for setup in setups() {
        let mut vm = setup.vm();
        for (name, change) in changes {
            let error = vm.load(&code(change)).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, Error::UnusableArtifact(_)), "{setup}: {name}: {text}");
            assert!(text.contains(name), "{setup}: {name}: {text}");
        }
        assert_eq!(run(&mut vm, &code(|_| {})).unwrap(), [Value::I32(42)], "{setup}");
    }
}

#[test]
fn a_compiler_of_this_version_does_not_compile_for_less_than_the_baseline() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let mut compiler = compiler(setup);
        for features in Target::ARCH.baseline().iter() {
            let features = Target::ARCH.baseline().difference(features.set);
            let target = Target { arch: Target::ARCH, features };
            let error = compiler.compile(&module, target).unwrap_err();
            assert!(matches!(error, Error::CannotCompile { .. }), "{setup}: {error}");
        }
        compiler.compile(&module, compiler.machine()).unwrap();
    }
}
