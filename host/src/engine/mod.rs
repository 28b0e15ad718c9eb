//! The top floor: micro-VMs, what compiles for them, and what keeps them and their code ready.

mod cache;
mod compiler;
mod examiner;
mod jail;
mod pool;
mod programs;
mod vm;

#[cfg(feature = "fuzzing")]
pub(crate) use cache::file_name;
pub use cache::{Cache, CacheCounts, Cleared, Entry, Making, Turn};
pub use compiler::Compiler;
pub use pool::{Pool, PoolCounts};
pub use programs::{
    Choice, CompilerCounts, Counts, Ended, Engine, EngineBuilder, Limits, Notice, Observer,
    PARALLEL_MAX, Program, Report, Setup,
};
pub use vm::{
    Builder, CancelHandle, DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, Export, Function, FunctionType,
    Instance, LoadedModule, Memory, MicroVm, STACKS, Snapshot,
};
