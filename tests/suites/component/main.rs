//! Components, on the native engine of every backend: WASI 0.2 from the inside, and what a
//! user of the library sees of them.
//!
//! Two sets of programs run here: those of `programs/components`, made for WASI 0.2, and those
//! of preview 1 (`programs/wasi`) in the adapter that makes components of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod adapted;
mod imports;
mod library;
mod limits;
#[path = "../wasi/run.rs"]
mod run;
mod table;
mod text;

/// The cases and their worlds, as whoever runs the programs shares them.
#[allow(missing_docs, unreachable_pub, reason = "included as is by other runners too")]
mod programs {
    include!("../../programs/wasi/cases.rs");
    include!("../../programs/wasi/world.rs");
    include!("../../programs/components/cases.rs");
}

use run::run_all;
use std::path::Path;
use wrt_tests::{HANG, Setup, matrix};
use wrt_vm::EngineKind;

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
