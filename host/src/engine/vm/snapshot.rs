//! Guests that are prepared once, and gone on from many times.

use super::{Builder, Identity, MicroVm, nonsense};
use crate::error::Error;
use crate::placement::{Done, Kept, Order};
use crate::world::{WasiConfig, World};
use std::sync::Arc;
use wrt_abi::EngineKind;
use wrt_hypervisor::Hypervisor;

/// What was in a VM between two calls: its modules and instances, and their memories, tables and
/// globals. Any number of VMs go on from there, as often as they like. They share its pages
/// until they write them, so that one more costs as much memory as it changes, and neither
/// loading nor instantiating.
///
/// Of the host it keeps nothing. A VM that goes on from it has a world of its own, in which no
/// file is open but those that it is given. Best is a program that has not asked for anything
/// yet: instantiated, and not run.
///
/// Handles from before the snapshot are good in every VM that goes on from it.
#[derive(Clone)]
pub struct Snapshot {
    kept: Kept,
    settings: Builder,
    hypervisor: Arc<dyn Hypervisor>,
    /// Of VMs whose handles are good in it.
    known: Vec<Identity>,
    /// As in the VM.
    left: Option<u64>,
}

impl MicroVm {
    /// Keeps what is in this VM. It holds a module at least, and goes on as if nothing had
    /// happened. What its guest has in memory is copied once: whole pages, but those of zeros.
    ///
    /// A VM in a worker has no more than one snapshot, the last, and it is for that VM alone.
    ///
    /// # Errors
    ///
    /// [`Error::Snapshot`] when there is nothing in the VM, [`Error::Ended`] when it has ended,
    /// [`Error::Memory`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let number = Kept::number();
        let Done::Kept(here) = self.guest.obey(Order::Keep { number })? else {
            return self.judge(Err(nonsense()));
        };
        let kept = Kept { number, here };
        // What is made from now on is this VM's alone.
        self.inherited.push(std::mem::replace(&mut self.identity, Identity::new()));
        Ok(Snapshot {
            kept,
            settings: self.settings.clone(),
            hypervisor: Arc::from(self.hypervisor.another()),
            known: self.inherited.clone(),
            left: self.left,
        })
    }

    /// [Resets](Self::reset) this VM to a snapshot and another world: of what ran here since
    /// nothing can be found. Handles are void but for those from before the snapshot, and there is
    /// no deadline. A worker that is gone has taken its snapshot with it: [reset](Self::reset)
    /// starts a new one.
    ///
    /// # Errors
    ///
    /// As [`Self::reset`]; [`Error::Snapshot`] for a snapshot of a VM on another backend, with
    /// another engine, in another process, or with another stack.
    pub fn restore(&mut self, snapshot: &Snapshot, wasi: WasiConfig) -> Result<(), Error> {
        if snapshot.hypervisor.name() != self.hypervisor.name() {
            return Err(Error::Snapshot(format!(
                "the snapshot is of a VM on {}, and this one is on {}",
                snapshot.hypervisor.name(),
                self.hypervisor.name()
            )));
        }
        let (from, world) = (snapshot.kept.clone(), World::open(&wasi)?);
        self.guest.obey(Order::Restore { from, world })?;
        self.settings.wasi = wasi;
        self.go_on_from(snapshot);
        Ok(())
    }

    fn go_on_from(&mut self, snapshot: &Snapshot) {
        self.begin_anew();
        self.inherited.clone_from(&snapshot.known);
        self.left = snapshot.left;
    }
}

impl Snapshot {
    /// A VM of its own that goes on from here, with a world.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`]; [`Error::Snapshot`] for a snapshot of a VM in a worker.
    pub fn vm(&self, wasi: WasiConfig) -> Result<MicroVm, Error> {
        let settings = self.settings.clone().wasi(wasi);
        let mut vm = settings.build_from(self.hypervisor.as_ref(), Some(&self.kept))?;
        vm.go_on_from(self);
        Ok(vm)
    }

    /// The engine in it.
    pub fn engine(&self) -> EngineKind {
        self.settings.engine_kind()
    }

    /// Bytes of the guest's own that it keeps: whole pages. None if a worker keeps them.
    pub fn size(&self) -> Option<u64> {
        self.kept.here.as_ref().map(|here| here.size())
    }
}
