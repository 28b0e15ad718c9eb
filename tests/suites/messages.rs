//! How messages are written down in the sources: what a compiler does not see.

use std::path::{Path, PathBuf};

/// What users get to read from.
const FOLDERS: [&str; 6] = [
    "host/src",
    "host/cli/src",
    "host/hypervisor/src",
    "host/platform/src",
    "shared-abi/src",
    "guest",
];

/// A literal of a string, as it is in the file between its quotes.
struct Literal {
    place: String,
    text: String,
    /// Whether it is the message of an error.
    of_error: bool,
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The strings of a source, but for raw ones: those are texts in other languages.
fn strings(source: &str) -> Vec<(usize, String)> {
    let (bytes, mut at, mut found) = (source.as_bytes(), 0, Vec::new());
    while at < bytes.len() {
        let rest = &source[at..];
        let raw =
            rest.strip_prefix('r').map(|rest| rest.len() - rest.trim_start_matches('#').len());
        let word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        at += match (bytes[at], raw) {
            (b'/', _) if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            (b'r', Some(marks)) if !word && rest[1 + marks..].starts_with('"') => {
                let end = format!("\"{}", "#".repeat(marks));
                let begin = 2 + marks;
                rest[begin..].find(&end).map_or(rest.len(), |len| begin + len + end.len())
            }
            // A quote as a character.
            (b'\'', _) if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") => {
                rest[1..].find('\'').map_or(1, |len| len + 2)
            }
            (b'"', _) => {
                let mut len = 1;
                while len < rest.len() && rest.as_bytes()[len] != b'"' {
                    len += if rest.as_bytes()[len] == b'\\' { 2 } else { 1 };
                }
                found.push((at, rest[1..len].to_owned()));
                len + 1
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    found
}

fn literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for folder in FOLDERS {
        rust_files(&root.join(folder), &mut files);
    }
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a file of sources");
        for (at, text) in strings(&source) {
            let line = source[..at].matches('\n').count() + 1;
            let of_error = source[..at].trim_end().ends_with("#[error(");
            found.push(Literal { place: format!("{}:{line}", file.display()), text, of_error });
        }
    }
    assert!(found.len() > 1000, "{} literals", found.len());
    assert!(found.iter().filter(|literal| literal.of_error).count() > 40);
    found
}

/// The text that a literal stands for, with its escapes: a backslash at the end of a line takes the
/// blanks of the next one away.
fn joined(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("\\\n") {
        out.push_str(before);
        rest = after.trim_start();
    }
    out + rest
}

/// A line that went on without a backslash, or lost it when lines were joined. Two blanks after a
/// line end set off a second line; many before a value lay out a table.
fn has_indentation(text: &str) -> bool {
    let text = joined(text);
    let inside = text.trim();
    let wide = inside.match_indices("     ").any(|(at, _)| {
        let before = inside[..at].trim_end();
        let after = inside[at..].trim_start();
        !before.ends_with("\\n")
            && before.ends_with(|c: char| c.is_alphanumeric() || ",.:;".contains(c))
            && after.starts_with(char::is_alphanumeric)
    });
    wide || inside.split('\n').skip(1).any(|line| line.starts_with("     "))
}

#[test]
fn no_string_has_the_indentation_of_its_source() {
    for (text, wrong) in [
        ("give                  none to it", true),
        ("give\n                  none to it", true),
        ("give \\\n                  none to it", false),
        ("first\\n      second", false),
        ("  column      {value}", false),
    ] {
        assert_eq!(has_indentation(text), wrong, "{text}");
    }
    for Literal { place, text, .. } in literals() {
        assert!(!has_indentation(&text), "{place}: blanks inside {text:?}");
    }
}

/// `{:?}` is for programmers.
#[test]
fn no_error_shows_how_a_value_is_written_in_rust() {
    for Literal { place, text, of_error } in literals() {
        assert!(!of_error || !text.contains(":?}"), "{place}: {text:?}");
    }
}
