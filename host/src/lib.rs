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
//! `wrt_vec` has operations on vectors and matrices in a module's memory; [`wrt_abi::vector`]
//! tells their signatures, and what holds at the edges. `wrt_log` has lines for the log
//! ([`wrt_abi::log`]): they are events of `tracing` with the target `guest`, and those that no
//! subscriber wants when a module is loaded never leave the VM. Components have WASI 0.2.
//!
//! # Where things are
//!
//! * [`hypervisor`]: the backends, and the one place where an exit is decoded.
//! * `machine`: guest RAM, page tables, boot, the run loop. Nobody else touches page tables.
//! * `compiler`: modules to machine code, in a VM as well; `cache` keeps the code.
//! * `hypercall`: what a guest may ask for, one file a service.
//! * `jail`: what a process gives up before a guest executes anything in it.
//! * `pool`: VMs that are made ahead.
//! * [`worker`]: micro-VMs in processes of their own.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("wrt-vm needs a 64-bit host: guest addresses are kept in usize");

mod artifact;
#[path = "engine/cache/mod.rs"]
mod cache;
#[path = "engine/compiler.rs"]
mod compiler;
mod embedded;
mod error;
#[path = "engine/examiner.rs"]
mod examiner;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[path = "services/mod.rs"]
mod hypercall;
#[path = "placement/jail.rs"]
mod jail;
#[doc(hidden)]
pub mod machine;
mod module;
#[path = "engine/pool.rs"]
mod pool;
#[path = "engine/vm/mod.rs"]
mod vm;
#[doc(hidden)]
#[path = "placement/worker/mod.rs"]
pub mod worker;

pub use artifact::Target;
pub use cache::{Cache, CacheCounts, Cleared, Entry, Making, Turn};
pub use compiler::Compiler;
pub use error::{Bytes, Error, Exception, Frame, Interruption, Seconds, Trap, VmEnd};
pub use hypercall::wasi::{Output, OutputBuffer, Stdin, WasiConfig};
pub use jail::{Entrance, Jail, Jailed};
pub use machine::{Exits, Usage};
pub use module::Module;
pub use pool::{Pool, PoolCounts};
pub use vm::{
    Builder, CancelHandle, DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, Export, Function, FunctionType,
    Instance, LoadedModule, Memory, MicroVm, Snapshot,
};
pub use wrt_abi::cpu::{Arch, CpuFeatures};
pub use wrt_abi::proposals::{Proposal, Proposals};
pub use wrt_abi::value::{ValueType, WireValue as Value};
pub use wrt_abi::{EngineKind, TrapKind};
#[doc(inline)]
pub use wrt_hypervisor as hypervisor;
pub use wrt_hypervisor::Backend;
