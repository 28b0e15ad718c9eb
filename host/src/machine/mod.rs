//! Builds and runs one guest.
//!
//! `Machine` puts together what a guest needs: RAM (`memory`), the kernel image
//! (`image`), page tables and descriptor tables (`translation`, [`wrt_hypervisor::arch`]), a vCPU in
//! its boot state; and then exchanges commands with the runtime (`run`) while its calls are served
//! (`calls`): those for memory here, others by what the machine is given for it.

mod addresses;
mod calls;
mod cancel;
pub(crate) mod image;
pub(crate) mod mailbox;
mod memory;
mod more_tables;
mod read_only;
mod run;
mod trace;
mod translation;
mod watchdog;

pub(crate) use calls::{Ended, Serve};
pub(crate) use cancel::CancelState;
pub use image::GuestImage;
pub(crate) use memory::{Content, MemoryRefused, Prepared};
pub(crate) use run::{Answer, Machine, MachineConfig};
pub use run::{Exits, Usage};
pub use trace::EXITS;
pub(crate) use trace::RECORDER;
pub(crate) use watchdog::{Running, begin_call, rest};
