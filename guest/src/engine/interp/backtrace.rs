//! Trap reports: what happened, and in which functions.

use crate::engine::names;
use crate::hostcall::{Answer, Payload};
use alloc::string::{String, ToString as _};
use wasmi::errors::ErrorKind;
use wasmi::{Error, Module, Store};
use wasmparser::{BinaryReader, Name, NameSectionReader};
use wrt_abi::report::{Frame, TrapReport};
use wrt_abi::wire::Writer;
use wrt_abi::{Reply, TrapKind};

/// [`Reply::Trap`] with a [`TrapReport`] of the frames that wasmi left behind.
pub fn report<T>(
    payload: &mut Payload,
    kind: TrapKind,
    error: &Error,
    store: &Store<T>,
    modules: &[Module],
) -> Answer {
    // The kind says it all, but for what a host function has to say.
    let message = match error.kind() {
        ErrorKind::Message(text) => String::from(&**text),
        ErrorKind::Host(error) => error.to_string(),
        _ => String::new(),
    };
    let (frames, depth) = store.trap_frames();
    let mut writer = Writer::new(payload.bytes());
    // A report that does not fit ends early: the host shows what it got.
    let _ = TrapReport::begin(&mut writer, message.as_bytes(), u32::try_from(depth).ok());
    for frame in frames {
        let place = modules
            .iter()
            .enumerate()
            .find_map(|(number, module)| Some((number, module, module.function_index(frame)?)));
        let Some((number, module, function)) = place else { continue };
        let name = names::readable(function_name(module, function).unwrap_or_default());
        let module = u32::try_from(number).unwrap_or(u32::MAX);
        // wasmi's code does not say where in the module it comes from.
        let frame = Frame { module, function, offset: None, name: name.as_bytes() };
        if frame.write(&mut writer).is_err() {
            break;
        }
    }
    let payload_len = writer.len();
    Answer { reply: Reply::Trap, words: [kind as u64, 0, 0], payload_len }
}

/// The function's name from the module's name section, if it has one.
fn function_name(module: &Module, function: u32) -> Option<&str> {
    let section = module.custom_sections().find(|section| section.name() == "name")?;
    let names = NameSectionReader::new(BinaryReader::new(section.data(), 0));
    for subsection in names {
        let Ok(Name::Function(functions)) = subsection else { continue };
        let naming = functions.into_iter().flatten().find(|naming| naming.index == function);
        return naming.map(|naming| naming.name);
    }
    None
}
