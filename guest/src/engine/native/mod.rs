//! The native engine: wasmtime's runtime, for code that was compiled ahead of time.
//!
//! One wasmtime store for the VM's life; modules, instances, functions and memories are kept
//! in tables whose indices the host uses as numbers.

mod errors;
mod limits;
mod platform;
mod values;
mod wasi;

pub use platform::on_fault;

use crate::engine::limits::Limits;
use crate::engine::{Engine as EngineFace, Load, answers, name_in, number_of};
use crate::fault;
use crate::heap;
use crate::hostcall::{self, Answer, Payload};
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use wasmtime::{Engine, Extern, ExternType, Func, Instance, Linker, Memory, Module, Store, Val};
use wrt_abi::cpu::CpuFeatures;
use wrt_abi::wire::{Reader, Writer};
use wrt_abi::{EngineKind, Reply};

/// What this machine has, as the host said with the latest module.
static CPU_FEATURES: AtomicU64 = AtomicU64::new(0);

fn has_feature(name: &str) -> Option<bool> {
    CpuFeatures::try_from(CPU_FEATURES.load(Ordering::Relaxed)).ok()?.has(name)
}

/// wasmtime's runtime with all that it has given out numbers for.
pub struct Native {
    engine: Engine,
    store: Store<Limits>,
    linker: Linker<Limits>,
    modules: Vec<Module>,
    instances: Vec<Instance>,
    functions: Vec<Func>,
    memories: Vec<Memory>,
    /// Numbers of exports that were looked up, by instance and name.
    known_functions: BTreeMap<(u32, String), u32>,
    known_memories: BTreeMap<(u32, String), u32>,
}

impl Native {
    /// An engine with every proposal on that wasmtime has here.
    pub fn new() -> Self {
        // SAFETY: the host knows this machine, and told its features before any code is loaded.
        let mut config = unsafe { wrt_engine_config::runtime(has_feature) };
        config.with_custom_code_memory(Some(Arc::new(platform::Published)));
        let engine = Engine::new(&config).expect("a configuration that was tried at build time");
        let mut store = Store::new(&engine, Limits::new());
        store.limiter(|limits| limits);
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        Self {
            linker,
            store,
            engine,
            modules: Vec::new(),
            instances: Vec::new(),
            functions: Vec::new(),
            memories: Vec::new(),
            known_functions: BTreeMap::new(),
            known_memories: BTreeMap::new(),
        }
    }

    fn instance(&self, number: u64) -> Option<Instance> {
        self.instances.get(usize::try_from(number).ok()?).copied()
    }

    fn export(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Option<Found> {
        let instance = self.instance(instance)?;
        let name = name_in(payload, name)?;
        let item = instance.get_export(&mut self.store, &name);
        Some(Found { name, item })
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

impl EngineFace for Native {
    const KIND: EngineKind = EngineKind::Native;

    fn load(&mut self, load: Load, payload: &mut Payload) -> Answer {
        self.store.data_mut().set_limit(load.memory_limit);
        CPU_FEATURES.store(load.cpu_features, Ordering::Relaxed);
        // SAFETY: the host leaves an artefact where it is until the VM ends.
        let Some(bytes) = (unsafe { load.bytes() }) else {
            return answers::failed(payload, "an artefact beyond the address space");
        };
        let refusals = heap::refusals();
        // SAFETY: the bytes stay, and nobody writes them. That they are what the compiler made
        // cannot be known: were they not, this VM would run code of the module's author, which
        // is what its walls are for.
        match unsafe { Module::deserialize_raw(&self.engine, NonNull::from(bytes)) } {
            Ok(module) => {
                let number = number_of(&self.modules);
                self.modules.push(module);
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
        let Some(module) = usize::try_from(module).ok().and_then(|n| self.modules.get(n)) else {
            return answers::failed(payload, "no such module");
        };
        wasi::define_imports(&mut self.linker, &self.engine, module);
        self.store.data_mut().forget_refusal();
        fault::done();
        match self.linker.instantiate(&mut self.store, module) {
            Ok(instance) => {
                let number = number_of(&self.instances);
                self.instances.push(instance);
                Answer::ok(number.into())
            }
            Err(error) => errors::answer(payload, &error, &self.store, &self.modules, Some(module)),
        }
    }

    fn find_function(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let Some(found) = self.export(instance, name, payload) else {
            return answers::failed(payload, NO_INSTANCE);
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
        self.store.data_mut().forget_refusal();
        fault::done();
        match func.call(&mut self.store, &params, &mut results) {
            Ok(()) => self.write_values(&results, payload),
            Err(error) => errors::answer(payload, &error, &self.store, &self.modules, None),
        }
    }

    fn find_memory(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let Some(found) = self.export(instance, name, payload) else {
            return answers::failed(payload, NO_INSTANCE);
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
        let Some(found) = self.export(instance, name, payload) else {
            return answers::failed(payload, NO_INSTANCE);
        };
        let Some(Extern::Global(global)) = found.item else {
            return self.not_a(payload, "global", &found);
        };
        let value = global.get(&mut self.store);
        self.write_values(&[value], payload)
    }

    fn register(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let (Some(instance), Some(name)) = (self.instance(instance), name_in(payload, name)) else {
            return answers::failed(payload, NO_INSTANCE);
        };
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

    fn list_exports(&mut self, instance: u64, first: u64, payload: &mut Payload) -> Answer {
        let Some(instance) = self.instance(instance) else {
            return answers::failed(payload, NO_INSTANCE);
        };
        let exports: Vec<(&'static str, String)> = {
            let items: Vec<(String, Extern)> = instance
                .exports(&mut self.store)
                .map(|export| (export.name().to_owned(), export.into_extern()))
                .collect();
            items.into_iter().map(|(name, item)| (kind(&item.ty(&self.store)), name)).collect()
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
