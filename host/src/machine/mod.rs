//! Builds and runs one guest.
//!
//! `Machine` puts together what a guest needs: RAM (`memory`), the kernel image
//! (`image`), page tables and descriptor tables (`translation`, [`wrt_hypervisor::arch`]), a vCPU in its
//! boot state; and then exchanges commands with the runtime (`run`) while serving its
//! hypercalls. It works on its caller's thread or on its own (`home`).

mod addresses;
mod cancel;
#[path = "../placement/home.rs"]
mod home;
pub(crate) mod image;
pub(crate) mod mailbox;
mod memory;
mod more_tables;
mod read_only;
mod run;
mod trace;
mod translation;
mod watchdog;

pub(crate) use cancel::CancelState;
pub(crate) use home::{Home, Kept, elsewhere};
pub use image::GuestImage;
pub(crate) use memory::{Content, GuestMemory, MemoryRefused, Text};
pub(crate) use run::{Answer, MachineConfig};
pub use run::{Exits, Usage};
pub use trace::EXITS;
pub(crate) use trace::RECORDER;
pub(crate) use watchdog::{begin_call, rest};
