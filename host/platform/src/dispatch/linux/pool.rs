//! The threads.
//!
//! There are three bands of them, since a thread that lowered its priority cannot raise it again
//! without privileges. The first band serves three classes by lanes with weights: none starves.
//! A band has as many running threads as there are processors. While some of its threads are
//! blocked it has more: those that wait in this module say so, others are found asleep by the
//! timer's thread when work is left lying.

mod band;
mod thread;

pub(super) use band::Band;
pub(super) use thread::blocking;

use crate::dispatch::QosClass;
use crate::dispatch::job::Job;
use std::io;
use std::sync::OnceLock;
use std::thread::available_parallelism;

/// The most threads of a band.
pub(crate) const THREADS_MAX: usize = 64;

/// Lanes of a band, and how many jobs each begins in turn.
const WEIGHTS: [u32; 3] = [8, 4, 2];

/// What the threads of a band are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Priority {
    Normal,
    Low,
    Idle,
}

static BANDS: [Band; 3] =
    [Band::new(Priority::Normal), Band::new(Priority::Low), Band::new(Priority::Idle)];

/// Where jobs of a class go: a band and a lane of it.
fn place(qos: QosClass) -> (&'static Band, usize) {
    match qos {
        QosClass::UserInteractive => (&BANDS[0], 0),
        QosClass::UserInitiated => (&BANDS[0], 1),
        QosClass::Default => (&BANDS[0], 2),
        QosClass::Utility => (&BANDS[1], 0),
        QosClass::Background => (&BANDS[2], 0),
    }
}

/// Has a thread run a job. If there is none, and none can be had, the job comes back.
pub(super) fn submit(qos: QosClass, job: Job) -> Result<(), (io::Error, Job)> {
    let (band, lane) = place(qos);
    band.submit(lane, job)
}

/// Gives bands with work left lying more threads, for those that are asleep; returns whether
/// there is one.
pub(super) fn relieve() -> bool {
    // All of them, not the first.
    BANDS.iter().filter(|band| band.relieve()).count() > 0
}

/// Threads of a band that run at a time: at least two, so that one may wait for the other.
pub(super) fn width() -> usize {
    static WIDTH: OnceLock<usize> = OnceLock::new();
    *WIDTH.get_or_init(|| available_parallelism().map_or(2, |n| n.get().clamp(2, THREADS_MAX)))
}

#[cfg(test)]
mod tests {
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
}
