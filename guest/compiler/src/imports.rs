//! What a component imports that no kernel links, found before anything is compiled.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use wasmtime::wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ResourceId};
use wasmtime::wasmparser::types::{Types, TypesRef};
use wasmtime::wasmparser::{
    BinaryReaderError, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};
use wrt_abi::component::Interface;
use wrt_abi::report::{IMPORT_MAX, Unlinkable};
use wrt_abi::wire;

/// What there is to import, for messages.
const SUPPORTED: &str = "a component may import what WASI 0.2 has in wasi:cli, wasi:clocks, \
    wasi:filesystem, wasi:http, wasi:io, wasi:random and wasi:sockets";
/// Imports that a message lists besides the first.
const LISTED: usize = 10;
/// Characters of each name in that list.
const LISTED_NAME: usize = 100;
/// Bytes that a message may have.
const REPORT: usize = 3 * IMPORT_MAX + 4 * LISTED * LISTED_NAME * 2;

/// An import that nothing provides.
struct Missing {
    import: String,
    /// What is missing in it, if it is an interface.
    item: Option<String>,
    /// What the item, or the import itself, is to be.
    wanted: &'static str,
}

/// Imports that nothing provides, at least one.
pub struct MissingImports {
    first: Missing,
    others: Vec<Missing>,
}

/// Looks for imports of a component that no kernel links.
///
/// Types are validated on the way to them, and nothing else that takes time.
pub fn missing(
    component: &[u8],
    features: WasmFeatures,
) -> Result<Option<MissingImports>, BinaryReaderError> {
    let Some((names, types)) = imports(component, features)? else { return Ok(None) };
    let types = types.as_ref();
    let mut found = Vec::new();
    let mut search = Search { types, known: HashSet::new() };
    for name in names {
        if let Some(item) = types.component_item_for_import(name) {
            search.import(name, &item.ty, &mut found);
        }
    }
    let mut found = found.into_iter();
    Ok(found.next().map(|first| MissingImports { first, others: found.collect() }))
}

/// The names of a component's imports, and its types.
fn imports(
    component: &[u8],
    features: WasmFeatures,
) -> Result<Option<(Vec<&str>, Types)>, BinaryReaderError> {
    let mut validator = Validator::new_with_features(features);
    let mut names = Vec::new();
    // How many components and modules the parser is in, below the outermost.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        let valid = validator.payload(&payload)?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name);
                }
            }
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::End(_) => {
                let ValidPayload::End(types) = valid else { break };
                return Ok(Some((names, types)));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// A walk through the types of imports, in the order in which they are linked.
struct Search<'a> {
    types: TypesRef<'a>,
    /// Resources that an earlier import defines. To import one of them again is to name it.
    known: HashSet<ResourceId>,
}

impl Search<'_> {
    fn import(&mut self, name: &str, ty: &ComponentEntityType, missing: &mut Vec<Missing>) {
        let ComponentEntityType::Instance(instance) = ty else {
            if let Some(wanted) = self.wanted(ty) {
                missing.push(Missing { import: name.to_owned(), item: None, wanted });
            }
            return;
        };
        let interface = Interface::of_import(name);
        let types = self.types;
        for (item, ty) in &types[*instance].exports {
            let Some(wanted) = self.wanted(&ty.ty) else { continue };
            let (import, item) = (name.to_owned(), item.clone());
            match interface {
                Some(interface) if interface.defines(&item) => {}
                Some(_) => missing.push(Missing { import, item: Some(item), wanted }),
                // The first says it all.
                None if missing.last().is_some_and(|last| last.import == import) => {}
                None => missing.push(Missing { import, item: Some(item), wanted }),
            }
        }
    }

    /// The kind of what a linker has to define for this; `None` for what is but a name.
    fn wanted(&mut self, ty: &ComponentEntityType) -> Option<&'static str> {
        match ty {
            ComponentEntityType::Func(_) => Some("function"),
            ComponentEntityType::Module(_) => Some("module"),
            ComponentEntityType::Component(_) => Some("component"),
            ComponentEntityType::Value(_) => Some("value"),
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                self.known.insert(id.resource()).then_some("resource")
            }
            ComponentEntityType::Type { .. } => None,
            ComponentEntityType::Instance(instance) => {
                let types = self.types;
                let exports = &types[*instance].exports;
                let wanted = exports.values().filter_map(|item| self.wanted(&item.ty)).count();
                (wanted > 0).then_some("instance")
            }
        }
    }
}

impl MissingImports {
    /// Writes an [`Unlinkable`].
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Missing { import, item, .. } = &self.first;
        let reason = self.to_string();
        let mut report = [0; REPORT];
        let mut writer = wire::Writer::new(&mut report);
        let name = item.as_deref().unwrap_or_default().as_bytes();
        Unlinkable { module: import.as_bytes(), name, reason: reason.as_bytes() }
            .write(&mut writer);
        let len = writer.len();
        to.write_all(&report[..len])
    }
}

/// What is wrong with the first of them, and which others there are.
impl fmt::Display for MissingImports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown import: nothing defines it (wanted: {})", self.first.wanted)?;
        for (number, missing) in self.others.iter().take(LISTED).enumerate() {
            f.write_str(if number == 0 { ", nor " } else { ", " })?;
            write!(f, "`{}`", Cut(&missing.import))?;
            if let Some(item) = &missing.item {
                write!(f, " `{}`", Cut(item))?;
            }
        }
        if let more @ 1.. = self.others.len().saturating_sub(LISTED) {
            write!(f, " and {more} more")?;
        }
        write!(f, "; {SUPPORTED}")
    }
}

/// A name in a list.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(LISTED_NAME) {
            Some((end, _)) => {
                f.write_str(&self.0[..end])?;
                f.write_char('…')
            }
            None => f.write_str(self.0),
        }
    }
}
