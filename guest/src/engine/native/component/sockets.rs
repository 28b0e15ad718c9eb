//! `wasi:sockets`: all that a component asks for, and none that it gets.
//!
//! The host's preview 1 has no network, but programs import these interfaces without using
//! them. So whatever a component imports of them is defined, from the types in the component
//! itself: what would make a socket or look up a name says that this is not supported, and as
//! nothing is ever made, nothing else can be called.

use crate::engine::native::State;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Error, Result, StoreContextMut};

/// How the names of the interfaces begin that are defined here.
const PACKAGE: &str = "wasi:sockets/";

/// The network, of which a program can have a handle, for what it is worth.
enum Network {}
/// What there are no handles of: a type each, so that none passes for another.
enum TcpSocket {}
enum UdpSocket {}
enum IncomingDatagrams {}
enum OutgoingDatagrams {}
enum Addresses {}

/// The resource that an interface defines, by both their names. Others it only uses.
fn resource(interface: &str, name: &str) -> Option<ResourceType> {
    Some(match (interface, name) {
        ("network", "network") => ResourceType::host::<Network>(),
        ("tcp", "tcp-socket") => ResourceType::host::<TcpSocket>(),
        ("udp", "udp-socket") => ResourceType::host::<UdpSocket>(),
        ("udp", "incoming-datagram-stream") => ResourceType::host::<IncomingDatagrams>(),
        ("udp", "outgoing-datagram-stream") => ResourceType::host::<OutgoingDatagrams>(),
        ("ip-name-lookup", "resolve-address-stream") => ResourceType::host::<Addresses>(),
        _ => return None,
    })
}

/// Defines what `component` imports of the package.
pub fn define_imports(linker: &mut Linker<State>, component: &Component) -> Result<()> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        let (Some(rest), ComponentItem::ComponentInstance(instance)) =
            (name.strip_prefix(PACKAGE), import.ty)
        else {
            continue;
        };
        let interface = rest.split('@').next().unwrap_or(rest);
        let mut into = linker.instance(name)?;
        for (name, export) in instance.exports(engine) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    if let Some(ty) = resource(interface, name) {
                        into.resource(name, ty, |_, _| Ok(()))?;
                    }
                }
                ComponentItem::ComponentFunc(_) => define(&mut into, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn define(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "instance-network" => {
            into.func_wrap(name, |_, (): ()| Ok((Resource::<Network>::new_own(0),)))
        }
        "create-tcp-socket" | "create-udp-socket" | "resolve-addresses" => {
            into.func_new(name, |store, _, params, results| {
                let code = Val::Enum(String::from("not-supported"));
                answer(store, params, results, Val::Result(Err(Some(Box::new(code)))))
            })
        }
        // No stream's error is one of the network's.
        "network-error-code" => into.func_new(name, |store, _, params, results| {
            answer(store, params, results, Val::Option(None))
        }),
        method => {
            let method = method.to_string();
            into.func_new(name, move |_, _, _, _| {
                Err(Error::msg(format!("`{method}` of a socket that cannot be")))
            })
        }
    }
}

/// Ends a call with a value.
fn answer(
    mut store: StoreContextMut<'_, State>,
    params: &[Val],
    results: &mut [Val],
    value: Val,
) -> Result<()> {
    // A handle that was lent for the call goes back.
    for param in params {
        if let Val::Resource(handle) = param {
            handle.resource_drop(&mut store)?;
        }
    }
    let [result] = results else { return Err(Error::msg("another type than in WASI 0.2")) };
    *result = value;
    Ok(())
}
