//! The reasons against the filter.

use super::super::bpf::tests::{profiles, run, values};
use super::super::bpf::{RET_ALLOW, THIS_ARCH, program};
use super::super::groups::CONDITIONAL;
use super::*;
use std::collections::BTreeSet;

/// One above every number that a kernel has, for a while.
const NUMBERS: u32 = 1024;

/// The jail's, with a traced child.
fn closed() -> Profile {
    Profile::builder().deny_all().allow_hypervisor().allow_trace(&[77]).build().unwrap()
}

/// Numbers of the calls that the filter lets through with some arguments.
fn let_through(profile: &Profile, confined: bool) -> BTreeSet<c_long> {
    let program = program(&table(profile, confined));
    let values = values();
    let is_let_through = |number: u32| {
        let allows = |arguments| run(&program, THIS_ARCH, number, arguments).0 == RET_ALLOW;
        values.iter().any(|value| {
            let one = |place: usize| {
                let mut arguments = [0; 6];
                arguments[place] = *value;
                arguments
            };
            (0..6).any(|place| allows(one(place))) || allows([*value; 6])
        })
    };
    (0..NUMBERS).filter(|number| is_let_through(*number)).map(c_long::from).collect()
}

fn numbers<'a>(groups: impl IntoIterator<Item = &'a [Call]>) -> BTreeSet<c_long> {
    groups.into_iter().flatten().map(|call| call.number).collect()
}

/// By their names where they have some here.
fn named(numbers: impl IntoIterator<Item = c_long>) -> Vec<String> {
    let all = ALWAYS.into_iter().chain(open_groups()).flatten().chain(CONDITIONAL);
    let name = |number| all.clone().find(|call| call.number == number).map(|call| call.name);
    let named = |number: c_long| name(number).map_or(number.to_string(), str::to_owned);
    numbers.into_iter().map(named).collect()
}

fn open_groups() -> [&'static [Call]; 7] {
    [CHANGES, CHILDREN, IPC, NETWORK, PATHS, PROGRAMS, TRACING]
}

/// An addition to the filter without a reason, or a reason of what is not allowed, fails here.
#[test]
fn what_is_allowed_has_a_reason_and_what_has_a_reason_is_allowed() {
    let reasons = numbers(ALWAYS.into_iter().chain(open_groups()).chain([CONDITIONAL]));
    let mut allowed = let_through(&closed(), true);
    for profile in profiles() {
        allowed.extend(let_through(&profile, false));
    }
    let without: Vec<_> = allowed.difference(&reasons).copied().collect();
    assert!(without.is_empty(), "no reason is given for {without:?}");
    let idle = named(reasons.difference(&allowed).copied());
    assert!(idle.is_empty(), "there are reasons for {idle:?}, which no profile allows");
}

#[test]
fn the_jail_allows_its_groups_and_nothing_else() {
    let groups = ALWAYS.into_iter().chain([CONDITIONAL, TRACING]);
    let mut expected = numbers(groups);
    // Of what a jail has no part in.
    for call in [libc::SYS_socket, libc::SYS_shmat] {
        expected.remove(&call);
    }
    let allowed = let_through(&closed(), true);
    let more = named(allowed.difference(&expected).copied());
    let less = named(expected.difference(&allowed).copied());
    assert!(more.is_empty() && less.is_empty(), "more: {more:?}, less: {less:?}");
}

#[test]
fn no_mode_owner_or_attribute_of_a_file_is_changed_in_a_jail() {
    let program = program(&table(&closed(), true));
    let calls = [
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        452, // fchmodat2
        libc::SYS_fchown,
        libc::SYS_fchownat,
        libc::SYS_setxattr,
        libc::SYS_fsetxattr,
        463, // setxattrat
        469, // file_setattr
        libc::SYS_truncate,
        libc::SYS_mknodat,
        libc::SYS_open_tree,
        libc::SYS_name_to_handle_at,
        libc::SYS_statfs,
        libc::SYS_faccessat,
        libc::SYS_faccessat2,
        libc::SYS_inotify_add_watch,
    ];
    for call in calls {
        let number = u32::try_from(call).unwrap();
        for value in values() {
            let answer = run(&program, THIS_ARCH, number, [value; 6]).0;
            assert_ne!(answer, RET_ALLOW, "call {number} with {value:#x}");
        }
    }
}

/// A path could be any file's, and a filter does not see it.
#[test]
fn times_are_set_by_a_path_only_where_none_leads_out() {
    let by_path = [3, 0x7fff_0000, 0, 0, 0, 0];
    let of_a_descriptor = [3, 0, 0, 0, 0, 0];
    let number = u32::try_from(libc::SYS_utimensat).unwrap();
    for (confined, arguments, expected) in [
        (true, by_path, true),
        (true, of_a_descriptor, true),
        (false, by_path, false),
        (false, of_a_descriptor, true),
    ] {
        let program = program(&table(&closed(), confined));
        let allowed = run(&program, THIS_ARCH, number, arguments).0 == RET_ALLOW;
        assert_eq!(allowed, expected, "{confined} {arguments:?}");
    }
}

#[test]
fn reasons_are_sentences_of_their_own() {
    for call in ALWAYS.into_iter().chain(open_groups()).flatten().chain(CONDITIONAL) {
        assert!(call.why.len() >= 5, "{}", call.name);
    }
}
