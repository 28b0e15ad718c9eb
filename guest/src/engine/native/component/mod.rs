//! Components: WASI 0.2, served in here over the host's preview 1.
//!
//! The host knows one WASI. What a component calls is turned into calls of that by this folder,
//! one file a package: a stream is a descriptor and an offset, a pollable is a time or standard
//! input. So for a component the host does nothing that it does not do for a module, and checks
//! all of it in the same place.

mod bindings;
mod cli;
mod clocks;
mod failure;
mod filesystem;
mod http;
mod imports;
mod io;
mod preview1;
mod random;
mod refused;
mod sockets;

use super::State;
use crate::engine::answers;
use crate::hostcall::{Answer, Payload};
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use filesystem::OpenFile;
use preview1::Preview1;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Instance, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store};
use wrt_abi::Reply;

pub use imports::unlinkable;

/// Resources that a program may hold at a time: descriptors, streams, pollables and the rest.
const RESOURCES_MAX: usize = 65_536;

/// The interface of a program, in any version that is compatible.
const RUN: &str = "wasi:cli/run@0.2.0";
/// How its name begins in messages.
const RUN_NAME: &str = "wasi:cli/run@0.2";
/// Exports that an error message names.
const LISTED: usize = 20;

/// What components have to do with: their resources, and the host's side of them.
pub struct Wasi {
    table: ResourceTable,
    host: Preview1,
    /// The directories that the host opened for the program, once it was asked for.
    preopens: Option<Vec<(Arc<OpenFile>, String)>>,
    /// The insecure seed, which is the same each time, once somebody has asked.
    seed: Option<(u64, u64)>,
}

impl Wasi {
    /// A world that nobody has looked at.
    pub fn new() -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self { table, host: Preview1::new(), preopens: None, seed: None }
    }
}

/// Links components with WASI.
pub struct Components {
    linker: Linker<State>,
}

/// An instance of a component.
pub struct Running {
    instance: Instance,
    component: Component,
}

impl Components {
    /// A linker that has all of WASI 0.2 but sockets and HTTP, which each component gets of its
    /// own.
    pub fn new(engine: &Engine) -> Result<Self> {
        let mut linker = Linker::new(engine);
        // A second component may want the same sockets, or HTTP.
        linker.allow_shadowing(true);
        bindings::Wasi::add_to_linker::<State, HasSelf<Wasi>>(&mut linker, |state| {
            &mut state.wasi
        })?;
        Ok(Self { linker })
    }

    /// Instantiates a component.
    pub fn instantiate(
        &mut self,
        store: &mut Store<State>,
        component: &Component,
    ) -> Result<Running> {
        sockets::define_imports(&mut self.linker, component)?;
        http::define_imports(&mut self.linker, component)?;
        let instance = self.linker.instantiate(store, component)?;
        Ok(Running { instance, component: component.clone() })
    }
}

impl Running {
    /// Runs the program; says whether it says that it went well. `None` for a component that
    /// is no program.
    pub fn run(&self, store: &mut Store<State>) -> Option<Result<bool>> {
        let interface = self.instance.get_export_index(&mut *store, None, RUN)?;
        let run = self.instance.get_export_index(&mut *store, Some(&interface), "run")?;
        let run = match self.instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, run) {
            Ok(run) => run,
            Err(error) => return Some(Err(error.context("`run` of `wasi:cli/run`"))),
        };
        Some(run.call(&mut *store, ()).map(|(ended,)| ended.is_ok()))
    }

    /// The answer for a component that is no program.
    pub fn no_program(&self, payload: &mut Payload) -> Answer {
        let exports = self.exports();
        let names: Vec<String> =
            exports.iter().take(LISTED).map(|(_, name)| format!("`{name}`")).collect();
        let lists = match exports.len() {
            0 => "it exports nothing".to_owned(),
            1..=LISTED => format!("it exports {}", names.join(", ")),
            more => format!("it exports {} and {} more", names.join(", "), more - LISTED),
        };
        let reason =
            format!("the component is not a program: it does not export `{RUN_NAME}`; {lists}");
        answers::with_text(payload, Reply::NotForComponents, [0; 3], &reason)
    }

    /// Kinds and names of what it exports.
    pub fn exports(&self) -> Vec<(&'static str, String)> {
        let engine = self.component.engine();
        let ty = self.component.component_type();
        ty.exports(engine).map(|(name, item)| (kind(&item.ty), name.to_owned())).collect()
    }
}

/// Name of the kind of an item.
fn kind(item: &ComponentItem) -> &'static str {
    match item {
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) => "function",
        ComponentItem::Module(_) => "module",
        ComponentItem::Component(_) => "component",
        ComponentItem::ComponentInstance(_) => "instance",
        ComponentItem::Type(_) => "type",
        ComponentItem::Resource(_) => "resource",
    }
}
