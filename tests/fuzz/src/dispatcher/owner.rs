//! Who has the micro-VM: calls the library with what it was given by earlier calls.

use super::Action;
use wrt_abi::value::VALUE_SIZE;
use wrt_abi::wire::Reader;
use wrt_vm::compiler::{Arch, Target};
use wrt_vm::vm::{Function, Instance, LoadedModule, Memory};
use wrt_vm::{EngineKind, Error, MicroVm, Module, Snapshot, Value, WasiConfig};

pub(super) struct Owner {
    vm: MicroVm,
    module: Option<LoadedModule>,
    instance: Option<Instance>,
    function: Option<Function>,
    memory: Option<Memory>,
    snapshot: Option<Snapshot>,
    ended: bool,
}

impl Owner {
    pub(super) fn new(vm: MicroVm) -> Self {
        Self {
            vm,
            module: None,
            instance: None,
            function: None,
            memory: None,
            snapshot: None,
            ended: false,
        }
    }

    pub(super) fn vm(&mut self) -> &mut MicroVm {
        &mut self.vm
    }

    /// Does one thing, if there is what it needs.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), Error> {
        let exits = self.vm.usage().exits.total();
        let result = self.do_it(action);
        let ran = self.vm.usage().exits.total() != exits;
        assert!(!self.ended || !ran, "a VM that has ended goes on");
        self.ended = match &result {
            Ok(()) if matches!(action, Action::Restore) => false,
            _ if matches!(action, Action::Reset) => false,
            Err(Error::Ended(_) | Error::Interrupted(_)) => self.ended || ran,
            _ => self.ended,
        };
        result
    }

    fn do_it(&mut self, action: &Action) -> Result<(), Error> {
        let vm = &mut self.vm;
        match action {
            Action::Load { len } => {
                let module = module(vm.engine(), (*len).into())?;
                self.module = Some(vm.load(&module)?);
            }
            Action::Instantiate => {
                let Some(module) = self.module else { return Ok(()) };
                self.instance = Some(vm.instantiate(module)?);
            }
            Action::Call { values } => {
                let Some(function) = self.function.clone() else { return Ok(()) };
                let values = arguments(&function, values);
                let results = vm.call(&function, &values)?;
                assert_eq!(results.len(), function.ty().results.len());
            }
            Action::MemorySize => {
                let Some(memory) = self.memory else { return Ok(()) };
                vm.memory_size(memory)?;
            }
            Action::ReadMemory { at, len } => {
                let Some(memory) = self.memory else { return Ok(()) };
                vm.read_memory(memory, *at, &mut vec![0; usize::from(*len)])?;
            }
            Action::WriteMemory { at, len } => {
                let Some(memory) = self.memory else { return Ok(()) };
                vm.write_memory(memory, *at, &vec![0x5a; usize::from(*len)])?;
            }
            Action::Snapshot => self.snapshot = Some(vm.snapshot()?),
            Action::Restore => {
                // To one of now, if there is none.
                let snapshot = self.snapshot.clone().map_or_else(|| vm.snapshot(), Ok)?;
                vm.restore(&snapshot, WasiConfig::new())?;
                self.snapshot = Some(snapshot);
            }
            Action::Reset => vm.reset()?,
            other => {
                let Some(instance) = self.instance else { return Ok(()) };
                self.on_instance(instance, other)?;
            }
        }
        Ok(())
    }

    fn on_instance(&mut self, instance: Instance, action: &Action) -> Result<(), Error> {
        let vm = &mut self.vm;
        match action {
            Action::Function { name } => self.function = Some(vm.function(instance, name)?),
            Action::Memory => self.memory = Some(vm.memory(instance, "memory")?),
            Action::Run => vm.run(instance)?,
            Action::Global => {
                vm.global(instance, "global")?;
            }
            Action::Register { name } => vm.register(instance, name)?,
            Action::Exports => {
                for export in vm.exports(instance)? {
                    let text = export.kind + &export.name;
                    assert!(!text.contains(char::is_control), "not for a terminal: {text:?}");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A module that the engine is given to judge.
fn module(engine: EngineKind, len: usize) -> Result<Module, Error> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.resize(bytes.len() + len, 0);
    match engine {
        EngineKind::Interp => Module::from_bytes(&bytes),
        EngineKind::Native => Module::from_code(&bytes, Target::baseline(Arch::X86_64)),
    }
}

/// Arguments of a function's own types, as far as there are bytes for them, else of others.
fn arguments(function: &Function, bytes: &[u8]) -> Vec<Value> {
    let params = &function.ty().params;
    let mut values = Vec::new();
    for (number, chunk) in bytes.chunks(VALUE_SIZE - 1).enumerate() {
        let mut written = [0; VALUE_SIZE];
        written[0] = params.get(number).map_or(1, |ty| *ty as u8);
        written[1..=chunk.len()].copy_from_slice(chunk);
        values.extend(Value::read(&mut Reader::new(&written)));
    }
    values
}
