//! wasmtime's errors as answers to the host.

use super::imports::Exit;
use super::program::Program;
use super::{State, component};
use crate::engine::{answers, names};
use crate::hostcall::{Answer, Payload};
use alloc::format;
use alloc::string::{String, ToString as _};
use wasmtime::{Error, Module, Store, ThrownException, Trap, UnknownImportError, WasmBacktrace};
use wrt_abi::report::{BACKTRACE_MAX, Frame, TrapReport};
use wrt_abi::wire::Writer;
use wrt_abi::{Reply, TrapKind};
use wrt_engine_config::FRAMES_COUNTED;

/// The answer for the error of a program, or of the instantiation of `importer`.
pub fn answer(
    payload: &mut Payload,
    error: &Error,
    store: &Store<State>,
    programs: &[Program],
    importer: Option<&Program>,
) -> Answer {
    if let Some(Exit(code)) = error.downcast_ref() {
        return Answer::new(Reply::Exit, [u64::from(code.cast_unsigned()), 0, 0]);
    }
    if let Some(import) = error.downcast_ref::<UnknownImportError>() {
        let reason =
            format!("unknown import: nothing defines it (wanted: {})", super::kind(&import.ty()));
        return answers::unlinkable(payload, import.module(), import.name(), &reason);
    }
    let unlinkable = match importer {
        Some(Program::Module(module)) => other_type(payload, error, module),
        Some(Program::Component(component)) => component::unlinkable(payload, error, component),
        None => None,
    };
    if let Some(answer) = unlinkable {
        return answer;
    }
    if may_not_enter(error) {
        let reason = "a component has trapped in this VM: reset it to run components again";
        return answers::with_text(payload, Reply::NotForComponents, [0; 3], reason);
    }
    let trap = trap_kind(error);
    // A trap of the start function is the program's own, whatever was refused before.
    if let (None | Some(TrapKind::Host), Some((wanted, allowed))) =
        (trap, store.data().limits.refused())
        && importer.is_some()
    {
        return Answer::new(Reply::LimitExceeded, [wanted, allowed, 0]);
    }
    match trap {
        Some(kind) => report(payload, kind, error, programs),
        None => answers::failed(payload, &format!("{error:#}")),
    }
}

/// [`Reply::Unlinkable`], if the error says that an import has another type.
fn other_type(payload: &mut Payload, error: &Error, module: &Module) -> Option<Answer> {
    let said = error.to_string();
    module.imports().find_map(|import| {
        let (module, name) = (import.module(), import.name());
        let ours = said == format!("incompatible import type for `{module}::{name}`");
        let reason = ours.then(|| format!("incompatible import type: {}", error.root_cause()))?;
        Some(answers::unlinkable(payload, module, name, &reason))
    })
}

/// Whether wasmtime did not enter a component at all, as after a trap in this store.
fn may_not_enter(error: &Error) -> bool {
    let has_entered = || {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        backtrace.is_some_and(|backtrace| !backtrace.frames().is_empty())
    };
    matches!(error.downcast_ref(), Some(Trap::CannotEnterComponent)) && !has_entered()
}

/// The trap that an error stands for, if it is one.
fn trap_kind(error: &Error) -> Option<TrapKind> {
    if error.is::<ThrownException>() {
        return Some(TrapKind::UncaughtException);
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        // A host function's own words come with the frames that called it.
        return error.is::<WasmBacktrace>().then_some(TrapKind::Host);
    };
    Some(match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::IndirectCallToNull,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::BadConversionToInteger => TrapKind::BadConversionToInteger,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::BadSignature => TrapKind::BadSignature,
        Trap::NullReference => TrapKind::NullReference,
        Trap::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Trap::AllocationTooLarge => TrapKind::AllocationTooLarge,
        Trap::CastFailure => TrapKind::CastFailure,
        // Others belong to threads and interruption, which are off, or to components: they say
        // what a component did wrong, as a host function would.
        _ => TrapKind::Host,
    })
}

/// [`Reply::Trap`] with a [`TrapReport`] of the frames that wasmtime found.
fn report(payload: &mut Payload, kind: TrapKind, error: &Error, programs: &[Program]) -> Answer {
    // The kind says it all, but for what a host function has to say.
    let message = match kind {
        TrapKind::Host => error.root_cause().to_string(),
        _ => String::new(),
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let mut writer = Writer::new(payload.bytes());
    // A report that does not fit ends early: the host shows what it got.
    let depth = u32::try_from(frames.len()).ok().filter(|_| frames.len() < FRAMES_COUNTED);
    let _ = TrapReport::begin(&mut writer, message.as_bytes(), depth);
    for frame in frames.iter().take(BACKTRACE_MAX) {
        let place = programs.iter().position(|program| program.contains(frame.module()));
        let Some(number) = place else { continue };
        let module = u32::try_from(number).unwrap_or(u32::MAX);
        let name = names::readable(frame.func_name().unwrap_or_default());
        let offset = frame.module_offset().and_then(|offset| u32::try_from(offset).ok());
        let function = frame.func_index();
        let frame = Frame { module, function, offset, name: name.as_bytes() };
        if frame.write(&mut writer).is_err() {
            break;
        }
    }
    let payload_len = writer.len();
    Answer { reply: Reply::Trap, words: [kind as u64, 0, 0], payload_len }
}
