//! Weights of lanes, and threads that end.

use super::*;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn no_lane_starves_and_the_urgent_go_first() {
    // A band of the test's own, all of whose threads wait until the lanes are full.
    static BAND: Band = Band::new(Priority::Normal);
    let (order, began) = channel();
    let gate = std::sync::Arc::new(std::sync::RwLock::new(()));
    let held = gate.write().unwrap();
    let submit = |lane: usize, name: usize| {
        let (order, gate) = (order.clone(), std::sync::Arc::clone(&gate));
        let job = Box::new(move || {
            drop(gate.read());
            order.send(name).unwrap();
        });
        assert!(BAND.submit(lane, job).is_ok());
    };
    let first = width();
    (0..first).for_each(|_| submit(0, 9));
    while BAND.threads() < first {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..100 {
        (0..3).for_each(|lane| submit(lane, lane));
    }
    drop(held);
    let all: Vec<_> = (0..300 + first).map(|_| began.recv().unwrap()).collect();
    let early = all.iter().filter(|name| **name != 9).take(140);
    let mut counts = [0; 3];
    early.for_each(|lane| counts[*lane] += 1);
    assert!(counts[0] > counts[1] && counts[1] > counts[2] && counts[2] > 5, "{counts:?}");
}
