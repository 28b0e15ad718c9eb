//! Interfaces that components import and that give them nothing: what their functions have in
//! common.
//!
//! The host's preview 1 has no network. But programs import these interfaces without using
//! them, so they link: what a component imports of them is defined, from the types in the
//! component itself, if [`Interface`] has it.

use crate::engine::native::State;
use alloc::format;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Val};
use wasmtime::{Error, Result, StoreContextMut};
use wrt_abi::component::Interface;

/// Something that a component imports of an interface: a resource or a function.
pub struct Import {
    /// The interface, without its package.
    pub interface: &'static str,
    /// The name in it.
    pub name: &'static str,
    pub is_function: bool,
}

/// Calls `define` for all that `component` imports of the interfaces of a package (`wasi:http/`),
/// in any version that is compatible with WASI 0.2.
pub fn define_imports(
    linker: &mut Linker<State>,
    component: &Component,
    package: &str,
    define: impl Fn(&mut LinkerInstance<'_, State>, Import) -> Result<()>,
) -> Result<()> {
    let engine = component.engine();
    let ty = component.component_type();
    for (import, item) in ty.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let Some(known) = Interface::of_import(import) else { continue };
        let Some(interface) = known.name().strip_prefix(package) else { continue };
        let mut into = linker.instance(import)?;
        for (name, export) in instance.exports(engine) {
            let is_function = match export.ty {
                ComponentItem::ComponentFunc(_) => true,
                ComponentItem::Resource(_) => false,
                _ => continue,
            };
            if let Some(name) = known.items().find(|item| *item == name) {
                define(&mut into, Import { interface, name, is_function })?;
            }
        }
    }
    Ok(())
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
pub fn define_unreachable(into: &mut LinkerInstance<'_, State>, name: &'static str) -> Result<()> {
    into.func_new(name, move |_, _, _, _| {
        Err(Error::msg(format!("`{name}` of something that no program is ever given")))
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
