//! WebAssembly proposals that some engine lacks.
//!
//! A guest finds out which of them a module needs, since the host parses no module; the host
//! chooses an engine by it, and says why a module cannot run. Proposals that both engines have
//! are not listed.

use crate::numbers::EngineKind;
use core::fmt;

/// A proposal that some engine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Proposal {
    /// Garbage collection: structures, arrays, `i31`.
    Gc = 0,
    /// Exceptions as they were standardised (`try_table`).
    Exceptions = 1,
    /// Typed function references (`call_ref`).
    FunctionReferences = 2,
    /// Shared memories and atomic instructions.
    Threads = 3,
    /// Exceptions as they were before the standard (`try` and `catch`).
    LegacyExceptions = 4,
    /// Stack switching (`cont.new`, `resume`).
    StackSwitching = 5,
    /// Shared tables, globals and functions.
    SharedEverythingThreads = 6,
    /// Pages that are given back (`memory.discard`).
    MemoryControl = 7,
    /// Asynchronous functions, streams and futures of components, as WASI 0.3 has them.
    ComponentAsync = 8,
}

impl Proposal {
    /// Every proposal, in the order of its number.
    pub const ALL: &'static [Self] = &[
        Self::Gc,
        Self::Exceptions,
        Self::FunctionReferences,
        Self::Threads,
        Self::LegacyExceptions,
        Self::StackSwitching,
        Self::SharedEverythingThreads,
        Self::MemoryControl,
        Self::ComponentAsync,
    ];

    /// What users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gc => "gc",
            Self::Exceptions => "exceptions",
            Self::FunctionReferences => "function references",
            Self::Threads => "threads",
            Self::LegacyExceptions => "legacy exceptions",
            Self::StackSwitching => "stack switching",
            Self::SharedEverythingThreads => "shared-everything threads",
            Self::MemoryControl => "memory control",
            Self::ComponentAsync => "asynchronous components (WASI 0.3)",
        }
    }
}

/// A set of [`Proposal`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposals(u64);

impl Proposals {
    /// No proposal.
    pub const NONE: Self = Self(0);

    /// The set that travels as `bits`. Bits that stand for no proposal are dropped.
    pub fn from_bits(bits: u64) -> Self {
        let known = Proposal::ALL.iter().fold(Self::NONE, |set, &each| set.with(each));
        Self(bits & known.0)
    }

    /// The set as a word.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set and one more proposal.
    #[must_use]
    pub const fn with(self, proposal: Proposal) -> Self {
        Self(self.0 | 1 << proposal as u32)
    }

    /// Whether a proposal is in the set.
    pub const fn contains(self, proposal: Proposal) -> bool {
        self.0 & 1 << proposal as u32 != 0
    }

    /// Whether no proposal is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The proposals of this set that an engine does not support.
    #[must_use]
    pub const fn lacking_in(self, engine: EngineKind) -> Self {
        let supported = match engine {
            EngineKind::Interp => Self::NONE,
            EngineKind::Native => Self::NONE
                .with(Proposal::Gc)
                .with(Proposal::Exceptions)
                .with(Proposal::FunctionReferences),
        };
        Self(self.0 & !supported.0)
    }

    /// The members, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Proposal> {
        Proposal::ALL.iter().copied().filter(move |&each| self.contains(each))
    }
}

impl fmt::Display for Proposals {
    /// `gc`; `gc and threads`; `gc, exceptions and threads`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.iter().count();
        for (number, proposal) in self.iter().enumerate() {
            let before = match number {
                0 => "",
                last if last + 1 == count => " and ",
                _ => ", ",
            };
            write!(f, "{before}{}", proposal.name())?;
        }
        Ok(())
    }
}
