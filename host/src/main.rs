//! The `wrt-vm` command.
fn main() {}
