//! The programs, and what must come of each.
//!
//! All are given the same: [`ARGS`], [`GREETING`], [`INPUT`] and an empty directory.

use crate::toolchains::{self, Toolchain};

/// The arguments after the program's own name.
pub(crate) const ARGS: [&str; 3] = ["a b", "", "ü"];
/// The whole environment: a variable of this name, and its value.
pub(crate) const GREETING: (&str, &str) = ("GREETING", "hello, world");
/// All of standard input: three numbers, as lines of which the last has no end.
pub(crate) const INPUT: &str = "1\n0x10\n-3";

/// All of standard error.
pub(crate) const ERRORS: &str = "to standard error\n";
/// A code that nothing but the program itself comes upon.
pub(crate) const EXIT_CODE: i32 = 7;

/// A program of `programs/foreign`.
pub(crate) struct Program {
    /// What makes a module of it.
    pub(crate) toolchain: Toolchain,
    /// Arguments before [`ARGS`].
    pub(crate) args: &'static [&'static str],
    /// All of standard output.
    pub(crate) stdout: &'static str,
    /// All files that are in the directory afterwards, and what is in them.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

pub(crate) const C: Program = Program {
    toolchain: toolchains::CLANG,
    args: &[],
    stdout: include_str!("../../programs/foreign/c/stdout"),
    files: &[
        ("kept", "This is"),
        ("made/c", "This is c.\n"),
        ("made/d", "This is d.\n"),
        ("made/e", "This is e.\n"),
    ],
};

pub(crate) const ASSEMBLYSCRIPT: Program = Program {
    toolchain: toolchains::ASSEMBLYSCRIPT,
    args: &[],
    stdout: include_str!("../../programs/foreign/assemblyscript/stdout"),
    files: &[],
};

pub(crate) const ZIG: Program = Program {
    toolchain: toolchains::ZIG,
    args: &[],
    stdout: include_str!("../../programs/foreign/zig/stdout"),
    files: &[("kept", "a and 3 more")],
};

pub(crate) const CPYTHON: Program = Program {
    toolchain: toolchains::CPYTHON,
    args: &["-c", include_str!("../../programs/foreign/python/foreign.py")],
    stdout: include_str!("../../programs/foreign/python/stdout"),
    files: &[
        ("1.txt", "line ü\n"),
        ("2.txt", "line ü\nline ü\n"),
        ("3.txt", "line ü\nline ü\nline ü\n"),
        ("moved.txt", "line ü\nline ü\nline ü\nline ü\n"),
    ],
};
