//! Grand Central Dispatch.

use super::QosClass;
use super::job::Job;
use dispatch2::{
    DispatchGroup, DispatchQoS, DispatchQueue, DispatchQueueAttr, DispatchRetained,
    DispatchSemaphore, DispatchTime, GlobalQueueIdentifier,
};
use std::ffi::c_void;
use std::io;
use std::time::Duration;

unsafe extern "C" {
    /// `dispatch/group.h`. dispatch2's own keeps a reference that only its own guard gives back.
    fn dispatch_group_enter(group: &DispatchGroup);
}

/// The most threads that the kernel gives a process for its queues (`WORKQUEUE_MAXTHREADS`,
/// bsd/pthread/workqueue_internal.h; a concurrent queue gets an eighth of them).
pub(super) const THREADS_MAX: usize = 512;

pub(super) fn how() -> String {
    "libdispatch".into()
}

fn class(qos: QosClass) -> DispatchQoS {
    match qos {
        QosClass::Background => DispatchQoS::Background,
        QosClass::Utility => DispatchQoS::Utility,
        QosClass::Default => DispatchQoS::Default,
        QosClass::UserInitiated => DispatchQoS::UserInitiated,
        QosClass::UserInteractive => DispatchQoS::UserInteractive,
    }
}

/// A time from now.
fn time(limit: Option<Duration>) -> DispatchTime {
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(DispatchTime::FOREVER)
}

#[derive(Clone, Debug)]
pub(super) struct Queue(DispatchRetained<DispatchQueue>);

impl Queue {
    /// The label has no zero byte.
    pub(super) fn new(label: &str, qos: QosClass, concurrent: bool) -> Self {
        let kind =
            if concurrent { DispatchQueueAttr::concurrent() } else { DispatchQueueAttr::SERIAL };
        let attributes = DispatchQueueAttr::with_qos_class(kind, class(qos), 0);
        Self(DispatchQueue::new(label, Some(&attributes)))
    }

    pub(super) fn global(qos: QosClass) -> Self {
        Self(DispatchQueue::global_queue(GlobalQueueIdentifier::QualityOfService(class(qos))))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the face is the same on every system")]
    pub(super) fn submit(&self, job: Job, barrier: bool) -> io::Result<()> {
        if barrier {
            self.0.barrier_async(job);
        } else {
            self.0.exec_async(job);
        }
        Ok(())
    }

    pub(super) fn run(&self, job: &mut (dyn FnMut() + Send), barrier: bool) {
        if barrier {
            self.0.barrier_sync(job);
        } else {
            self.0.exec_sync(job);
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the face is the same on every system")]
    pub(super) fn after(&self, delay: Duration, job: Job) -> io::Result<()> {
        // It has no way to fail.
        let _ = self.0.after(time(Some(delay)), job);
        Ok(())
    }

    /// The caller is `inside` a job of this queue, or is not.
    pub(super) fn apply(&self, count: usize, inside: bool, job: &(dyn Fn(usize) + Sync)) {
        unsafe extern "C-unwind" fn one(context: *mut c_void, number: usize) {
            // SAFETY: the context below, which outlives the call of `dispatch_apply_f`.
            let job = unsafe { *context.cast::<&(dyn Fn(usize) + Sync)>() };
            job(number);
        }
        // On its own queue the caller could wait for a barrier that waits for the caller.
        let queue = (!inside).then_some(&*self.0);
        let context = (&raw const job).cast_mut().cast();
        // SAFETY: `dispatch_apply_f` (dispatch/queue.h) returns when all calls have; they share
        // the job, which is `Sync` and does not unwind. No queue is DISPATCH_APPLY_AUTO.
        unsafe { DispatchQueue::apply_f(count, queue, context, one) };
    }
}

#[derive(Debug)]
pub(super) struct Group(DispatchRetained<DispatchGroup>);

impl Default for Group {
    fn default() -> Self {
        Self(DispatchGroup::new())
    }
}

impl Group {
    pub(super) fn enter(&self) {
        // SAFETY: `dispatch_group_enter` (dispatch/group.h); the face pairs it with `leave`, or
        // calls `abandon`.
        unsafe { dispatch_group_enter(&self.0) };
    }

    /// Somebody has entered.
    pub(super) fn leave(&self) {
        // SAFETY: `dispatch_group_leave` (dispatch/group.h): the face counted an `enter`.
        unsafe { self.0.leave() };
    }

    pub(super) fn wait(&self, limit: Option<Duration>) -> bool {
        self.0.wait(time(limit)).is_ok()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the face is the same on every system")]
    pub(super) fn notify(&self, queue: &Queue, job: Job) -> io::Result<()> {
        self.0.notify(&queue.0, job);
        Ok(())
    }

    /// Keeps the object: libdispatch ends the process when a group is freed that somebody is in.
    pub(super) fn abandon(&self) {
        std::mem::forget(self.0.clone());
    }
}

#[derive(Debug)]
pub(super) struct Semaphore(DispatchRetained<DispatchSemaphore>);

impl Semaphore {
    pub(super) fn new(permits: u32) -> Self {
        // libdispatch ends the process when a semaphore is freed with fewer permits than it was
        // made with: it is made with none.
        let semaphore = Self(DispatchSemaphore::new(0));
        (0..permits).for_each(|_| semaphore.signal());
        semaphore
    }

    pub(super) fn wait(&self, limit: Option<Duration>) -> bool {
        self.0.wait(time(limit)) == 0
    }

    pub(super) fn signal(&self) {
        self.0.signal();
    }
}
