//! Watches the level and calls handlers.

use super::debounce::Debouncer;
use super::{PressureLevel, Source, now, sys};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How often the level is looked at if nothing tells that it changed.
const INTERVAL: Duration = Duration::from_millis(500);
/// For how long a fall has to last.
const SETTLE: Duration = Duration::from_secs(3);

/// Why pressure is not watched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PressureError {
    /// It is watched already.
    #[error("the monitor runs already: stop it first")]
    Running,
    /// The operating system refused.
    #[error("watch memory pressure: {0}")]
    System(io::Error),
}

impl From<io::Error> for PressureError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

type Handler = Arc<dyn Fn(PressureLevel) + Send + Sync>;

/// Calls handlers when the level changes, on a thread of its own: a rise at once, a fall when it
/// has lasted three seconds or [`Self::with_settle_time`]. Stops when dropped.
pub struct PressureMonitor {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    settle: Duration,
}

#[derive(Default)]
struct Shared {
    handlers: Mutex<Vec<Handler>>,
    level: AtomicU8,
}

struct Running {
    thread: JoinHandle<()>,
    waker: sys::Waker,
    /// The thread's own: it may outlive a stop by a handler, and another start.
    stop: Arc<AtomicBool>,
}

impl Default for PressureMonitor {
    fn default() -> Self {
        Self::new()
    }
}

impl PressureMonitor {
    /// A monitor that does not run yet.
    pub fn new() -> Self {
        Self { shared: Arc::default(), running: Mutex::default(), settle: SETTLE }
    }

    /// For how long a lower level has to last before it is reported.
    #[must_use]
    pub fn with_settle_time(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// Adds a handler. Handlers are called one after the other, in the order in which they were
    /// added, with each new level, which is normal at first. A handler's panic is contained.
    pub fn on_pressure(&self, handler: impl Fn(PressureLevel) + Send + Sync + 'static) {
        lock(&self.shared.handlers).push(Arc::new(handler));
    }

    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// `Running`; else what the system says.
    pub fn start(&self) -> Result<(), PressureError> {
        let (source, waker) = sys::open()?;
        self.start_with(source, waker, now::publish)
    }

    fn start_with(
        &self,
        mut source: impl Source + 'static,
        waker: sys::Waker,
        publish: fn(PressureLevel),
    ) -> Result<(), PressureError> {
        let mut running = lock(&self.running);
        if running.is_some() {
            return Err(PressureError::Running);
        }
        let (shared, settle) = (Arc::clone(&self.shared), self.settle);
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let watch = move || shared.watch(&mut source, &stopped, settle, publish);
        let thread = thread::Builder::new().name("memory pressure".into()).spawn(watch)?;
        *running = Some(Running { thread, waker, stop });
        Ok(())
    }

    /// Stops watching: no handler runs when this returns, unless a handler calls it.
    pub fn stop(&self) {
        let running = lock(&self.running).take();
        if let Some(Running { thread, waker, stop }) = running {
            stop.store(true, Ordering::Relaxed);
            waker.wake();
            if thread.thread().id() != thread::current().id() {
                // It contains its handlers' panics.
                let _ = thread.join();
            }
        }
    }

    /// The level that was reported last, normal at first.
    pub fn level(&self) -> PressureLevel {
        PressureLevel::ALL[usize::from(self.shared.level.load(Ordering::Relaxed) & 3)]
    }
}

impl Drop for PressureMonitor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for PressureMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PressureMonitor").field("level", &self.level()).finish_non_exhaustive()
    }
}

impl Shared {
    fn watch(
        &self,
        source: &mut impl Source,
        stop: &AtomicBool,
        settle: Duration,
        publish: fn(PressureLevel),
    ) {
        let mut debouncer = Debouncer::new(settle);
        let limit = INTERVAL.min(settle.max(Duration::from_millis(1)));
        while !stop.load(Ordering::Relaxed) {
            let level = source.wait(limit);
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let news = debouncer.observe(level, Instant::now());
            publish(debouncer.level());
            if let Some(level) = news {
                self.level.store(level as u8, Ordering::Relaxed);
                // A copy, so that a handler may add one.
                let handlers = lock(&self.handlers).clone();
                for handler in handlers {
                    let _ = catch_unwind(AssertUnwindSafe(|| handler(level)));
                }
            }
        }
    }
}

/// Locks what is whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
