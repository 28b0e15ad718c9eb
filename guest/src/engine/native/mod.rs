//! The native engine: wasmtime's runtime, for code that was compiled ahead of time.
//!
//! One wasmtime store for the VM's life; programs, instances, functions and memories are kept
//! in tables whose indices the host uses as numbers.

mod component;
mod errors;
mod imports;
mod limits;
mod memory;
mod platform;
mod program;
mod values;

pub use platform::on_fault;

use crate::engine::limits::Limits;
use crate::engine::{Engine as EngineFace, Load, answers, name_in, number_of, run_start};
use crate::fault;
use crate::heap;
use crate::hostcall::{self, Answer, Payload};
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use component::{Components, Running, Wasi};
use core::sync::atomic::{AtomicU64, Ordering};
use program::Program;
use wasmtime::{Engine, Extern, ExternType, Func, Instance, Linker, Memory, Store, Val};
use wrt_abi::cpu::CpuFeatures;
use wrt_abi::wire::{Reader, Writer};
use wrt_abi::{EngineKind, Reply};

/// What this machine has, as the host said with the latest module.
static CPU_FEATURES: AtomicU64 = AtomicU64::new(0);

fn has_feature(name: &str) -> Option<bool> {
    CpuFeatures::try_from(CPU_FEATURES.load(Ordering::Relaxed)).ok()?.has(name)
}

/// What the store keeps for programs.
pub struct State {
    limits: Limits,
    wasi: Wasi,
}

/// An instance of a program.
enum Live {
    Module(Instance),
    Component(Running),
}

/// wasmtime's runtime with all that it has given out numbers for.
pub struct Native {
    engine: Engine,
    store: Store<State>,
    linker: Linker<State>,
    /// Made for the first component.
    components: Option<Components>,
    programs: Vec<Program>,
    instances: Vec<Live>,
    functions: Vec<Func>,
    memories: Vec<Memory>,
    /// Numbers of exports that were looked up, by instance and name.
    known_functions: BTreeMap<(u32, String), u32>,
    known_memories: BTreeMap<(u32, String), u32>,
}

impl Native {
    /// An engine with every proposal on that wasmtime has here, for calls that take up to `stack`
    /// bytes. The host has mapped as many besides the kernel's own.
    pub fn new(stack: u64) -> Self {
        let stack = usize::try_from(stack).unwrap_or(usize::MAX);
        // SAFETY: the host knows this machine, and told its features before any code is loaded.
        let mut config = unsafe { wrt_engine_config::runtime(has_feature) };
        config.with_custom_code_memory(Some(Arc::new(platform::Published)));
        config.with_host_memory(Arc::new(memory::Regions));
        // The second has no use here, and is no less than the first.
        config.max_wasm_stack(stack).async_stack_size(stack);
        let engine = Engine::new(&config).expect("a configuration that was tried at build time");
        let mut store = Store::new(&engine, State { limits: Limits::new(), wasi: Wasi::new() });
        store.limiter(|state| &mut state.limits);
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        Self {
            linker,
            store,
            engine,
            components: None,
            programs: Vec::new(),
            instances: Vec::new(),
            functions: Vec::new(),
            memories: Vec::new(),
            known_functions: BTreeMap::new(),
            known_memories: BTreeMap::new(),
        }
    }

    fn live(&self, number: u64) -> Option<&Live> {
        self.instances.get(usize::try_from(number).ok()?)
    }

    /// An instance of a module; else the answer for what cannot be done.
    fn instance(&self, number: u64, payload: &mut Payload) -> Result<Instance, Answer> {
        match self.live(number) {
            Some(Live::Module(instance)) => Ok(*instance),
            Some(Live::Component(_)) => {
                let reason = "what a component exports has no core WebAssembly types: \
                    it can be run as a program, and its exports listed";
                Err(answers::with_text(payload, Reply::NotForComponents, [0; 3], reason))
            }
            None => Err(answers::failed(payload, NO_INSTANCE)),
        }
    }

    fn export(
        &mut self,
        instance: u64,
        name: usize,
        payload: &mut Payload,
    ) -> Result<Found, Answer> {
        let name = name_in(payload, name);
        let instance = self.instance(instance, payload)?;
        let Some(name) = name else { return Err(answers::failed(payload, NO_NAME)) };
        let item = instance.get_export(&mut self.store, &name);
        Ok(Found { name, item })
    }

    /// The answer when an export is not what was asked for.
    fn not_a(&self, payload: &mut Payload, wanted: &str, found: &Found) -> Answer {
        let kind = found.item.as_ref().map(|item| kind(&item.ty(&self.store)));
        answers::not_a(payload, wanted, &found.name, kind)
    }

    fn write_values(&mut self, values: &[Val], payload: &mut Payload) -> Answer {
        let mut writer = Writer::new(payload.bytes());
        for value in values {
            let written = values::write(&mut writer, value, &self.store, &mut self.functions);
            if written.is_err() {
                return answers::failed(payload, "results that the mailbox cannot hold");
            }
        }
        let payload_len = writer.len();
        Answer { reply: Reply::Ok, words: [values.len() as u64, 0, 0], payload_len }
    }

    /// Values that a call was given, if each is of the type that the function wants.
    fn read_values(&mut self, func: Func, count: u64, payload: &mut Payload) -> Option<Vec<Val>> {
        let types = func.ty(&self.store);
        if count != types.params().len() as u64 {
            return None;
        }
        let mut reader = Reader::new(payload.bytes());
        let mut values = Vec::with_capacity(types.params().len());
        for ty in types.params() {
            let value = values::read(&mut reader, &mut self.store, &self.functions)?;
            if !value.matches_ty(&self.store, &ty).ok()? {
                return None;
            }
            values.push(value);
        }
        Some(values)
    }
}

/// An export that was looked up.
struct Found {
    name: String,
    item: Option<Extern>,
}

/// Name of the kind of an item.
fn kind(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
        ExternType::Tag(_) => "tag",
    }
}

const NO_INSTANCE: &str = "no such instance";
const NO_NAME: &str = "a name that is none";

impl EngineFace for Native {
    const KIND: EngineKind = EngineKind::Native;

    fn load(&mut self, load: Load, payload: &mut Payload) -> Answer {
        self.store.data_mut().limits.set_limit(load.memory_limit);
        CPU_FEATURES.store(load.cpu_features, Ordering::Relaxed);
        // SAFETY: the host leaves an artefact where it is until the VM ends.
        let Some(bytes) = (unsafe { load.bytes() }) else {
            return answers::failed(payload, "an artefact beyond the address space");
        };
        let refusals = heap::refusals();
        // SAFETY: the bytes stay, and nobody writes them.
        match unsafe { Program::deserialize(&self.engine, bytes) } {
            Ok(program) => {
                let number = number_of(&self.programs);
                self.programs.push(program);
                Answer::ok(number.into())
            }
            // wasmtime calls that a malformed artefact.
            Err(_) if heap::refusals() > refusals => {
                hostcall::out_of_memory(heap::largest_refused())
            }
            Err(error) => {
                let reason = format!("{error:#}");
                answers::with_text(payload, Reply::UnusableArtifact, [0; 3], &reason)
            }
        }
    }

    fn instantiate(&mut self, module: u64, payload: &mut Payload) -> Answer {
        let Some(program) = usize::try_from(module).ok().and_then(|n| self.programs.get(n)) else {
            return answers::failed(payload, "no such module");
        };
        self.store.data_mut().limits.forget_refusal();
        let instantiated = match program {
            Program::Module(module) => {
                imports::define(&mut self.linker, &self.engine, module);
                fault::done();
                self.linker.instantiate(&mut self.store, module).map(Live::Module)
            }
            Program::Component(component) => {
                let components = match &mut self.components {
                    Some(components) => Ok(components),
                    none => Components::new(&self.engine).map(|made| none.insert(made)),
                };
                fault::done();
                components
                    .and_then(|components| components.instantiate(&mut self.store, component))
                    .map(Live::Component)
            }
        };
        match instantiated {
            Ok(instance) => {
                let number = number_of(&self.instances);
                self.instances.push(instance);
                Answer::ok(number.into())
            }
            Err(error) => {
                errors::answer(payload, &error, &self.store, &self.programs, Some(program))
            }
        }
    }

    fn run(&mut self, instance: u64, payload: &mut Payload) -> Answer {
        let place = usize::try_from(instance).unwrap_or(usize::MAX);
        let Some(Live::Component(running)) = self.instances.get(place) else {
            return run_start(self, instance, payload);
        };
        self.store.data_mut().limits.forget_refusal();
        fault::done();
        match running.run(&mut self.store) {
            Some(Ok(true)) => Answer::ok(0),
            Some(Ok(false)) => Answer::new(Reply::Exit, [1, 0, 0]),
            Some(Err(error)) => errors::answer(payload, &error, &self.store, &self.programs, None),
            None => running.no_program(payload),
        }
    }

    fn find_function(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let found = match self.export(instance, name, payload) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(Extern::Func(func)) = found.item else {
            return self.not_a(payload, "function", &found);
        };
        let key = (instance as u32, found.name);
        let number = *self.known_functions.entry(key).or_insert_with(|| {
            self.functions.push(func);
            number_of(&self.functions) - 1
        });
        let ty = func.ty(&self.store);
        let mut writer = Writer::new(payload.bytes());
        match values::write_type(&mut writer, &ty) {
            Ok(()) => {
                let payload_len = writer.len();
                Answer { reply: Reply::Ok, words: [number.into(), 0, 0], payload_len }
            }
            Err(_) => answers::failed(payload, "a function type that the mailbox cannot hold"),
        }
    }

    fn call(&mut self, function: u64, count: u64, payload: &mut Payload) -> Answer {
        let Some(&func) = usize::try_from(function).ok().and_then(|n| self.functions.get(n)) else {
            return answers::failed(payload, "no such function");
        };
        let Some(params) = self.read_values(func, count, payload) else {
            let reason = "a value of another type, or a reference that was never given out";
            return answers::with_text(payload, Reply::TypeMismatch, [0; 3], reason);
        };
        let ty = func.ty(&self.store);
        let mut results: Vec<Val> = ty.results().map(|ty| values::placeholder(&ty)).collect();
        self.store.data_mut().limits.forget_refusal();
        fault::done();
        match func.call(&mut self.store, &params, &mut results) {
            Ok(()) => self.write_values(&results, payload),
            Err(error) => errors::answer(payload, &error, &self.store, &self.programs, None),
        }
    }

    fn find_memory(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let found = match self.export(instance, name, payload) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(Extern::Memory(memory)) = found.item else {
            return self.not_a(payload, "memory", &found);
        };
        let key = (instance as u32, found.name);
        let number = *self.known_memories.entry(key).or_insert_with(|| {
            self.memories.push(memory);
            number_of(&self.memories) - 1
        });
        Answer::ok(number.into())
    }

    fn locate_memory(&mut self, memory: u64) -> Answer {
        let Some(memory) = usize::try_from(memory).ok().and_then(|n| self.memories.get(n)) else {
            return Answer::new(Reply::Failed, [0; 3]);
        };
        let (data, len) = (memory.data_ptr(&self.store), memory.data_size(&self.store));
        Answer::new(Reply::Ok, [data.expose_provenance() as u64, len as u64, 0])
    }

    fn read_global(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let found = match self.export(instance, name, payload) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(Extern::Global(global)) = found.item else {
            return self.not_a(payload, "global", &found);
        };
        let value = global.get(&mut self.store);
        self.write_values(&[value], payload)
    }

    fn register(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let name = name_in(payload, name);
        let instance = match self.instance(instance, payload) {
            Ok(instance) => instance,
            Err(answer) => return answer,
        };
        let Some(name) = name else { return answers::failed(payload, NO_NAME) };
        let exports: Vec<(String, Extern)> = instance
            .exports(&mut self.store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        for (export, item) in exports {
            // Shadowing is allowed, so that a name can be registered again.
            if self.linker.define(&self.store, &name, &export, item).is_err() {
                return answers::failed(payload, "cannot register this name");
            }
        }
        Answer::ok(0)
    }

    fn was_refused_memory(&self) -> bool {
        self.store.data().limits.refused_ever()
    }

    fn list_exports(&mut self, instance: u64, first: u64, payload: &mut Payload) -> Answer {
        let exports: Vec<(&'static str, String)> = match self.live(instance) {
            Some(Live::Component(running)) => running.exports(),
            Some(&Live::Module(instance)) => {
                let items: Vec<(String, Extern)> = instance
                    .exports(&mut self.store)
                    .map(|export| (export.name().to_owned(), export.into_extern()))
                    .collect();
                items.into_iter().map(|(name, item)| (kind(&item.ty(&self.store)), name)).collect()
            }
            None => return answers::failed(payload, NO_INSTANCE),
        };
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let mut writer = Writer::new(payload.bytes());
        let mut listed = 0;
        let mut payload_len = 0;
        for (kind, name) in exports.iter().skip(first) {
            if writer.bytes(kind.as_bytes()).and_then(|()| writer.bytes(name.as_bytes())).is_err() {
                break;
            }
            listed += 1;
            payload_len = writer.len();
        }
        Answer { reply: Reply::Ok, words: [listed, exports.len() as u64, 0], payload_len }
    }
}
