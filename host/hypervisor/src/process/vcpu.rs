//! The child's thread as a vCPU.

use super::arch::Registers;
use super::child::failed;
use super::kick::KickState;
use super::sets::RegisterSets;
use super::stop::Stop;
use super::{Shared, lock};
use crate::arch::{BootState, FaultHandler};
use crate::error::HypervisorError;
use crate::exit::Exit;
use crate::traits::{Kicker, Vcpu};
use std::sync::Arc;

pub(super) struct ProcessVcpu {
    shared: Arc<Shared>,
    kick: Arc<KickState>,
    /// Where the guest takes its faults.
    faults: Option<FaultHandler>,
    /// Registers, other than general ones, before the guest has ever run.
    fresh: Option<RegisterSets>,
}

impl ProcessVcpu {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let kick = Arc::new(KickState::default());
        Self { shared: Arc::clone(shared), kick, faults: None, fresh: None }
    }
}

impl Vcpu for ProcessVcpu {
    fn set_boot_state(&mut self, state: &BootState) -> Result<(), HypervisorError> {
        let mut child = lock(&self.shared.child);
        self.kick.aim(Some(child.handle()));
        match &mut self.fresh {
            Some(fresh) => child.set_other_registers(fresh)?,
            none => *none = Some(child.other_registers()?),
        }
        self.faults = state.faults;
        child.set_guest_registers(&Registers::for_boot(state))
    }

    fn run(&mut self) -> Result<Exit, HypervisorError> {
        let mut child = lock(&self.shared.child);
        // A guest that takes one fault after the other is one that does not end: a kick ends both.
        loop {
            if self.kick.is_kicked() {
                return Ok(Exit::Kicked);
            }
            if !child.is_alive() {
                return Err(HypervisorError::Unsupported("its child process has ended".into()));
            }
            child.resume().map_err(failed("run a child process"))?;
            match child.wait()? {
                Stop::Breakpoint => return Ok(Exit::Mailbox),
                Stop::Disturbed => {}
                Stop::Fault(fault) => {
                    let Some(handler) = self.faults else { return Ok(Exit::Fault(fault)) };
                    let mut registers = child.registers()?;
                    registers.deliver(&fault, &handler);
                    child.set_guest_registers(&registers)?;
                }
                Stop::Exception(fault) => return Ok(Exit::Fault(fault)),
                Stop::SystemCall { number } => return Ok(Exit::SystemCall { number }),
                Stop::Killed { signal } => return Ok(Exit::Killed { signal }),
                Stop::Failed { code } => return Ok(Exit::Failed { code }),
                Stop::Unexpected { reason } => return Ok(Exit::Unexpected { reason }),
            }
        }
    }

    fn clear_kick(&mut self) {
        self.kick.clear();
    }

    fn kicker(&self) -> Arc<dyn Kicker> {
        Arc::clone(&self.kick) as Arc<dyn Kicker>
    }
}

impl Drop for ProcessVcpu {
    fn drop(&mut self) {
        self.kick.aim(None);
    }
}
