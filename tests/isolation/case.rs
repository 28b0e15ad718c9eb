//! A case: an attack with a name.

use super::attack::Attack;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wrt_abi::cpu::Arch;
use wrt_tests::Setup;
use wrt_vm::{Backend, EngineKind};

/// An attack.
pub(crate) struct Case {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Which of the known attacks it is: their numbers in the list of `README.md`'s table.
    pub(crate) attacks: &'static [u8],
    /// What is tried.
    pub(crate) what: &'static str,
    /// In what guest.
    pub(crate) guests: Guests,
    /// The one processor that there is such a thing on, and why.
    pub(crate) only: Option<(Arch, &'static str)>,
    /// How long it may take, judgement included.
    pub(crate) limit: Duration,
    /// Bytes that may be logged, if they are more than usual.
    pub(crate) log_max: Option<u64>,
    /// Makes it. An error is a boundary that did not hold.
    pub(crate) run: fn(&mut Attack) -> Result<()>,
}

impl Case {
    /// Why it is not made on a setup that is one of its guests', if it is not.
    pub(crate) fn skipped(&self, setup: Setup) -> Option<&'static str> {
        if let Some((arch, why)) = self.only
            && arch != super::arch::of(setup).arch
        {
            return Some(why);
        }
        let compiles = self.guests == Guests::Honest && setup.engine == EngineKind::Native;
        (compiles && setup.is_simulated())
            .then_some("a compiler takes minutes on a processor that is simulated")
    }
}

/// Who attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guests {
    /// The evil guest, on these backends.
    Evil(&'static [Backend]),
    /// A module in the honest guest, on every backend and engine.
    Honest,
}

impl Guests {
    /// Whether a setup is one of theirs.
    pub(crate) fn includes(self, setup: Setup) -> bool {
        match self {
            Self::Evil(backends) => {
                backends.contains(&setup.backend) && setup.engine == super::attack::NO_ENGINE
            }
            Self::Honest => true,
        }
    }

    /// What a setup of theirs is called.
    pub(crate) fn on(self, setup: Setup) -> String {
        match self {
            Self::Evil(_) => setup.backend.name().to_owned(),
            Self::Honest => format!("{}/{}", setup.backend.name(), setup.engine),
        }
    }
}

/// An attack that is not made, and why.
pub(crate) struct NotMade {
    pub(crate) attacks: &'static [u8],
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}

/// What came of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// Backend, and engine if there is one.
    pub(crate) on: String,
    pub(crate) attacks: Vec<u8>,
    /// Why the boundary did not hold.
    pub(crate) failure: Option<String>,
    /// What the machine's own hypervisor does not keep guests from, though it should.
    pub(crate) gap: Option<String>,
    /// Why it was not made.
    pub(crate) skipped: Option<String>,
    /// How the VM ended.
    pub(crate) end: String,
    pub(crate) exits: u64,
    pub(crate) seconds: f64,
}

impl Outcome {
    /// Of a case that is not made.
    pub(crate) fn skipped(case: &Case, setup: Setup, why: &str) -> Self {
        Self {
            name: case.name.to_owned(),
            on: case.guests.on(setup),
            attacks: case.attacks.to_vec(),
            failure: None,
            gap: None,
            skipped: Some(why.to_owned()),
            end: String::new(),
            exits: 0,
            seconds: 0.0,
        }
    }
}
