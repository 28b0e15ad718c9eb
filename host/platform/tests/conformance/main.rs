//! One suite that runs on every system: what the portable face promises, each promise by a test
//! that fails without it. A test that cannot run here says `skipped:` and why.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod allocator;
mod child;
mod dispatch;
mod lock;
mod pressure;
mod purgeable;
