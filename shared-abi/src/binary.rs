//! How WebAssembly binaries begin.
//!
//! All else in them is looked at inside a VM only; these bytes decide which engine that is.

/// The first bytes of every binary. Four more say what it is.
pub const MAGIC: &[u8; 4] = b"\0asm";

/// Those in a component: the version of its format, and that it is one.
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// Whether a binary that begins like this is a component, and no core module.
pub fn is_component(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && head.get(4..8) == Some(&COMPONENT)
}
