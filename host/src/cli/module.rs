//! Modules that the command line names.

use anyhow::Context as _;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use wrt_vm::{Bytes, Module};

/// What stands for standard input and output.
pub(super) const STREAM: &str = "-";

/// The longest text in the text format.
const TEXT_MAX: u64 = 256 << 20;

/// Reads a `.wasm`, `.cwasm` or `.wat` file, or standard input.
pub(super) fn read(path: &Path) -> anyhow::Result<Module> {
    if path == Path::new(STREAM) {
        return Ok(Module::from_reader(&mut io::stdin().lock(), "standard input")?);
    }
    if path.extension() == Some(OsStr::new("wat")) {
        let text = read_text(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Module::from_text(&text)?);
    }
    Ok(Module::from_file(path)?)
}

/// Reads a text, but not without end.
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(TEXT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_MAX {
        let what = format!("it has more than {}, too much for a text", Bytes(TEXT_MAX));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(text)
}
