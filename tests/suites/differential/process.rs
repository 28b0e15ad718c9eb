//! wasmtime in this process, as the reference.

use crate::run::{Failure, Plan, Runner};
use crate::values::comparable;
use std::sync::LazyLock;
use wasmtime::{
    Engine, Error, ExternRef, ExternType, HeapType, Instance, Module, Store, ThrownException, Trap,
    V128, Val, ValType,
};
use wrt_vm::Value;
use wrt_vm::error::TrapKind;
use wrt_vm::vm::ValueType;

/// Configured as the guest's, but for this machine and its operating system.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(&wrt_engine_config::shared()).expect("a configuration that the guest has too")
});

/// What a VM says of a result that the library has no value for.
const NO_VALUE: &str = "results that the mailbox cannot hold";

/// A module with its latest instance.
pub(crate) struct Process {
    module: Module,
    store: Store<()>,
    instance: Option<Instance>,
}

impl Process {
    /// Compiles a module.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let module = Module::new(&ENGINE, bytes).expect("generated modules are valid");
        Self { module, store: Store::new(&ENGINE, ()), instance: None }
    }

    /// What there is to look at: exports whose types the library has values for.
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = Plan { functions: Vec::new(), globals: Vec::new(), memories: Vec::new() };
        for export in self.module.exports() {
            let name = export.name().to_owned();
            match export.ty() {
                ExternType::Func(ty) => {
                    let params: Option<Vec<ValueType>> =
                        ty.params().filter(can_be_given).map(|ty| value_type(&ty)).collect();
                    let params = params.filter(|params| params.len() == ty.params().len());
                    let returns = ty.results().all(|ty| value_type(&ty).is_some());
                    if let (Some(params), true) = (params, returns) {
                        plan.functions.push((name, params));
                    }
                }
                ExternType::Global(ty) if value_type(ty.content()).is_some() => {
                    plan.globals.push(name);
                }
                ExternType::Memory(_) => plan.memories.push(name),
                _ => {}
            }
        }
        plan
    }

    fn instance(&self) -> Result<Instance, Failure> {
        self.instance.ok_or_else(|| Failure::Other("no instance".to_owned()))
    }

    fn value(&mut self, value: Value) -> Val {
        match value {
            Value::I32(value) => Val::I32(value),
            Value::I64(value) => Val::I64(value),
            Value::F32(bits) => Val::F32(bits),
            Value::F64(bits) => Val::F64(bits),
            Value::V128(bits) => Val::V128(V128::from(bits)),
            Value::FuncRef(_) => Val::FuncRef(None),
            Value::ExternRef(number) => Val::ExternRef(number.map(|number| {
                ExternRef::new(&mut self.store, number).expect("there is room for an object")
            })),
        }
    }

    fn seen(&self, value: &Val) -> Result<Value, Failure> {
        Ok(comparable(match value {
            Val::I32(value) => Value::I32(*value),
            Val::I64(value) => Value::I64(*value),
            Val::F32(bits) => Value::F32(*bits),
            Val::F64(bits) => Value::F64(*bits),
            Val::V128(value) => Value::V128(value.as_u128()),
            Val::FuncRef(func) => Value::FuncRef(func.map(|_| 0)),
            Val::ExternRef(None) => Value::ExternRef(None),
            Val::ExternRef(Some(object)) => {
                let data = object.data(&self.store).expect("the object is of this store");
                let number = data.and_then(|data| data.downcast_ref::<u64>());
                // One that the module made of a reference of its own.
                let number = number.ok_or_else(|| Failure::Other(NO_VALUE.to_owned()))?;
                Value::ExternRef(Some(*number))
            }
            other => unreachable!("{other:?}: its type has no value in the library"),
        }))
    }
}

impl Runner for Process {
    fn instantiate(&mut self) -> Result<(), Failure> {
        self.instance = None;
        self.store = Store::new(&ENGINE, ());
        self.instance = Some(Instance::new(&mut self.store, &self.module, &[])?);
        Ok(())
    }

    fn call(&mut self, name: &str, values: &[Value]) -> Result<Vec<Value>, Failure> {
        let instance = self.instance()?;
        let function = instance.get_func(&mut self.store, name).expect("it is in the plan");
        let values: Vec<Val> = values.iter().map(|value| self.value(*value)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &values, &mut results)?;
        results.iter().map(|value| self.seen(value)).collect()
    }

    fn global(&mut self, name: &str) -> Result<Value, Failure> {
        let instance = self.instance()?;
        let global = instance.get_global(&mut self.store, name).expect("it is in the plan");
        let value = global.get(&mut self.store);
        self.seen(&value)
    }

    fn memory(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let instance = self.instance()?;
        let memory = instance.get_memory(&mut self.store, name).expect("it is in the plan");
        Ok(memory.data(&self.store).to_vec())
    }
}

/// Whether the library has values of this type to call a function with.
fn can_be_given(ty: &ValType) -> bool {
    match ty {
        ValType::Ref(reference) => reference.is_nullable() && value_type(ty).is_some(),
        _ => true,
    }
}

fn value_type(ty: &ValType) -> Option<ValueType> {
    Some(match ty {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(reference) => match reference.heap_type() {
            HeapType::Func | HeapType::ConcreteFunc(_) | HeapType::NoFunc => ValueType::FuncRef,
            HeapType::Extern => ValueType::ExternRef,
            _ => return None,
        },
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is::<ThrownException>() {
            return Self::Trap(TrapKind::UncaughtException);
        }
        let kind = match error.downcast_ref::<Trap>() {
            Some(Trap::UnreachableCodeReached) => TrapKind::Unreachable,
            Some(Trap::MemoryOutOfBounds) => TrapKind::MemoryOutOfBounds,
            Some(Trap::TableOutOfBounds) => TrapKind::TableOutOfBounds,
            Some(Trap::IndirectCallToNull) => TrapKind::IndirectCallToNull,
            Some(Trap::IntegerDivisionByZero) => TrapKind::IntegerDivisionByZero,
            Some(Trap::IntegerOverflow) => TrapKind::IntegerOverflow,
            Some(Trap::BadConversionToInteger) => TrapKind::BadConversionToInteger,
            Some(Trap::StackOverflow) => TrapKind::StackOverflow,
            Some(Trap::BadSignature) => TrapKind::BadSignature,
            Some(Trap::NullReference) => TrapKind::NullReference,
            Some(Trap::ArrayOutOfBounds) => TrapKind::ArrayOutOfBounds,
            Some(Trap::AllocationTooLarge) => TrapKind::AllocationTooLarge,
            Some(Trap::CastFailure) => TrapKind::CastFailure,
            _ => return Self::Other(format!("{error:#}")),
        };
        Self::Trap(kind)
    }
}
