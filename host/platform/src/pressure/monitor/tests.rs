//! The monitor over levels that the test says.

use super::PressureLevel::{Critical, Normal, Urgent, Warning};
use super::*;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// Says what it is told.
struct Told {
    levels: Receiver<PressureLevel>,
    last: PressureLevel,
}

impl Source for Told {
    fn wait(&mut self, limit: Duration) -> PressureLevel {
        match self.levels.recv_timeout(limit) {
            Ok(level) => self.last = level,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(limit),
        }
        self.last
    }
}

/// A monitor that runs, what tells it, and what its handler is told.
fn told(settle: Duration) -> (PressureMonitor, Sender<PressureLevel>, Receiver<PressureLevel>) {
    let monitor = PressureMonitor::new().with_settle_time(settle);
    let ((tell, levels), (heard, hear)) = (channel(), channel());
    monitor.on_pressure(|_| panic!("contained"));
    monitor.on_pressure(move |level| heard.send(level).unwrap());
    let (_, waker) = sys::open().unwrap();
    monitor.start_with(Told { levels, last: Normal }, waker, |_| ()).unwrap();
    (monitor, tell, hear)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn handlers_hear_of_each_change() {
    let (monitor, tell, hear) = told(Duration::from_millis(20));
    for level in [Warning, Critical] {
        tell.send(level).unwrap();
        assert_eq!(hear.recv_timeout(LONG), Ok(level));
    }
    tell.send(Normal).unwrap();
    assert_eq!(hear.recv_timeout(LONG), Ok(Normal), "the fall lasted");
    assert_eq!(monitor.level(), Normal);
}

#[test]
fn a_short_fall_is_not_heard_of() {
    let (monitor, tell, hear) = told(LONG);
    for level in [Urgent, Normal, Urgent, Normal, Critical] {
        tell.send(level).unwrap();
    }
    assert_eq!(hear.recv_timeout(LONG), Ok(Urgent));
    assert_eq!(hear.recv_timeout(LONG), Ok(Critical));
    assert_eq!(monitor.level(), Critical);
}

#[test]
fn no_handler_runs_after_a_stop() {
    let (monitor, tell, hear) = told(LONG);
    let error = monitor.start().unwrap_err();
    assert!(matches!(error, PressureError::Running));
    drop(monitor);
    let _ = tell.send(Critical);
    assert!(hear.recv().is_err(), "the handler itself is gone");
}

#[test]
fn a_stop_waits_for_the_handler_that_runs() {
    let monitor = PressureMonitor::new();
    let ((tell, levels), (heard, hear)) = (channel(), channel());
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    monitor.on_pressure(move |_| {
        heard.send(()).unwrap();
        thread::sleep(Duration::from_millis(100));
        ended.store(true, Ordering::SeqCst);
    });
    let (_, waker) = sys::open().unwrap();
    monitor.start_with(Told { levels, last: Normal }, waker, |_| ()).unwrap();
    tell.send(Warning).unwrap();
    hear.recv_timeout(LONG).unwrap();
    monitor.stop();
    assert!(over.load(Ordering::SeqCst));
}

#[test]
fn a_handler_may_stop_its_monitor_and_it_starts_again() {
    let monitor = Arc::new(PressureMonitor::new());
    let ((tell, levels), (heard, hear)) = (channel(), channel());
    let weak = Arc::downgrade(&monitor);
    monitor.on_pressure(move |level| {
        weak.upgrade().unwrap().stop();
        heard.send(level).unwrap();
    });
    let (_, waker) = sys::open().unwrap();
    monitor.start_with(Told { levels, last: Normal }, waker, |_| ()).unwrap();
    tell.send(Warning).unwrap();
    assert_eq!(hear.recv_timeout(LONG), Ok(Warning));
    monitor.start().unwrap();
}
