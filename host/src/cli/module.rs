//! Modules that the command line names.

use anyhow::Context as _;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use wrt_vm::Module;

/// What stands for standard input and output.
pub(super) const STREAM: &str = "-";

/// Reads a `.wasm`, `.cwasm` or `.wat` file, or standard input.
pub(super) fn read(path: &Path) -> anyhow::Result<Module> {
    if path == Path::new(STREAM) {
        return Ok(Module::from_reader(&mut io::stdin().lock(), "standard input")?);
    }
    if path.extension() == Some(OsStr::new("wat")) {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Module::from_text(&text)?);
    }
    Ok(Module::from_file(path)?)
}
