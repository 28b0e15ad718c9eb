//! Programs that other people's toolchains compile for WASI preview 1, run unchanged.
//!
//! `programs/foreign` has their sources, and a script that fetches the toolchains; nothing is
//! downloaded here. A program whose toolchain is missing is skipped, and says so.

mod programs;
mod run;
mod toolchains;

use run::run;

#[test]
fn c() {
    run(&programs::C);
}

#[test]
fn assemblyscript() {
    run(&programs::ASSEMBLYSCRIPT);
}

#[test]
fn zig() {
    run(&programs::ZIG);
}

#[test]
fn cpython() {
    run(&programs::CPYTHON);
}
