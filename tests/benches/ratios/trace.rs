//! What traces that nobody takes cost: an exit of a bare VM with what the run loop records around
//! each of them, against one without.

use crate::pairs::{Pairs, Target};
use crate::raw::{RawVm, SMALLEST};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};
use wrt_platform::trace::Recorder;
use wrt_vm::machine::EXITS;

/// Exits in a run.
const COUNT: u32 = 500;
/// The two differ by less than an exit does from the next.
const PAIRS: usize = 151;

pub(crate) fn run() -> bool {
    let raw = RefCell::new(RawVm::new(&SMALLEST).expect("a raw VM"));
    let recorder = Recorder::new("org.wrt-vm");
    let timed = |exit: &dyn Fn(u32)| -> Duration {
        let started = Instant::now();
        (0..COUNT).for_each(exit);
        started.elapsed()
    };
    // As `host/src/machine/run.rs` has it.
    let recorded = |number: u32| {
        recorder.interval("guest", || raw.borrow_mut().run());
        recorder.value("exits", number.into());
        recorder.value("guest memory", number.into());
        tracing::trace!(target: EXITS, "{number}");
        recorder.interval("clock_time_get", || black_box(number));
    };
    let bare = |number: u32| {
        raw.borrow_mut().run();
        black_box(number);
    };
    let pairs = Pairs::measure(PAIRS, || timed(&recorded), || timed(&bare));
    pairs.print("an exit", f64::from(COUNT));
    Target::AtMost(1.01).judge("traces that nobody takes, ratio", pairs.ratio())
}
