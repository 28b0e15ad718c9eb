//! Ratios.

fn main() {}
