//! The cases, and the attacks that are not made.

mod answers;
mod arm;
mod denial;
mod files;
mod hypercalls;
mod memory;
mod modules;
mod processor;
mod residue;
mod snapshots;

use super::attack::Attack;
use super::case::{Case, Guests, NotMade};
use anyhow::Result;
use std::time::Duration;
use wrt_abi::cpu::Arch;
use wrt_vm::Backend;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        memory::CASES,
        hypercalls::CASES,
        answers::CASES,
        processor::CASES,
        arm::CASES,
        denial::CASES,
        residue::CASES,
        snapshots::CASES,
        modules::CASES,
        files::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Of an evil guest that has a ring 0.
const RINGS: Guests = Guests::Evil(&[Backend::Kvm, Backend::Hvf]);
/// Of any evil guest.
const EVIL: Guests = Guests::Evil(&[Backend::Kvm, Backend::Hvf, Backend::Process]);

const fn case(
    name: &'static str,
    attacks: &'static [u8],
    guests: Guests,
    what: &'static str,
    run: fn(&mut Attack) -> Result<()>,
) -> Case {
    let limit = Duration::from_secs(120);
    Case { name, attacks, what, guests, only: None, limit, log_max: None, run }
}

/// The same where there is such a thing on 64-bit x86 alone, because of this.
const fn x86(why: &'static str, case: Case) -> Case {
    Case { only: Some((Arch::X86_64, why)), ..case }
}

/// The same of 64-bit Arm.
const fn arm(why: &'static str, case: Case) -> Case {
    Case { only: Some((Arch::Aarch64, why)), ..case }
}

/// The same with more to log.
const fn logging(bytes: u64, case: Case) -> Case {
    Case { log_max: Some(bytes), ..case }
}

/// Attacks that there is nothing for, or whose place is elsewhere.
pub(crate) const NOT_MADE: &[NotMade] = &[
    NotMade {
        attacks: &[14],
        what: "snapshots with hostile sizes, addresses and versions",
        why: "a snapshot is memory of its process, and no file; what a guest can have in one is \
              in the cases `snapshot-...`",
    },
    NotMade {
        attacks: &[42],
        what: "snapshots during input and output",
        why: "a VM does one thing at a time: there is no snapshot while it works",
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
    NotMade {
        attacks: &[],
        what: "escapes from the host process (files, sockets, programs, ptrace, signals)",
        why: "a process is jailed once and for all, and this one goes on: that drill is a test of \
              its own, `tests/suites/jail`",
    },
];
