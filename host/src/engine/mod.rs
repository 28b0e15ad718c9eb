//! The front door: an [`Engine`] runs programs, each in a VM of its own. Beneath it are those VMs,
//! what compiles for them, and what keeps them and their code ready.

pub mod cache;
pub mod compiler;
mod examiner;
mod jail;
pub mod pool;
mod programs;
pub mod vm;

pub use programs::{
    Choice, CompilerCounts, Counts, Ended, Engine, EngineBuilder, Limits, Notice, Observer,
    PARALLEL_MAX, Program, Report, Setup,
};
pub use wrt_platform::dispatch::QosClass;
pub use wrt_platform::pressure::PressureLevel;
