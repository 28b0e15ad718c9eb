//! Text from anywhere, made harmless where it is written.

use std::fmt::Write as _;

/// Appends `text` as one line without anything that a terminal obeys: control characters and
/// marks of direction become escapes as Rust writes them. Ends after `max` bytes of `text`.
pub(crate) fn push_printable(out: &mut String, text: &str, max: usize) {
    let cut = text.floor_char_boundary(max);
    for c in text[..cut].chars() {
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_control() || is_direction_mark(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
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
            c if c.is_control() || is_direction_mark(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// All are below U+10000, so that four digits do for JSON.
fn is_direction_mark(c: char) -> bool {
    matches!(c,
        '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printable(text: &str, max: usize) -> String {
        let mut out = String::new();
        push_printable(&mut out, text, max);
        out
    }

    #[test]
    fn nothing_for_a_terminal_gets_through() {
        assert_eq!(
            printable("a\x1b[2Jb\r\n\u{9b}c\u{202e}", 99),
            r"a\u{1b}[2Jb\r\n\u{9b}c\u{202e}"
        );
        assert_eq!(printable("%s %n {} ä", 99), "%s %n {} ä");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(printable("ääää", 3), "ä... (6 bytes more)");
    }

    #[test]
    fn json_is_escaped() {
        let mut out = String::new();
        push_json(&mut out, "\"},{\\\n\0\u{7f}");
        assert_eq!(out, r#""\"},{\\\n\u0000\u007f""#);
    }
}
