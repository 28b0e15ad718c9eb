//! Tracing in a hot loop: with nobody listening it should not be seen.

use super::{least, ratio};
use std::fs::File;
use std::hint::black_box;
use tracing_subscriber::layer::SubscriberExt as _;
use wrt_platform::trace::{Recorder, file_layer};

const TURNS: u64 = 20_000;

/// Work of about a microsecond, as much as the shortest exit of a guest.
#[inline(never)]
fn work(seed: u64) -> u64 {
    (0..400).fold(seed, |state, step| black_box(state.rotate_left(5) ^ step).wrapping_mul(31))
}

fn plain() {
    for turn in 0..TURNS {
        black_box(work(turn));
    }
}

fn traced(recorder: &Recorder) {
    for turn in 0..TURNS {
        recorder.interval("exit", || black_box(work(turn)));
    }
}

fn counted(recorder: &Recorder) {
    for turn in 0..TURNS {
        black_box(work(turn));
        recorder.value("exits", 1.0);
    }
}

pub(super) fn run() {
    let recorder = Recorder::new("org.wrt-vm.bench");
    let base = least(30, plain);
    let off = least(30, || traced(&recorder));
    let counter_off = least(30, || counted(&recorder));
    println!("  nothing listens, an interval a turn   {:.3} x no tracing", ratio(off, base));
    println!(
        "  nothing listens, a value a turn       {:.3} x no tracing",
        ratio(counter_off, base)
    );
    let nanos =
        |time: std::time::Duration| time.saturating_sub(base).as_nanos() / u128::from(TURNS);
    println!(
        "    which is {} ns and {} ns a turn of {} ns",
        nanos(off),
        nanos(counter_off),
        base.as_nanos() / u128::from(TURNS)
    );
    let (layer, file) = file_layer(File::create("/dev/null").unwrap()).unwrap();
    let registry = tracing_subscriber::registry().with(layer);
    let on = tracing::subscriber::with_default(registry, || least(5, || traced(&recorder)));
    println!(
        "  a trace file, an interval a turn      {:.2} x, {} ns more",
        ratio(on, base),
        nanos(on)
    );
    drop(file);
}
