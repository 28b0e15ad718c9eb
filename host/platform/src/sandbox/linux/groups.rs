//! System calls in groups, each with the reason why a process makes it that runs guests, computes
//! and serves files.
//!
//! What is in no group is denied, and a test compares the groups with the filter in both
//! directions. Sources: traces (`strace -f`) of wrt-vm's own runs on either backend with either
//! engine, in the process itself, in a worker and in the compiler's worker, with WASI's test
//! programs; the calls of WASI's file functions by way of rustix; and what Rust's
//! standard library, glibc and musl make of threads, memory and time.

mod open;

pub(super) use open::{ABSENT, CHANGES, CHILDREN, HOSTILE, IPC, NETWORK, PATHS, PROGRAMS, TRACING};

use libc::c_long;

/// A system call, and why it is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: c_long,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests print it"))]
    pub(super) name: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers; tests look that there is one"))]
    pub(super) why: &'static str,
}

macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident: $why:literal,)*) => {
        &[$($(#[$attribute])* $crate::sandbox::sys::groups::Call {
            number: libc::$name,
            name: stringify!($name),
            why: $why,
        },)*]
    };
}
use calls;

/// Memory of this process.
pub(super) const MEMORY: &[Call] = calls! {
    SYS_brk: "malloc's heap",
    SYS_munmap: "gives guest memory, buffers and stacks back",
    SYS_mremap: "malloc grows and shrinks large blocks by it",
    SYS_madvise: "guest memory: resets, large pages, what child processes do not get",
    SYS_memfd_create: "pages that are shared with a guest: modules, code, snapshots",
};

/// Threads: to begin, to wait for each other, to be scheduled, to end.
pub(super) const THREADS: &[Call] = calls! {
    SYS_futex: "locks, channels, and to wait for a thread's end",
    SYS_set_robust_list: "glibc, in each new thread",
    SYS_rseq: "glibc, in each new thread",
    SYS_gettid: "glibc, and locks that have an owner",
    SYS_sched_yield: "a thread that spins for a lock",
    SYS_sched_getaffinity: "glibc asks for a thread's stack by it, Rust for the processors",
    SYS_exit: "the end of a thread",
    SYS_exit_group: "the end of the process",
    SYS_restart_syscall: "the kernel's own, after a stop in the middle of a sleep",
};

/// Handlers and masks of this process's own signals.
pub(super) const OWN_SIGNALS: &[Call] = calls! {
    SYS_rt_sigaction: "Rust's handler of stack overflows, glibc's of a thread's end",
    SYS_rt_sigprocmask: "glibc blocks signals while a thread is made",
    SYS_rt_sigreturn: "the end of a handler: kicks of a vCPU, Ctrl-C, the time limit",
    SYS_sigaltstack: "Rust gives each thread a stack for its handlers",
};

/// Time, waiting and events.
pub(super) const TIME_AND_EVENTS: &[Call] = calls! {
    SYS_clock_gettime: "clocks that are not read without a call: CPU time, virtual machines",
    SYS_clock_getres: "WASI's clock_res_get",
    SYS_clock_nanosleep: "sleeps, WASI's among them",
    SYS_nanosleep: "musl's sleeps",
    SYS_gettimeofday: "C libraries, where time is not read without a call",
    SYS_ppoll: "WASI's poll of standard streams (rustix); musl's poll on aarch64",
    SYS_epoll_create1: "events of a program that has this in its process, as tokio's",
    SYS_epoll_ctl: "tokio's events",
    SYS_epoll_pwait: "tokio's events",
    SYS_eventfd2: "tokio's wake-ups",
    SYS_setitimer: "a process that a signal ends: should that take too long, another one does",
    SYS_pipe2: "Rust's pipes between threads",
};

/// Facts about this process and machine.
pub(super) const FACTS: &[Call] = calls! {
    SYS_getpid: "glibc's raise and abort, and signals to own threads",
    SYS_getppid: "a worker looks whether its parent is there",
    SYS_geteuid: "the cache looks whether a file is this user's",
    SYS_getrandom: "WASI's random_get, keys of hash tables",
    SYS_getrusage: "`--stats`: peak of memory; WASI's CPU clock",
};

/// Files that are open.
pub(super) const FILES: &[Call] = calls! {
    SYS_read: "WASI; a worker's orders",
    SYS_write: "WASI; messages; a worker's answers",
    SYS_readv: "WASI's reads into several buffers",
    SYS_pwritev2: "WASI's writes to a file's end",
    SYS_writev: "WASI's writes from several buffers; Rust's lines of messages",
    SYS_pread64: "WASI's fd_pread; files in memory",
    SYS_pwrite64: "WASI's fd_pwrite; files in memory",
    SYS_preadv: "WASI's fd_pread into several buffers",
    SYS_pwritev: "WASI's fd_pwrite from several buffers",
    SYS_lseek: "WASI's fd_seek and fd_tell",
    SYS_close: "WASI's fd_close; descriptors of our own",
    SYS_dup3: "a worker's standard streams, when its program is replaced",
    SYS_fstat: "size and kind of what is open",
    SYS_ftruncate: "WASI's fd_filestat_set_size; sizes of files in memory",
    SYS_fallocate: "gives pages of a guest's file in memory back",
    SYS_fsync: "WASI's fd_sync",
    SYS_fdatasync: "WASI's fd_datasync",
    SYS_fadvise64: "WASI's fd_advise",
    SYS_getdents64: "WASI's fd_readdir",
    SYS_fchdir: "a directory is opened to another program as `.`",
};

/// Names of files, on which the rules for files and the empty root have a word. All are WASI's, by
/// way of rustix, with an open directory to begin from.
pub(super) const NAMES: &[Call] = calls! {
    SYS_openat: "path_open without openat2, one component at a time",
    SYS_openat2: "path_open, beneath a directory",
    SYS_newfstatat: "path_filestat_get without statx",
    SYS_statx: "path_filestat_get, and Rust's metadata of what is open",
    SYS_readlinkat: "path_readlink",
    SYS_mkdirat: "path_create_directory",
    SYS_unlinkat: "path_unlink_file, path_remove_directory; the cache throws code out",
    SYS_renameat: "path_rename",
    SYS_renameat2: "path_rename on machines that have no renameat",
    SYS_linkat: "path_link",
    SYS_symlinkat: "path_symlink",
};

/// Older forms of the calls above that C libraries still make.
#[cfg(target_arch = "x86_64")]
pub(super) const OLDER: &[Call] = calls! {
    SYS_poll: "C libraries' poll: WASI's poll of standard streams",
    SYS_epoll_wait: "C libraries' epoll_wait: tokio's events",
    SYS_time: "C libraries, where time is not read without a call",
};
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OLDER: &[Call] = &[];

/// Sockets that are open. A destination could be named in `sendmsg`, of a socket that was
/// opened before and never connected; no socket here is like that.
pub(super) const OPEN_SOCKETS: &[Call] = calls! {
    SYS_recvfrom: "WASI's reads, should standard input be a socket; a worker's orders",
    SYS_recvmsg: "a worker's orders, with descriptors",
    SYS_sendmsg: "a worker's answers, with descriptors; the system's log",
    SYS_shutdown: "the end of a connection",
    SYS_getsockname: "what a socket is",
    SYS_getpeername: "whether a worker's socket has another end",
    SYS_getsockopt: "kind and state of a socket",
    SYS_setsockopt: "time limits of a worker's socket",
};

/// Calls of which only some requests are allowed: under which conditions, says `calls.rs`.
#[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
pub(super) const CONDITIONAL: &[Call] = calls! {
    SYS_mmap: "memory that is not executable",
    SYS_mprotect: "guards, and guest memory as it grows; never executable",
    SYS_pkey_mprotect: "as mprotect",
    SYS_ioctl: "the open hypervisor's requests; what a terminal is",
    SYS_fcntl: "flags and copies of descriptors, seals of files in memory",
    SYS_prctl: "names of threads and of mappings",
    SYS_prlimit64: "limits, to read",
    SYS_clone: "new threads",
    SYS_sched_setscheduler: "a thread's own class, for `--qos`",
    SYS_setpriority: "a thread's own priority, for `--qos`",
    SYS_socketpair: "pairs, which lead nowhere else",
    SYS_socket: "where the network or local sockets are open",
    SYS_sendto: "what is connected",
    SYS_shmat: "where IPC is open",
    SYS_kill: "this process itself, and its traced child",
    SYS_tgkill: "kicks of a vCPU's thread; glibc's raise",
    SYS_rt_sigqueueinfo: "this process itself",
    SYS_ptrace: "the traced child, never another process",
    SYS_utimensat: "WASI's file times; with a path where none leads out, or no writes are denied",
};
