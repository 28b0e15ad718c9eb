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
mod tests;
