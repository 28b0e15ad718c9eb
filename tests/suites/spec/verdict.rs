//! How a directive of a script ends.

use wrt_vm::Error;

/// A directive that did what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fine {
    /// It asserts nothing: a module, a registration, a bare call.
    Worked,
    /// An assertion about what the guest did holds.
    Passed,
    /// A wrong module was refused before it got to a VM: by the assembler of the text format.
    RefusedByAssembler,
    /// A wrong module was refused before it got to a VM: by the library, which looks at the
    /// first eight bytes.
    RefusedByHost,
    /// A wrong module was refused, but for using a proposal that the engine does not have:
    /// that says nothing, and does not count as passed.
    Unsupported,
}

/// A directive that did not.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It needs what a directive before it would have made, but for that one's failure.
    Starved,
    /// The library's answer is not what was asserted.
    Wrong(String),
    /// The library refused. Some assertions want that.
    Refused(Error),
}

/// What became of a directive.
pub(crate) type Verdict = Result<Fine, Problem>;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Problem {
    /// Something else than what was asserted.
    pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, Self> {
        Err(Self::Wrong(what.into()))
    }

    /// Whether the VM cannot go on.
    pub(crate) fn ends_the_vm(&self) -> bool {
        matches!(self, Self::Refused(Error::Ended(_) | Error::Interrupted(_)))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Starved => f.write_str("it needs something that was not made"),
            Self::Wrong(what) => f.write_str(what),
            // A trap's text has the backtrace in further lines.
            Self::Refused(error) => {
                let text = error.to_string();
                f.write_str(text.lines().next().unwrap_or_default())
            }
        }
    }
}
