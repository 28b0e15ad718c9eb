//! `poll_oneoff` for a file on a read-only preopen.

use wasi_programs::*;

fn main() {
    let fd = ok(open("file", 0, READ));
    // SAFETY: All zeros is a value of each field.
    let mut event: Event = unsafe { std::mem::zeroed() };
    let mut poll = |kind: Eventtype| {
        let subscription = Subscription {
            userdata: 7,
            u: SubscriptionU {
                tag: kind.raw(),
                u: SubscriptionUU { fd_read: SubscriptionFdReadwrite { file_descriptor: fd } },
            },
        };
        poll_oneoff(&[subscription], std::slice::from_mut(&mut event))
    };

    assert_eq!(ok(poll(EVENTTYPE_FD_READ)), 1);
    // The call fails, where the event could.
    fails(ERRNO_PERM, poll(EVENTTYPE_FD_WRITE));
    assert_eq!((event.userdata, event.type_), (7, EVENTTYPE_FD_READ));
}
