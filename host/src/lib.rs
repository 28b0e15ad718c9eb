//! Runs WebAssembly programs, each in a hardware VM of its own.
//!
//! In a VM is a tiny guest kernel with a Wasm engine, and nothing else: no operating system, no
//! firmware, no devices. The host never parses a module's bytes.
//!
//! There are two doors. An [`Engine`] runs whole programs, and decides what need not be yours to
//! decide: which of the two Wasm engines a program gets, what is compiled and kept, how many run at a
//! time, and that each is in a jailed process of its own. How each ended is in its [`Report`].
//!
//! ```no_run
//! use std::time::Duration;
//! use wrt_vm::worker::Workers;
//! use wrt_vm::world::{Output, OutputBuffer};
//! use wrt_vm::{Engine, Limits, Module, Program, WasiConfig};
//!
//! # fn main() -> Result<(), wrt_vm::Error> {
//! let engine = Engine::builder().workers(Workers::new("/usr/bin/wrt-vm")).build()?;
//! let output = OutputBuffer::new(1 << 20);
//! let world = WasiConfig::new()
//!     .arg("tool")
//!     .read_only_dir("data", "/data")
//!     .stdout(Output::Capture(output.clone()));
//! let limits = Limits { time: Some(Duration::from_secs(5)), ..Limits::default() };
//! let program = Program::new("tool", Module::from_file("tool.wasm")?, world).limits(limits);
//! println!("{:?}: {:?}", engine.run(program).ended?, output.contents());
//! # Ok(())
//! # }
//! ```
//!
//! A [`MicroVm`] is one VM, in which modules are loaded and their exports called; on the interpreter
//! unless [`Builder::engine`](vm::Builder::engine) says otherwise, and in this process unless
//! [`Builder::placement`](vm::Builder::placement) does.
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
//! * [`engine`]: [`Engine`]; beneath it [`vm`], [`compiler`], [`cache`] and [`pool`].
//! * [`placement`]: a guest in this process or in a [worker]; what a process gives up before a guest
//!   executes anything in it.
//! * `services`: what a guest may ask for besides memory, one file a service.
//! * [`world`]: what a program gets to see.
//! * `machine`: guest RAM, page tables, boot, the run loop. No other module touches page tables.
//! * `module`, `artifact`: programs and compiled code as bytes; [`error`], `text`.
//!
//! [`hypervisor`] is a crate of its own beneath: the backends, and the one place where an exit is
//! decoded.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("wrt-vm needs a 64-bit host: guest addresses are kept in usize");

mod artifact;
mod embedded;
pub mod engine;
pub mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod machine;
mod module;
pub mod placement;
mod services;
mod text;
pub mod world;

pub use engine::cache::{self, Cache};
pub use engine::compiler::{self, Compiler};
pub use engine::pool::{self, Pool};
pub use engine::vm::{self, MicroVm, Snapshot, Value};
pub use engine::{Ended, Engine, Limits, Program, Report};
pub use error::Error;
pub use module::Module;
pub use placement::worker;
pub use placement::{Jail, Placement};
pub use world::WasiConfig;
pub use wrt_abi::EngineKind;
#[doc(inline)]
pub use wrt_hypervisor as hypervisor;
pub use wrt_hypervisor::Backend;
