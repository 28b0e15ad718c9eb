//! Replays what the fuzzers of `tests/fuzz` have found worth keeping: each input must run to its
//! end. Bugs that were found are cases with a name, in [`cases`].

mod cases;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod watch;

use std::panic::catch_unwind;
use wrt_fuzz::{TARGETS, Target};

/// Runs every input of a fuzzer's corpus.
fn replay(name: &str) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).expect("a fuzzer");
    let mut failed = Vec::new();
    let mut inputs = 0;
    target
        .each_input(|name, input| {
            inputs += 1;
            if catch_unwind(|| (target.fuzz)(input)).is_err() {
                failed.push(name.to_owned());
            }
        })
        .expect("each fuzzer has a corpus");
    println!("{name}: {inputs} inputs");
    assert!(inputs > 0, "an empty corpus proves nothing");
    assert!(failed.is_empty(), "of tests/fuzz/corpora/{name}.tar: {failed:#?}");
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
