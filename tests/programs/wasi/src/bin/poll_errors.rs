//! `poll_oneoff` with clocks and kinds of events that do not exist.

use wasi_programs::*;

/// A subscription to `clock`, which need not be one.
fn clock(tag: u8, clock: u32, flags: Subclockflags) -> Subscription {
    // SAFETY: The clock's number is a plain integer for the host to judge.
    let id = unsafe { std::mem::transmute::<u32, Clockid>(clock) };
    let (timeout, precision) = (0, 0);
    let clock = SubscriptionClock { id, timeout, precision, flags };
    Subscription { userdata: 0, u: SubscriptionU { tag, u: SubscriptionUU { clock } } }
}

fn poll(subscription: Subscription) -> Result<Size, Errno> {
    // SAFETY: All zeros is a value of each field.
    let event: Event = unsafe { std::mem::zeroed() };
    // Twice, so that it is not the lone timer that wasmtime treats apart.
    poll_oneoff(&[subscription, subscription], &mut [event, event])
}

fn main() {
    assert_eq!(ok(poll(clock(0, 0, 0))), 2);

    // Clocks wasmtime lacks, and no clock at all.
    for id in [2, 3, 4, u32::MAX] {
        fails(ERRNO_INVAL, poll(clock(0, id, 0)));
    }
    // No kind of event.
    for tag in [3, 255] {
        fails(ERRNO_INVAL, poll(clock(tag, 0, 0)));
    }
    // No flag.
    fails(ERRNO_INVAL, poll(clock(0, 0, 2)));
}
