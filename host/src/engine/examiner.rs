//! Tells valid modules that no engine runs from invalid ones.
//!
//! The compiler's validator knows the proposals that the compiler supports, and calls a module
//! that needs another one invalid. The interpreter's kernel validates such a module with every
//! proposal on, and says which ones it needs.

use super::vm::{Builder, MicroVm};
use crate::error::Error;
use crate::module::Module;
use crate::placement::Placement;
use std::time::Instant;
use wrt_abi::EngineKind;
use wrt_abi::proposals::{Proposal, Proposals};
use wrt_hypervisor::Hypervisor;

/// Words of the validator's about components for proposals that no engine supports. The
/// interpreter's kernel knows core modules only.
const WORDS: &[(&str, Proposal)] = &[
    ("component model async", Proposal::ComponentAsync),
    ("component model more async", Proposal::ComponentAsync),
    ("component model threading", Proposal::ComponentAsync),
    ("shared-everything", Proposal::SharedEverythingThreads),
    ("threads", Proposal::Threads),
    ("legacy", Proposal::LegacyExceptions),
    ("stack switching", Proposal::StackSwitching),
];

/// A VM of the interpreter's, made for the first module that is called invalid.
pub(crate) struct Examiner {
    hypervisor: Box<dyn Hypervisor>,
    placement: Placement,
    vm: Option<Box<MicroVm>>,
}

impl Examiner {
    pub(crate) fn new(hypervisor: &dyn Hypervisor, placement: Placement) -> Self {
        Self { hypervisor: hypervisor.another(), placement, vm: None }
    }

    /// The error of a module that the compiler refused with `error`. Looking takes until
    /// `deadline` at most; a machine that has no VM for it leaves the error as it is.
    pub(crate) fn judge(&mut self, error: Error, module: &Module, deadline: Instant) -> Error {
        let Error::InvalidModule { reason, .. } = &error else { return error };
        let needs = match module.is_component() {
            true => named_in(reason),
            false => self.needs(module, deadline),
        };
        match needs.lacking_in(EngineKind::Native).is_empty() {
            true => error,
            false => Error::Unsupported { needs, engine: EngineKind::Native },
        }
    }

    /// What a module needs, if it is valid and the interpreter does not support it.
    fn needs(&mut self, module: &Module, deadline: Instant) -> Proposals {
        let vm = match &mut self.vm {
            Some(vm) => vm,
            none => {
                let settings = Builder::default().placement(self.placement.clone());
                match settings.deadline(Some(deadline)).build_on(self.hypervisor.as_ref()) {
                    Ok(vm) => none.insert(Box::new(vm)),
                    Err(error) => {
                        tracing::debug!("no VM to look at a module in: {error}");
                        return Proposals::NONE;
                    }
                }
            }
        };
        vm.set_deadline(Some(deadline));
        match vm.load(module) {
            Err(Error::Unsupported { needs, .. }) => needs,
            Err(Error::InvalidModule { .. }) => Proposals::NONE,
            // What it holds of the module, or what has become of it, serves no other.
            _ => {
                self.vm = None;
                Proposals::NONE
            }
        }
    }
}

fn named_in(reason: &str) -> Proposals {
    let named = WORDS.iter().find(|(words, _)| reason.contains(words));
    named.map_or(Proposals::NONE, |&(_, proposal)| Proposals::NONE.with(proposal))
}
