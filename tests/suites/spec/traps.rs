//! Trap messages: the specification's words beside this library's.

use wrt_vm::error::TrapKind;

/// What the scripts call a trap whose [`TrapKind::message`] says it in other words.
const OTHER_WORDS: &[(TrapKind, &str)] = &[
    // One kind for what `call_indirect` and the table instructions do beyond a table's end;
    // its message begins with the former's words.
    (TrapKind::TableOutOfBounds, "out of bounds table access"),
    // One kind for all null references.
    (TrapKind::NullReference, "null array reference"),
    (TrapKind::NullReference, "null function reference"),
    (TrapKind::NullReference, "null i31 reference"),
    (TrapKind::NullReference, "null structure reference"),
];

/// Whether a trap of this kind is the one that a script expects.
///
/// As in other engines, one of the two messages must begin with the other: scripts say
/// `uninitialized element 2` where an engine does not count, or leave a detail out.
pub(crate) fn is_expected(kind: TrapKind, expected: &str) -> bool {
    let fits = |words: &str| words.starts_with(expected) || expected.starts_with(words);
    let mut others = OTHER_WORDS.iter().filter(|(other, _)| *other == kind);
    !expected.is_empty() && (fits(kind.message()) || others.any(|(_, words)| fits(words)))
}
