//! Components, on the native engine of every backend: WASI 0.2 from the inside, and what a
//! user of the library sees of them.
//!
//! Two sets of programs run here: those of `programs/components`, made for WASI 0.2, and those
//! of preview 1 (`programs/wasi`) in the adapter that makes components of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod adapted;
mod library;
mod limits;
#[path = "../wasi/run.rs"]
mod run;
mod text;

/// The cases and their worlds, as whoever runs the programs shares them.
#[allow(missing_docs, unreachable_pub, reason = "included as is by other runners too")]
mod programs {
    include!("../../programs/wasi/cases.rs");
    include!("../../programs/wasi/world.rs");
    include!("../../programs/components/cases.rs");
}

use programs::Case;
use run::Runner;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use wrt_tests::{Setup, matrix};
use wrt_vm::EngineKind;

/// Threads that run cases, each with a VM of its own.
const THREADS: usize = 2;
/// What takes this long hangs.
const HANG: Duration = Duration::from_secs(120);

/// Every setup that runs components.
fn setups() -> Vec<Setup> {
    let mut setups = matrix();
    setups.retain(|setup| setup.engine == EngineKind::Native);
    setups
}

#[test]
fn every_case_passes_on_every_backend() {
    let setups = setups();
    if setups.is_empty() {
        return;
    }
    let components = wrt_tests::programs::build_components(outputs());
    for setup in setups {
        run_all(setup, &components, programs::COMPONENT_CASES.iter());
    }
}

/// Where the programs are built.
fn outputs() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Runs cases; panics with a paragraph for each that failed.
fn run_all(
    setup: Setup,
    components: &Path,
    cases: impl ExactSizeIterator<Item = &'static Case> + Send,
) {
    let count = cases.len();
    let pending = Mutex::new(cases);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // One VM for all cases of this thread: what one leaves behind, a reset has to
                // take away before the next.
                let mut runner = Runner::new(setup, components);
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
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed on {setup}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
