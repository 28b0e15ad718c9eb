//! A table of answers to system calls as a program for the kernel's filter.
//!
//! The program is a binary search over the calls' numbers, which tells a call in some eight
//! steps. `seccompiler` compiles to a list that is looked through from its beginning, and
//! since the kernel runs a new filter for every number there is, to remember what needs no
//! asking, installing that took five times as long as all the rest of a sandbox. It is the
//! reference in this file's tests, and installs what is made here.

use libc::c_long;
use seccompiler::{BpfProgram, sock_filter};
use std::collections::BTreeMap;

/// What a call is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Fail(u16),
    /// The process ends.
    Kill,
    /// It is made if all conditions of one of these lists hold; else it is not permitted.
    Any(Vec<Vec<When>>),
}

/// A condition on an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct When {
    argument: u8,
    mask: u64,
    value: u64,
    equal: bool,
}

impl When {
    /// The argument's low 32 bits, as far as they are in `mask`, are `value`.
    pub(super) const fn masked(argument: u8, mask: u32, value: u32) -> Self {
        Self { argument, mask: mask as u64, value: value as u64, equal: true }
    }

    /// The argument's low 32 bits are `value`: what the kernel takes for an `int`.
    pub(super) const fn is(argument: u8, value: u32) -> Self {
        Self::masked(argument, u32::MAX, value)
    }

    /// They are not.
    pub(super) const fn is_not(argument: u8, value: u32) -> Self {
        Self { equal: false, ..Self::is(argument, value) }
    }

    /// All 64 bits, as far as they are in `mask`, are `value`.
    pub(super) const fn wide(argument: u8, mask: u64, value: u64) -> Self {
        Self { argument, mask, value, equal: true }
    }
}

/// Answers by the calls' numbers; calls that are not in it are not permitted.
pub(super) type Table = BTreeMap<c_long, Answer>;

// `linux/bpf_common.h`.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data` of `linux/seccomp.h`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

// `SECCOMP_RET_*` of the same.
pub(super) const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_KILL: u32 = 0x8000_0000;
const DENY: Answer = Answer::Fail(1);

/// `AUDIT_ARCH_*` of `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
pub(super) const THIS_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const THIS_ARCH: u32 = 0xc000_00b7;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn returns(what: u32) -> sock_filter {
    step(RETURN, 0, 0, what)
}

/// The program for a table.
pub(super) fn program(table: &Table) -> BpfProgram {
    let mut program = vec![
        // Another architecture has other numbers.
        step(LOAD, 0, 0, ARCH),
        step(EQUAL, 1, 0, THIS_ARCH),
        returns(RET_KILL),
        step(LOAD, 0, 0, NUMBER),
    ];
    search(&runs(table), &mut program);
    program
}

/// Neighbours of one answer together: first numbers, ascending from 0, with the answer from
/// there on.
fn runs(table: &Table) -> Vec<(u32, Answer)> {
    let mut runs = vec![(0, DENY)];
    let mut put = |from: u32, answer: &Answer| match runs.last_mut() {
        Some(last) if last.1 == *answer => {}
        Some(last) if last.0 == from => last.1 = answer.clone(),
        _ => runs.push((from, answer.clone())),
    };
    for (number, answer) in table {
        // Numbers are small; others are no calls.
        if let Ok(number) = u32::try_from(*number) {
            put(number, answer);
            put(number + 1, &DENY);
        }
    }
    runs
}

/// Appends what finds the run of a number and answers.
fn search(runs: &[(u32, Answer)], program: &mut BpfProgram) {
    match runs {
        [] => program.push(returns(RET_ERRNO | 1)),
        [(_, answer)] => answers(answer, program),
        _ => {
            let (low, high) = runs.split_at(runs.len() / 2);
            let mut below = Vec::new();
            search(low, &mut below);
            let (middle, len) = (high[0].0, u32::try_from(below.len()).unwrap_or(u32::MAX));
            match u8::try_from(len) {
                Ok(len) => program.push(step(AT_LEAST, len, 0, middle)),
                // Only the unconditional jump reaches further.
                Err(_) => {
                    program.extend([step(AT_LEAST, 0, 1, middle), step(JUMP, 0, 0, len)]);
                }
            }
            program.append(&mut below);
            search(high, program);
        }
    }
}

fn answers(answer: &Answer, program: &mut BpfProgram) {
    match answer {
        Answer::Allow => program.push(returns(RET_ALLOW)),
        Answer::Fail(errno) => program.push(returns(RET_ERRNO | u32::from(*errno))),
        Answer::Kill => program.push(returns(RET_KILL)),
        Answer::Any(lists) => {
            for list in lists {
                let mut steps = conditions(list);
                steps.push(returns(RET_ALLOW));
                program.append(&mut steps);
            }
            program.push(returns(RET_ERRNO | 1));
        }
    }
}

/// Steps that end after themselves and one more, the answer, when a condition does not hold.
fn conditions(list: &[When]) -> BpfProgram {
    // From the last to the first, so that each knows how far it is to the end.
    let mut reversed: BpfProgram = Vec::new();
    let words = list.iter().flat_map(|when| {
        let half = |shift: u32| (low(when.mask >> shift), low(when.value >> shift), shift);
        let halves = [half(0), half(32)];
        halves.into_iter().filter(|half| half.0 != 0).map(|half| (*when, half))
    });
    for (when, (mask, value, shift)) in words.collect::<Vec<_>>().into_iter().rev() {
        // Past the steps that follow, and the answer.
        let end = u8::try_from(reversed.len() + 1).unwrap_or(u8::MAX);
        let (jt, jf) = if when.equal { (0, end) } else { (end, 0) };
        reversed.push(step(EQUAL, jt, jf, value));
        if mask != u32::MAX {
            reversed.push(step(AND, 0, 0, mask));
        }
        // Both architectures are little-endian.
        let offset = ARGUMENTS + 8 * u32::from(when.argument) + shift / 8;
        reversed.push(step(LOAD, 0, 0, offset));
    }
    reversed.reverse();
    reversed
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low(number: u64) -> u32 {
    number as u32
}

#[cfg(test)]
pub(super) mod tests;
