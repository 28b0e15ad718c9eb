//! Generated modules on every engine: what a module does must not depend on who runs it.
//!
//! Each is run by both engines in VMs and by wasmtime in this process, and all that can be
//! seen from outside is compared bit by bit: results, kinds of traps, globals, memories.
//!
//! Needs a hypervisor. `DIFFERENTIAL_SEEDS=FIRST..END` runs other seeds than the usual ones.

mod generate;
mod process;
mod run;
mod values;
mod vm;

use generate::Generated;
use process::Process;
use run::Event;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use vm::Virtual;
use wrt_tests::{Setup, matrix};
use wrt_vm::EngineKind;

/// What runs unless something else is asked for: about a minute's worth.
const SEEDS: Range<u64> = 0..600;
/// Threads, with a VM of each setup in each.
const THREADS: usize = 2;
/// wasmtime wants as much as compiled code may use, beside its own frames.
const THREAD_STACK: usize = 16 << 20;

#[test]
fn all_engines_agree() {
    let setups = matrix();
    if setups.is_empty() {
        return;
    }
    let queue = Mutex::new(seeds());
    let totals = Mutex::new(Totals::default());
    let work = || {
        let mut vms: Vec<Virtual> = setups.iter().map(|setup| Virtual::new(*setup)).collect();
        loop {
            let next = queue.lock().expect("no thread panics with the lock").next();
            let Some(seed) = next else { return };
            let counted = check(seed, &mut vms);
            totals.lock().expect("no thread panics with the lock").add(counted);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let thread = thread::Builder::new().stack_size(THREAD_STACK);
            thread.spawn_scoped(scope, work).expect("the system has threads");
        }
    });
    let totals = totals.into_inner().expect("no thread panics with the lock");
    println!("{totals:#?}");
    let Totals { differences, returned, trapped, .. } = totals;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(returned > 0 && !trapped.is_empty(), "modules that do nothing prove nothing");
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("DIFFERENTIAL_SEEDS") else { return SEEDS };
    let ends =
        text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    ends.expect("DIFFERENTIAL_SEEDS is a range of numbers, like 300..1000")
}

/// What was compared, for a person to see whether it is worth something.
#[derive(Debug, Default)]
struct Totals {
    modules: usize,
    /// Modules that have proposals of the native engine alone.
    native_only: usize,
    /// Calls that returned, on one of the engines.
    returned: usize,
    /// Calls and instantiations that trapped, by kind.
    trapped: BTreeMap<&'static str, usize>,
    /// Bytes of memories that were compared.
    bytes: usize,
    differences: Vec<String>,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.modules += other.modules;
        self.native_only += other.native_only;
        self.returned += other.returned;
        for (kind, count) in other.trapped {
            *self.trapped.entry(kind).or_default() += count;
        }
        self.bytes += other.bytes;
        self.differences.extend(other.differences);
    }

    fn count(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Returned { .. } => self.returned += 1,
                Event::Trapped { kind, .. } => {
                    *self.trapped.entry(kind.message()).or_default() += 1
                }
                Event::Memory { bytes, .. } => self.bytes += bytes.len(),
                Event::Global { .. } | Event::Failed { .. } => {}
            }
        }
    }
}

/// Runs one module everywhere.
fn check(seed: u64, vms: &mut [Virtual]) -> Totals {
    let module = generate::module(seed);
    let mut totals =
        Totals { modules: 1, native_only: module.native_only.into(), ..Totals::default() };
    let mut process = Process::new(&module.bytes);
    let plan = process.plan();
    let expected = run::all(&mut process, &plan);
    totals.count(&expected);
    for vm in vms.iter_mut().filter(|vm| runs(vm.setup, &module)) {
        vm.take(&module.bytes);
        let got = run::all(vm, &plan);
        let Some(difference) = first_difference(&expected, &got) else { continue };
        let file = keep(seed, &module.bytes);
        totals.differences.push(format!("seed {seed} ({file}) on {}: {difference}", vm.setup));
    }
    totals
}

/// Whether an engine has all that a module may use.
fn runs(setup: Setup, module: &Generated) -> bool {
    setup.engine == EngineKind::Native || !module.native_only
}

fn first_difference(expected: &[Event], got: &[Event]) -> Option<String> {
    if let Some((expected, got)) = expected.iter().zip(got).find(|(expected, got)| expected != got)
    {
        let mut text = String::new();
        let _ = write!(text, "{got}, where wasmtime in a process has: {expected}");
        return Some(text);
    }
    (expected.len() != got.len())
        .then(|| format!("{} events, where wasmtime has {}", got.len(), expected.len()))
}

/// Leaves a module for a person to look at.
fn keep(seed: u64, bytes: &[u8]) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{seed}.wasm"));
    match std::fs::write(&file, bytes) {
        Ok(()) => file.display().to_string(),
        Err(error) => format!("not kept: {error}"),
    }
}
