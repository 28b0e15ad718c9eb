//! What a system of this crate has to work with on this machine: `wrt-vm doctor` prints it.

/// How one system of the platform layer stands on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// The system's name, in the words of this crate's modules.
    pub system: &'static str,
    /// Whether it works here, if perhaps by a lesser way.
    pub available: bool,
    /// By which interface of the operating system it works.
    pub how: String,
    /// What it lacks, and what follows from that.
    pub missing: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Availability {
    /// A system that has all it wants.
    pub fn full(system: &'static str, how: impl Into<String>) -> Self {
        Self { system, available: true, how: how.into(), missing: None, remedy: None }
    }

    /// The same, but for something that is not there.
    #[must_use]
    pub fn lacking(mut self, missing: impl Into<String>, remedy: impl Into<String>) -> Self {
        self.missing = Some(missing.into());
        self.remedy = Some(remedy.into());
        self
    }
}
