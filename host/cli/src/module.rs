//! Modules that the command line names.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use wrt_platform::text::Line;
use wrt_vm::error::Bytes;
use wrt_vm::{Error, Module};

/// What stands for standard input and output.
pub(super) const STREAM: &str = "-";
/// How messages call it.
const STREAM_NAME: &str = "standard input";

/// How many blanks a text may begin with.
const BLANKS_MAX: usize = 1 << 20;

/// The longest text in the text format.
const TEXT_MAX: u64 = 256 << 20;

/// Reads a `.wasm`, `.cwasm` or `.wat` file, or standard input.
pub(super) fn read(path: &Path) -> Result<Module, Error> {
    if path == Path::new(STREAM) {
        return from_stream(&mut BufReader::new(io::stdin().lock()));
    }
    if path.extension() == Some(OsStr::new("wat")) {
        let name = Line(path.display()).to_string();
        let failed = |error| Error::Read { name: name.clone(), error };
        let text = read_text(&mut File::open(path).map_err(failed)?).map_err(failed)?;
        return Module::from_text(&text);
    }
    Module::from_file(path)
}

/// Reads a text, but not without end.
fn read_text(from: &mut dyn Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(TEXT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_MAX {
        let what = format!("it has more than {}, too much for a text", Bytes(TEXT_MAX));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(text)
}

/// Reads a stream: a text if it begins like one, with a parenthesis or a comment; else a module.
fn from_stream(stream: &mut dyn BufRead) -> Result<Module, Error> {
    let failed = |error| Error::Read { name: STREAM_NAME.to_owned(), error };
    // They are kept, so that errors name the right line.
    let mut blanks = Vec::new();
    let first = loop {
        let buffer = stream.fill_buf().map_err(failed)?;
        if let Some(at) = buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
            break buffer.get(at).copied();
        }
        let len = buffer.len();
        blanks.extend_from_slice(buffer);
        stream.consume(len);
        if len == 0 || blanks.len() > BLANKS_MAX {
            break None;
        }
    };
    let mut all = blanks.as_slice().chain(stream);
    if !matches!(first, Some(b'(' | b';')) {
        return Module::from_reader(&mut all, STREAM_NAME);
    }
    Module::from_text(&read_text(&mut all).map_err(failed)?)
}
