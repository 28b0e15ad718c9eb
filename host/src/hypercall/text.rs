//! Text from a guest: data for people's eyes.

/// Longest text that is kept of one message, in bytes.
const MAX: usize = 4096;

/// The bytes as text that is safe to print: UTF-8, without control characters (a terminal
/// would obey them) but for line ends, cut to a bounded length.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX)];
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| match c {
            '\n' => '\n',
            // Also the marks that make a terminal write backwards.
            c if c.is_control() || is_direction_mark(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// The bytes as one printable line.
pub(crate) fn printable_line(bytes: &[u8]) -> String {
    printable(bytes).replace('\n', " ")
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_do_not_get_through() {
        assert_eq!(printable(b"a\x1b[31mb\r\x07"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(printable_line(b"a\nb"), "a b");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\u{fffd}y");
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_text(bytes: Vec<u8>) {
            let text = printable_line(&bytes);
            prop_assert!(text.chars().all(|c| !c.is_control()));
            prop_assert!(text.len() <= 3 * MAX);
        }
    }
}
