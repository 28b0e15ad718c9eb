//! Text from anywhere, made harmless where it is written.
//!
//! The one place that says which characters a terminal, a pager or an editor obeys instead of
//! showing them. They become escapes as Rust writes them; text that was made harmless before
//! stays as it is.

use std::fmt::{self, Write};

/// Shows a value as one line: line ends, too, become escapes.
#[derive(Clone, Copy, Debug)]
pub struct Line<T>(pub T);

/// Shows a value as lines: its line ends stay.
#[derive(Clone, Copy, Debug)]
pub struct Lines<T>(pub T);

impl<T: fmt::Display> fmt::Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, line_ends: false }, "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, line_ends: true }, "{}", self.0)
    }
}

/// Passes text on without anything that a terminal obeys.
struct Escaping<'a, W: ?Sized> {
    out: &'a mut W,
    /// Whether line ends pass.
    line_ends: bool,
}

impl<W: Write + ?Sized> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        match c {
            '\n' if self.line_ends => self.out.write_char(c),
            '\n' | '\r' | '\t' => write!(self.out, "{}", c.escape_default()),
            c if is_obeyed(c) => write!(self.out, "{}", c.escape_unicode()),
            c => self.out.write_char(c),
        }
    }
}

/// Bytes that a guest or a file has instead of text, as one line: at most `max` of them, what is
/// not UTF-8 replaced.
pub fn line_of(bytes: &[u8], max: usize) -> String {
    let mut line = Line(String::from_utf8_lossy(cut(bytes, max))).to_string();
    if bytes.len() > max {
        line.push_str("...");
    }
    line
}

/// The same as lines.
pub fn lines_of(bytes: &[u8], max: usize) -> String {
    let mut lines = Lines(String::from_utf8_lossy(cut(bytes, max))).to_string();
    if bytes.len() > max {
        lines.push_str("...");
    }
    lines
}

/// Invalid bytes become characters of three bytes: so cut first.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    &bytes[..bytes.len().min(max)]
}

/// A document of JSON with escapes in its strings for all that a terminal obeys. (Serializers
/// escape what the standard wants, and that is less.)
pub fn harmless_json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        match c {
            // Between the values, where nothing else that is obeyed may stand.
            '\n' | '\r' | '\t' => out.push(c),
            c if is_obeyed(c) => push_json_escape(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Appends `text` as one harmless line. Ends after `max` bytes of `text`.
pub(crate) fn push_printable(out: &mut String, text: &str, max: usize) {
    let cut = text.floor_char_boundary(max);
    let _ = write!(out, "{}", Line(&text[..cut]));
    if cut < text.len() {
        let _ = write!(out, "... ({} bytes more)", text.len() - cut);
    }
}

/// Appends `text` as a string of JSON (RFC 8259, section 7).
pub(crate) fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_obeyed(c) => push_json_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// All that are obeyed are below U+10000, so that four digits do.
fn push_json_escape(out: &mut String, c: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// Whether something that shows text may obey this character: control characters, marks and
/// overrides of direction (which let text read as other text), and the separators of lines.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printable(text: &str, max: usize) -> String {
        let mut out = String::new();
        push_printable(&mut out, text, max);
        out
    }

    #[test]
    fn nothing_for_a_terminal_gets_through() {
        assert_eq!(
            printable("a\x1b[2Jb\r\n\u{9b}c\u{202e}\u{2028}", 99),
            r"a\u{1b}[2Jb\r\n\u{9b}c\u{202e}\u{2028}"
        );
        assert_eq!(printable("%s %n {} ä", 99), "%s %n {} ä");
        assert_eq!(Lines("a\n\x1b").to_string(), "a\n\\u{1b}");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(printable("ääää", 3), "ä... (6 bytes more)");
        assert_eq!(line_of("ää".as_bytes(), 3), "ä\u{fffd}...");
    }

    #[test]
    fn json_is_escaped() {
        let mut out = String::new();
        push_json(&mut out, "\"},{\\\n\0\u{7f}");
        assert_eq!(out, r#""\"},{\\\n\u0000\u007f""#);
        assert_eq!(harmless_json("{\n\"\u{202e}\u{9b}ä\"}"), "{\n\"\\u202e\\u009bä\"}");
    }

    /// Text of which every other character is one that is obeyed.
    fn nasty() -> impl Strategy<Value = String> {
        let obeyed = prop::sample::select(
            ('\0'..='\u{ffff}').filter(|&c| is_obeyed(c)).collect::<Vec<char>>(),
        );
        prop::collection::vec(prop_oneof![any::<char>(), obeyed], 0..64)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn every_way_out_is_harmless(text in nasty(), max in 0_usize..80) {
            let mut json = String::new();
            push_json(&mut json, &text);
            for line in [
                Line(&text).to_string(),
                printable(&text, max),
                line_of(text.as_bytes(), max),
                json.clone(),
            ] {
                prop_assert!(!line.chars().any(is_obeyed), "{line:?}");
            }
            for lines in [Lines(&text).to_string(), lines_of(text.as_bytes(), max)] {
                prop_assert!(!lines.chars().any(|c| c != '\n' && is_obeyed(c)), "{lines:?}");
                prop_assert_eq!(Lines(&lines).to_string(), lines, "twice is once");
            }
            prop_assert!(line_of(text.as_bytes(), max).len() <= 6 * max + 3);
            prop_assert_eq!(harmless_json(&json), json);
        }

        #[test]
        fn bytes_become_bounded_text(bytes: Vec<u8>, max in 0_usize..80) {
            let line = line_of(&bytes, max);
            prop_assert!(!line.chars().any(is_obeyed) && line.len() <= 6 * max + 3);
        }
    }
}
