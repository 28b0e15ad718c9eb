//! Interfaces that components import and that give them nothing: what their functions have in
//! common.
//!
//! The host's preview 1 has no network. But programs import these interfaces without using
//! them, so they link: whatever a component imports of them is defined, from the types in the
//! component itself.

use crate::engine::native::State;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, LinkerInstance, Val};
use wasmtime::{Error, Result, StoreContextMut};

/// What `component` imports of the interfaces of a package (`wasi:http/`), in a version that is
/// compatible with WASI 0.2: the import's name, the interface's and its type.
pub fn imports(component: &Component, package: &str) -> Vec<(String, String, ComponentInstance)> {
    let ty = component.component_type();
    ty.imports(component.engine())
        .filter_map(|(name, import)| {
            let (interface, version) = name.strip_prefix(package)?.split_once('@')?;
            let ComponentItem::ComponentInstance(instance) = import.ty else { return None };
            version.starts_with("0.2.").then(|| (name.into(), interface.into(), instance))
        })
        .collect()
}

/// Defines a function that always gives the same value.
pub fn define_answer(
    into: &mut LinkerInstance<'_, State>,
    name: &str,
    value: impl Fn() -> Val + Send + Sync + 'static,
) -> Result<()> {
    into.func_new(name, move |mut store, _, params, results| {
        for param in params {
            give_back(&mut store, param)?;
        }
        let [result] = results else { return Err(Error::msg("another type than in WASI 0.2")) };
        *result = value();
        Ok(())
    })
}

/// Defines a function of something that is never made.
pub fn define_unreachable(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    let function = name.to_string();
    into.func_new(name, move |_, _, _, _| {
        Err(Error::msg(format!("`{function}` of something that no program is ever given")))
    })
}

/// Ends what a function was handed: what was lent goes back, what was given is dropped.
fn give_back(store: &mut StoreContextMut<'_, State>, param: &Val) -> Result<()> {
    match param {
        Val::Resource(handle) => handle.resource_drop(&mut *store),
        Val::Option(Some(value)) => give_back(store, value),
        _ => Ok(()),
    }
}
