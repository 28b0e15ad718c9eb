//! WASI preview 1 from the inside: every case of `programs/wasi/cases.rs`, in a VM.
//!
//! The programs check the host themselves; a case says what they are given, and what must
//! have come of it: how they ended, what they printed, what the world on disk looks like.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod run;

/// The cases and their worlds, as whoever runs the programs shares them.
#[allow(missing_docs, unreachable_pub, reason = "included as is by other runners too")]
mod programs {
    include!("../../programs/wasi/cases.rs");
    include!("../../programs/wasi/world.rs");
}

use run::Runner;
use std::path::Path;
use std::sync::Mutex;
use wrt_tests::{Setup, matrix};

/// Threads that run cases, each with a VM of its own.
const THREADS: usize = 2;

#[test]
fn every_case_passes_on_every_backend() {
    let setups = matrix();
    if setups.is_empty() {
        return;
    }
    let modules = wrt_tests::programs::build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    for setup in setups {
        let failures = run_all(setup, &modules);
        assert!(
            failures.is_empty(),
            "{} of {} cases failed on {setup}:\n{}",
            failures.len(),
            programs::CASES.len(),
            failures.join("\n")
        );
    }
}

/// Runs all cases; returns a paragraph for each that failed.
fn run_all(setup: Setup, modules: &Path) -> Vec<String> {
    let pending = Mutex::new(programs::CASES.iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // One VM for all cases of this thread: what one leaves behind, a reset
                // has to take away before the next.
                let mut runner = Runner::new(setup, modules);
                loop {
                    let Some(case) = pending.lock().unwrap().next() else { break };
                    let complaints = runner.run(case);
                    if !complaints.is_empty() {
                        let text = format!("{}:\n  {}", case.name, complaints.join("\n  "));
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<&str> = programs::CASES.iter().map(|case| case.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a failing case could not be told by its name");
}
