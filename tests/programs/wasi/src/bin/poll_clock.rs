//! `poll_oneoff` with clocks: how long it takes, and what comes back.

use wasi_programs::*;

const MILLISECOND: Timestamp = 1_000_000;
const ABSOLUTE: Subclockflags = SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;

fn clock(
    userdata: Userdata,
    id: Clockid,
    timeout: Timestamp,
    flags: Subclockflags,
) -> Subscription {
    Subscription {
        userdata,
        u: SubscriptionU {
            tag: EVENTTYPE_CLOCK.raw(),
            u: SubscriptionUU { clock: SubscriptionClock { id, timeout, precision: 0, flags } },
        },
    }
}

fn now(id: Clockid) -> Timestamp {
    ok(clock_time_get(id, 0))
}

/// Polls and gives the events and the time that passed.
fn poll(subscriptions: &[Subscription]) -> (Vec<Event>, Timestamp) {
    // SAFETY: All zeros is a value of each field.
    let mut events = vec![unsafe { std::mem::zeroed() }; subscriptions.len()];
    let before = now(CLOCKID_MONOTONIC);
    let count = ok(poll_oneoff(subscriptions, &mut events));
    events.truncate(count);
    (events, now(CLOCKID_MONOTONIC) - before)
}

#[track_caller]
fn assert_is_clock(event: &Event, userdata: Userdata) {
    assert_eq!(event.userdata, userdata);
    assert_eq!(event.error, ERRNO_SUCCESS);
    assert_eq!(event.type_, EVENTTYPE_CLOCK);
}

fn main() {
    for id in [CLOCKID_MONOTONIC, CLOCKID_REALTIME] {
        // Relative, alone: wasmtime has a way of its own for this.
        let (events, passed) = poll(&[clock(7, id, 20 * MILLISECOND, 0)]);
        assert_eq!(events.len(), 1);
        assert_is_clock(&events[0], 7);
        assert!(passed >= 20 * MILLISECOND, "woke after {passed} ns");

        // Absolute. The realtime clock may be stepped meanwhile, so only the
        // other one says for how long to sleep.
        let start = now(id);
        let (events, _) = poll(&[clock(u64::MAX, id, start + 20 * MILLISECOND, ABSOLUTE)]);
        assert_eq!(events.len(), 1);
        assert_is_clock(&events[0], u64::MAX);
        if id == CLOCKID_MONOTONIC {
            assert!(now(id) >= start + 20 * MILLISECOND);
        }

        // Past already: there is no wait.
        for (timeout, flags) in [(0, 0), (0, ABSOLUTE), (start, ABSOLUTE)] {
            let (events, _) = poll(&[clock(1, id, timeout, flags)]);
            assert_eq!(events.len(), 1);
        }
    }

    // Of several, the earliest ends the wait, and those not due stay out.
    let hour = 3_600_000 * MILLISECOND;
    let (events, passed) = poll(&[
        clock(1, CLOCKID_MONOTONIC, hour, 0),
        clock(2, CLOCKID_REALTIME, 20 * MILLISECOND, 0),
        clock(3, CLOCKID_MONOTONIC, now(CLOCKID_MONOTONIC) + hour, ABSOLUTE),
        clock(4, CLOCKID_REALTIME, now(CLOCKID_REALTIME) + hour, ABSOLUTE),
    ]);
    assert_eq!(events.len(), 1);
    assert_is_clock(&events[0], 2);
    assert!(passed >= 20 * MILLISECOND && passed < hour);

    // Those due at once all come, in the order given.
    let (events, _) = poll(&[
        clock(1, CLOCKID_MONOTONIC, 0, ABSOLUTE),
        clock(2, CLOCKID_MONOTONIC, hour, 0),
        clock(3, CLOCKID_MONOTONIC, 1, ABSOLUTE),
    ]);
    assert_eq!(events.len(), 2);
    assert_is_clock(&events[0], 1);
    assert_is_clock(&events[1], 3);
}
