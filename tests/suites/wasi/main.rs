//! WASI preview 1 from the inside: every case of `programs/wasi/cases.rs`, in a VM.
//!
//! The programs check the host themselves; a case says what they are given, and what must
//! have come of it: how they ended, what they printed, what the world on disk looks like.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod run;
mod unstable;

/// The cases and their worlds, as whoever runs the programs shares them.
#[allow(missing_docs, unreachable_pub, reason = "included as is by other runners too")]
mod programs {
    include!("../../programs/wasi/cases.rs");
    include!("../../programs/wasi/world.rs");
}

use run::run_all;
use std::path::Path;
use wrt_tests::matrix;

#[test]
fn every_case_passes_on_every_backend() {
    let setups = matrix();
    if setups.is_empty() {
        return;
    }
    let modules = wrt_tests::programs::build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    for setup in setups {
        run_all(setup, &modules, programs::CASES.iter());
    }
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<&str> = programs::CASES.iter().map(|case| case.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a failing case could not be told by its name");
}
