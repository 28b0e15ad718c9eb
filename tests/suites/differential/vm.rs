//! The engines in VMs.

use crate::run::{Failure, Runner};
use crate::values::comparable;
use std::time::{Duration, Instant};
use wrt_tests::Setup;
use wrt_vm::vm::{Instance, LoadedModule};
use wrt_vm::{Error, MicroVm, Module, Value};

/// What takes this long hangs.
const HANG: Duration = Duration::from_secs(120);

/// A VM of a setup.
pub(crate) struct Virtual {
    /// The setup.
    pub(crate) setup: Setup,
    vm: MicroVm,
    module: Result<LoadedModule, String>,
    instance: Option<Instance>,
}

impl Virtual {
    /// A VM without a module.
    pub(crate) fn new(setup: Setup) -> Self {
        let module = Err("no module".to_owned());
        Self { setup, vm: setup.vm(), module, instance: None }
    }

    /// Forgets everything and takes a module.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.vm.reset().expect("a VM can be reset");
        self.vm.set_deadline(Some(Instant::now() + HANG));
        let module = Module::from_bytes(bytes).and_then(|module| self.vm.load(&module));
        self.module = module.map_err(|error| error.to_string());
    }

    fn instance(&self) -> Result<Instance, Failure> {
        self.instance.ok_or_else(|| Failure::Other("no instance".to_owned()))
    }
}

impl Runner for Virtual {
    fn instantiate(&mut self) -> Result<(), Failure> {
        self.instance = None;
        let module = self.module.clone().map_err(Failure::Other)?;
        self.instance = Some(self.vm.instantiate(module)?);
        Ok(())
    }

    fn call(&mut self, name: &str, values: &[Value]) -> Result<Vec<Value>, Failure> {
        let function = self.vm.function(self.instance()?, name)?;
        let results = self.vm.call(&function, values)?;
        Ok(results.into_iter().map(comparable).collect())
    }

    fn global(&mut self, name: &str) -> Result<Value, Failure> {
        Ok(comparable(self.vm.global(self.instance()?, name)?))
    }

    fn memory(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let memory = self.vm.memory(self.instance()?, name)?;
        let size = usize::try_from(self.vm.memory_size(memory)?).expect("the memory is small");
        let mut bytes = vec![0; size];
        self.vm.read_memory(memory, 0, &mut bytes)?;
        Ok(bytes)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Trap(trap) => Self::Trap(trap.kind),
            other => Self::Other(other.to_string()),
        }
    }
}
