//! Text from a guest: data for people's eyes, of a bounded length.

use wrt_platform::text::{line_of, lines_of};

/// Longest text that is kept of one message, in bytes.
const MAX: usize = 4096;

/// The bytes as text that is safe to print, with its line ends.
pub(crate) fn printable(bytes: &[u8]) -> String {
    lines_of(bytes, MAX)
}

/// The bytes as one printable line; line ends become blanks.
pub(crate) fn printable_line(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX + 1)];
    let blanks = bytes.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte });
    line_of(&blanks.collect::<Vec<u8>>(), MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_do_not_get_through() {
        assert_eq!(printable(b"a\x1b[31mb\n\r\x07"), "a\\u{1b}[31mb\n\\r\\u{7}");
        assert_eq!(printable_line(b"a\nb"), "a b");
        assert_eq!(printable("x\u{202e}y\u{2028}".as_bytes()), "x\\u{202e}y\\u{2028}");
    }

    proptest! {
        #[test]
        fn any_bytes_become_bounded_text(bytes: Vec<u8>) {
            let text = printable_line(&bytes);
            prop_assert!(text.chars().all(|c| !c.is_control()));
            prop_assert!(text.len() <= 6 * MAX + 3);
        }
    }
}
