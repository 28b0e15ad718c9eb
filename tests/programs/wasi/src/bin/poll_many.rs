//! `poll_oneoff` with 10,000 subscriptions of all kinds, and with times far in the future.

use wasi_programs::*;

const COUNT: usize = 10_000;
const HOUR: Timestamp = 3_600_000_000_000;
/// Of a busy machine.
const SLACK: Timestamp = 500_000_000;
const ABSOLUTE: Subclockflags = SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;

fn clock(userdata: usize, timeout: Timestamp, flags: Subclockflags) -> Subscription {
    let id = if userdata % 2 == 0 { CLOCKID_MONOTONIC } else { CLOCKID_REALTIME };
    let clock = SubscriptionClock { id, timeout, precision: 0, flags };
    let u = SubscriptionU { tag: EVENTTYPE_CLOCK.raw(), u: SubscriptionUU { clock } };
    Subscription { userdata: userdata as u64, u }
}

fn descriptor(userdata: usize, kind: Eventtype, file_descriptor: Fd) -> Subscription {
    let fd_read = SubscriptionFdReadwrite { file_descriptor };
    let u = SubscriptionU { tag: kind.raw(), u: SubscriptionUU { fd_read } };
    Subscription { userdata: userdata as u64, u }
}

/// The numbers of those that have happened.
fn poll(subscriptions: &[Subscription]) -> Vec<usize> {
    // SAFETY: All zeros is a value of each field.
    let mut events = vec![unsafe { std::mem::zeroed::<Event>() }; subscriptions.len()];
    let count = ok(poll_oneoff(subscriptions, &mut events));
    assert!(events[..count].iter().all(|event| event.error == ERRNO_SUCCESS));
    events[..count].iter().map(|event| event.userdata as usize).collect()
}

fn main() {
    let file = create_open("file", b"0123");

    // Clocks alone: one is due. Ten times as many take ten times as long, and not a hundred.
    let one_is_due = |count: usize| {
        let mut many: Vec<_> = (0..count).map(|n| clock(n, HOUR, 0)).collect();
        many[count - 7] = clock(count - 7, 1_000_000, 0);
        let begun = ok(clock_time_get(CLOCKID_MONOTONIC, 1));
        assert_eq!(poll(&many), [count - 7]);
        ok(clock_time_get(CLOCKID_MONOTONIC, 1)) - begun
    };
    let few = one_is_due(COUNT / 10);
    let many = one_is_due(COUNT);
    assert!(many < 40 * few + SLACK, "{few} ns, then {many} ns");

    // Farther off than any clock counts; one is due.
    let mut far: Vec<_> =
        (0..COUNT).map(|n| clock(n, u64::MAX, if n % 4 < 2 { 0 } else { ABSOLUTE })).collect();
    far[3] = clock(3, 1_000_000, 0);
    assert_eq!(poll(&far), [3]);

    // Descriptors and clocks: files are ready at once, and so is output.
    let mixed: Vec<_> = (0..COUNT)
        .map(|n| match n % 4 {
            0 => descriptor(n, EVENTTYPE_FD_READ, file),
            1 => descriptor(n, EVENTTYPE_FD_WRITE, FD_STDOUT),
            2 => descriptor(n, EVENTTYPE_FD_WRITE, file),
            _ => clock(n, HOUR, 0),
        })
        .collect();
    let ready = poll(&mixed);
    let wanted: Vec<_> = (0..COUNT).filter(|n| n % 4 != 3).collect();
    assert_eq!(ready, wanted);

    // Standard input has bytes: the same number as often as it was asked for.
    let streams: Vec<_> = (0..COUNT)
        .map(|n| match n % 2 {
            0 => descriptor(n, EVENTTYPE_FD_READ, FD_STDIN),
            _ => clock(n, HOUR, 0),
        })
        .collect();
    assert_eq!(poll(&streams).len(), COUNT / 2);
}
