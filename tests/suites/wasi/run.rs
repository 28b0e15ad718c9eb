//! Runs cases in VMs and compares what came of each.

use crate::programs::{Access, Case, Outcome, build, complaints, in_world};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;
use wrt_tests::{HANG, Setup};
use wrt_vm::error::TrapKind;
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Error, MicroVm, Module, WasiConfig};

/// More than any case prints.
const OUTPUT_MAX: usize = 16 << 20;

/// Threads that run cases, each with a VM of its own.
const THREADS: usize = 2;

/// Runs cases; panics with a paragraph for each that failed.
pub(crate) fn run_all(
    setup: Setup,
    modules: &Path,
    cases: impl ExactSizeIterator<Item = &'static Case> + Send,
) {
    let count = cases.len();
    let pending = Mutex::new(cases);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // One VM for all cases of this thread: what one leaves behind, a reset has to
                // take away before the next.
                let mut runner = Runner::new(setup, modules);
                loop {
                    let Some(case) = pending.lock().unwrap().next() else { break };
                    let complaints = runner.run(case);
                    if !complaints.is_empty() {
                        let text = format!("{}:\n  {}", case.name, complaints.join("\n  "));
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed on {setup}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// A VM that runs one case after another.
struct Runner {
    setup: Setup,
    vm: MicroVm,
    modules: PathBuf,
    loaded: HashMap<&'static str, Module>,
}

impl Runner {
    fn new(setup: Setup, modules: &Path) -> Self {
        Self { setup, vm: setup.vm(), modules: modules.to_owned(), loaded: HashMap::new() }
    }

    /// Runs a case in a world of its own; returns what is wrong with the result.
    fn run(&mut self, case: &'static Case) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder for the case's world");
        // The cases put the world's path into links and compare it.
        let world = folder.path().canonicalize().expect("the folder is there");
        let untouched = build(case, &world).expect("the case's world can be made");
        let stdout = OutputBuffer::new(OUTPUT_MAX);
        let stderr = OutputBuffer::new(OUTPUT_MAX);
        let wasi = config(self.setup, case, &world)
            .stdout(Output::Capture(stdout.clone()))
            .stderr(Output::Capture(stderr.clone()));
        let module = self.module(case.program);
        let ended = start(&mut self.vm, wasi, &module);

        let mut wrong = Vec::new();
        wrong.extend(compare_outcome(case.outcome, &ended));
        wrong.extend(compare_output("stdout", &case.stdout.bytes(), &stdout.contents()));
        let wanted = case.stderr.map(super::programs::Content::bytes);
        let printed = stderr.contents();
        if let Some(wanted) = wanted {
            wrong.extend(compare_output("stderr", &wanted, &printed));
        } else if !wrong.is_empty() {
            wrong.push(format!("stderr was {}", excerpt(&printed)));
        }
        match complaints(case, &world, &untouched) {
            Ok(complaints) => wrong.extend(complaints),
            Err(error) => wrong.push(format!("the world cannot be looked at: {error}")),
        }
        wrong
    }

    fn module(&mut self, program: &'static str) -> Module {
        let file = self.modules.join(program).with_extension("wasm");
        let load = || self.setup.module(Module::from_file(file).expect("the program was built"));
        self.loaded.entry(program).or_insert_with(load).clone()
    }
}

fn config(setup: Setup, case: &Case, world: &Path) -> WasiConfig {
    let mounts = (case.crosses && setup.is_jailed()).then_some("mounts");
    let mut wasi = WasiConfig::new()
        .arg(case.program)
        .args(case.args.iter().map(|arg| in_world(arg, world)))
        .args(mounts)
        .stdin(Stdin::Bytes(case.stdin.bytes()));
    for (name, value) in case.env {
        wasi = wasi.env(*name, *value);
    }
    for preopen in case.preopens {
        let host = world.join(preopen.host);
        wasi = match preopen.access {
            Access::ReadOnly => wasi.read_only_dir(host, preopen.guest),
            Access::ReadWrite => wasi.dir(host, preopen.guest),
        };
    }
    wasi
}

/// Runs the program to its end.
fn start(vm: &mut MicroVm, wasi: WasiConfig, module: &Module) -> Result<(), Error> {
    vm.set_deadline(Some(Instant::now() + HANG));
    vm.reset_with(wasi)?;
    let module = vm.load(module)?;
    let instance = vm.instantiate(module)?;
    vm.run(instance)
}

fn compare_outcome(wanted: Outcome, ended: &Result<(), Error>) -> Option<String> {
    let as_wanted = match (wanted, ended) {
        (Outcome::Exit(code), Err(Error::Exit(got))) => *got == i32::from(code),
        // The program may also return.
        (Outcome::Exit(code), Ok(())) => code == 0,
        (Outcome::Trap, Err(Error::Trap(trap))) => {
            matches!(trap.kind, TrapKind::Host | TrapKind::Unreachable)
        }
        // Codes that a host need not take; one that does ends the program as well.
        (Outcome::Trap, Err(Error::Exit(code))) => !(0..126).contains(code),
        _ => false,
    };
    let ended = match ended {
        Ok(()) => "the program returned".to_owned(),
        Err(error) => error.to_string(),
    };
    (!as_wanted).then(|| format!("wanted {wanted:?}, but: {ended}"))
}

fn compare_output(stream: &str, wanted: &[u8], got: &[u8]) -> Option<String> {
    if wanted == got {
        return None;
    }
    let same = wanted.iter().zip(got).take_while(|(a, b)| a == b).count();
    Some(format!(
        "{stream} differs from byte {same} on: wanted {} of {} bytes, got {} of {}",
        excerpt(&wanted[same..]),
        wanted.len(),
        excerpt(&got[same..]),
        got.len()
    ))
}

/// The beginning of some output, for people to read.
fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(500)];
    format!("\"{}\"", shown.escape_ascii())
}
