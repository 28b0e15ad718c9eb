//! What the systems cost, as ratios: `cargo bench -p wrt-platform --bench costs [PART]`.
//!
//! Times are the least of many runs, since what disturbs only adds.
#![expect(clippy::unwrap_used, reason = "a bench may fail")]

mod copy;
mod sandbox;
mod trace;
mod vector;

use std::time::{Duration, Instant};

fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let parts: [(&str, fn()); 4] = [
        ("trace", trace::run),
        ("vector", vector::run),
        ("copy", copy::run),
        ("sandbox", sandbox::run),
    ];
    for (name, run) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("{name}");
            run();
        }
    }
}

/// The least time of `runs`.
fn least(runs: usize, mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..runs).map(time).min().unwrap_or_default()
}

/// How many times as long.
fn ratio(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}
