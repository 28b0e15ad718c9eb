//! The official WebAssembly testsuite, run through the library in micro-VMs.
//!
//! Needs a hypervisor. Set `SPEC_FILTER` to run only files whose `engine/suite/name`
//! contains it.

mod directive;
mod refusals;
mod script;
mod skips;
mod suites;
mod tally;
mod traps;
mod values;
mod verdict;
mod world;

use refusals::Refusals;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;
use suites::Script;
use tally::Tally;
use wrt_tests::{Setup, matrix};
use wrt_vm::Module;

/// Threads, with a VM each.
const THREADS: usize = 2;
/// The assembler descends into nested blocks, and there are deep ones.
const THREAD_STACK: usize = 16 << 20;

#[test]
fn testsuite() {
    for setup in matrix() {
        let filter = std::env::var("SPEC_FILTER").ok();
        let chosen = |script: &Script| match &filter {
            Some(part) => {
                format!("{}/{}/{}", setup.engine, script.suite, script.name).contains(part)
            }
            None => true,
        };
        let scripts: Vec<Script> =
            suites::scripts(setup.engine).into_iter().filter(chosen).collect();
        let started = Instant::now();
        let tallies = run_all(setup, &scripts);
        println!("WebAssembly testsuite on {setup}, {:.1?}", started.elapsed());
        let mut failures = report(&tallies);
        if filter.is_none() {
            failures.extend(suites::complaints(setup.engine, &tallies));
            failures.extend(skips::without_file(setup.engine, &scripts));
        }
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    }
}

/// Runs the scripts and adds up each suite.
fn run_all(setup: Setup, scripts: &[Script]) -> BTreeMap<String, Tally> {
    let spectest = Module::from_text(include_str!("spectest.wat")).expect("spectest assembles");
    let refusals = Refusals::default();
    let queue = Mutex::new(scripts.iter());
    let tallies = Mutex::new(BTreeMap::<String, Tally>::new());
    let work = || {
        let mut vm = setup.vm();
        loop {
            let next = queue.lock().expect("no thread panics with the lock").next();
            let Some(script) = next else { return };
            let tally = script::run(&mut vm, &spectest, &refusals, script);
            let mut tallies = tallies.lock().expect("no thread panics with the lock");
            tallies.entry(script.suite.clone()).or_default().add(tally);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let thread = thread::Builder::new().stack_size(THREAD_STACK);
            thread.spawn_scoped(scope, work).expect("the system has threads");
        }
    });
    tallies.into_inner().expect("no thread panics with the lock")
}

/// Prints the counts; returns the failures.
fn report(tallies: &BTreeMap<String, Tally>) -> Vec<String> {
    let mut all = Tally::default();
    println!("{}", tally::HEADER);
    for (suite, tally) in tallies {
        println!("{tally}  {suite}");
        all.add(tally.clone());
    }
    println!("{all}  all");
    for (reason, count) in &all.skipped {
        println!("skipped {count:>5}: {reason}");
    }
    all.failures
}
