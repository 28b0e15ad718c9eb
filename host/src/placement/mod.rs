//! Where a machine works, and what the process around it may still do.

mod home;
mod jail;
pub mod worker;

pub(crate) use home::{Home, Kept};
pub use jail::{Entrance, Jail, Jailed};
