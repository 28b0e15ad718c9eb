//! Counting what became of the directives.

use crate::verdict::Fine;
use std::collections::BTreeMap;
use std::fmt;

/// Counts of a file, a suite, or all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Scripts that ran.
    pub(crate) files: usize,
    /// Assertions that the guest was asked about and that hold.
    pub(crate) passed: usize,
    /// Wrong modules that the text format's assembler refused.
    pub(crate) by_assembler: usize,
    /// Wrong modules that the library refused by their first eight bytes.
    pub(crate) by_host: usize,
    /// Wrong modules that were refused for a reason that is beside the point.
    pub(crate) unsupported: usize,
    /// Directives that are on the list of skips, by reason.
    pub(crate) skipped: BTreeMap<&'static str, usize>,
    /// Directives that need what a skipped one would have made.
    pub(crate) starved: usize,
    /// Directives that do not pass in suites that are left out.
    pub(crate) missed: usize,
    /// What is wrong, a line each.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Counts a directive that did what it should.
    pub(crate) fn fine(&mut self, fine: Fine) {
        match fine {
            Fine::Worked => {}
            Fine::Passed => self.passed += 1,
            Fine::RefusedByAssembler => self.by_assembler += 1,
            Fine::RefusedByHost => self.by_host += 1,
            Fine::Unsupported => self.unsupported += 1,
        }
    }

    /// Counts directives on the list of skips.
    pub(crate) fn skip(&mut self, reason: &'static str, count: usize) {
        *self.skipped.entry(reason).or_default() += count;
    }

    /// Assertions that hold, whoever judged.
    pub(crate) fn assertions(&self) -> usize {
        self.passed + self.by_assembler + self.by_host
    }

    /// Adds the counts of another one.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.passed += other.passed;
        self.by_assembler += other.by_assembler;
        self.by_host += other.by_host;
        self.unsupported += other.unsupported;
        self.starved += other.starved;
        self.missed += other.missed;
        for (reason, count) in other.skipped {
            self.skip(reason, count);
        }
        self.failures.extend(other.failures);
    }
}

/// The columns of [`Tally`]'s line. `by cause`: what needs something skipped; `moot`: wrong
/// modules that were refused for using a proposal which is off.
pub(crate) const HEADER: &str =
    "files  passed  (guest, assembler, host)  skipped  by cause  moot  failed  suite";

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judges = format!("({}, {}, {})", self.passed, self.by_assembler, self.by_host);
        let skipped: usize = self.skipped.values().sum();
        write!(
            f,
            "{:>5}  {:>6}  {judges:<24}  {skipped:>7}  {:>8}  {:>4}  {:>6}",
            self.files,
            self.assertions(),
            self.starved,
            self.unsupported,
            self.failures.len(),
        )
    }
}
