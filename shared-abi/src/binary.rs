//! How WebAssembly binaries begin.
//!
//! All else in them is looked at inside a VM only; these bytes decide which engine that is.

/// The first bytes of every binary. Four more say what it is.
pub const MAGIC: &[u8; 4] = b"\0asm";

/// The last two of those in a component.
const COMPONENT_LAYER: [u8; 2] = [1, 0];

/// Whether a binary that begins like this is a component, and no core module.
pub fn is_component(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && head.get(6..8) == Some(&COMPONENT_LAYER)
}
