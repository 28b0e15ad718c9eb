//! Clocks, and waiting for them and for standard input.

use std::time::{Duration, Instant, SystemTime};
use wasip2::cli::stdin::get_stdin;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::poll;

const MILLISECOND: u64 = 1_000_000;

fn main() {
    let (first, second) = (monotonic_clock::now(), monotonic_clock::now());
    assert!(first <= second);
    assert!((1..=1_000_000_000).contains(&monotonic_clock::resolution()));
    assert!(wall_clock::now().seconds > 1_700_000_000);
    let resolution = wall_clock::resolution();
    assert!(resolution.seconds <= 1 && resolution.nanoseconds < 1_000_000_000);
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);

    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(30));
    assert!(before.elapsed() >= Duration::from_millis(30));

    let start = monotonic_clock::now();
    monotonic_clock::subscribe_duration(20 * MILLISECOND).block();
    assert!(monotonic_clock::now() - start >= 20 * MILLISECOND);
    let past = monotonic_clock::subscribe_instant(start);
    assert!(past.ready());
    past.block();
    let never = monotonic_clock::subscribe_duration(u64::MAX);
    assert!(!never.ready());

    let soon = monotonic_clock::subscribe_duration(20 * MILLISECOND);
    let late = monotonic_clock::subscribe_duration(3_600_000 * MILLISECOND);
    assert_eq!(poll(&[&late, &soon, &never]), [1]);
    assert_eq!(poll(&[&past, &late, &soon]), [0, 2]);

    // Standard input has a line and its end: it is ready before any of the others.
    let stdin = get_stdin();
    let input = stdin.subscribe();
    assert_eq!(poll(&[&late, &input]), [1]);
    input.block();
    assert!(input.ready());
    assert_eq!(stdin.blocking_read(100).unwrap(), b"a line\n");
    loop {
        // Nothing yet, or the end.
        match stdin.read(100) {
            Ok(bytes) => assert!(bytes.is_empty()),
            Err(_) => break,
        }
        poll(&[&input]);
    }
    println!("done");
}
