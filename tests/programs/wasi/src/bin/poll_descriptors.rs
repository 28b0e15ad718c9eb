//! `poll_oneoff` with descriptors to read and write.
//! Standard input holds at least one byte.

use wasi_programs::*;

fn subscription(userdata: Userdata, kind: Eventtype, file_descriptor: Fd) -> Subscription {
    let on = SubscriptionFdReadwrite { file_descriptor };
    let u = if kind == EVENTTYPE_FD_READ {
        SubscriptionUU { fd_read: on }
    } else {
        SubscriptionUU { fd_write: on }
    };
    let tag = kind.raw();
    Subscription { userdata, u: SubscriptionU { tag, u } }
}

fn read(userdata: Userdata, fd: Fd) -> Subscription {
    subscription(userdata, EVENTTYPE_FD_READ, fd)
}

fn write(userdata: Userdata, fd: Fd) -> Subscription {
    subscription(userdata, EVENTTYPE_FD_WRITE, fd)
}

fn poll(subscriptions: &[Subscription]) -> Result<Vec<Event>, Errno> {
    // SAFETY: All zeros is a value of each field.
    let mut events = vec![unsafe { std::mem::zeroed() }; subscriptions.len()];
    let count = poll_oneoff(subscriptions, &mut events)?;
    events.truncate(count);
    Ok(events)
}

/// Asserts that one subscription, polled alone, comes with these flags.
#[track_caller]
fn assert_ready(subscription: Subscription, flags: Eventrwflags) {
    let events = ok(poll(&[subscription]));
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.userdata, subscription.userdata);
    assert_eq!(event.error, ERRNO_SUCCESS);
    assert_eq!(event.type_.raw(), subscription.u.tag);
    assert_eq!(event.fd_readwrite.flags, flags);
    // wasmtime does not know how much, and says one byte.
    assert_eq!(event.fd_readwrite.nbytes, 1);
}

fn main() {
    let file = create_open("file", b"0123");

    assert_ready(read(1, FD_STDIN), 0);
    assert_ready(write(2, FD_STDOUT), 0);
    assert_ready(write(3, FD_STDERR), 0);
    assert_ready(read(4, file), 0);
    assert_ready(write(5, file), 0);

    // Polling reads nothing away.
    assert_eq!(ok(fd_tell(file)), 0);
    assert_eq!(ok(fd_read(FD_STDIN, &mut [&mut [0; 1]])), 1);
    assert_eq!(read_to_end(file), b"0123");

    // At its end a file is ready, and hung up.
    assert_ready(read(6, file), EVENTRWFLAGS_FD_READWRITE_HANGUP);
    assert_ready(write(7, file), 0);
    let append = ok(path_open(ROOT, 0, "file", 0, WRITE, 0, FDFLAGS_APPEND));
    assert_ready(write(8, append), 0);

    // Several at once, in the order given. A file takes a moment to become
    // ready in wasmtime, so that the streams here may come without it.
    let events = ok(poll(&[write(1, FD_STDOUT), read(2, file), write(3, FD_STDERR)]));
    let userdata: Vec<Userdata> = events.iter().map(|event| event.userdata).collect();
    assert!(userdata == [1, 3] || userdata == [1, 2, 3], "{userdata:?}");

    // The wrong way round, not open, no file: the call as a whole fails.
    fails(ERRNO_BADF, poll(&[write(1, FD_STDIN)]));
    fails(ERRNO_BADF, poll(&[read(1, FD_STDOUT)]));
    fails(ERRNO_BADF, poll(&[read(1, ROOT)]));
    fails(ERRNO_BADF, poll(&[write(1, ROOT)]));
    fails(ERRNO_BADF, poll(&[read(1, NO_SUCH_FD)]));
    fails(ERRNO_BADF, poll(&[write(1, FD_STDOUT), read(2, NO_SUCH_FD)]));

    // No subscription at all would be to sleep for ever.
    fails(ERRNO_INVAL, poll(&[]));
}
