//! What a guest can be asked for, wherever it is.

use crate::error::{Error, number};
use crate::machine::{Answer, CancelState, Content, Prepared, Running, Usage};
use crate::world::{World, passing};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wrt_abi::Command;
use wrt_platform::memory::SharedBytes;

/// Most bytes of guest memory that one order moves.
pub(crate) const CHUNK_MAX: usize = 1 << 20;

/// What a guest is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order<'a> {
    /// Execute a command: [`Done::Answer`].
    Command {
        #[serde(with = "number::command")]
        command: Command,
        words: Cow<'a, [u64]>,
        payload: Cow<'a, [u8]>,
    },
    /// Read these bytes, or execute parts of them: [`Done::Shared`].
    Share {
        #[serde(with = "passing::bytes")]
        bytes: Arc<SharedBytes>,
        content: Content,
    },
    /// Have shared bytes no more.
    Unshare { address: u64 },
    /// Give bytes of its memory, at most [`CHUNK_MAX`]: [`Done::Read`].
    Read { address: u64, len: usize },
    /// Take bytes into its memory, at most [`CHUNK_MAX`].
    Write { address: u64, bytes: Cow<'a, [u8]> },
    /// Be kept as it is now, under this number: [`Done::Kept`].
    Keep { number: u64 },
    /// Forget all that it did, and begin with nothing, in this world.
    Reset { world: World },
    /// Forget all that it did, and go on from what was kept, in this world.
    Restore { from: Kept, world: World },
}

impl Order<'_> {
    /// The world that begins with it, if one does.
    pub(crate) fn world(&self) -> Option<&World> {
        match self {
            Self::Reset { world } | Self::Restore { world, .. } => Some(world),
            _ => None,
        }
    }
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Done<'g> {
    Nothing,
    Answer(Answer),
    /// Address of shared bytes.
    Shared(u64),
    Read(Cow<'g, [u8]>),
    /// What is kept, if that is in this process.
    Kept(#[serde(skip)] Option<Arc<Prepared>>),
}

impl Done<'_> {
    /// Copies what was read; `None` if something else came of the order.
    pub(crate) fn copy_to(&self, to: &mut [u8]) -> Option<()> {
        match self {
            Self::Read(bytes) if bytes.len() == to.len() => {
                to.copy_from_slice(bytes);
                Some(())
            }
            _ => None,
        }
    }

    /// Without what it has of the guest's memory.
    pub(crate) fn into_owned(self) -> Done<'static> {
        match self {
            Self::Nothing => Done::Nothing,
            Self::Answer(answer) => Done::Answer(answer),
            Self::Shared(address) => Done::Shared(address),
            Self::Read(bytes) => Done::Read(Cow::Owned(bytes.into_owned())),
            Self::Kept(kept) => Done::Kept(kept),
        }
    }
}

/// A guest that was kept for others to go on from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    /// None if another process has it.
    #[serde(skip)]
    pub(crate) here: Option<Arc<Prepared>>,
}

impl Kept {
    /// A number for what is kept next: no two have one, in whichever process. So one cannot be taken
    /// for another.
    pub(crate) fn number() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// What this process has of it.
    ///
    /// # Errors
    ///
    /// When another process has it.
    pub(crate) fn here(&self) -> Result<Arc<Prepared>, Error> {
        self.here.clone().ok_or_else(elsewhere)
    }
}

/// A guest was kept in another process.
pub(crate) fn elsewhere() -> Error {
    Error::Snapshot(
        "a VM in a worker process goes on from a snapshot of itself alone, and from the last"
            .to_owned(),
    )
}

/// A guest with its VM.
pub(crate) trait Guest: Send {
    /// Obeys an order.
    ///
    /// # Errors
    ///
    /// As the machine's method of that name.
    fn obey<'g>(&'g mut self, order: Order<'_>) -> Result<Done<'g>, Error>;

    /// Begins a call of this guest's that is made on the host: what ends calls ends it, too.
    ///
    /// # Errors
    ///
    /// When it is to end already.
    fn begin(&mut self) -> Result<Running, Error>;

    /// Ends that call.
    fn end(&mut self, call: Running) {
        drop(call);
    }

    /// What ends its calls from other threads.
    fn canceller(&self) -> &Arc<CancelState>;

    /// When its calls end at the latest.
    fn set_deadline(&mut self, deadline: Option<Instant>);

    /// Counters and times.
    fn usage(&self) -> Usage;

    /// Where it is, and what keeps it in.
    fn whereabouts(&self) -> Whereabouts<'_>;

    /// Has memory backed in large pieces, for a guest that will take much of it; says whether a
    /// copy of its code on large pages would gain it time.
    fn expect_much(&mut self) -> bool {
        // In another process code is copied in any case.
        false
    }
}

impl dyn Guest {
    /// Runs `work` on the host as a call of this guest's: it hands on or asks what ends that.
    pub(crate) fn on_host<T>(
        &mut self,
        work: impl FnOnce(&CancelState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let call = self.begin()?;
        let result = work(self.canceller());
        self.end(call);
        result
    }
}

/// Where a guest is.
pub(crate) struct Whereabouts<'g> {
    /// What keeps it in, in words.
    pub(crate) boundary: String,
    /// Process id of its worker, if it has one.
    pub(crate) worker: Option<u32>,
    /// Process id of the child of this process that has it, if one does.
    pub(crate) child: Option<u32>,
    /// What the jail of its worker is worth, if it is in a jailed one.
    pub(crate) jail: Option<&'g str>,
}
