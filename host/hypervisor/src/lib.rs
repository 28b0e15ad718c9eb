//! Hypervisors behind one face: [`Hypervisor`] → [`Vm`] → [`Vcpu`] → [`Exit`].
//!
//! The traits are as small as the backends need: create, map host memory at guest-physical
//! addresses, set a boot state, run to an exit, kick from another thread. This crate knows
//! neither WebAssembly nor hypercalls: it tells *that* a guest rang the mailbox, and `wrt-vm`'s
//! machine decides what that means. A backend without page tables translates the guest's
//! addresses itself ([`AddressSpace`]); one whose VMs belong to the thread that made them says so
//! ([`Hypervisor::binds_threads`]).
//!
//! ```text
//! select                     which backend, and why not a better one
//! kvm/     hvf/   process/   a backend each: VM, vCPU, exits, kicks
//! arm      apple  x86_64     what is decided about several of them, without a system call
//! traits                     Hypervisor, Vm, Vcpu, Kicker, AddressSpace
//! exit     error             why a vCPU stopped, why there is no VM
//! arch/                      addresses, boot state, page tables, exceptions
//! ```
//! A line uses those below it. `wrt-platform` (the operating system), `wrt-abi` (what host and
//! guest agree on) and `wrt-guest-images` (the program of the `process` backend's child) are
//! beneath.
//!
//! # Where an exit is decoded
//!
//! In one pure function a backend, which takes the raw words that the system has left and returns
//! an [`Exit`]. Each is fuzzed, and a property test beside it feeds it any words:
//!
//! | backend | the words | the function |
//! |---|---|---|
//! | `kvm` on x86-64 | `struct kvm_run` | `kvm/x86_64/exit.rs` |
//! | `kvm` on arm64 | `struct kvm_run` | `kvm/aarch64/exit.rs` |
//! | `hvf` | `ESR_EL2`, the address | `decode` in `arm.rs` |
//! | `process` | the status of `waitpid`, `siginfo_t` | `process/stop.rs` |
//!
//! Only one kind of words is the mailbox. Whatever none of the functions knows is
//! [`Exit::Unexpected`], which ends the VM.
//!
//! # How a backend is added
//!
//! 1. A folder beside `kvm`: [`Hypervisor`], [`Vm`], [`Vcpu`] and [`Kicker`] for its types, and a
//!    decoder of exits in a file of its own. [`Vm::map`] and [`Vcpu::run`] say what they promise.
//! 2. A variant of [`Backend`], its name, its place in [`Backend::ALL`], and how it is opened and
//!    described: `select.rs`.
//! 3. What its guests' processor needs that is not there yet: `arch`.
//! 4. Its decoder in `fuzzing.rs` and in `tests/fuzz`. The suites in `tests` run on it without
//!    further lines, since they run on all of [`available`].
//!
//! `host/examples/hypervisor` of the repository has a guest of a dozen instructions on any backend.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("wrt-vm needs a 64-bit host: guest addresses are kept in usize");

#[cfg(any(target_os = "macos", feature = "hvsim", test))]
mod apple;
pub mod arch;
#[cfg(any(target_arch = "aarch64", feature = "hvsim", feature = "fuzzing"))]
mod arm;
mod error;
mod exit;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(target_os = "macos", feature = "hvsim"))]
mod hvf;
#[cfg(target_os = "linux")]
mod kvm;
#[cfg(target_os = "linux")]
mod process;
mod select;
mod traits;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use arch::{Access, BootState, Descriptors, Fault, FaultHandler, Gpa, Gva};
pub use error::HypervisorError;
#[doc(hidden)]
pub use error::of_system;
pub use exit::Exit;
pub use select::{Availability, Backend, Opened, available, details};
pub use traits::{AddressSpace, Hypervisor, Kicker, Mapping, Vcpu, Vm};
