//! What a guest's answers mean.

use super::FunctionType;
use crate::error::{Bytes, Error, Frame, Trap, VmEnd};
use crate::machine::Answer;
use crate::text;
use std::io;
use wrt_abi::proposals::Proposals;
use wrt_abi::report::{TrapReport, Unlinkable};
use wrt_abi::value::{ValueType, WireValue as Value};
use wrt_abi::wire::{Malformed, Reader};
use wrt_abi::{EngineKind, Reply, TrapKind};

pub(super) fn refusal(reply: Reply, answer: &Answer) -> Error {
    let [a, b, _] = answer.words;
    let payload = answer.payload.as_slice();
    match reply {
        Reply::Trap => trap(a, payload),
        #[expect(clippy::cast_possible_truncation, reason = "an i32 travels in the low half")]
        Reply::Exit => Error::Exit((a as u32).cast_signed()),
        Reply::InvalidModule => Error::InvalidModule {
            offset: (a != u64::MAX).then_some(a),
            reason: text::printable_line(payload),
        },
        Reply::Unlinkable => unlinkable(payload),
        // Within the limit: it was the host that did not have it.
        Reply::LimitExceeded if a <= b => Error::Memory(no_memory(a, b)),
        Reply::Unsupported => {
            let needs = Proposals::from_bits(a);
            match needs.lacking_in(EngineKind::Interp).is_empty() {
                false => Error::Unsupported { needs, engine: EngineKind::Interp },
                true => malformed("a module is not supported for no reason"),
            }
        }
        Reply::LimitExceeded => Error::MemoryLimit { wanted: a, allowed: b },
        Reply::NoSuchExport => Error::NoSuchExport(text::printable_line(payload)),
        Reply::NotForComponents => Error::Component(text::printable_line(payload)),
        Reply::TypeMismatch => Error::TypeMismatch(text::printable_line(payload)),
        Reply::UnusableArtifact => Error::UnusableArtifact(text::printable_line(payload)),
        Reply::Ok | Reply::Failed => Error::Failed(text::printable_line(payload)),
    }
}

/// The error for an import that cannot be linked, of what a guest says about it.
pub(crate) fn unlinkable(report: &[u8]) -> Error {
    let Unlinkable { module, name, reason } = Unlinkable::read(report);
    let [module, name, reason] = [module, name, reason].map(text::printable_line);
    Error::Unlinkable { module, name, reason }
}

/// The error for memory that a module may have, and that the host did not give.
fn no_memory(wanted: u64, allowed: u64) -> io::Error {
    let what = format!(
        "the module needs {} of the {} that it may have, and the system has not that much left for \
         this process",
        Bytes(wanted),
        Bytes(allowed)
    );
    io::Error::new(io::ErrorKind::OutOfMemory, what)
}

fn trap(kind: u64, payload: &[u8]) -> Error {
    let Ok(kind) = TrapKind::try_from(kind) else {
        return malformed("a trap of an unknown kind");
    };
    let Ok(report) = TrapReport::read(payload) else {
        return malformed("a malformed trap report");
    };
    let frames = report
        .frames()
        .map(|frame| Frame {
            module: frame.module,
            function: frame.function,
            offset: frame.offset,
            name: (!frame.name.is_empty()).then(|| text::printable_line(frame.name)),
        })
        .collect();
    let message = text::printable(report.message);
    Error::Trap(Trap { kind, message, frames, depth: report.depth })
}

/// The guest's answer makes no sense: its kernel is not ours any more.
pub(super) fn malformed(what: impl ToString) -> Error {
    VmEnd::Protocol(what.to_string()).into()
}

pub(super) fn read_type(payload: &[u8]) -> Result<FunctionType, Malformed> {
    let mut reader = Reader::new(payload);
    let mut types = || {
        let count = reader.u32()?;
        (0..count).map(|_| ValueType::try_from(reader.u8()?)).collect::<Result<Vec<_>, _>>()
    };
    Ok(FunctionType { params: types()?, results: types()? })
}

pub(super) fn read_values(answer: &Answer) -> Result<Vec<Value>, Error> {
    let mut reader = Reader::new(&answer.payload);
    (0..answer.words[0]).map(|_| Value::read(&mut reader).map_err(malformed)).collect()
}

pub(super) fn check_types(types: &[ValueType], values: &[Value]) -> Result<(), Error> {
    if types.len() == values.len() && types.iter().zip(values).all(|(ty, v)| *ty == v.ty()) {
        return Ok(());
    }
    let list = |types: Vec<ValueType>| {
        let names: Vec<&str> = types.into_iter().map(ValueType::name).collect();
        format!("({})", names.join(", "))
    };
    Err(Error::TypeMismatch(format!(
        "the function takes {}, not {}",
        list(types.to_vec()),
        list(values.iter().map(Value::ty).collect())
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_within_the_limit_that_cannot_be_had_is_not_said_to_be_over_it() {
        let refused = |wanted, allowed| {
            let words = [wanted, allowed, 0];
            let answer = Answer { reply: Reply::LimitExceeded, words, payload: Vec::new() };
            refusal(answer.reply, &answer)
        };
        let over = refused(17 << 20, 16 << 20);
        assert!(matches!(over, Error::MemoryLimit { .. }), "{over}");
        for wanted in [17 << 16, 16 << 20] {
            let within = refused(wanted, 16 << 20);
            assert!(matches!(within, Error::Memory(_)), "{within}");
            assert!(within.to_string().contains("the system has not that much left"), "{within}");
        }
    }
}
