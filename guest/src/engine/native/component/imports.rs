//! What a component imports and cannot be given: mostly for another type. The compiler refuses a
//! component with an import that nothing provides, so such an artefact is another compiler's.

use super::kind;
use crate::engine::answers;
use crate::hostcall::{Answer, Payload};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use wasmtime::Error;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// The answer for an error of linking, if it is one: it names the import.
///
/// wasmtime's errors have no parts to take them by. So each import is tried for whether the
/// error would read like this for it.
pub fn unlinkable(payload: &mut Payload, error: &Error, component: &Component) -> Option<Answer> {
    let said: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    let engine = component.engine();
    let ty = component.component_type();
    let (import, item) = ty.imports(engine).find(|(name, _)| {
        let end = format!(" `{name}`, but a matching implementation was not found in the linker");
        said.first().is_some_and(|said| said.ends_with(&end))
    })?;
    // An interface is an instance; the error is about one of the things in it.
    if let ComponentItem::ComponentInstance(instance) = &item.ty {
        let found = instance.exports(engine).find(|(name, _)| {
            let text = format!("instance export `{name}` has the wrong type");
            said.get(1).is_some_and(|said| *said == text)
        });
        if let Some((name, item)) = found {
            return Some(answers::unlinkable(
                payload,
                import,
                name,
                &reason(&said, kind(&item.ty)),
            ));
        }
    }
    Some(answers::unlinkable(payload, import, "", &reason(&said, kind(&item.ty))))
}

/// Says the same as for a module.
fn reason(said: &[String], wanted: &str) -> String {
    let cause = said.last().map_or("", String::as_str);
    match cause.ends_with("implementation is missing") {
        true => format!("unknown import: nothing defines it (wanted: {wanted})"),
        false => format!("incompatible import type: {cause}"),
    }
}
