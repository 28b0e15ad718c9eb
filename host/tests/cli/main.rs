//! The command line, as a user meets it: the binary itself, its streams and exit codes.

mod backends;
mod cache;
mod compile;
mod components;
mod descriptors;
mod doctor;
mod engines;
mod errors;
mod exit;
mod jail;
mod jobs;
mod large;
mod log;
mod options;
mod output;
mod selftest;
mod signals;
mod streams;
mod support;
mod tasks;
mod trace;
mod unread;
mod version;
mod workers;
