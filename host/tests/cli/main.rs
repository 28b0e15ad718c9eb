//! The command line, as a user meets it: the binary itself, its streams and exit codes.

mod errors;
mod options;
mod signals;
mod streams;
mod support;
