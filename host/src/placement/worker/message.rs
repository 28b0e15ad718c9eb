//! What parent and worker say to each other.

use crate::error::{Error, Interruption, VmEnd};
use crate::machine::{Answer, MachineConfig, Usage};
use serde::{Deserialize, Serialize};
use wrt_abi::{Command, EngineKind, Reply};
use wrt_hypervisor::HypervisorError;

/// Parent to worker. Each has one [`Response`], perhaps after [lines](Message::Line) and
/// [output](Message::Output).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Make the machine. The first request, and the only one of its kind. *Descriptors:* the
    /// world's.
    Build {
        /// Name of the backend.
        backend: String,
        /// Number of the engine.
        engine: u64,
        /// Bytes of the runtime's stack.
        stack_size: u64,
        /// Bytes that the guest may take.
        memory_limit: u64,
        /// What the program gets to see.
        world: World,
        /// Whether to enter the jail.
        jailed: bool,
    },
    /// Forget all that the guest did. *Descriptors:* the world's.
    Reset {
        /// What the next program gets to see.
        world: World,
    },
    /// Let the guest read bytes. *Descriptor:* a file that holds them and that nobody changes.
    Share {
        /// How many.
        len: u64,
        /// Whether parts of them may be made executable.
        code: bool,
    },
    /// Take them away.
    Unshare {
        /// Their address.
        address: u64,
    },
    /// Have the guest execute a command.
    Command {
        /// Counts commands, for those who cancel them.
        sequence: u64,
        /// Number of the command.
        command: u64,
        /// Its words.
        words: Vec<u64>,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// Copy guest memory out.
    Read {
        /// Where.
        address: u64,
        /// How many bytes, at most [`CHUNK_MAX`].
        len: u64,
    },
    /// Copy into guest memory.
    Write {
        /// Where.
        address: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Keep what the guest is now, in the place of what was kept before.
    Prepare {
        /// What it is called from now on.
        number: u64,
    },
    /// As [`Self::Reset`], and go on from the guest that was kept. *Descriptors:* the world's.
    Restore {
        /// What it is called.
        number: u64,
        /// What the next program gets to see.
        world: World,
    },
}

/// Most bytes of guest memory, or of output, that one message moves.
pub(super) const CHUNK_MAX: usize = 1 << 20;

/// A WASI world; its descriptors go with the message, in the order in which they are named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Names of directories, each with a descriptor, and whether it is read-only.
    pub(crate) preopens: Vec<(String, bool)>,
    pub(crate) stdin: Source,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    /// The most bytes of standard output and standard error.
    pub(crate) max_output: Option<u64>,
}

/// Where standard input comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    Empty,
    /// The parent's own. One descriptor, which becomes the worker's own.
    Inherit,
    Bytes(Vec<u8>),
    /// So many bytes of a file that nobody changes. One descriptor.
    File(u64),
}

/// Where output goes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Sink {
    Discard,
    /// Where the parent's own goes. One descriptor, which becomes the worker's own.
    Inherit,
    /// To the parent, before each response; no more than so many bytes in all.
    Capture(u64),
    /// To a file that the parent takes over; no more than so many bytes. One descriptor.
    File(u64),
}

/// Worker to parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The guest logs a line, while a request is served.
    Line {
        /// Number of its level.
        level: u64,
        /// What it says.
        text: Vec<u8>,
    },
    /// The program has written output that is captured, while a request was served.
    Output {
        /// Whether to standard error.
        error: bool,
        /// The next bytes of it, at most [`CHUNK_MAX`].
        bytes: Vec<u8>,
    },
    /// A request is served.
    Response(Response),
}

/// What came of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) result: Result<Done, Failure>,
    /// What the guest has made of its VM so far.
    pub(crate) usage: Usage,
}

/// What was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Done {
    Nothing,
    /// The machine is there.
    Built {
        /// What keeps its guest in.
        boundary: String,
        /// What the jail is worth, if there is one.
        jail: Option<String>,
    },
    /// Address of shared bytes.
    Shared(u64),
    Answered {
        reply: u64,
        words: [u64; 3],
        payload: Vec<u8>,
    },
    Read(Vec<u8>),
}

/// What went wrong. An error that a machine's owner can tell from others arrives as itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Interrupted,
    Ended(VmEnd),
    Wasi(String),
    Jail(String),
    OutputLimit(u64),
    /// Any other, in words.
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted(_) => Self::Interrupted,
            Error::Ended(end) => Self::Ended(end),
            Error::Wasi(reason) => Self::Wasi(reason),
            Error::Jail(reason) => Self::Jail(reason),
            Error::OutputLimit { limit } => Self::OutputLimit(limit),
            Error::Hypervisor(HypervisorError::Unavailable { reason, remedy, .. }) => {
                Self::Other(format!("{reason}\n  {remedy}"))
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl Failure {
    /// The error, given why calls of this machine are interrupted just now.
    pub(crate) fn into_error(self, why: Option<Interruption>) -> Error {
        match self {
            Self::Interrupted => Error::Interrupted(why.unwrap_or(Interruption::Cancelled)),
            Self::Ended(end) => Error::Ended(end),
            Self::Wasi(reason) => Error::Wasi(reason),
            Self::Jail(reason) => Error::Jail(reason),
            Self::OutputLimit(limit) => Error::OutputLimit { limit },
            Self::Other(reason) => Error::Failed(reason),
        }
    }
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        let Answer { reply, words, payload } = answer;
        Self::Answered { reply: reply as u64, words, payload }
    }
}

impl Done {
    /// A command's answer.
    pub(crate) fn answer(self) -> Option<Answer> {
        match self {
            Self::Answered { reply, words, payload } => {
                Some(Answer { reply: Reply::try_from(reply).ok()?, words, payload })
            }
            _ => None,
        }
    }
}

/// The settings of a machine, if the engine's number is one.
pub(crate) fn config(engine: u64, stack_size: u64, memory_limit: u64) -> Option<MachineConfig> {
    let engine = *EngineKind::ALL.iter().find(|kind| **kind as u64 == engine)?;
    Some(MachineConfig { engine, image: None, stack_size, memory_limit })
}

/// The command of a number.
pub(crate) fn command(number: u64) -> Option<Command> {
    Command::try_from(number).ok()
}
