//! An instance's exports, listed and described.

use crate::hostcall::{Answer, Payload};
use alloc::string::String;
use wasmi::{ExternType, Instance, Store};
use wrt_abi::Reply;
use wrt_abi::wire::Writer;

/// Name of the kind of an item.
pub fn kind(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "function",
        ExternType::Global(_) => "global",
        ExternType::Table(_) => "table",
        ExternType::Memory(_) => "memory",
    }
}

/// Exports from index `first` on, as many as fit: a kind's word and a name each.
pub fn list<T>(
    store: &Store<T>,
    instance: Instance,
    first: usize,
    payload: &mut Payload,
) -> Answer {
    let total = instance.exports(store).count();
    let mut writer = Writer::new(payload.bytes());
    let mut listed = 0u64;
    let mut payload_len = 0;
    for export in instance.exports(store).skip(first) {
        let kind = kind(&export.ty(store));
        let name = String::from(export.name());
        if writer.bytes(kind.as_bytes()).and_then(|()| writer.bytes(name.as_bytes())).is_err() {
            break;
        }
        listed += 1;
        payload_len = writer.len();
    }
    Answer { reply: Reply::Ok, words: [listed, total as u64, 0], payload_len }
}
