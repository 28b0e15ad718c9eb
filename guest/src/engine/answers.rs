//! Answers that every engine gives.

use crate::hostcall::{Answer, Payload};
use alloc::format;
use wrt_abi::Reply;
use wrt_abi::report::Unlinkable;
use wrt_abi::wire::Writer;

/// [`Reply::Failed`] with a reason.
pub fn failed(payload: &mut Payload, reason: &str) -> Answer {
    with_text(payload, Reply::Failed, [0; 3], reason)
}

/// An answer whose payload is plain text, cut to what fits.
pub fn with_text(payload: &mut Payload, reply: Reply, words: [u64; 3], text: &str) -> Answer {
    let buffer = payload.bytes();
    let payload_len = text.len().min(buffer.len());
    buffer[..payload_len].copy_from_slice(&text.as_bytes()[..payload_len]);
    Answer { reply, words, payload_len }
}

/// [`Reply::Unlinkable`]: the import `name` of `module`, and what is wrong with it.
pub fn unlinkable(payload: &mut Payload, module: &str, name: &str, reason: &str) -> Answer {
    let mut writer = Writer::new(payload.bytes());
    let [module, name, reason] = [module, name, reason].map(str::as_bytes);
    Unlinkable { module, name, reason }.write(&mut writer);
    let payload_len = writer.len();
    Answer { reply: Reply::Unlinkable, words: [0; 3], payload_len }
}

/// [`Reply::NoSuchExport`], saying what the name stands for instead, if for anything.
pub fn not_a(payload: &mut Payload, wanted: &str, name: &str, found: Option<&str>) -> Answer {
    let reason = match found {
        None => format!("the module exports no {wanted} named `{name}`"),
        Some(found) => format!("the export `{name}` is a {found}, not a {wanted}"),
    };
    with_text(payload, Reply::NoSuchExport, [0; 3], &reason)
}
