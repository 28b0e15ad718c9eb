//! Hostile code in a compiled artefact: what the native engine runs as it is.

use wrt_tests::Setup;
use wrt_vm::{Backend, Compiler, EngineKind, Error, MicroVm, Module, Target, Value, VmEnd};

const SETUP: Setup = Setup { backend: Backend::Process, engine: EngineKind::Native };

/// A constant that compiled code holds as it is, behind the instruction's opcode.
const MARK: u64 = 0x1badc0de5eed5eed;

/// An artefact whose function begins its work with `code`, in place of a constant.
fn artefact(code: [u8; 8]) -> Option<Module> {
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
    let mark = MARK.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == mark).expect("the constant");
    // movabs $imm64, %reg: REX.W, B8 + reg, imm64. What replaces it begins at the REX.
    bytes[at - 2..at + 6].copy_from_slice(&code);
    Some(Module::from_code(&bytes, target).unwrap())
}

/// A module that does what it shall.
fn good() -> Module {
    Module::from_text(r#"(module (func (export "f") (result i64) (i64.const 1)))"#).unwrap()
}

fn run(vm: &mut MicroVm, module: &Module) -> Result<Vec<Value>, Error> {
    let loaded = vm.load(module)?;
    let instance = vm.instantiate(loaded)?;
    let function = vm.function(instance, "f")?;
    vm.call(&function, &[])
}

#[test]
fn a_system_call_is_its_end_and_names_it() {
    // mov $59, %al; syscall; execve, by whatever is above the low byte.
    let Some(module) = artefact([0x31, 0xc0, 0xb0, 59, 0x0f, 0x05, 0x90, 0x90]) else { return };
    let (mut vm, mut other) = (SETUP.vm(), SETUP.vm());
    for _ in 0..3 {
        let ended = run(&mut vm, &module).unwrap_err();
        assert!(matches!(ended, Error::Ended(VmEnd::SystemCall { number: 59 })), "{ended}");
        let after = run(&mut vm, &module).unwrap_err();
        assert!(matches!(after, Error::Ended(VmEnd::Earlier)), "{after}");
        let good = good();
        assert_eq!(run(&mut other, &good).unwrap(), [Value::I64(1)]);
        vm.reset().unwrap();
        assert_eq!(run(&mut vm, &good).unwrap(), [Value::I64(1)]);
        vm.reset().unwrap();
    }
}

#[test]
fn the_clock_is_its_end() {
    // rdtsc
    let Some(module) = artefact([0x0f, 0x31, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90]) else { return };
    let ended = run(&mut SETUP.vm(), &module).unwrap_err();
    let Error::Ended(VmEnd::Exception(exception)) = ended else { panic!("{ended}") };
    assert_eq!(exception.name, "general protection fault");
}

/// The legacy page, whose calls no tracer sees: the process is killed, and a reset has another.
#[test]
fn the_legacy_page_is_its_end_and_a_reset_brings_it_back() {
    // mov $-10485760, %rax (sign-extended); jmp would need more room: push, ret.
    let Some(module) = artefact([0x68, 0x00, 0x00, 0x60, 0xff, 0xc3, 0x90, 0x90]) else { return };
    let mut vm = SETUP.vm();
    let ended = run(&mut vm, &module).unwrap_err();
    // Without that page in the system, it is a page fault.
    assert!(matches!(ended, Error::Ended(_)), "{ended}");
    vm.reset().unwrap();
    assert_eq!(run(&mut vm, &good()).unwrap(), [Value::I64(1)]);
}
