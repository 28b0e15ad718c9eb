//! x86-64.

mod descriptors;
mod exception;
mod paging;

pub(super) use descriptors::build_system;
pub use descriptors::{Descriptors, selectors};
pub(super) use exception::{describe_fault, describe_report};
pub(super) use paging::FORMAT;
