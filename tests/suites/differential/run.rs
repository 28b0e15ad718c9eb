//! What is done with a module on each engine, and what is seen of it.

use crate::values;
use std::fmt;
use wrt_vm::Value;
use wrt_vm::error::TrapKind;
use wrt_vm::vm::ValueType;

/// The exports of a module that can be looked at from outside.
pub(crate) struct Plan {
    /// Functions with the types of their parameters.
    pub(crate) functions: Vec<(String, Vec<ValueType>)>,
    /// Globals.
    pub(crate) globals: Vec<String>,
    /// Memories.
    pub(crate) memories: Vec<String>,
}

/// Why something did not work.
pub(crate) enum Failure {
    /// The module's doing.
    Trap(TrapKind),
    /// Anything else.
    Other(String),
}

/// An engine with a module.
pub(crate) trait Runner {
    /// Makes an instance, in the place of the one before.
    fn instantiate(&mut self) -> Result<(), Failure>;
    /// Calls a function of the instance.
    fn call(&mut self, name: &str, values: &[Value]) -> Result<Vec<Value>, Failure>;
    /// Value of a global of the instance.
    fn global(&mut self, name: &str) -> Result<Value, Failure>;
    /// Contents of a memory of the instance.
    fn memory(&mut self, name: &str) -> Result<Vec<u8>, Failure>;
}

/// One thing that was seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Returned { call: String, values: Vec<Value> },
    Trapped { call: String, kind: TrapKind },
    Global { name: String, value: Value },
    Memory { name: String, bytes: Vec<u8> },
    Failed { what: String, why: String },
}

/// Calls each function, in an instance of its own, with several values; then looks at the
/// globals and memories of that instance.
pub(crate) fn all(runner: &mut dyn Runner, plan: &Plan) -> Vec<Event> {
    let mut events = Vec::new();
    for (name, types) in &plan.functions {
        if !one(runner, plan, name, types, &mut events) {
            // Every other instance would fail like this one.
            break;
        }
    }
    if plan.functions.is_empty() {
        one(runner, plan, "", &[], &mut events);
    }
    events
}

/// Whether there was an instance.
fn one(
    runner: &mut dyn Runner,
    plan: &Plan,
    function: &str,
    types: &[ValueType],
    events: &mut Vec<Event>,
) -> bool {
    match runner.instantiate() {
        Ok(()) => {}
        Err(failure) => {
            events.push(failed("instantiation".to_owned(), failure));
            return false;
        }
    }
    if !function.is_empty() {
        for values in values::arguments(types) {
            let call = format!("{function:?} {values:x?}");
            events.push(match runner.call(function, &values) {
                Ok(results) => Event::Returned { call, values: results },
                Err(failure) => failed(call, failure),
            });
        }
    }
    for name in &plan.globals {
        events.push(match runner.global(name) {
            Ok(value) => Event::Global { name: name.clone(), value },
            Err(failure) => failed(format!("global {name:?}"), failure),
        });
    }
    for name in &plan.memories {
        events.push(match runner.memory(name) {
            Ok(bytes) => Event::Memory { name: name.clone(), bytes },
            Err(failure) => failed(format!("memory {name:?}"), failure),
        });
    }
    true
}

fn failed(what: String, failure: Failure) -> Event {
    match failure {
        Failure::Trap(kind) => Event::Trapped { call: what, kind },
        Failure::Other(why) => Event::Failed { what, why },
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned { call, values } => write!(f, "{call} returned {values:x?}"),
            Self::Trapped { call, kind } => write!(f, "{call} trapped: {}", kind.message()),
            Self::Global { name, value } => write!(f, "global {name:?} is {value:x?}"),
            Self::Memory { name, bytes } => {
                // The whole would be too much to read; a sum tells whether it is the same.
                let sum = bytes
                    .iter()
                    .fold(0u32, |sum, byte| sum.rotate_left(5).wrapping_add((*byte).into()));
                write!(f, "memory {name:?} has {} bytes, sum {sum:#x}", bytes.len())
            }
            Self::Failed { what, why } => write!(f, "{what} failed: {why}"),
        }
    }
}
