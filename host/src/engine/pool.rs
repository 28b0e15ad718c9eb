//! VMs that are there before they are wanted.
//!
//! Making a VM takes about as long as a small program runs, in a worker process several times as
//! long. A [`Pool`] makes them ahead, on the system's queue for work that nobody waits for. They
//! are empty, no guest has booted in them; or they go on from a snapshot, and share its pages. When
//! the machine runs short of memory, those that nobody has taken go first.

use super::vm::{Builder, MicroVm, Snapshot};
use crate::error::Error;
use crate::world::WasiConfig;
use std::sync::Arc;
use wrt_abi::EngineKind;
use wrt_hypervisor::Hypervisor;
use wrt_platform::dispatch::{QosClass, Queue};
use wrt_platform::lock::UnfairLock;
use wrt_platform::pressure::PressureLevel;

/// VMs with the same settings or from one snapshot, some of them made ahead.
pub struct Pool {
    shared: Arc<Shared>,
}

/// What VMs are made of.
enum Source {
    Settings(Builder, Box<dyn Hypervisor>),
    Snapshot(Snapshot),
}

struct Shared {
    source: Source,
    /// Held for a moment only, never while a VM is made or goes.
    stock: UnfairLock<Stock>,
}

struct Stock {
    idle: Vec<MicroVm>,
    /// How many are being made.
    coming: usize,
    /// How many there shall be, those that are coming included.
    wanted: usize,
    counts: PoolCounts,
}

/// What a pool was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// VMs that were there when they were wanted.
    pub ready: usize,
    /// VMs that had to be made while somebody waited.
    pub made: usize,
    /// VMs that went for want of memory.
    pub shed: usize,
}

impl Pool {
    /// A pool of VMs with these settings, but for the world: that is given to each as it is
    /// taken. It makes `ahead` of them now, and as many again as are taken, in the background.
    pub fn new(settings: Builder, hypervisor: &dyn Hypervisor, ahead: usize) -> Self {
        // It would be over for those that are taken late.
        let settings = settings.deadline(None);
        Self::from_source(Source::Settings(settings, hypervisor.another()), ahead)
    }

    /// A pool of VMs that go on from a snapshot, as [`Self::new`]. One that is taken is as
    /// [`Snapshot::vm`] makes it: its module is loaded and instantiated.
    pub fn of(snapshot: Snapshot, ahead: usize) -> Self {
        Self::from_source(Source::Snapshot(snapshot), ahead)
    }

    fn from_source(source: Source, ahead: usize) -> Self {
        let stock = Stock {
            idle: Vec::with_capacity(ahead),
            coming: 0,
            wanted: ahead,
            counts: PoolCounts::default(),
        };
        let pool = Self { shared: Arc::new(Shared { source, stock: UnfairLock::new(stock) }) };
        Shared::fill(&pool.shared);
        pool
    }

    /// Takes a VM, for a program with this world; the caller waits for it if none is there.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`] or [`Snapshot::vm`].
    pub fn take(&self, world: WasiConfig) -> Result<MicroVm, Error> {
        let taken = {
            let mut stock = self.shared.stock.lock();
            let taken = stock.idle.pop();
            *match taken {
                Some(_) => &mut stock.counts.ready,
                None => &mut stock.counts.made,
            } += 1;
            taken
        };
        Shared::fill(&self.shared);
        let source = &self.shared.source;
        let Some(mut vm) = taken else { return source.make(world) };
        // Nothing has run in it: this changes its world and nothing else.
        match source {
            Source::Settings(..) => vm.reset_with(world),
            Source::Snapshot(snapshot) => vm.restore(snapshot, world),
        }
        .map(|()| vm)
    }

    /// Makes no more than `ahead` from now on, and gives up those that are too many.
    pub fn keep(&self, ahead: usize) {
        let too_many = {
            let mut stock = self.shared.stock.lock();
            stock.wanted = ahead;
            let kept = stock.idle.len().min(ahead);
            stock.idle.split_off(kept)
        };
        // Without the lock: they take their time to go.
        drop(too_many);
        Shared::fill(&self.shared);
    }

    /// Gives up VMs as memory is short: half of them at a warning, all when it is worse. What
    /// was given up is not made again before [`Self::keep`] says so.
    pub fn relieve(&self, level: PressureLevel) {
        let shed = {
            let mut stock = self.shared.stock.lock();
            let kept = match level {
                PressureLevel::Normal => return,
                PressureLevel::Warning => stock.idle.len() / 2,
                PressureLevel::Urgent | PressureLevel::Critical => 0,
            };
            stock.wanted = kept;
            let shed = stock.idle.split_off(kept);
            stock.counts.shed += shed.len();
            shed
        };
        drop(shed);
    }

    /// The engine in its VMs.
    pub fn engine(&self) -> EngineKind {
        match &self.shared.source {
            Source::Settings(settings, _) => settings.engine_kind(),
            Source::Snapshot(snapshot) => snapshot.engine(),
        }
    }

    /// What it was good for so far.
    pub fn counts(&self) -> PoolCounts {
        self.shared.stock.lock().counts
    }

    /// How many are there to be taken.
    pub fn idle(&self) -> usize {
        self.shared.stock.lock().idle.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What is coming is not kept.
        self.keep(0);
    }
}

impl Source {
    fn make(&self, world: WasiConfig) -> Result<MicroVm, Error> {
        match self {
            Self::Settings(settings, hypervisor) => {
                settings.clone().wasi(world).build_on(hypervisor.as_ref())
            }
            Self::Snapshot(snapshot) => snapshot.vm(world),
        }
    }
}

impl Shared {
    /// Has as many made as are wanting.
    fn fill(this: &Arc<Self>) {
        let wanting = {
            let mut stock = this.stock.lock();
            let wanting = stock.wanted.saturating_sub(stock.idle.len() + stock.coming);
            stock.coming += wanting;
            wanting
        };
        for _ in 0..wanting {
            let shared = Arc::clone(this);
            if Queue::global(QosClass::Utility).exec_async(move || shared.make()).is_err() {
                // No thread for it: whoever takes one makes it.
                this.stock.lock().coming -= 1;
            }
        }
    }

    /// Makes one and keeps it, if it is still wanted.
    fn make(&self) {
        // Should there be none now, whoever takes one finds out why.
        let made = self.source.make(WasiConfig::new()).ok();
        let surplus = {
            let mut stock = self.stock.lock();
            stock.coming -= 1;
            if stock.idle.len() < stock.wanted {
                stock.idle.extend(made);
                None
            } else {
                made
            }
        };
        drop(surplus);
    }
}
