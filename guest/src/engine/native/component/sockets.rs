//! `wasi:sockets`: all that a component asks for, and none that it gets.
//!
//! What would make a socket says that access is denied, and what would look up a name that it
//! cannot: as programs know it of hosts that grant them no network.

use super::refused::{define_answer, define_unreachable, imports};
use crate::engine::native::State;
use alloc::boxed::Box;
use alloc::string::String;
use wasmtime::Result;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};

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
    for (name, interface, instance) in imports(component, "wasi:sockets/") {
        let mut into = linker.instance(&name)?;
        for (name, export) in instance.exports(component.engine()) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    if let Some(ty) = resource(&interface, name) {
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
        "create-tcp-socket" | "create-udp-socket" => {
            define_answer(into, name, || error("access-denied"))
        }
        "resolve-addresses" => define_answer(into, name, || error("permanent-resolver-failure")),
        // No stream's error is one of the network's.
        "network-error-code" => define_answer(into, name, || Val::Option(None)),
        method => define_unreachable(into, method),
    }
}

/// An error of the network, as a function's result.
fn error(code: &str) -> Val {
    Val::Result(Err(Some(Box::new(Val::Enum(String::from(code))))))
}
