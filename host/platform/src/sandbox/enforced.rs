//! What came of a profile.

use std::fmt;

/// What a profile is about, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Reading files and listing directories.
    Reads,
    /// Changing files and directories.
    Writes,
    /// Names, sizes and times of files that are not open.
    Paths,
    /// Using devices that are opened later, a second hypervisor for one.
    Devices,
    /// Sockets to elsewhere.
    Network,
    /// New processes.
    Fork,
    /// Other programs.
    Exec,
    /// Talk with other processes of this machine.
    Ipc,
    /// Signals to other processes.
    Signals,
    /// New code in memory.
    ExecutableMemory,
    /// System calls that nobody here needs.
    SystemCalls,
    /// Gaining privileges, by set-user-ID programs for example.
    Privileges,
    /// Core dumps, and the number of open files where asked.
    Limits,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Paths => "paths",
            Self::Devices => "devices",
            Self::Network => "network",
            Self::Fork => "new processes",
            Self::Exec => "other programs",
            Self::Ipc => "IPC",
            Self::Signals => "signals",
            Self::ExecutableMemory => "executable memory",
            Self::SystemCalls => "system calls",
            Self::Privileges => "privileges",
            Self::Limits => "limits",
        })
    }
}

/// How far a part is enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In full.
    Full {
        /// By what.
        by: &'static str,
    },
    /// In part.
    Partial {
        /// By what.
        by: &'static str,
        /// What is lacking, and why.
        lacking: String,
    },
    /// Not at all, though the profile asks for it.
    Not {
        /// Why.
        why: String,
    },
    /// The profile does not ask for it.
    Unasked,
}

/// What a system enforces from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an old system enforces less than it was asked for"]
pub struct Enforced {
    parts: Vec<(Part, State)>,
    kept: Option<String>,
}

impl Enforced {
    pub(super) fn new(parts: Vec<(Part, State)>) -> Self {
        Self { parts, kept: None }
    }

    /// The same with privileges that the process keeps.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "macOS has no capabilities"))]
    pub(super) fn keeping(self, kept: Option<String>) -> Self {
        Self { kept, ..self }
    }

    /// Privileges that the process keeps since the profile
    /// [asks for them](super::ProfileBuilder::allow_files_of_others).
    pub fn kept(&self) -> Option<&str> {
        self.kept.as_deref()
    }

    /// Every part, with its state.
    pub fn parts(&self) -> &[(Part, State)] {
        &self.parts
    }

    /// One part's state.
    pub fn state(&self, part: Part) -> &State {
        self.parts.iter().find(|entry| entry.0 == part).map_or(&State::Unasked, |entry| &entry.1)
    }

    /// Whether all that was asked for is enforced in full.
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    /// What was asked for and is not enforced, with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Part, &str)> {
        self.parts.iter().filter_map(|(part, state)| match state {
            State::Partial { lacking: why, .. } | State::Not { why } => Some((*part, why.as_str())),
            State::Full { .. } | State::Unasked => None,
        })
    }
}

impl fmt::Display for Enforced {
    /// A line a part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, state) in &self.parts {
            match state {
                State::Full { by } => writeln!(f, "{part}: by {by}")?,
                State::Partial { by, lacking } => writeln!(f, "{part}: by {by}, but {lacking}")?,
                State::Not { why } => writeln!(f, "{part}: not enforced: {why}")?,
                State::Unasked => writeln!(f, "{part}: open")?,
            }
        }
        Ok(())
    }
}
