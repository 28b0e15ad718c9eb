//! What an engine tells its owner while a program is on its way.

use crate::error::Error;
use std::io;
use std::path::Path;

/// Something that is good to know, and of which the program's end says nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A module of so many bytes is being compiled.
    Compiling {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Another process compiles the module, and is waited for.
    Waiting,
    /// Compiling, or waiting for it, is over.
    Compiled,
    /// The module is larger than what is compiled in passing, and runs on the interpreter.
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// Whether compiled code would be kept.
        kept: bool,
    },
    /// The module could not be compiled, and runs on the interpreter.
    NotCompiled(&'a Error),
    /// Compiled code could not be kept in the cache.
    NotKept {
        /// The cache's directory.
        dir: &'a Path,
        /// Why.
        error: &'a io::Error,
    },
    /// The program is about to begin: its VM is there, and the process that has it is in its jail.
    Begins,
}

/// Hears what an engine has to tell. It is called on the threads that run programs, which wait for
/// it.
pub trait Observer: Send + Sync {
    /// Something about the program of this name.
    fn notice(&self, program: &str, notice: &Notice<'_>);
}

/// Hears nothing.
pub(super) struct Deaf;

impl Observer for Deaf {
    fn notice(&self, _program: &str, _notice: &Notice<'_>) {}
}
