//! Names of functions as people write them: Rust's and C++'s compilers encode theirs.

use alloc::string::String;
use core::fmt::{self, Write};
use cpp_demangle::{DemangleOptions, Symbol};
use wrt_abi::report::NAME_MAX;

/// Longer names are not decoded: decoding takes stack and time for every part of a name.
const ENCODED_MAX: usize = 1024;

/// The name that `encoded` stands for, cut to [`NAME_MAX`] bytes. A name that is not encoded is
/// itself.
pub fn readable(encoded: &str) -> String {
    let mut name = Name(String::new());
    if encoded.len() <= ENCODED_MAX && decode(encoded, &mut name) && !name.0.is_empty() {
        return name.0;
    }
    let mut name = Name(String::new());
    // Cut to what a name may have, which is no failure.
    let _ = name.write_str(encoded);
    name.0
}

/// Whether `encoded` is the encoding of a name, of which `name` has the beginning then.
fn decode(encoded: &str, name: &mut Name) -> bool {
    if let Ok(rust) = rustc_demangle::try_demangle(encoded) {
        // Without the hash. What does not fit is left out.
        let _ = write!(name, "{rust:#}");
        return true;
    }
    if !encoded.starts_with("_Z") {
        return false;
    }
    match Symbol::new(encoded) {
        Ok(symbol) => {
            let decoded = symbol.structured_demangle(name, &DemangleOptions::new());
            decoded.is_ok() || name.0.len() == NAME_MAX
        }
        Err(_) => false,
    }
}

/// A name that ends where it is too long, and with it the work of those who write it.
struct Name(String);

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = NAME_MAX - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        // Full, even where a character would have begun before the end.
        self.0.extend(core::iter::repeat_n('.', room - end));
        Err(fmt::Error)
    }
}
