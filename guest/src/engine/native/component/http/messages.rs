//! Requests with their options, and responses.

use super::fields::{Fields, is_token};
use super::{Body, table};
use crate::engine::native::State;
use alloc::string::String;
use wasmtime::Result;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceTable};

/// What a request asks for.
#[derive(Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "connect")]
    Connect,
    #[component(name = "options")]
    Options,
    #[component(name = "trace")]
    Trace,
    #[component(name = "patch")]
    Patch,
    #[component(name = "other")]
    Other(String),
}

/// By what a request would travel.
#[derive(Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Scheme {
    #[component(name = "HTTP")]
    Http,
    #[component(name = "HTTPS")]
    Https,
    #[component(name = "other")]
    Other(String),
}

/// A request that a program makes.
pub(super) struct Request {
    headers: Fields,
    method: Method,
    path: Option<String>,
    scheme: Option<Scheme>,
    authority: Option<String>,
    has_body: bool,
}

/// A response that a program makes.
pub(super) struct Response {
    headers: Fields,
    status: u16,
    has_body: bool,
}

/// How long a request may take, in nanoseconds.
#[derive(Default)]
pub(super) struct Options {
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
}

/// Whether something was taken on.
type Taken = core::result::Result<(), ()>;

/// Stores a value that is what it has to be.
fn store_if<T>(place: &mut T, value: T, is_good: bool) -> (Taken,) {
    if is_good {
        *place = value;
        return (Ok(()),);
    }
    (Err(()),)
}

fn is_scheme(text: &str) -> bool {
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(goes_on)
}

fn is_authority(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"/?#\\\"<>^`{|}".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

fn is_path(text: &str) -> bool {
    text.bytes().all(|byte| (byte > b' ' && byte != 0x7f) && !b"\"<>`#".contains(&byte))
}

/// Takes headers out of the table: they are a message's from now on.
fn seal(table: &mut ResourceTable, headers: Resource<Fields>) -> Result<Fields> {
    Ok(table.delete(headers)?.sealed())
}

/// Gives a message a body, the first time.
fn body(has_body: &mut bool) -> core::result::Result<Body, ()> {
    match core::mem::replace(has_body, true) {
        true => Err(()),
        false => Ok(Body { taken: false }),
    }
}

/// Defines a function of messages; says whether it is one.
pub(super) fn define(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    Ok(define_request(into, name)?
        || define_setters(into, name)?
        || define_response(into, name)?
        || define_options(into, name)?)
}

/// Defines how requests are made and read.
fn define_request(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    type This = (Resource<Request>,);
    match name {
        "[constructor]outgoing-request" => {
            into.func_wrap(name, |mut store, (headers,): (Resource<Fields>,)| {
                let table = table(&mut store);
                let request = Request {
                    headers: seal(table, headers)?,
                    method: Method::Get,
                    path: None,
                    scheme: None,
                    authority: None,
                    has_body: false,
                };
                Ok((table.push(request)?,))
            })?;
        }
        "[method]outgoing-request.body" => into.func_wrap(name, |mut store, (this,): This| {
            let table = table(&mut store);
            match body(&mut table.get_mut(&this)?.has_body) {
                Ok(body) => Ok((Ok(table.push(body)?),)),
                Err(()) => Ok((Err(()),)),
            }
        })?,
        "[method]outgoing-request.headers" => {
            into.func_wrap(name, |mut store, (this,): This| {
                let table = table(&mut store);
                let headers = table.get(&this)?.headers.clone();
                Ok((table.push(headers)?,))
            })?
        }
        "[method]outgoing-request.method" => into.func_wrap(name, |mut store, (this,): This| {
            Ok((table(&mut store).get(&this)?.method.clone(),))
        })?,
        "[method]outgoing-request.path-with-query" => {
            into.func_wrap(name, |mut store, (this,): This| {
                Ok((table(&mut store).get(&this)?.path.clone(),))
            })?;
        }
        "[method]outgoing-request.scheme" => into.func_wrap(name, |mut store, (this,): This| {
            Ok((table(&mut store).get(&this)?.scheme.clone(),))
        })?,
        "[method]outgoing-request.authority" => {
            into.func_wrap(name, |mut store, (this,): This| {
                Ok((table(&mut store).get(&this)?.authority.clone(),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Defines how requests are changed.
fn define_setters(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    type With<T> = (Resource<Request>, T);
    match name {
        "[method]outgoing-request.set-method" => {
            into.func_wrap(name, |mut store, (this, method): With<Method>| {
                let good = !matches!(&method, Method::Other(other) if !is_token(other));
                Ok(store_if(&mut table(&mut store).get_mut(&this)?.method, method, good))
            })?;
        }
        "[method]outgoing-request.set-path-with-query" => {
            into.func_wrap(name, |mut store, (this, path): With<Option<String>>| {
                let good = path.as_deref().is_none_or(is_path);
                Ok(store_if(&mut table(&mut store).get_mut(&this)?.path, path, good))
            })?;
        }
        "[method]outgoing-request.set-scheme" => {
            into.func_wrap(name, |mut store, (this, scheme): With<Option<Scheme>>| {
                let good = !matches!(&scheme, Some(Scheme::Other(other)) if !is_scheme(other));
                Ok(store_if(&mut table(&mut store).get_mut(&this)?.scheme, scheme, good))
            })?;
        }
        "[method]outgoing-request.set-authority" => {
            into.func_wrap(name, |mut store, (this, authority): With<Option<String>>| {
                let good = authority.as_deref().is_none_or(is_authority);
                Ok(store_if(&mut table(&mut store).get_mut(&this)?.authority, authority, good))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn define_response(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    type This = (Resource<Response>,);
    match name {
        "[constructor]outgoing-response" => {
            into.func_wrap(name, |mut store, (headers,): (Resource<Fields>,)| {
                let table = table(&mut store);
                let headers = seal(table, headers)?;
                Ok((table.push(Response { headers, status: 200, has_body: false })?,))
            })?;
        }
        "[method]outgoing-response.body" => into.func_wrap(name, |mut store, (this,): This| {
            let table = table(&mut store);
            match body(&mut table.get_mut(&this)?.has_body) {
                Ok(body) => Ok((Ok(table.push(body)?),)),
                Err(()) => Ok((Err(()),)),
            }
        })?,
        "[method]outgoing-response.headers" => {
            into.func_wrap(name, |mut store, (this,): This| {
                let table = table(&mut store);
                let headers = table.get(&this)?.headers.clone();
                Ok((table.push(headers)?,))
            })?;
        }
        "[method]outgoing-response.status-code" => {
            into.func_wrap(name, |mut store, (this,): This| {
                Ok((table(&mut store).get(&this)?.status,))
            })?;
        }
        "[method]outgoing-response.set-status-code" => {
            into.func_wrap(name, |mut store, (this, status): (Resource<Response>, u16)| {
                let good = (100..1000).contains(&status);
                Ok(store_if(&mut table(&mut store).get_mut(&this)?.status, status, good))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn define_options(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    if name == "[constructor]request-options" {
        into.func_wrap(name, |mut store, (): ()| {
            Ok((table(&mut store).push(Options::default())?,))
        })?;
        return Ok(true);
    }
    let Some(method) = name.strip_prefix("[method]request-options.") else { return Ok(false) };
    let (is_setter, time) = match method.strip_prefix("set-") {
        Some(time) => (true, time),
        None => (false, method),
    };
    let of: fn(&mut Options) -> &mut Option<u64> = match time {
        "connect-timeout" => |options| &mut options.connect,
        "first-byte-timeout" => |options| &mut options.first_byte,
        "between-bytes-timeout" => |options| &mut options.between_bytes,
        _ => return Ok(false),
    };
    match is_setter {
        true => into.func_wrap(
            name,
            move |mut store, (this, time): (Resource<Options>, Option<u64>)| {
                Ok(store_if(of(table(&mut store).get_mut(&this)?), time, true))
            },
        )?,
        false => into.func_wrap(name, move |mut store, (this,): (Resource<Options>,)| {
            Ok((*of(table(&mut store).get_mut(&this)?),))
        })?,
    }
    Ok(true)
}
