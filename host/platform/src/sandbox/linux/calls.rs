//! Which system calls a process may make by its profile, and under which conditions.

use super::super::Profile;
use super::bpf::{Answer, Table, When};
use super::groups::{
    ABSENT, CHANGES, CHILDREN, Call, FACTS, FILES, HOSTILE, IPC, MEMORY, NAMES, NETWORK, OLDER,
    OPEN_SOCKETS, OWN_SIGNALS, PATHS, PROGRAMS, THREADS, TIME_AND_EVENTS, TRACING,
};
use libc::c_long;

/// A table while it is made.
struct List(Table);

impl List {
    fn all(&mut self, calls: &[Call], answer: &Answer) {
        self.0.extend(calls.iter().map(|call| (call.number, answer.clone())));
    }

    fn always(&mut self, calls: &[Call]) {
        self.all(calls, &Answer::Allow);
    }

    /// Allows a call of which some requests are denied elsewhere.
    fn any(&mut self, call: c_long) {
        self.0.insert(call, Answer::Allow);
    }

    /// Allows a call under these conditions, which all must hold, too.
    fn when(&mut self, call: c_long, all: &[When]) {
        match self.0.entry(call).or_insert(Answer::Any(vec![])) {
            Answer::Any(lists) => lists.push(all.to_vec()),
            // Allowed at all, or an attack: nothing to add.
            Answer::Allow | Answer::Fail(_) | Answer::Kill => {}
        }
    }
}

/// Groups that every profile allows.
pub(super) const ALWAYS: [&[Call]; 9] =
    [MEMORY, THREADS, OWN_SIGNALS, TIME_AND_EVENTS, FACTS, FILES, NAMES, OLDER, OPEN_SOCKETS];

/// What each call is answered. `confined`: no path leads out of what is open.
pub(super) fn table(profile: &Profile, confined: bool) -> Table {
    let mut list = List(Table::new());
    for group in ALWAYS {
        list.always(group);
    }
    list.all(ABSENT, &Answer::Fail(ENOSYS));
    if profile.kill {
        list.all(HOSTILE, &Answer::Kill);
        if profile.traced.is_empty() {
            list.0.insert(libc::SYS_ptrace, Answer::Kill);
        }
    }
    files(&mut list, profile, confined);
    mapping(&mut list, profile);
    controls(&mut list, profile);
    sockets(&mut list, profile);
    processes(&mut list, profile);
    signals(&mut list, profile);
    list.0
}

/// What is done with files beside reading and writing.
fn files(list: &mut List, profile: &Profile, confined: bool) {
    if !profile.paths {
        list.always(PATHS);
    }
    if !profile.writes {
        list.always(CHANGES);
    }
    if confined || !profile.writes {
        list.any(libc::SYS_utimensat);
    } else {
        // Times of what is open: Landlock does not know of times, and this filter not of paths.
        list.when(libc::SYS_utimensat, &[When::wide(1, u64::MAX, 0)]);
    }
}

/// Mapping memory, executable or not.
fn mapping(list: &mut List, profile: &Profile) {
    let calls = [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect];
    if !profile.executable_memory {
        calls.into_iter().for_each(|call| list.any(call));
        return;
    }
    for call in calls {
        list.when(call, &[When::masked(2, bits(libc::PROT_EXEC), 0)]);
    }
}

/// The bits of a C `int`.
const fn bits(number: i32) -> u32 {
    number.cast_unsigned()
}

/// Requests of `ioctl` about any file.
const REQUESTS: [u32; 6] = [
    0x5401,      // TCGETS, of `asm-generic/ioctls.h` as the next: whether it is a terminal (glibc)
    0x802c_542a, // TCGETS2: the same (newer glibc)
    0x5413,      // TIOCGWINSZ: the same (musl)
    0x541b,      // FIONREAD: how much can be read
    0x5421,      // FIONBIO: whether to wait
    0x5451,      // FIOCLEX: not for other programs
];

/// Commands of `fcntl`, of `asm-generic/fcntl.h` and `linux/fcntl.h`: copies and flags of
/// descriptors, sizes of pipes, seals of files in memory.
const COMMANDS: [i32; 10] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETPIPE_SZ,
    libc::F_SETPIPE_SZ,
    libc::F_ADD_SEALS,
    libc::F_GET_SEALS,
];

/// Locks of files, which need a path to mean something to others.
const LOCKS: [i32; 6] = [
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
];

/// Options of `prctl`: names of threads and of mappings, how exactly to wake up.
const OPTIONS: [i32; 5] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_SET_TIMERSLACK,
    libc::PR_GET_TIMERSLACK,
];

/// `ioctl`, `fcntl`, `prctl` and their like, of which only harmless requests are allowed: not
/// `TIOCSTI` (types into the terminal), not `F_SETOWN` (sends signals).
fn controls(list: &mut List, profile: &Profile) {
    // The first to be looked at, since it is called most.
    if profile.hypervisor {
        // `KVMIO` of `linux/kvm.h`, where `_IOC_TYPE` of `asm-generic/ioctl.h` has it.
        list.when(libc::SYS_ioctl, &[When::masked(1, 0xff00, 0xae00)]);
    }
    for request in REQUESTS {
        list.when(libc::SYS_ioctl, &[When::is(1, request)]);
    }
    let locks: &[i32] = if profile.paths { &[] } else { &LOCKS };
    for command in COMMANDS.iter().chain(locks) {
        list.when(libc::SYS_fcntl, &[When::is(1, bits(*command))]);
    }
    for option in OPTIONS {
        list.when(libc::SYS_prctl, &[When::is(0, bits(option))]);
    }
    // Limits can be read; a thread can change its own scheduling.
    list.when(libc::SYS_prlimit64, &[When::wide(2, u64::MAX, 0)]);
    list.when(libc::SYS_sched_setscheduler, &[When::is(0, 0)]);
    list.when(libc::SYS_setpriority, &[When::is(0, 0), When::is(1, 0)]);
}

fn sockets(list: &mut List, profile: &Profile) {
    let local = bits(libc::AF_UNIX);
    // A pair reaches nobody else.
    list.when(libc::SYS_socketpair, &[When::is(0, local)]);
    match (profile.network, profile.ipc) {
        (false, false) => list.any(libc::SYS_socket),
        (false, true) => list.when(libc::SYS_socket, &[When::is_not(0, local)]),
        (true, false) => list.when(libc::SYS_socket, &[When::is(0, local)]),
        // What is connected can still be written to.
        (true, true) => list.when(libc::SYS_sendto, &[When::wide(4, u64::MAX, 0)]),
    }
    if !(profile.network && profile.ipc) {
        list.always(NETWORK);
    }
    if !profile.ipc {
        list.always(IPC);
        // `SHM_EXEC` of `linux/shm.h` attaches executable memory.
        let executable = if profile.executable_memory { 0o100_000 } else { 0 };
        list.when(libc::SYS_shmat, &[When::masked(2, executable, 0)]);
    }
}

/// Flags of `clone` that make namespaces.
const NAMESPACES: u32 = bits(
    libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET,
);

// `linux/ptrace.h`. C libraries disagree on their type.
const PTRACE_ATTACH: u32 = 16;
const PTRACE_SEIZE: u32 = 0x4206;

/// `clone` is for threads and, unless denied, for children; never for namespaces.
fn processes(list: &mut List, profile: &Profile) {
    let thread = bits(libc::CLONE_THREAD);
    let (mask, value) = if profile.fork { (NAMESPACES | thread, thread) } else { (NAMESPACES, 0) };
    list.when(libc::SYS_clone, &[When::masked(0, mask, value)]);
    if !profile.fork {
        list.always(CHILDREN);
    }
    if !profile.exec {
        list.always(PROGRAMS);
    }
    if !profile.traced.is_empty() {
        list.always(TRACING);
    }
    for child in &profile.traced {
        // Not to attach to anything, whatever number it has by now.
        let attach = [PTRACE_ATTACH, PTRACE_SEIZE].map(|request| When::is_not(0, request));
        list.when(libc::SYS_ptrace, &[When::is(1, *child), attach[0], attach[1]]);
    }
}

/// Signals go to this process itself, to traced children, or anywhere if they are allowed ones.
fn signals(list: &mut List, profile: &Profile) {
    let calls = [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo];
    // musl's `pthread_kill`: the thread's number alone, which Landlock has a look at.
    #[cfg(target_env = "musl")]
    list.any(libc::SYS_tkill);
    if !profile.fork {
        // Children have numbers of their own, and the filter is theirs as well.
        calls.into_iter().for_each(|call| list.any(call));
        return;
    }
    for process in profile.traced.iter().copied().chain([std::process::id()]) {
        for call in calls {
            list.when(call, &[When::is(0, process)]);
        }
    }
    for signal in &profile.signals {
        list.when(libc::SYS_kill, &[When::is(1, bits(signal.number()))]);
    }
}

/// "No such call."
const ENOSYS: u16 = 38;

#[cfg(test)]
mod tests;
