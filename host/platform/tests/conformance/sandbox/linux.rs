//! What only Linux has: calls by number, KVM, tracing.

use super::assert_denies;
use super::attempts::Outcome::{Denied, Done};
use super::attempts::{Scene, checked};
use super::child::run;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use wrt_platform::sandbox::Part;

/// `KVM_GET_API_VERSION` of `linux/kvm.h`.
const KVM_GET_API_VERSION: libc::Ioctl = 0xae00;
/// How many families of sockets `linux/socket.h` numbers.
const AF_MAX: i32 = 46;

#[test]
fn calls_of_attackers_are_not_permitted() {
    for case in ["closed", "empty"] {
        let report = run(case);
        for attempt in [
            "io_uring_setup",
            "bpf",
            "keyctl",
            "perf_event_open",
            "unshare a user namespace",
            "clone a user namespace",
            "mount",
            "userfaultfd",
            "read the parent's memory",
            "ptrace the parent",
            "type into the terminal",
            "have signals sent",
            "personality",
            "add a filter that asks another process",
        ] {
            assert_eq!(report.errno(attempt), libc::EPERM, "{case}: {attempt}");
        }
    }
}

/// Seatbelt has them with the network.
#[test]
fn local_sockets_are_denied_with_other_talk_and_not_with_the_network() {
    for (case, denied, done) in [
        ("network", "open a UDP socket", "connect to a local socket"),
        ("ipc", "connect to a local socket", "connect by TCP"),
        ("ipc", "connect to a local socket", "open a UDP socket"),
    ] {
        assert_denies(case, denied, done);
    }
}

/// Not for want of what comes after it: the kernel has code of each family that `socket` reaches.
#[test]
fn no_socket_is_made_where_the_network_is_denied() {
    for (case, local, other) in
        [("closed", libc::EPERM, libc::EPERM), ("network", 0, libc::EPERM), ("ipc", libc::EPERM, 0)]
    {
        let report = run(case);
        assert_eq!(report.errno("make a local socket"), local, "{case}");
        assert_eq!(report.errno("make a socket that is not local"), other, "{case}");
    }
}

#[test]
fn libc_is_told_of_no_newer_clone() {
    assert_eq!(run("closed").errno("clone3"), libc::ENOSYS);
}

#[test]
fn a_hypervisor_can_be_used_but_not_opened_again() {
    // Even where every file may be read and written.
    for case in ["hypervisor", "empty"] {
        let report = run(case);
        if report.has("use a second hypervisor") {
            assert_eq!(report.outcome("use a second hypervisor"), Denied, "{case}");
        }
    }
    let report = run("hypervisor");
    if !report.has("use the hypervisor") {
        return eprintln!("skipped: no /dev/kvm");
    }
    assert_eq!(report.outcome("use the hypervisor"), Done);
    assert_eq!(run("closed").outcome("use the hypervisor"), Denied);
    assert_eq!(run("closed").outcome("open a second hypervisor"), Denied);
}

/// The hypervisor, if what has its name is one.
pub(super) fn hypervisor() -> Option<File> {
    let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm").ok()?;
    ask(&kvm).is_ok().then_some(kvm)
}

/// Asks it for the version of its interface.
fn ask(kvm: &File) -> io::Result<()> {
    // SAFETY: asks for a number.
    checked(unsafe { libc::ioctl(kvm.as_raw_fd(), KVM_GET_API_VERSION, 0) })
}

#[test]
fn threads_from_before_are_bound_by_the_filter_and_reported() {
    let report = run("late");
    assert_eq!(report.outcome("open a UDP socket in a thread from before"), Denied);
    // Before Linux 7.0 they keep their files.
    match landlock_version() {
        8.. => assert!(report.is_complete(), "{}", report.text()),
        _ => {
            let reads = report.part(Part::Reads);
            assert!(reads.contains("1 threads were there before"), "{reads}");
        }
    }
}

#[test]
fn a_process_of_one_thread_on_a_new_kernel_is_confined_in_full() {
    let report = run("closed");
    if landlock_version() >= 6 {
        assert!(report.is_complete(), "{}", report.text());
    }
}

#[test]
fn where_paths_are_denied_none_leads_out_of_what_is_open() {
    let report = run("paths");
    let paths = report.part(Part::Paths);
    if paths.starts_with("paths: not enforced") {
        return eprintln!("skipped: {paths}");
    }
    for attempt in ["ask for a size outside", "set times outside", "hold a file outside"] {
        let errno = report.errno(attempt);
        // By mounts, by `chroot`, by the filter.
        let expected = [libc::ENOENT, libc::ESRCH, libc::EPERM];
        assert!(expected.contains(&errno), "{attempt}: {}", report.text());
    }
    if !paths.contains(", but ") {
        assert_eq!(report.errno("ask for a size above an open place"), libc::ENOENT);
        assert_eq!(report.errno("set times in an open place"), 0);
    }
    for attempt in [
        "ask for a size in an open place",
        "write in an open place",
        "read what was open before",
        "make a thread",
    ] {
        assert_eq!(report.outcome(attempt), Done, "{attempt}: {}", report.text());
    }
}

#[test]
fn attacks_can_be_the_end() {
    assert_eq!(run("fatal").signal, Some(libc::SIGSYS));
}

#[test]
fn a_traced_child_stays_traced() {
    let report = run("trace");
    assert_eq!(report.outcome("go on tracing a child"), Done);
    assert_eq!(report.outcome("ptrace the parent"), Denied);
    assert_eq!(report.outcome("kill the parent"), Denied);
    assert_eq!(report.outcome("ask a sleeper to end"), Done);
}

#[test]
fn threads_and_children_made_between_the_halves_are_inside() {
    let report = run("halves");
    if landlock_version() >= 6 {
        assert!(report.is_complete(), "{}", report.text());
    }
    assert_eq!(report.outcome("go on tracing a child"), Done);
    assert_eq!(report.outcome("ask a sleeper to end"), Done);
    assert_eq!(report.outcome("read outside"), Denied);
    assert_eq!(report.outcome("open a UDP socket in a thread from before"), Denied);
    assert_eq!(report.outcome("kill the parent"), Denied);
}

fn landlock_version() -> i64 {
    // SAFETY: flag 1 asks for the version and reads no memory.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, 1) }
}

/// A call with these arguments.
fn call(number: i64, arguments: [usize; 5]) -> Option<io::Result<()>> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the arguments are null, flags or lengths that fit null: none of the calls
    // writes to memory of this process with them.
    Some(checked(unsafe { libc::syscall(number, a, b, c, d, e) }))
}

/// Makes a socket and closes it.
fn socket(family: i32, kind: i32) -> io::Result<()> {
    // SAFETY: a plain call.
    let socket = unsafe { libc::socket(family, kind, 0) };
    checked(socket)?;
    // SAFETY: it was opened just now, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(socket) });
    Ok(())
}

/// Looks for a family of sockets that can be made, and stops at the first: the kernel may load
/// code for each. If there is none, the error says whether it was always the permission.
fn any_socket_that_is_not_local() -> io::Result<()> {
    let mut failed = io::Error::from_raw_os_error(libc::EPERM);
    for family in (0..AF_MAX).filter(|family| *family != libc::AF_UNIX) {
        for kind in [libc::SOCK_DGRAM, libc::SOCK_STREAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET] {
            match socket(family, kind) {
                Ok(()) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
                Err(error) => failed = error,
            }
        }
    }
    Err(failed)
}

type Attempt = fn(&mut Scene) -> Option<io::Result<()>>;

pub(super) fn attempts() -> Vec<(&'static str, Attempt)> {
    vec![
        ("io_uring_setup", |_| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0])),
        ("bpf", |_| call(libc::SYS_bpf, [0; 5])),
        ("keyctl", |_| call(libc::SYS_keyctl, [0; 5])),
        ("perf_event_open", |_| call(libc::SYS_perf_event_open, [0; 5])),
        ("unshare a user namespace", |_| call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0])),
        ("clone a user namespace", |_| {
            // As a thread, so that nothing is forked should it be let through: then the
            // kernel says that the two exclude each other, by another errno.
            call(libc::SYS_clone, [0x1001_0000, 0, 0, 0, 0])
        }),
        ("clone3", |_| call(libc::SYS_clone3, [0; 5])),
        ("mount", |_| call(libc::SYS_mount, [0; 5])),
        ("userfaultfd", |_| call(libc::SYS_userfaultfd, [usize::MAX, 0, 0, 0, 0])),
        ("personality", |_| call(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0])),
        ("add a filter that asks another process", |_| call(libc::SYS_seccomp, [1, 8, 0, 0, 0])),
        ("read the parent's memory", |s| {
            let parent = usize::try_from(s.parent).unwrap();
            call(libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0])
        }),
        ("ptrace the parent", |s| {
            // SAFETY: attaches to another process; no memory is involved.
            Some(checked(unsafe { libc::ptrace(libc::PTRACE_ATTACH, s.parent, 0, 0) }))
        }),
        ("go on tracing a child", |s| {
            let child = *s.sleepers().first()?;
            // SAFETY: lets a stopped child go on; no memory is involved.
            Some(checked(unsafe { libc::ptrace(libc::PTRACE_CONT, child, 0, 0) }))
        }),
        ("type into the terminal", |_| {
            // SAFETY: would put one byte into a terminal's input; not permitted either way on
            // what is no terminal, by another errno.
            Some(checked(unsafe { libc::ioctl(0, libc::TIOCSTI, b"x".as_ptr()) }))
        }),
        ("have signals sent", |s| {
            // SAFETY: sets a number.
            Some(checked(unsafe { libc::fcntl(0, libc::F_SETOWN, s.parent) }))
        }),
        ("make a local socket", |_| Some(socket(libc::AF_UNIX, libc::SOCK_DGRAM))),
        ("make a socket that is not local", |_| Some(any_socket_that_is_not_local())),
        ("use the hypervisor", |s| s.kvm.as_ref().map(ask)),
        ("open a second hypervisor", |s| {
            s.kvm.as_ref()?;
            Some(OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop))
        }),
        ("use a second hypervisor", |s| {
            s.kvm.as_ref()?;
            let opened = OpenOptions::new().read(true).write(true).open("/dev/kvm");
            Some(opened.and_then(|kvm| ask(&kvm)))
        }),
        ("make an eBPF map (fatal)", |_| call(libc::SYS_bpf, [0; 5])),
    ]
}
