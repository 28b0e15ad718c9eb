//! `wasi:sockets`: all that a component asks for, and none that it gets.
//!
//! What would make a socket says that access is denied, and what would look up a name that it
//! cannot: as programs know it of hosts that grant them no network.

use super::refused::{self, define_answer, define_unreachable};
use crate::engine::native::State;
use alloc::boxed::Box;
use alloc::string::String;
use wasmtime::Result;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};

/// The network, of which a program can have a handle, for what it is worth.
enum Network {}
/// What there are no handles of: a type each, so that none passes for another.
enum TcpSocket {}
enum UdpSocket {}
enum IncomingDatagrams {}
enum OutgoingDatagrams {}
enum Addresses {}

/// Defines what `component` imports of the package.
pub fn define_imports(linker: &mut Linker<State>, component: &Component) -> Result<()> {
    refused::define_imports(linker, component, "wasi:sockets/", |into, import| {
        match import.is_function {
            true => define(into, import.name),
            false => define_resource(into, import.name),
        }
    })
}

fn define_resource(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    let ty = match name {
        "network" => ResourceType::host::<Network>(),
        "tcp-socket" => ResourceType::host::<TcpSocket>(),
        "udp-socket" => ResourceType::host::<UdpSocket>(),
        "incoming-datagram-stream" => ResourceType::host::<IncomingDatagrams>(),
        "outgoing-datagram-stream" => ResourceType::host::<OutgoingDatagrams>(),
        "resolve-address-stream" => ResourceType::host::<Addresses>(),
        _ => return Ok(()),
    };
    into.resource(name, ty, |_, _| Ok(()))
}

fn define(into: &mut LinkerInstance<'_, State>, name: &'static str) -> Result<()> {
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
