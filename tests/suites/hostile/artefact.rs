//! Hostile code in a compiled artefact: what the native engine runs as it is.

use crate::arch::{EXECVE, load_of};
use wrt_tests::Setup;
use wrt_vm::compiler::Target;
use wrt_vm::error::VmEnd;
use wrt_vm::{Backend, Compiler, EngineKind, Error, MicroVm, Module, Value};

pub(crate) const SETUP: Setup = Setup { backend: Backend::Process, engine: EngineKind::Native };

/// A constant that is in no other code.
const MARK: u64 = 0x1bad_c0de_5eed_7eed;

/// An artefact whose function begins its work with `code`, in place of loading a constant.
pub(crate) fn artefact(code: &[u8]) -> Option<Module> {
    let hypervisor = match SETUP.backend.open().and_then(|hypervisor| {
        hypervisor.create_vm()?;
        Ok(hypervisor)
    }) {
        Ok(hypervisor) => hypervisor,
        Err(error) => {
            wrt_tests::skip(&format!("no process backend: {error}"));
            return None;
        }
    };
    let text = format!(r#"(module (func (export "f") (result i64) (i64.const {MARK})))"#);
    let module = Module::from_text(&text).unwrap();
    let target = Target::of(hypervisor.as_ref());
    let compiled = Compiler::new(hypervisor.as_ref()).unwrap().compile(&module, target).unwrap();
    let mut bytes = compiled.as_slice().to_vec();
    let load = load_of(MARK, &bytes).expect("the constant");
    bytes[load][..code.len()].copy_from_slice(code);
    Some(Module::from_code(&bytes, target).unwrap())
}

const EXECVE_NUMBER: u64 = libc::SYS_execve.cast_unsigned();

/// A module that does what it shall.
pub(crate) fn good() -> Module {
    Module::from_text(r#"(module (func (export "f") (result i64) (i64.const 1)))"#).unwrap()
}

pub(crate) fn run(vm: &mut MicroVm, module: &Module) -> Result<Vec<Value>, Error> {
    let loaded = vm.load(module)?;
    let instance = vm.instantiate(loaded)?;
    let function = vm.function(instance, "f")?;
    vm.call(&function, &[])
}

#[test]
fn a_system_call_is_its_end_and_names_it() {
    let Some(module) = artefact(EXECVE) else { return };
    let (mut vm, mut other) = (SETUP.vm(), SETUP.vm());
    for _ in 0..3 {
        let ended = run(&mut vm, &module).unwrap_err();
        assert!(
            matches!(ended, Error::Ended(VmEnd::SystemCall { number: EXECVE_NUMBER })),
            "{ended}"
        );
        let after = run(&mut vm, &module).unwrap_err();
        assert!(matches!(after, Error::Ended(VmEnd::Earlier)), "{after}");
        let good = good();
        assert_eq!(run(&mut other, &good).unwrap(), [Value::I64(1)]);
        vm.reset().unwrap();
        assert_eq!(run(&mut vm, &good).unwrap(), [Value::I64(1)]);
        vm.reset().unwrap();
    }
}
