//! The honest face: a runtime whose modules are orders.

use crate::interpreter::Program;
use crate::mailbox;
use wrt_abi::mailbox::{REQUEST_ARGS, Response};
use wrt_abi::value::{ValueType, WireValue};
use wrt_abi::wire::{Malformed, Writer};
use wrt_abi::{ABI_VERSION, Call, Command, EngineKind, Reply};

/// Serves commands for ever.
pub fn serve(mut program: Program) -> ! {
    let mut args = [0; REQUEST_ARGS];
    args[0] = ABI_VERSION.into();
    args[1] = EngineKind::Interp as u64;
    let mut response = mailbox::call(Call::Ready as u32, 0, args);
    loop {
        let (words, payload_len) = answer(&mut program, response);
        let mut args = [0; REQUEST_ARGS];
        args[..4].copy_from_slice(&words);
        response = mailbox::call(Call::Done as u32, payload_len, args);
    }
}

fn answer(program: &mut Program, order: Response) -> ([u64; 4], u32) {
    let ok = |word: u64| [Reply::Ok as u64, word, 0, 0];
    let [command, address, len, ..] = order.values;
    match Command::try_from(command) {
        Ok(Command::Load) => {
            // SAFETY: the host has shared these bytes with us, and nobody writes them.
            let bytes = unsafe {
                core::slice::from_raw_parts(
                    core::ptr::without_provenance(address as usize),
                    len as usize,
                )
            };
            program.begin();
            program.run(bytes.get(wrt_evil::HEAD.len()..).unwrap_or_default());
            (ok(0), 0)
        }
        Ok(Command::FindFunction) => payload(ok(0), |to| write_type(program, to)),
        Ok(Command::Call) => {
            payload(ok(program.report().len() as u64), |to| write_values(program, to))
        }
        _ => (ok(0), 0),
    }
}

fn payload(
    words: [u64; 4],
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), Malformed>,
) -> ([u64; 4], u32) {
    let mut writer = Writer::new(mailbox::payload());
    match write(&mut writer) {
        Ok(()) => (words, writer.len() as u32),
        Err(Malformed) => ([Reply::Failed as u64, 0, 0, 0], 0),
    }
}

/// A function without parameters that returns the report.
fn write_type(program: &Program, to: &mut Writer<'_>) -> Result<(), Malformed> {
    to.u32(0)?;
    to.u32(program.report().len() as u32)?;
    program.report().iter().try_for_each(|_| to.u8(ValueType::I64 as u8))
}

fn write_values(program: &Program, to: &mut Writer<'_>) -> Result<(), Malformed> {
    program.report().iter().try_for_each(|word| WireValue::I64(word.cast_signed()).write(to))
}
