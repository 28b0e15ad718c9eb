//! Replays what the fuzzers of `tests/fuzz` have found worth keeping: each input must run to its
//! end. Bugs that were found are cases with a name, in [`cases`].

mod cases;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watch;

use std::fs;
use std::panic::catch_unwind;
use wrt_fuzz::{TARGETS, Target};

/// Runs every input of a fuzzer's corpus.
fn replay(name: &str) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).expect("a fuzzer");
    let entries = fs::read_dir(target.corpus()).expect("each fuzzer has a corpus");
    let mut failed = Vec::new();
    let mut inputs = 0;
    for entry in entries {
        let path = entry.expect("an entry of the corpus").path();
        let input = fs::read(&path).expect("an input");
        inputs += 1;
        if catch_unwind(|| (target.fuzz)(&input)).is_err() {
            failed.push(path.display().to_string());
        }
    }
    println!("{name}: {inputs} inputs");
    assert!(inputs > 0, "an empty corpus proves nothing");
    assert!(failed.is_empty(), "{failed:#?}");
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_fuzzer_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replay! { cache dispatcher exits fetches image mailbox wasi wire worker }
