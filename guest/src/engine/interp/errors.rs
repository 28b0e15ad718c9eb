//! wasmi's errors as answers to the host.

use super::needs;
use crate::engine::answers::{self, with_text};
use crate::hostcall::{Answer, Payload};
use alloc::format;
use alloc::string::{String, ToString as _};
use wasmi::errors::{ErrorKind, InstantiationError, LinkerError, MemoryError, TableError};
use wasmi::{Error, TrapCode};
use wrt_abi::{Reply, TrapKind};

/// The answer for a module that wasmi refuses: [`Reply::Unsupported`] if it is valid and needs
/// what wasmi does not have, else [`Reply::InvalidModule`], with the offset where the validator
/// knows it.
pub fn refused_module(payload: &mut Payload, error: &Error, module: &[u8]) -> Answer {
    let needs = needs::of(module);
    let invalid = match needs.is_empty() {
        true => None,
        false => match needs::validate(module) {
            Ok(()) => return Answer::new(Reply::Unsupported, [needs.bits(), 0, 0]),
            Err(error) => Some(error),
        },
    };
    let (offset, reason) = match (&invalid, error.kind()) {
        (Some(error), _) => (error.offset() as u64, String::from(error.message())),
        (None, ErrorKind::Wasm(error)) => (error.offset() as u64, String::from(error.message())),
        (None, other) => (u64::MAX, other.to_string()),
    };
    with_text(payload, Reply::InvalidModule, [offset, 0, 0], &reason)
}

/// [`Reply::Unlinkable`], if the error is about an import.
pub fn unlinkable(payload: &mut Payload, error: &Error) -> Option<Answer> {
    let (name, reason) = match error.kind() {
        ErrorKind::Linker(LinkerError::MissingDefinition { name, ty }) => (
            name,
            format!("unknown import: nothing defines it (wanted: {})", super::exports::kind(ty)),
        ),
        ErrorKind::Linker(LinkerError::InvalidTypeDefinition { name, expected, found }) => {
            (name, format!("incompatible import type: wanted {expected:?}, found {found:?}"))
        }
        ErrorKind::Instantiation(error) => match error {
            InstantiationError::ImportTypeMismatch { name, .. }
            | InstantiationError::GlobalTypeMismatch { name, .. }
            | InstantiationError::FuncTypeMismatch { name, .. }
            | InstantiationError::TableTypeMismatch { name, .. }
            | InstantiationError::MemoryTypeMismatch { name, .. } => {
                (name, format!("incompatible import type: {error}"))
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(answers::unlinkable(payload, name.module(), name.name(), &reason))
}

/// Whether instantiation failed because a memory was refused.
pub fn is_memory_refusal(error: &Error) -> bool {
    let refused = |error: &MemoryError| {
        matches!(
            error,
            MemoryError::ResourceLimiterDeniedAllocation
                | MemoryError::OutOfSystemMemory
                | MemoryError::MinimumSizeOverflow
        )
    };
    match error.kind() {
        ErrorKind::Memory(error) => refused(error),
        ErrorKind::Instantiation(InstantiationError::FailedToInstantiateMemory(error)) => {
            refused(error)
        }
        _ => false,
    }
}

/// The trap that an error stands for, if it is one.
pub fn trap_kind(error: &Error) -> Option<TrapKind> {
    if let Some(code) = error.as_trap_code() {
        return Some(match code {
            TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
            TrapCode::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
            TrapCode::TableOutOfBounds => TrapKind::TableOutOfBounds,
            TrapCode::IndirectCallToNull => TrapKind::IndirectCallToNull,
            TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
            TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
            TrapCode::BadConversionToInteger => TrapKind::BadConversionToInteger,
            TrapCode::StackOverflow => TrapKind::StackOverflow,
            TrapCode::BadSignature => TrapKind::BadSignature,
            // Fuel is off: host code and the clock bound a program, not a count.
            TrapCode::OutOfFuel => TrapKind::Host,
            TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory => TrapKind::OutOfMemory,
        });
    }
    match error.kind() {
        ErrorKind::Message(_) | ErrorKind::Host(_) => Some(TrapKind::Host),
        ErrorKind::Table(
            TableError::InitOutOfBounds | TableError::CopyOutOfBounds | TableError::FillOutOfBounds,
        )
        | ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
            Some(TrapKind::TableOutOfBounds)
        }
        _ => None,
    }
}
