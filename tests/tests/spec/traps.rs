//! Trap messages: the specification's words beside this library's.

use wrt_vm::TrapKind;

/// What the scripts call a trap whose [`TrapKind::message`] says it in other words.
const OTHER_WORDS: &[(&str, TrapKind)] = &[
    // One kind for what `call_indirect` and the table instructions do beyond a table's end;
    // its message begins with the former's words.
    ("out of bounds table access", TrapKind::TableOutOfBounds),
];

/// Whether a trap of this kind is the one that a script expects.
///
/// As in other engines, one of the two messages must begin with the other: scripts say
/// `uninitialized element 2` where an engine does not count, or leave a detail out.
pub(crate) fn is_expected(kind: TrapKind, expected: &str) -> bool {
    let message = kind.message();
    // The reference-types scripts do not say of what.
    let bounds = matches!(kind, TrapKind::MemoryOutOfBounds | TrapKind::TableOutOfBounds);
    message.starts_with(expected)
        || bounds && expected == "out of bounds"
        || expected.starts_with(message)
        || OTHER_WORDS.iter().any(|&(words, other)| other == kind && expected.starts_with(words))
}
