//! What is skipped, and why.

use crate::suites::Script;

/// A part of the testsuite that does not pass.
#[derive(Debug)]
pub struct Skip {
    /// Name of the suite.
    pub suite: &'static str,
    /// Name of the file in it.
    pub file: &'static str,
    /// How much of the file.
    pub which: Which,
    /// Why.
    pub reason: &'static str,
}

/// How much of a file is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of it.
    File,
    /// The directives that begin on these lines.
    Lines(&'static [usize]),
}

/// All skips. The test fails for one that names nothing, or that would pass.
pub const SKIPS: &[Skip] = &[];

/// Complaints about skips of files that do not run.
pub fn without_file(scripts: &[Script]) -> Vec<String> {
    let names = |skip: &Skip, script: &Script| {
        skip.suite == script.suite && skip.file == script.name
    };
    SKIPS
        .iter()
        .filter(|skip| !scripts.iter().any(|script| names(skip, script)))
        .map(|skip| format!("{}/{}: skipped, but there is no such file", skip.suite, skip.file))
        .collect()
}
