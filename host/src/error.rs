//! What can go wrong, by whose fault, and what to do about it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use wrt_abi::EngineKind;
pub use wrt_abi::TrapKind;
use wrt_abi::proposals::Proposals;
pub use wrt_hypervisor::arch::Exception;
use wrt_hypervisor::{Exit, Gpa, HypervisorError, of_system};
use wrt_platform::descriptors::is_out_of_descriptors;
use wrt_platform::text::Line;

/// Any error of this library. Each message is complete: it includes its cause, which
/// [`source`](std::error::Error::source) therefore does not return again.
///
/// Errors of one call leave the VM usable; after [`Error::Ended`] and
/// [`Error::Interrupted`] it needs a [`reset`](crate::MicroVm::reset).
///
/// One that is made in a worker arrives as itself.
#[derive(Debug, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The hypervisor is missing or refused.
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
    /// The host has no memory or address space for the guest.
    #[error("cannot get memory for the guest: {0}")]
    Memory(#[serde(with = "of_system")] std::io::Error),
    /// The host has no thread for the guest.
    #[error("cannot start a thread for the guest: {0}")]
    Thread(#[serde(with = "of_system")] std::io::Error),
    /// No file descriptor is left for another VM, in this process or in the whole system.
    #[error(
        "cannot make a VM: {0}\n  a VM takes three file descriptors, and one for each directory \
         that its program has: use fewer VMs at a time, or raise the limit (`ulimit -n`)"
    )]
    OutOfDescriptors(#[serde(with = "of_system")] std::io::Error),
    /// The machine is about to run out of memory, and no program runs that could give some back.
    #[error(
        "no VM is made while the machine is about to run out of memory (pressure: critical)\n  \
         free some"
    )]
    Pressure,
    /// The process cannot enter its [jail](crate::Jail).
    #[error("cannot enter the jail: {0}")]
    Jail(String),
    /// The module's bytes could not be read.
    #[error("cannot read {}: {error}", Line(name))]
    Read {
        /// The file, or what stands for it.
        name: String,
        /// The system's answer.
        #[serde(with = "of_system")]
        error: std::io::Error,
    },
    /// The bytes are no WebAssembly module.
    #[error("not a WebAssembly module: {0}")]
    NotWasm(String),
    /// The module does not pass validation.
    #[error("invalid module{}: {reason}", At(*offset))]
    InvalidModule {
        /// Where, in bytes from the start, if that is known.
        offset: Option<u64>,
        /// Why.
        reason: String,
    },
    /// The module is valid, and needs proposals that the engine does not support.
    #[error("{}", Lacking(*needs, *engine))]
    Unsupported {
        /// The proposals.
        #[serde(with = "number::proposals")]
        needs: Proposals,
        /// The engine.
        #[serde(with = "number::engine")]
        engine: EngineKind,
    },
    /// Compiled code that this engine cannot run: made by another version, or for another
    /// processor, or damaged.
    #[error("cannot run this compiled module: {0}\n  compile it again")]
    UnusableArtifact(String),
    /// The compiler gave up on the module: it crashed, or reached one of its limits.
    #[error(
        "cannot compile this module: {reason}{}",
        if *interpretable { "; run it on the interpreter" } else { "" }
    )]
    CannotCompile {
        /// Why.
        reason: String,
        /// Whether the interpreter may run it all the same.
        interpretable: bool,
    },
    /// The module is valid, and more than the interpreter can take.
    #[error("the interpreter cannot run this module: {0}\n  the native engine may")]
    CannotInterpret(String),
    /// The code cache cannot be used.
    #[error("cannot use the code cache {}: {reason}", Line(dir.display()))]
    Cache {
        /// Its directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// An import that nothing provides, or with another type.
    #[error("cannot link import {}: {reason}", Import(module, name))]
    Unlinkable {
        /// The import's module.
        module: String,
        /// The import's name; empty for what a component imports by one name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The module needs more memory than it may have.
    #[error(
        "the module needs {} of memory but may have only {}: raise the memory limit",
        Bytes(*wanted), Bytes(*allowed)
    )]
    MemoryLimit {
        /// Bytes it needs.
        wanted: u64,
        /// Bytes it may have.
        allowed: u64,
    },
    /// The module does not export this.
    #[error("{0}")]
    NoSuchExport(String),
    /// The module does not say where it begins: it exports no function `_start`.
    #[error(
        "the module is not a program: it exports no function `_start`\n  its functions: {functions}"
    )]
    NotAProgram {
        /// Names of functions that it exports, for people.
        functions: String,
    },
    /// Something that is not done with components, or not with this one.
    #[error("{0}")]
    Component(String),
    /// Values of other types than the function wants.
    #[error("{0}")]
    TypeMismatch(String),
    /// Wasm code trapped.
    #[error("{0}")]
    Trap(Trap),
    /// The program wrote more to standard output or standard error than it may
    /// ([`WasiConfig::max_output`](crate::WasiConfig::max_output),
    /// [`OutputBuffer::new`](crate::world::OutputBuffer::new)). What fits was written. The VM needs a
    /// reset.
    #[error("the program wrote more than {}: raise the output limit", Bytes(*limit))]
    OutputLimit {
        /// Bytes that it may write.
        limit: u64,
    },
    /// The program called `proc_exit`, with this code, which may be any. As the exit status of a
    /// process it is its low eight bits, or 255 where they would say success.
    #[error("the program exited with code {0}")]
    Exit(i32),
    /// The call was ended from outside.
    #[error("{0}")]
    Interrupted(Interruption),
    /// The VM is over.
    #[error(transparent)]
    Ended(#[from] VmEnd),
    /// The WASI world could not be set up.
    #[error("{0}")]
    Wasi(String),
    /// A setting that makes no sense, or not with the others.
    #[error("{0}")]
    Setting(String),
    /// What the VM's engine does not do. Another does.
    #[error("{0}")]
    Engine(String),
    /// A handle that is not good in this VM, or no more.
    #[error("this handle is from another VM, or from before a reset")]
    WrongHandle,
    /// Bytes that are not in a memory.
    #[error("{wanted} bytes at {at:#x} are not in a memory of {len} bytes")]
    OutOfRange {
        /// Where they would begin.
        at: u64,
        /// How many.
        wanted: usize,
        /// Bytes of the memory.
        len: u64,
    },
    /// More than fits in one call: a name, arguments, exports, a world.
    #[error("{0}")]
    TooLong(String),
    /// A snapshot that cannot be made, or that this VM cannot go on from.
    #[error("{0}")]
    Snapshot(String),
    /// A worker process that cannot be had.
    #[error("{0}")]
    Worker(String),
    /// The guest refused a command.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// This error of making a VM, or [`Self::OutOfDescriptors`] if that is what it comes down to.
    pub(crate) fn of_making(self) -> Self {
        match self {
            Self::Hypervisor(HypervisorError::Call { error: source, .. })
            | Self::Memory(source)
            | Self::Thread(source)
                if is_out_of_descriptors(&source) =>
            {
                Self::OutOfDescriptors(source)
            }
            other => other,
        }
    }
}

/// Why a call was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Interruption {
    /// [`CancelHandle::cancel`](crate::vm::CancelHandle::cancel).
    #[error("cancelled")]
    Cancelled,
    /// A time limit.
    #[error("timed out")]
    TimedOut,
}

/// A trap of Wasm code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// What happened.
    #[serde(with = "number::trap")]
    pub kind: TrapKind,
    /// More about it; may be empty.
    pub message: String,
    /// The innermost functions that were live, innermost first.
    pub frames: Vec<Frame>,
    /// How many were live in all, unless they were too many to count.
    pub depth: Option<u32>,
}

/// A frame of a Wasm backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Number of the module, in the order of loading.
    pub module: u32,
    /// Index of the function in it.
    pub function: u32,
    /// Where in the module's bytes the instruction is, if that is known: compiled code says so.
    pub offset: Option<u32>,
    /// Its name, if the module has one, as people write it: what Rust's and C++'s compilers encoded
    /// is decoded. Control characters are replaced.
    pub name: Option<String>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm trap: {}", self.kind.message())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.frames.is_empty() {
            write!(f, "\nwasm backtrace:")?;
        }
        for (number, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {number:>3}: ")?;
            if let Some(offset) = frame.offset {
                write!(f, "{offset:#8x} - ")?;
            }
            match &frame.name {
                Some(name) => write!(f, "{name}")?,
                None => write!(f, "<function {}>", frame.function)?,
            }
        }
        match self.depth.map(|depth| (depth as usize).saturating_sub(self.frames.len())) {
            Some(0) => {}
            Some(hidden) => write!(f, "\n  ... and {hidden} more")?,
            None => write!(f, "\n  ... and many more")?,
        }
        Ok(())
    }
}

/// Why a VM cannot go on. Whatever a guest does ends here, never in a panic of the host.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum VmEnd {
    /// The runtime in the guest panicked.
    #[error("the guest kernel panicked: {0}")]
    Panic(String),
    /// The runtime needed memory that it may not have.
    #[error("the guest ran out of memory (it wanted {} more): raise the memory limit", Bytes(*.wanted))]
    OutOfMemory {
        /// Size in bytes of the allocation that failed.
        wanted: u64,
    },
    /// The runtime's stack was used up.
    #[error("the guest kernel's stack overflowed ({exception})")]
    StackOverflow {
        /// Where.
        exception: Exception,
    },
    /// The runtime took a processor exception.
    #[error("the guest kernel crashed: {0}")]
    Exception(Exception),
    /// The guest touched memory that it does not have.
    #[error("the guest {} guest-physical {gpa}, which is not its memory", if *.write { "wrote to" } else { "read from" })]
    BadAccess {
        /// Where.
        gpa: Gpa,
        /// Whether it wrote.
        write: bool,
    },
    /// The guest tried to call the system that it runs on.
    #[error("the guest tried to make system call {number}, which is not its to make")]
    SystemCall {
        /// The call's number, as the guest would have it.
        number: u64,
    },
    /// The guest stopped in a way that it has no use for.
    #[error("the guest {0}")]
    BadExit(Exit),
    /// The guest broke the rules of the mailbox.
    #[error("the guest broke the hypercall protocol: {0}")]
    Protocol(String),
    /// The guest kernel and this library do not fit together.
    #[error("the guest kernel speaks ABI version {have}, this host wants {want}")]
    AbiVersion {
        /// The guest's version.
        have: u64,
        /// The host's version.
        want: u32,
    },
    /// The hypervisor failed while the guest ran.
    #[error("the hypervisor failed: {0}")]
    Hypervisor(String),
    /// The process that it was in is gone, or does not do as it should.
    #[error("the VM's worker process failed: {0}")]
    Worker(String),
    /// It was ended earlier.
    #[error("this VM has ended; reset it to use it again")]
    Earlier,
}

/// A number of bytes as people write it.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let scaled = |unit: u64| self.0 as f64 / unit as f64;
        match self.0 {
            0..1024 => write!(f, "{} B", self.0),
            1024..0x10_0000 => write!(f, "{:.1} KiB", scaled(1 << 10)),
            0x10_0000..0x4000_0000 => write!(f, "{:.1} MiB", scaled(1 << 20)),
            _ => write!(f, "{:.2} GiB", scaled(1 << 30)),
        }
    }
}

/// A duration as people write it.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}

/// An import as messages name it.
struct Import<'a>(&'a str, &'a str);

impl fmt::Display for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(only, "") if !only.is_empty() => write!(f, "`{only}`"),
            Self(module, name) => write!(f, "`{module}` `{name}`"),
        }
    }
}

/// What a module needs, and an engine lacks.
struct Lacking(Proposals, EngineKind);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(needs, engine) = *self;
        let everywhere = needs.lacking_in(EngineKind::Native).lacking_in(EngineKind::Interp);
        if !everywhere.is_empty() {
            return write!(f, "not supported: {everywhere}, which the module needs");
        }
        let lacking = needs.lacking_in(engine);
        write!(
            f,
            "the module needs {lacking}, which the interpreter does not support: \
             use the native engine (--engine native)"
        )
    }
}

struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(offset) => write!(f, " at offset {offset:#x}"),
            None => Ok(()),
        }
    }
}

/// What has numbers, in messages between processes.
pub(crate) mod number {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    macro_rules! by_number {
        ($($name:ident: $set:ty, $to:expr, $from:expr;)*) => { $(
            pub(crate) mod $name {
                use super::*;

                pub(crate) fn serialize<S: Serializer>(of: &$set, to: S) -> Result<S::Ok, S::Error> {
                    let number: fn($set) -> u64 = $to;
                    to.serialize_u64(number(*of))
                }

                pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                    from: D,
                ) -> Result<$set, D::Error> {
                    $from(u64::deserialize(from)?).map_err(D::Error::custom)
                }
            }
        )* };
    }

    by_number! {
        command: wrt_abi::Command, |command| command as u64, wrt_abi::Command::try_from;
        reply: wrt_abi::Reply, |reply| reply as u64, wrt_abi::Reply::try_from;
        engine: wrt_abi::EngineKind, |engine| engine as u64, wrt_abi::EngineKind::try_from;
        trap: wrt_abi::TrapKind, |trap| trap as u64, wrt_abi::TrapKind::try_from;
        proposals: wrt_abi::proposals::Proposals, |set| set.bits(), |bits| {
            Ok::<_, std::convert::Infallible>(wrt_abi::proposals::Proposals::from_bits(bits))
        };
    }
}

#[cfg(test)]
mod tests;
