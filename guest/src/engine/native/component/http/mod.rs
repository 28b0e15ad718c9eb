//! `wasi:http`: messages that can be made and are never sent.
//!
//! Many components import it without using it: languages whose standard library has `fetch`
//! always do. Headers, requests, their options and responses are data and work. Sending a
//! request says that it is denied; nothing ever comes in.

mod fields;
mod messages;

use super::io::{OutputStream, Sink};
use super::refused::{self, Import, define_answer, define_unreachable};
use crate::engine::native::State;
use alloc::boxed::Box;
use alloc::string::String;
use fields::Fields;
use messages::{Options, Request, Response};
use wasmtime::component::{
    Component, Linker, LinkerInstance, Resource, ResourceTable, ResourceType, Val,
};
use wasmtime::{Result, StoreContextMut};

/// A request's or response's body.
struct Body {
    /// Whether the program has taken the stream to write it.
    taken: bool,
}

/// What there are no handles of: a type each, so that none passes for another.
enum IncomingRequest {}
enum ResponseOutparam {}
enum IncomingResponse {}
enum IncomingBody {}
enum FutureTrailers {}
enum FutureIncomingResponse {}

/// Defines what `component` imports of the package.
pub fn define_imports(linker: &mut Linker<State>, component: &Component) -> Result<()> {
    refused::define_imports(linker, component, "wasi:http/", |into, import| match import {
        Import { interface: "outgoing-handler", name: "handle", is_function: true } => {
            define_answer(into, import.name, denied)
        }
        Import { is_function: true, name, .. } => define(into, name),
        Import { name, .. } => define_resource(into, name),
    })
}

/// The answer to each request: the proxy or the client itself denies it.
fn denied() -> Val {
    let code = Val::Variant(String::from("HTTP-request-denied"), None);
    Val::Result(Err(Some(Box::new(code))))
}

/// Resources that the interface defines. Others it only uses.
fn define_resource(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    let never = |into: &mut LinkerInstance<'_, State>, ty| into.resource(name, ty, |_, _| Ok(()));
    match name {
        "fields" => data::<Fields>(into, name),
        "outgoing-request" => data::<Request>(into, name),
        "outgoing-response" => data::<Response>(into, name),
        "outgoing-body" => data::<Body>(into, name),
        "request-options" => data::<Options>(into, name),
        "incoming-request" => never(into, ResourceType::host::<IncomingRequest>()),
        "response-outparam" => never(into, ResourceType::host::<ResponseOutparam>()),
        "incoming-response" => never(into, ResourceType::host::<IncomingResponse>()),
        "incoming-body" => never(into, ResourceType::host::<IncomingBody>()),
        "future-trailers" => never(into, ResourceType::host::<FutureTrailers>()),
        "future-incoming-response" => never(into, ResourceType::host::<FutureIncomingResponse>()),
        _ => Ok(()),
    }
}

/// A resource that is kept in the table until it is dropped.
fn data<T: Send + 'static>(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    into.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        table(&mut store).delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}

fn table<'a>(store: &'a mut StoreContextMut<'_, State>) -> &'a mut ResourceTable {
    &mut store.data_mut().wasi.table
}

fn define(into: &mut LinkerInstance<'_, State>, name: &'static str) -> Result<()> {
    if fields::define(into, name)? || messages::define(into, name)? || define_body(into, name)? {
        return Ok(());
    }
    match name {
        // No stream's error is one of HTTP's.
        "http-error-code" => define_answer(into, name, || Val::Option(None)),
        method => define_unreachable(into, method),
    }
}

/// Defines a function of bodies; says whether it is one.
fn define_body(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    match name {
        "[method]outgoing-body.write" => {
            into.func_wrap(name, |mut store, (body,): (Resource<Body>,)| {
                let table = table(&mut store);
                if core::mem::replace(&mut table.get_mut(&body)?.taken, true) {
                    return Ok((Err(()),));
                }
                // The stream ends before the body that it belongs to.
                let stream = table.push_child(OutputStream::new(Sink::Nowhere), &body)?;
                Ok((Ok::<_, ()>(stream),))
            })?;
        }
        "[static]outgoing-body.finish" => define_answer(into, name, || Val::Result(Ok(None)))?,
        _ => return Ok(false),
    }
    Ok(true)
}
