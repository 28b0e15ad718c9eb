//! Everything that the host and the guest kernel must agree on, and nothing else.
//!
//! The guest talks to the host through **one mailbox page** ([`mailbox`]) and one
//! trapping instruction ([`layout`] names its port). The guest writes a
//! [`mailbox::Request`], traps, and finds a [`mailbox::Response`] when it runs again.
//! The host drives the guest the same way: a response to [`Call::Ready`] or
//! [`Call::Done`] carries the next [`Command`].
//!
//! What does *not* belong here: policy. Limits that the host enforces on its own, WASI
//! semantics and engine settings live with the side that owns them.
//!
//! What programs call is no hypercall of its own: [`services`] says how to add a service.
//!
//! # Adding a hypercall
//!
//! It is for the guest kernel, and about the guest's memory or its end.
//!
//! 1. Give it the next free number in [`Call`] and document it there under the same
//!    headings as its neighbours: arguments, returns, faults.
//! 2. Send it from `guest/src/hostcall.rs`; serve it in `host/src/machine/calls.rs`, and count and
//!    name it in `run.rs` and `trace.rs` there.
//! 3. Raise [`ABI_VERSION`]. The boot handshake refuses a mismatch and names both.
//!
//! # Example
//!
//! ```
//! use wrt_abi::{Call, mailbox::Request};
//!
//! let request = Request { call: Call::Service as u32, ..Request::default() };
//! assert_eq!(Call::try_from(request.call), Ok(Call::Service));
//! assert!(Call::try_from(0xdead_beef_u32).is_err());
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod binary;
pub mod boot;
pub mod compiler;
pub mod component;
pub mod cpu;
pub mod layout;
pub mod mailbox;
mod numbers;
pub mod process;
pub mod proposals;
pub mod report;
pub mod services;
pub mod value;
pub mod wire;

pub use numbers::{Call, Command, EngineKind, LogLevel, Reply, Status, TrapKind, UnknownNumber};

/// Version of this interface. The guest sends it with [`Call::Ready`]; the host refuses
/// any other. It is unrelated to the crate's version.
pub const ABI_VERSION: u32 = 8;
