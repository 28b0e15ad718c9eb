//! What all programs of a command share: the hypervisor, compilers, the cache.

use super::Run;
use crate::compilers::Compilers;
use crate::native::Wanted;
use crate::quantity;
use wrt_platform::dispatch::Group;
use wrt_platform::pressure::PressureLevel;
use wrt_vm::hypervisor::Hypervisor;
use wrt_vm::{Builder, Cache, EngineKind, MicroVm, Placement, Pool};

/// What all programs of a command share.
pub(crate) struct Host {
    pub(crate) hypervisor: Box<dyn Hypervisor>,
    /// Where the programs' VMs are.
    pub(crate) placement: Placement,
    /// They run elsewhere, if this process is about to be jailed.
    pub(crate) compilers: Compilers,
    /// Whether this process enters a jail once it has its VM.
    pub(crate) jail: bool,
    /// VMs that were made ahead.
    pub(crate) pool: Option<Pool>,
    pub(crate) cache: Option<Cache>,
    /// Files of the cache that are being written: they are waited for before the process ends.
    pub(crate) writes: Group,
}

impl Host {
    /// Gives up what was kept for later, as memory is short.
    pub(crate) fn relieve(&self, level: PressureLevel) {
        if let Some(pool) = &self.pool {
            pool.relieve(level);
        }
        if level != PressureLevel::Normal {
            self.compilers.relieve();
            // Code that no program uses.
            wrt_platform::memory::purge_all();
        }
    }
}

impl Run {
    /// Opens what every program of this command needs.
    pub(crate) fn open(&self) -> anyhow::Result<Host> {
        let hypervisor = crate::open(self.backend)?;
        let jailed = !self.no_jail;
        // Several programs share no process if that can be jailed but once.
        let apart =
            self.worker || (self.jobs.is_some() && (jailed || hypervisor.one_vm_a_process()));
        let place = |apart| match apart {
            true => crate::workers(self.verbose).jailed(jailed).into(),
            false => Placement::Here,
        };
        let compilers = Compilers::new(hypervisor.another(), place(apart || jailed));
        let compilers = if self.jobs.is_some() { compilers.keep() } else { compilers };
        let (cache, writes) = (self.cache.open()?, Group::new());
        // Looked up before there is a jail, which has no files.
        self.max_memory();
        let (placement, jail) = (place(apart), jailed && !apart);
        Ok(Host { hypervisor, placement, compilers, jail, pool: None, cache, writes })
    }

    /// VMs for programs of this command, of which `ahead` are there before they are wanted.
    pub(crate) fn pool(&self, host: &Host, ahead: usize) -> Pool {
        let engine = match self.engine {
            Wanted::Interp => EngineKind::Interp,
            // Nearly always.
            Wanted::Native | Wanted::Auto => EngineKind::Native,
        };
        Pool::new(self.settings(host, engine), host.hypervisor.as_ref(), ahead)
    }

    pub(super) fn settings(&self, host: &Host, engine: EngineKind) -> Builder {
        let settings = MicroVm::builder().engine(engine).placement(host.placement.clone());
        settings.max_memory(self.max_memory()).max_stack(self.max_stack)
    }

    /// Bytes of linear memory that a program may have.
    pub(crate) fn max_memory(&self) -> u64 {
        self.max_memory.unwrap_or_else(quantity::default_max_memory)
    }
}
