//! The cases, and the attacks that are not made.

mod answers;
mod denial;
mod files;
mod hypercalls;
mod memory;
mod modules;
mod processor;
mod residue;

use super::attack::Attack;
use super::case::{Case, Guests, NotMade};
use anyhow::Result;
use std::time::Duration;
use wrt_vm::Backend;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        memory::CASES,
        hypercalls::CASES,
        answers::CASES,
        processor::CASES,
        denial::CASES,
        residue::CASES,
        modules::CASES,
        files::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Of an evil guest that has a ring 0.
const RINGS: Guests = Guests::Evil(&[Backend::Kvm]);
/// Of any evil guest.
const EVIL: Guests = Guests::Evil(&[Backend::Kvm, Backend::Process]);

const fn case(
    name: &'static str,
    attacks: &'static [u8],
    guests: Guests,
    what: &'static str,
    run: fn(&mut Attack) -> Result<()>,
) -> Case {
    Case { name, attacks, what, guests, limit: Duration::from_secs(120), log_max: None, run }
}

/// The same with more to log.
const fn logging(bytes: u64, case: Case) -> Case {
    Case { log_max: Some(bytes), ..case }
}

/// Attacks that there is nothing for, or whose place is elsewhere.
pub(crate) const NOT_MADE: &[NotMade] = &[
    NotMade {
        attacks: &[14, 42],
        what: "hostile snapshots, snapshots during input and output",
        why: "VMs have no snapshots",
    },
    NotMade {
        attacks: &[32, 33, 34],
        what: "double fetches",
        why: "a VM has one vCPU, which is stopped while the host looks: there is nobody to change \
              what it reads",
    },
    NotMade {
        attacks: &[35, 36, 37, 39, 40],
        what: "rings, descriptor chains, slots of two vCPUs",
        why: "there are no shared rings: one mailbox, one request",
    },
    NotMade {
        attacks: &[30],
        what: "a guest called back from its own hypercall",
        why: "no hypercall calls the guest",
    },
    NotMade {
        attacks: &[49],
        what: "floods of threads, queues, timers and semaphores",
        why: "guests can make none; sleeps of odd lengths are `files-sleeps`",
    },
    NotMade { attacks: &[57], what: "shaders", why: "guests have no GPU" },
    // Drills of the jail go here as cases, once the host process has one: the process that
    // makes a case is the one to be jailed.
    NotMade {
        attacks: &[],
        what: "escapes from the host process (files, sockets, programs, ptrace, signals)",
        why: "the host process is not jailed yet",
    },
];
