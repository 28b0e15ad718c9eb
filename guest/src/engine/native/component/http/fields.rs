//! Headers and trailers.

use super::table;
use crate::engine::native::State;
use alloc::string::String;
use alloc::vec::Vec;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceTable};
use wasmtime::{Error, Result};

/// Bytes that the fields of one message may take, with what it costs to keep each.
const SIZE_MAX: usize = 128 << 10;
/// What it costs to keep a field, besides its name and value.
const ENTRY_SIZE: usize = 48;

/// Fields that the transport makes, not a program.
const FORBIDDEN: &[&str] = &[
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Names, which are in lower case, and values in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct Fields {
    entries: Vec<(String, Vec<u8>)>,
    /// Whether they are those of a message.
    immutable: bool,
}

/// Why fields do not become what they were to become.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
}

type Changed = core::result::Result<(), HeaderError>;

/// Whether a text is what HTTP calls a token: the name of a field or a method.
pub(super) fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

fn is_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

impl Fields {
    /// These fields as part of a message.
    pub(super) fn sealed(mut self) -> Self {
        self.immutable = true;
        self
    }

    fn get(&self, name: &str) -> Vec<Vec<u8>> {
        let name = name.to_ascii_lowercase();
        self.entries
            .iter()
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.entries.iter().any(|(found, _)| *found == name)
    }

    /// The name to change, if these fields may be changed there.
    fn changeable(&self, name: &str) -> core::result::Result<String, HeaderError> {
        if !is_token(name) {
            return Err(HeaderError::InvalidSyntax);
        }
        let name = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&name.as_str()) {
            return Err(HeaderError::Forbidden);
        }
        match self.immutable {
            true => Err(HeaderError::Immutable),
            false => Ok(name),
        }
    }

    fn delete(&mut self, name: &str) -> Changed {
        let name = self.changeable(name)?;
        self.entries.retain(|(found, _)| *found != name);
        Ok(())
    }

    fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Changed {
        let name = self.changeable(name)?;
        if !values.iter().all(|value| is_value(value)) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.entries.retain(|(found, _)| *found != name);
        self.entries.extend(values.into_iter().map(|value| (name.clone(), value)));
        Ok(())
    }

    fn append(&mut self, name: &str, value: Vec<u8>) -> Changed {
        let name = self.changeable(name)?;
        if !is_value(&value) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.entries.push((name, value));
        Ok(())
    }

    /// Ends the program when there are too many: the interface has no error for it.
    fn check_size(&self) -> Result<()> {
        let size = |(name, value): &(String, Vec<u8>)| name.len() + value.len() + ENTRY_SIZE;
        match self.entries.iter().map(size).sum::<usize>() <= SIZE_MAX {
            true => Ok(()),
            false => Err(Error::msg("fields of a message that take more than 128 KiB")),
        }
    }
}

/// Changes fields in the table.
fn change(
    table: &mut ResourceTable,
    fields: &Resource<Fields>,
    change: impl FnOnce(&mut Fields) -> Changed,
) -> Result<(Changed,)> {
    let fields = table.get_mut(fields)?;
    let changed = change(fields);
    fields.check_size()?;
    Ok((changed,))
}

type This = Resource<Fields>;

/// Defines a function of fields; says whether it is one.
pub(super) fn define(into: &mut LinkerInstance<'_, State>, name: &str) -> Result<bool> {
    match name {
        "[constructor]fields" => into.func_wrap(name, |mut store, (): ()| {
            Ok((table(&mut store).push(Fields::default())?,))
        })?,
        "[static]fields.from-list" => {
            into.func_wrap(name, |mut store, (entries,): (Vec<(String, Vec<u8>)>,)| {
                let mut fields = Fields::default();
                for (name, value) in entries {
                    if let Err(error) = fields.append(&name, value) {
                        return Ok((Err(error),));
                    }
                }
                fields.check_size()?;
                Ok((Ok::<This, HeaderError>(table(&mut store).push(fields)?),))
            })?;
        }
        "[method]fields.get" => {
            into.func_wrap(name, |mut store, (this, name): (This, String)| {
                Ok((table(&mut store).get(&this)?.get(&name),))
            })?;
        }
        "[method]fields.has" => {
            into.func_wrap(name, |mut store, (this, name): (This, String)| {
                Ok((table(&mut store).get(&this)?.has(&name),))
            })?;
        }
        "[method]fields.set" => into.func_wrap(
            name,
            |mut store, (this, name, values): (This, String, Vec<Vec<u8>>)| {
                change(table(&mut store), &this, |fields| fields.set(&name, values))
            },
        )?,
        "[method]fields.delete" => {
            into.func_wrap(name, |mut store, (this, name): (This, String)| {
                change(table(&mut store), &this, |fields| fields.delete(&name))
            })?;
        }
        "[method]fields.append" => {
            into.func_wrap(name, |mut store, (this, name, value): (This, String, Vec<u8>)| {
                change(table(&mut store), &this, |fields| fields.append(&name, value))
            })?;
        }
        "[method]fields.entries" => into.func_wrap(name, |mut store, (this,): (This,)| {
            Ok((table(&mut store).get(&this)?.entries.clone(),))
        })?,
        "[method]fields.clone" => into.func_wrap(name, |mut store, (this,): (This,)| {
            let table = table(&mut store);
            let clone = Fields { immutable: false, ..table.get(&this)?.clone() };
            Ok((table.push(clone)?,))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}
