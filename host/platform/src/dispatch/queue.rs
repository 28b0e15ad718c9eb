//! Queues of jobs.

use super::job::{Job, Place, contain, inside, run};
use super::{DispatchError, QosClass, sys};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Says what a [`Queue`] is to be like.
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueBuilder {
    label: String,
    qos: QosClass,
    concurrent: bool,
}

impl QueueBuilder {
    /// How urgent the queue's jobs are: [`QosClass::Default`] unless this says else.
    pub fn with_qos(mut self, qos: QosClass) -> Self {
        self.qos = qos;
        self
    }

    /// Whether jobs run side by side: they do not unless this says so.
    pub fn with_concurrent(mut self, concurrent: bool) -> Self {
        self.concurrent = concurrent;
        self
    }

    /// Makes the queue.
    ///
    /// # Errors
    ///
    /// `Label` when the label has a zero byte.
    pub fn build(self) -> Result<Queue, DispatchError> {
        if self.label.contains('\0') {
            return Err(DispatchError::Label);
        }
        let queue = sys::Queue::new(&self.label, self.qos, self.concurrent);
        Ok(Queue::from_parts(queue, self.label, self.qos, self.concurrent, false))
    }
}

/// Jobs that run one after the other, in their order (serial), or side by side, begun in their
/// order (concurrent). A clone is the same queue; jobs outlive it.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: sys::Queue,
    label: String,
    qos: QosClass,
    concurrent: bool,
    global: bool,
    id: u64,
    panics: Arc<AtomicU64>,
}

impl Queue {
    /// Begins a serial queue of [`QosClass::Default`]. The label is for people and debuggers.
    pub fn create(label: impl Into<String>) -> QueueBuilder {
        QueueBuilder { label: label.into(), qos: QosClass::Default, concurrent: false }
    }

    /// The concurrent queue of a class that all of the process shares. A barrier is an ordinary
    /// job there.
    pub fn global(qos: QosClass) -> Self {
        let label = format!("global {qos:?}");
        Self::from_parts(sys::Queue::global(qos), label, qos, true, true)
    }

    fn from_parts(
        queue: sys::Queue,
        label: String,
        qos: QosClass,
        concurrent: bool,
        global: bool,
    ) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Inner { queue, label, qos, concurrent, global, id, panics: Arc::default() }))
    }

    /// The queue's label.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// How urgent its jobs are.
    pub fn qos(&self) -> QosClass {
        self.0.qos
    }

    /// Whether its jobs run side by side.
    pub fn is_concurrent(&self) -> bool {
        self.0.concurrent
    }

    /// How many asynchronous jobs panicked.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Submits a job and returns at once.
    ///
    /// # Errors
    ///
    /// `System` when there is no thread and the system refuses one; the job is dropped then.
    pub fn exec_async(&self, job: impl FnOnce() + Send + 'static) -> Result<(), DispatchError> {
        self.submit(job, false)
    }

    /// Submits a job that begins when all before it are done, and before which none behind it
    /// begins. On a serial queue, and a global one, that is [`Self::exec_async`].
    ///
    /// # Errors
    ///
    /// As [`Self::exec_async`].
    pub fn barrier_async(&self, job: impl FnOnce() + Send + 'static) -> Result<(), DispatchError> {
        self.submit(job, true)
    }

    fn submit(
        &self,
        job: impl FnOnce() + Send + 'static,
        barrier: bool,
    ) -> Result<(), DispatchError> {
        self.0
            .queue
            .submit(self.contained(job, barrier), barrier && !self.0.global)
            .map_err(Into::into)
    }

    /// Runs a job in its turn, waits for it and returns what it returns. It may run on the
    /// caller's thread. From within a job of the same concurrent queue it runs right away.
    ///
    /// # Errors
    ///
    /// `Deadlock` from within a job of this queue that runs alone; `Panicked`. Two queues whose
    /// jobs wait for each other on two threads are not detected.
    pub fn exec_sync<R: Send>(&self, job: impl FnOnce() -> R + Send) -> Result<R, DispatchError> {
        match inside(self.0.id) {
            Some(Place { alone: true, .. }) => Err(self.deadlock()),
            Some(place) => run(place, job).map_err(DispatchError::Panicked),
            None => self.wait_for(job, false),
        }
    }

    /// As [`Self::exec_sync`], as a barrier.
    ///
    /// # Errors
    ///
    /// `Deadlock` from within any job of this queue; `Panicked`.
    pub fn barrier_sync<R: Send>(
        &self,
        job: impl FnOnce() -> R + Send,
    ) -> Result<R, DispatchError> {
        if self.0.global {
            return self.exec_sync(job);
        }
        match inside(self.0.id) {
            Some(_) => Err(self.deadlock()),
            None => self.wait_for(job, true),
        }
    }

    fn wait_for<R: Send>(
        &self,
        job: impl FnOnce() -> R + Send,
        barrier: bool,
    ) -> Result<R, DispatchError> {
        let place = self.place(barrier);
        let (mut job, mut result) = (Some(job), None);
        self.0
            .queue
            .run(&mut || result = job.take().map(|job| run(place, job)), barrier && !self.0.global);
        match result {
            Some(result) => result.map_err(DispatchError::Panicked),
            // No system does that.
            None => Err(DispatchError::Panicked("it was not run".into())),
        }
    }

    /// Submits a job after a time.
    ///
    /// # Errors
    ///
    /// As [`Self::exec_async`].
    pub fn after(
        &self,
        delay: Duration,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), DispatchError> {
        self.0.queue.after(delay, self.contained(job, false)).map_err(Into::into)
    }

    /// Runs a job for each number below `count`, side by side if the queue is concurrent, and
    /// waits for all. The caller's thread helps.
    ///
    /// # Errors
    ///
    /// `Deadlock` from within a job of this queue that runs alone; `Panicked` with the first
    /// panic's message, when all the others have run.
    pub fn apply(&self, count: usize, job: impl Fn(usize) + Sync) -> Result<(), DispatchError> {
        let here = inside(self.0.id);
        if here.is_some_and(|place| place.alone) {
            return Err(self.deadlock());
        }
        let (place, panic) = (self.place(false), Mutex::new(None));
        let one = |number| {
            if let Err(message) = run(place, || job(number)) {
                panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
            }
        };
        self.0.queue.apply(count, here.is_some(), &one);
        match panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(message) => Err(DispatchError::Panicked(message)),
            None => Ok(()),
        }
    }

    /// For the group's notification.
    pub(super) fn system(&self) -> &sys::Queue {
        &self.0.queue
    }

    /// What surrounds a job of this queue.
    pub(super) fn contained(&self, job: impl FnOnce() + Send + 'static, barrier: bool) -> Job {
        let (place, panics) = (self.place(barrier), Arc::clone(&self.0.panics));
        Box::new(move || contain(place, &panics, job))
    }

    fn place(&self, barrier: bool) -> Place {
        let alone = !self.0.concurrent || (barrier && !self.0.global);
        Place { queue: self.0.id, alone }
    }

    fn deadlock(&self) -> DispatchError {
        DispatchError::Deadlock(self.0.label.clone())
    }
}
