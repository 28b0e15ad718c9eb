//! Why modules were refused, so that none is asked about twice.
//!
//! The suites have most of their wrong modules in common. On the native engine each question
//! takes a run of the compiler, and what it refuses is in no cache of code.

use std::collections::HashMap;
use std::sync::Mutex;

/// Modules that were refused in this run, on one setup.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Vec<u8>, String>>);

impl Refusals {
    /// Why exactly these bytes were refused, if they were.
    pub(crate) fn reason(&self, bytes: &[u8]) -> Option<String> {
        self.0.lock().expect("no thread panics with the lock").get(bytes).cloned()
    }

    /// Keeps why bytes were refused.
    pub(crate) fn keep(&self, bytes: &[u8], reason: &str) {
        let mut known = self.0.lock().expect("no thread panics with the lock");
        known.insert(bytes.to_owned(), reason.to_owned());
    }
}
