//! What a micro-VM is made of.

use super::{Identity, MicroVm};
use crate::artifact::Target;
use crate::engine::cache::Cache;
use crate::error::Error;
use crate::machine::{GuestImage, MachineConfig};
use crate::placement::worker::Workers;
use crate::placement::{Kept, Placement};
use crate::world::{WasiConfig, World};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;
use wrt_abi::EngineKind;
use wrt_abi::layout::{GRANULE, KERNEL_STACK_MAX, WASM_STACK_DEFAULT, WASM_STACK_MAX};
use wrt_hypervisor::{Backend, Hypervisor};

/// Bytes of linear memory that a program may have unless told otherwise.
pub const DEFAULT_MAX_MEMORY: u64 = 4 << 30;
/// Bytes that the engine may take for itself: compiled code, tables, its stacks.
const ENGINE_MEMORY: u64 = 1 << 30;
/// Bytes of the kernel's stack unless told otherwise.
const STACK_DEFAULT: u64 = 256 << 10;

/// Least stack that Wasm calls can do with.
const WASM_STACK_MIN: u64 = 64 << 10;
/// Bytes of stack that a program's calls may take unless told otherwise.
pub const DEFAULT_MAX_STACK: u64 = WASM_STACK_DEFAULT;
/// Bytes of stack that they may be given.
pub const STACKS: RangeInclusive<u64> = WASM_STACK_MIN..=WASM_STACK_MAX;

/// Settings of a micro-VM.
#[derive(Clone, Debug)]
pub struct Builder {
    backend: Backend,
    pub(super) engine: EngineKind,
    image: Option<GuestImage>,
    pub(super) max_memory: u64,
    pub(super) max_stack: u64,
    stack_size: u64,
    pub(super) wasi: WasiConfig,
    pub(super) cache: Option<Cache>,
    pub(super) placement: Placement,
    deadline: Option<Instant>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            engine: EngineKind::Interp,
            image: None,
            max_memory: DEFAULT_MAX_MEMORY,
            max_stack: DEFAULT_MAX_STACK,
            stack_size: STACK_DEFAULT,
            wasi: WasiConfig::new(),
            cache: None,
            placement: Placement::Here,
            deadline: None,
        }
    }
}

impl Builder {
    /// Chooses the hypervisor.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Chooses the engine: the interpreter unless set.
    pub fn engine(mut self, engine: EngineKind) -> Self {
        self.engine = engine;
        self
    }

    pub(crate) fn engine_kind(&self) -> EngineKind {
        self.engine
    }

    /// Has the VM boot another guest kernel than the one that holds the engine.
    #[doc(hidden)]
    pub fn guest_image(mut self, image: GuestImage) -> Self {
        self.image = Some(image);
        self
    }

    /// Bytes that all linear memories together may take; 4 GiB unless set. The engine's own
    /// memory comes on top, at most 1 GiB of it.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Bytes of stack that Wasm calls may take: 64 MiB unless set, from 64 KiB to 512 MiB. A
    /// program whose calls want more traps. The host has memory only for what was used of it.
    ///
    /// In compiled code a call takes what its function's frame needs, a hundred bytes or so. In
    /// the interpreter the locals and operands of all calls are in the stack, and one call for
    /// each 64 bytes of it may be live.
    pub fn max_stack(mut self, bytes: u64) -> Self {
        self.max_stack = bytes;
        self
    }

    /// Bytes of the guest kernel's own stack, which Wasm calls do not use: 256 KiB unless
    /// set, at most 1 MiB.
    pub fn kernel_stack(mut self, bytes: u64) -> Self {
        self.stack_size = bytes;
        self
    }

    /// The WASI world of the programs in this VM.
    pub fn wasi(mut self, wasi: WasiConfig) -> Self {
        self.wasi = wasi;
        self
    }

    /// Keeps what is compiled for this VM, and takes what was compiled before. Without a
    /// cache, each load compiles.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Where the VM is: in this process unless set. It holds for all that is made with these
    /// settings: compilers, pools, snapshots.
    pub fn placement(mut self, placement: impl Into<Placement>) -> Self {
        self.placement = placement.into();
        self
    }

    /// Has the VM in a [jailed](crate::Jail) process of its own, which runs this program: `wrt-vm`, or
    /// another that calls [`serve`](crate::worker::serve). Short for a
    /// [placement](Self::placement) in such [`Workers`], which can be told more. On macOS a process
    /// has one VM at most, so who wants several, or to compile while one is there, has workers.
    pub fn worker(self, program: impl Into<PathBuf>) -> Self {
        self.placement(Workers::new(program))
    }

    /// Ends calls that are not done by then, as [`MicroVm::set_deadline`]. A worker has to be there
    /// by then, too.
    pub fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Makes the VM. Nothing runs in it yet.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for one that makes no sense, [`Error::Hypervisor`] when there is none, [`Error::Wasi`] when a directory cannot be
    /// opened, [`Error::OutOfDescriptors`], [`Error::Memory`], [`Error::Thread`].
    pub fn build(self) -> Result<MicroVm, Error> {
        let hypervisor = self.backend.open().map_err(|error| Error::from(error).of_making())?;
        self.build_on(hypervisor.as_ref())
    }

    /// As [`Self::build`], on a hypervisor that is open already. Workers open one of the same name.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_on(self, hypervisor: &dyn Hypervisor) -> Result<MicroVm, Error> {
        self.build_from(hypervisor, None)
    }

    /// As [`Self::build_on`]; its guest goes on from another one, if that is given.
    pub(super) fn build_from(
        self,
        hypervisor: &dyn Hypervisor,
        from: Option<&Kept>,
    ) -> Result<MicroVm, Error> {
        if !(GRANULE..=KERNEL_STACK_MAX).contains(&self.stack_size) {
            return Err(Error::Setting(format!(
                "the kernel stack must have between {GRANULE} and {KERNEL_STACK_MAX} bytes"
            )));
        }
        if !STACKS.contains(&self.max_stack) {
            return Err(Error::Setting(format!(
                "the stack of Wasm calls cannot have {} bytes: it may have {WASM_STACK_MIN} to \
                 {WASM_STACK_MAX}",
                self.max_stack
            )));
        }
        let stack_size = match self.engine {
            EngineKind::Interp => self.stack_size,
            // Compiled code shares the kernel's stack.
            EngineKind::Native => self.stack_size + self.max_stack,
        };
        let config = MachineConfig {
            engine: self.engine,
            image: self.image,
            stack_size,
            memory_limit: self.max_memory.saturating_add(ENGINE_MEMORY),
        };
        let guest = World::open(&self.wasi)
            .and_then(|world| self.placement.guest(hypervisor, config, world, from, self.deadline));
        let guest = guest.map_err(Error::of_making)?;
        tracing::info!(
            backend = hypervisor.name(),
            time = ?guest.usage().create,
            "made a VM"
        );
        Ok(MicroVm {
            hypervisor: hypervisor.another(),
            target: Target::of(hypervisor),
            guest,
            compiler: None,
            left: None,
            over: false,
            // The deadline was for this VM, and may be over when others are made like it.
            settings: Self { deadline: None, ..self },
            identity: Identity::new(),
            inherited: Vec::new(),
        })
    }
}
