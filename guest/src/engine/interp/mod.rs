//! The interpreter: wasmi.
//!
//! One wasmi store for the VM's life; modules, instances, functions and memories are kept in
//! tables whose indices the host uses as numbers.

mod backtrace;
mod errors;
mod exports;
mod imports;
mod limits;
mod needs;
mod values;

use crate::engine::limits::Limits;
use crate::engine::{Engine as EngineFace, Load, answers, name_in, number_of, run_start};
use crate::hostcall::{Answer, Payload};
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use wasmi::{
    CompilationMode, Config, Engine, Extern, Func, Instance, Linker, Memory, Module, Store,
};
use wrt_abi::wire::{Reader, Writer};
use wrt_abi::{EngineKind, Reply};

/// Bytes of stack for which one more call may be live. A frame of wasmi's takes half of them, the
/// locals and operands of a small function the rest: neither limit is reached long before the
/// other.
const STACK_PER_CALL: usize = 64;

/// wasmi with all that it has given out numbers for.
pub struct Interp {
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

impl Interp {
    /// An engine with every proposal on that wasmi has, for calls that take up to `stack` bytes.
    pub fn new(stack: u64) -> Self {
        let stack = usize::try_from(stack).unwrap_or(usize::MAX);
        let mut config = Config::default();
        config
            .wasm_multi_memory(true)
            .wasm_memory64(true)
            .wasm_custom_page_sizes(true)
            .wasm_wide_arithmetic(true)
            .wasm_tail_call(true)
            .wasm_extended_const(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .set_max_recursion_depth(stack / STACK_PER_CALL)
            .set_max_stack_height(stack)
            // Everything is validated at once, each function translated when it is first
            // called: a large module starts several times faster.
            .compilation_mode(CompilationMode::LazyTranslation);
        let engine = Engine::new(&config);
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
}

impl EngineFace for Interp {
    const KIND: EngineKind = EngineKind::Interp;

    fn load(&mut self, load: Load, payload: &mut Payload) -> Answer {
        self.store.data_mut().set_limit(load.memory_limit);
        // SAFETY: they are mapped until this command is answered, and wasmi copies what it
        // keeps.
        let Some(bytes) = (unsafe { load.bytes() }) else {
            return answers::failed(payload, "a module beyond the address space");
        };
        match Module::new(&self.engine, bytes) {
            Ok(module) => {
                let number = number_of(&self.modules);
                self.modules.push(module);
                Answer::ok(number.into())
            }
            Err(error) => errors::refused_module(payload, &error, bytes),
        }
    }

    fn examine(&mut self, load: Load, payload: &mut Payload) -> Answer {
        // SAFETY: they are mapped until this command is answered, and nothing of them is kept.
        match unsafe { load.bytes() } {
            Some(bytes) => Answer::ok(needs::of(bytes).bits()),
            None => answers::failed(payload, "a module beyond the address space"),
        }
    }

    fn instantiate(&mut self, module: u64, payload: &mut Payload) -> Answer {
        let Some(module) = usize::try_from(module).ok().and_then(|n| self.modules.get(n)) else {
            return answers::failed(payload, "no such module");
        };
        imports::define(&mut self.linker, module);
        self.store.data_mut().forget_refusal();
        match self.linker.instantiate_and_start(&mut self.store, module) {
            Ok(instance) => {
                let number = number_of(&self.instances);
                self.instances.push(instance);
                Answer::ok(number.into())
            }
            Err(error) => self.failure(payload, &error),
        }
    }

    fn run(&mut self, instance: u64, payload: &mut Payload) -> Answer {
        run_start(self, instance, payload)
    }

    fn find_function(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let (Some(instance_handle), Some(name)) = (self.instance(instance), name_in(payload, name))
        else {
            return answers::failed(payload, "no such instance");
        };
        let Some(func) = instance_handle.get_func(&self.store, &name) else {
            let other = instance_handle.get_export(&self.store, &name);
            let found = other.map(|item| exports::kind(&item.ty(&self.store)));
            return answers::not_a(payload, "function", &name, found);
        };
        let key = (instance as u32, name);
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
            Err(_) => answers::failed(payload, "a function type too long for the mailbox"),
        }
    }

    fn call(&mut self, function: u64, count: u64, payload: &mut Payload) -> Answer {
        let Some(&func) = usize::try_from(function).ok().and_then(|n| self.functions.get(n)) else {
            return answers::failed(payload, "no such function");
        };
        let ty = func.ty(&self.store);
        let params = self.read_values(count, payload);
        let params = match params.filter(|params| values::match_types(params, ty.params())) {
            Some(params) => params,
            None => {
                let reason = "a value of another type, or a reference that was never given out";
                return answers::with_text(payload, Reply::TypeMismatch, [0; 3], reason);
            }
        };
        let mut results: Vec<_> =
            ty.results().iter().map(|&ty| wasmi::Val::default_for_ty(ty)).collect();
        self.store.data_mut().forget_refusal();
        match func.call(&mut self.store, &params, &mut results) {
            Ok(()) => self.write_values(&results, payload),
            Err(error) => self.failure(payload, &error),
        }
    }

    fn find_memory(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let (Some(instance_handle), Some(name)) = (self.instance(instance), name_in(payload, name))
        else {
            return answers::failed(payload, "no such instance");
        };
        let Some(memory) = instance_handle.get_memory(&self.store, &name) else {
            let other = instance_handle.get_export(&self.store, &name);
            let found = other.map(|item| exports::kind(&item.ty(&self.store)));
            return answers::not_a(payload, "memory", &name, found);
        };
        let key = (instance as u32, name);
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
        let (Some(instance), Some(name)) = (self.instance(instance), name_in(payload, name)) else {
            return answers::failed(payload, "no such instance");
        };
        let Some(global) = instance.get_global(&self.store, &name) else {
            let other = instance.get_export(&self.store, &name);
            let found = other.map(|item| exports::kind(&item.ty(&self.store)));
            return answers::not_a(payload, "global", &name, found);
        };
        let value = global.get(&self.store);
        self.write_values(&[value], payload)
    }

    fn register(&mut self, instance: u64, name: usize, payload: &mut Payload) -> Answer {
        let (Some(instance), Some(name)) = (self.instance(instance), name_in(payload, name)) else {
            return answers::failed(payload, "no such instance");
        };
        let exports: Vec<(String, Extern)> = instance
            .exports(&self.store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        for (export, item) in exports {
            // Shadowing is allowed, so that a name can be registered again.
            if self.linker.define(&name, &export, item).is_err() {
                return answers::failed(payload, "cannot register this name");
            }
        }
        Answer::ok(0)
    }

    fn was_refused_memory(&self) -> bool {
        self.store.data().refused_ever()
    }

    fn list_exports(&mut self, instance: u64, first: u64, payload: &mut Payload) -> Answer {
        let Some(instance) = self.instance(instance) else {
            return answers::failed(payload, "no such instance");
        };
        exports::list(&self.store, instance, usize::try_from(first).unwrap_or(usize::MAX), payload)
    }
}

impl Interp {
    fn read_values(&mut self, count: u64, payload: &mut Payload) -> Option<Vec<wasmi::Val>> {
        let mut reader = Reader::new(payload.bytes());
        (0..count).map(|_| values::read(&mut reader, &mut self.store, &self.functions)).collect()
    }

    fn write_values(&mut self, values: &[wasmi::Val], payload: &mut Payload) -> Answer {
        let mut writer = Writer::new(payload.bytes());
        for value in values {
            if values::write(&mut writer, value, &self.store, &mut self.functions).is_err() {
                return answers::failed(payload, "more results than the mailbox holds");
            }
        }
        let payload_len = writer.len();
        Answer { reply: Reply::Ok, words: [values.len() as u64, 0, 0], payload_len }
    }

    /// Turns the error of a running program into an answer.
    fn failure(&mut self, payload: &mut Payload, error: &wasmi::Error) -> Answer {
        if let Some(code) = error.i32_exit_status() {
            return Answer::new(Reply::Exit, [u64::from(code.cast_unsigned()), 0, 0]);
        }
        if let Some(answer) = errors::unlinkable(payload, error) {
            return answer;
        }
        if errors::is_memory_refusal(error) {
            let (wanted, allowed) = self.store.data().refusal();
            return Answer::new(Reply::LimitExceeded, [wanted, allowed, 0]);
        }
        match errors::trap_kind(error) {
            Some(kind) => backtrace::report(payload, kind, error, &self.store, &self.modules),
            None => answers::failed(payload, &alloc::format!("{error}")),
        }
    }
}
