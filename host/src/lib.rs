//! Runs WebAssembly programs, each in a hardware VM of its own.
//!
//! A [`MicroVm`] holds a tiny guest kernel with a Wasm engine in it, and nothing else: no
//! operating system, no firmware, no devices. Modules are loaded, instantiated and called
//! through it; the host never parses their bytes.
//!
//! ```
//! use wrt_vm::{MicroVm, Module, Value};
//!
//! # fn main() -> Result<(), wrt_vm::Error> {
//! # if wrt_vm::hypervisor::available().iter().all(|found| found.problem.is_some()) {
//! #     eprintln!("skipped: no VM can be made here");
//! #     return Ok(());
//! # }
//! let module = Module::from_text(
//!     r#"(module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))"#,
//! )?;
//! let mut vm = MicroVm::builder().max_memory(64 << 20).build()?;
//! let loaded = vm.load(&module)?;
//! let instance = vm.instantiate(loaded)?;
//! let add = vm.function(instance, "add")?;
//! let sum = vm.call(&add, &[Value::I32(2), Value::I32(40)])?;
//! assert_eq!(sum, [Value::I32(42)]);
//! # Ok(())
//! # }
//! ```
//!
//! # What modules may import
//!
//! Core modules have all of WASI preview 1, and two modules of wrt-vm's own on either engine.
//! `wrt_vec` has operations on vectors and matrices in a module's memory;
//! [`wrt_abi::services::vector`] tells their signatures, and what holds at the edges. `wrt_log` has
//! lines for the log ([`wrt_abi::services::log`]): they are events of `tracing` with the target
//! `guest`, and those that no subscriber wants when a module is loaded never leave the VM.
//! Components have WASI 0.2.
//!
//! # Where things are
//!
//! The modules are floors: each uses those below it in this list, and none above.
//!
//! * `engine`: [`MicroVm`]; the compiler, which has a VM as well; the cache, which keeps its code;
//!   pools of VMs that are made ahead.
//! * `placement`: a machine in this process or in a [worker]; what a process gives up before a guest
//!   executes anything in it.
//! * `services`: what a guest may ask for besides memory, one file a service.
//! * `world`: what a program gets to see.
//! * `machine`: guest RAM, page tables, boot, the run loop. No other module touches page tables.
//! * `module`, `artifact`: programs and compiled code as bytes; `error`, `text`.
//!
//! [`hypervisor`] is a crate of its own beneath: the backends, and the one place where an exit is
//! decoded.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("wrt-vm needs a 64-bit host: guest addresses are kept in usize");

mod artifact;
mod embedded;
mod engine;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod machine;
mod module;
mod placement;
mod services;
mod text;
mod world;

pub use artifact::Target;
pub use engine::{
    Builder, Cache, CacheCounts, CancelHandle, Choice, Cleared, Compiler, CompilerCounts, Counts,
    DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, Ended, Engine, EngineBuilder, Entry, Export, Function,
    FunctionType, Instance, Limits, LoadedModule, Making, Memory, MicroVm, Notice, Observer,
    PARALLEL_MAX, Pool, PoolCounts, Program, Report, STACKS, Setup, Snapshot, Turn,
};
pub use error::{Bytes, Error, Exception, Frame, Interruption, Seconds, Trap, VmEnd};
pub use machine::{Exits, Usage};
pub use module::Module;
#[doc(hidden)]
pub use placement::worker;
pub use placement::{Entrance, Jail, Jailed, Placement};
pub use world::{Output, OutputBuffer, Stdin, WasiConfig};
pub use wrt_abi::cpu::{Arch, CpuFeatures};
pub use wrt_abi::proposals::{Proposal, Proposals};
pub use wrt_abi::services::ServiceId;
pub use wrt_abi::value::{ValueType, WireValue as Value};
pub use wrt_abi::{EngineKind, TrapKind};
#[doc(inline)]
pub use wrt_hypervisor as hypervisor;
pub use wrt_hypervisor::Backend;
pub use wrt_platform::dispatch::QosClass;
pub use wrt_platform::pressure::PressureLevel;
