//! Honest VMs beside the evil one: they compute, and their memory is looked at.

use super::maps::{self, Process, Span};
use anyhow::{Context as _, Result, bail, ensure};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wrt_tests::Setup;
use wrt_vm::vm::{Function, Memory};
use wrt_vm::{MicroVm, Module, Value};

/// Bytes of a neighbour's memory.
const SIZE: usize = 16 << 10;
/// A step's number and a word's make the word.
const OF_STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const OF_WORD: u64 = 0xc2b2_ae3d_27d4_eb4f;
/// A neighbour that takes no step in this time does not make progress.
const STUCK: Duration = Duration::from_secs(30);
/// Between two steps, and between two looks at whether one was made.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes all of its memory at each step.
fn program() -> String {
    let (step, word) = (OF_STEP.cast_signed(), OF_WORD.cast_signed());
    format!(
        r#"(module
            (memory (export "memory") 1)
            (global $steps (mut i64) (i64.const 0))
            (func (export "step") (result i64) (local $at i32)
                (global.set $steps (i64.add (global.get $steps) (i64.const 1)))
                (loop $words
                    (i64.store (local.get $at)
                        (i64.xor
                            (i64.mul (global.get $steps) (i64.const {step}))
                            (i64.mul (i64.extend_i32_u (local.get $at)) (i64.const {word}))))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $words (i32.lt_u (local.get $at) (i32.const {SIZE}))))
                (global.get $steps)))"#
    )
}

/// An honest VM and what it shall hold.
struct Honest {
    vm: MicroVm,
    step: Function,
    memory: Memory,
    steps: u64,
    /// What its memory shall hold, and what it was found to hold.
    expected: Vec<u8>,
    found: Vec<u8>,
}

impl Honest {
    fn new(setup: Setup) -> Result<Self> {
        let mut vm = setup.builder().max_memory(16 << 20).build().context("a neighbour")?;
        let loaded = vm.load(&setup.module(Module::from_text(&program())?))?;
        let instance = vm.instantiate(loaded)?;
        let step = vm.function(instance, "step")?;
        let memory = vm.memory(instance, "memory")?;
        let (expected, found) = (vec![0; SIZE], vec![0; SIZE]);
        let mut honest = Self { vm, step, memory, steps: 0, expected, found };
        honest.step()?;
        Ok(honest)
    }

    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        let results = self.vm.call(&self.step, &[])?;
        ensure!(results == [Value::I64(self.steps.cast_signed())], "a step returned {results:?}");
        let of_step = self.steps.wrapping_mul(OF_STEP);
        for (at, word) in (0_u64..).zip(self.expected.chunks_exact_mut(8)) {
            word.copy_from_slice(&(of_step ^ (at * 8).wrapping_mul(OF_WORD)).to_le_bytes());
        }
        Ok(())
    }

    /// Looks at all of its memory.
    fn check(&mut self) -> Result<()> {
        self.vm.read_memory(self.memory, 0, &mut self.found)?;
        if self.found != self.expected {
            let same = |(found, expected): (&u8, &u8)| found == expected;
            let at = self.found.iter().zip(&self.expected).take_while(|pair| same(*pair)).count();
            bail!("a neighbour's memory was changed at {at:#x}");
        }
        Ok(())
    }
}

/// A neighbour that works, on a thread of its own.
pub(crate) struct Working {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    steps: AtomicU64,
    stop: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Working {
    pub(crate) fn start(setup: Setup) -> Result<Self> {
        let mut honest = Honest::new(setup)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("neighbour".to_owned()).spawn(move || {
            while !theirs.stop.load(Ordering::Relaxed) {
                if let Err(error) = honest.step().and_then(|()| honest.check()) {
                    let failure = format!("a neighbour ({setup}) failed: {error:#}");
                    *theirs.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                    return;
                }
                theirs.steps.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(PAUSE);
                // Nor does anything change while nobody works.
                if let Err(error) = honest.check() {
                    let failure = format!("a neighbour ({setup}) was disturbed: {error:#}");
                    *theirs.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                    return;
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.shared.steps.load(Ordering::Relaxed)
    }

    /// Waits until it has come further than to a number of steps.
    pub(crate) fn passes(&self, steps: u64) -> Result<()> {
        let started = Instant::now();
        while self.steps() <= steps {
            let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(failure.is_none(), "{}", failure.as_deref().unwrap_or_default());
            drop(failure);
            ensure!(started.elapsed() < STUCK, "a neighbour makes no progress");
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A neighbour that sleeps: nothing of its memory may change, to the last byte of its kernel's.
pub(crate) struct Sleeping {
    honest: Honest,
    process: Process,
    memory: Vec<Span>,
    hash: u64,
}

impl Sleeping {
    pub(crate) fn new(setup: Setup) -> Result<Self> {
        let before = maps::read(Process::This)?;
        let honest = Honest::new(setup)?;
        let (process, before) = match honest.vm.worker() {
            // All of a worker's is its VM's.
            Some(id) => (Process::Worker(id), Vec::new()),
            None => (Process::This, before),
        };
        let memory = maps::new_since(&before, &maps::read(process)?);
        ensure!(!memory.is_empty(), "no memory of a neighbour was found");
        let hash = maps::hash(process, &memory)?;
        Ok(Self { honest, process, memory, hash })
    }

    /// Looks at its memory, wakes it up and has it work.
    pub(crate) fn check(&mut self) -> Result<()> {
        let hash = maps::hash(self.process, &self.memory)?;
        ensure!(hash == self.hash, "the memory of a neighbour that slept was changed");
        self.honest.check()?;
        self.honest.step()?;
        self.honest.check()?;
        self.hash = maps::hash(self.process, &self.memory)?;
        Ok(())
    }
}
