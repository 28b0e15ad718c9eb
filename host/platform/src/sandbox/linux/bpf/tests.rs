//! The programs against `seccompiler`'s, run by an interpreter.

use super::super::super::Profile;
use super::super::calls;
use super::*;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::{
    SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Runs a program as the kernel does; also how many steps it took.
pub(in super::super) fn run(
    program: &BpfProgram,
    arch: u32,
    number: u32,
    arguments: [u64; 6],
) -> (u32, usize) {
    let (mut at, mut word, mut steps) = (0, 0_u32, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at].clone();
        at += 1;
        steps += 1;
        match code {
            LOAD => {
                word = match k {
                    NUMBER => number,
                    ARCH => arch,
                    k => {
                        let argument = arguments[((k - ARGUMENTS) / 8) as usize];
                        low(argument >> ((k - ARGUMENTS) % 8 * 8))
                    }
                }
            }
            AND => word &= k,
            JUMP => at += k as usize,
            EQUAL => at += usize::from(if word == k { jt } else { jf }),
            AT_LEAST => at += usize::from(if word >= k { jt } else { jf }),
            RETURN => return (k, steps),
            other => panic!("code {other:#x}"),
        }
    }
}

/// The same table by `seccompiler`: allowed, or not.
fn reference(table: &Table) -> BpfProgram {
    let condition = |when: &When| {
        let (len, whole) = match when.mask >> 32 {
            0 => (Dword, u64::from(u32::MAX)),
            _ => (Qword, u64::MAX),
        };
        let op = match (when.equal, when.mask == whole) {
            (true, true) => SeccompCmpOp::Eq,
            (true, false) => SeccompCmpOp::MaskedEq(when.mask),
            (false, _) => SeccompCmpOp::Ne,
        };
        SeccompCondition::new(when.argument, len, op, when.value).unwrap()
    };
    let rules = table.iter().filter_map(|(number, answer)| match answer {
        Answer::Allow => Some((*number, vec![])),
        Answer::Any(lists) => {
            let rule =
                |list: &Vec<When>| SeccompRule::new(list.iter().map(condition).collect()).unwrap();
            Some((*number, lists.iter().map(rule).collect()))
        }
        Answer::Fail(_) | Answer::Kill => None,
    });
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let (no, yes) = (SeccompAction::Errno(1), SeccompAction::Allow);
    SeccompFilter::new(rules.collect(), no, yes, arch).unwrap().try_into().unwrap()
}

pub(in super::super) fn profiles() -> Vec<Profile> {
    let all = Profile::builder()
        .deny_network()
        .deny_process_fork()
        .deny_process_exec()
        .deny_ipc()
        .deny_executable_memory();
    vec![
        Profile::default(),
        Profile::builder().deny_network().allow_hypervisor().build().unwrap(),
        Profile::builder().deny_ipc().build().unwrap(),
        all.allow_hypervisor()
            .deny_file_write_all()
            .deny_paths()
            .allow_trace(&[77, 78])
            .kill_on_attack()
            .build()
            .unwrap(),
    ]
}

/// Values around what conditions ask for, and their neighbours.
pub(in super::super) fn values() -> Vec<u64> {
    let own = u64::from(std::process::id());
    vec![
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
        10,
        13,
        15,
        16,
        38,
        77,
        78,
        own,
        0x4206,
        0x5401,
        0x5412,
        0x5413,
        0xae00,
        0xae80,
        0x4020_ae46,
        0x0001_0000,
        0x1001_0000,
        0x003d_0f00,
        0x4004_9409,
        0x5356_4d41,
        0xffff_ffff,
        1 << 32,
        1 << 40 | 1,
        u64::MAX,
    ]
}

#[test]
fn both_compilers_agree() {
    let values = values();
    for (profile, confined) in
        profiles().iter().flat_map(|profile| [(profile, false), (profile, true)])
    {
        let table = calls::table(profile, confined);
        let (ours, theirs) = (program(&table), reference(&table));
        for number in (0..600).chain([0x3fff_ffff, 0x4000_0000, 0x4000_0001, u32::MAX]) {
            for (turn, value) in values.iter().enumerate() {
                let mut arguments = [values[(turn * 7 + 3) % values.len()]; 6];
                for place in 0..6 {
                    let before = std::mem::replace(&mut arguments[place], *value);
                    let ours = run(&ours, THIS_ARCH, number, arguments).0;
                    let theirs = run(&theirs, THIS_ARCH, number, arguments).0;
                    let allowed = (ours == RET_ALLOW, theirs == RET_ALLOW);
                    let same = allowed.0 == allowed.1;
                    // What only ours tells apart: `clone3` and attacks.
                    assert!(same, "call {number} {arguments:x?}: {ours:x} and {theirs:x}");
                    arguments[place] = before;
                }
            }
        }
    }
}

#[test]
fn a_call_is_told_in_few_steps() {
    for profile in profiles() {
        let program = program(&calls::table(&profile, true));
        assert!(program.len() < 1000, "{}", program.len());
        let kvm_run = run(&program, THIS_ARCH, 16, [5, 0xae80, 0, 0, 0, 0]).1;
        for number in 0..600 {
            let steps = run(&program, THIS_ARCH, number, [0; 6]).1;
            assert!(steps < 60, "call {number}: {steps} steps, KVM_RUN {kvm_run}");
        }
    }
}

#[test]
fn other_architectures_and_what_is_in_no_table() {
    let program = program(&calls::table(&Profile::default(), false));
    let i386 = 0x4000_0003;
    assert_eq!(run(&program, i386, 3, [0; 6]).0, RET_KILL);
    // The numbers of x32, and ones that no kernel has.
    for number in [0x4000_0000, 0x4000_0001, 9999, u32::MAX] {
        assert_eq!(run(&program, THIS_ARCH, number, [0; 6]).0, RET_ERRNO | 1);
    }
    let empty = super::program(&Table::new());
    assert_eq!(run(&empty, THIS_ARCH, 0, [0; 6]).0, RET_ERRNO | 1);
}
