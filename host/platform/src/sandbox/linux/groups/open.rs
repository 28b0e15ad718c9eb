//! Calls of what a profile leaves open, and calls that are answered in ways of their own.

use super::{Call, calls};

/// New sockets and connections.
pub(in super::super) const NETWORK: &[Call] = calls! {
    SYS_connect: "connections",
    SYS_bind: "a socket's own address",
    SYS_listen: "a server",
    SYS_accept: "a server",
    SYS_accept4: "a server",
    SYS_sendto: "messages with an address",
    SYS_sendmmsg: "several of them",
    SYS_recvmmsg: "several of them",
};

/// Memory and messages shared by name.
pub(in super::super) const IPC: &[Call] = calls! {
    SYS_shmget: "shared memory",
    SYS_shmctl: "shared memory",
    SYS_shmdt: "shared memory",
    SYS_semget: "semaphores",
    SYS_semop: "semaphores",
    SYS_semtimedop: "semaphores",
    SYS_semctl: "semaphores",
    SYS_msgget: "message queues",
    SYS_msgsnd: "message queues",
    SYS_msgrcv: "message queues",
    SYS_msgctl: "message queues",
    SYS_mq_open: "message queues with a path",
    SYS_mq_unlink: "message queues with a path",
    SYS_mq_timedsend: "message queues with a path",
    SYS_mq_timedreceive: "message queues with a path",
};

/// Files by their paths, for programs that use no open directory: where paths are not denied.
pub(in super::super) const PATHS: &[Call] = calls! {
    SYS_faccessat: "whether a file is there",
    SYS_faccessat2: "whether a file is there",
    SYS_statfs: "what a file system is like",
    SYS_fstatfs: "what a file system is like",
    SYS_truncate: "sizes",
    SYS_getcwd: "where relative paths begin",
    SYS_chdir: "where relative paths begin",
    SYS_umask: "modes of new files",
    SYS_flock: "locks of files",
    SYS_dup: "copies of descriptors",
    SYS_copy_file_range: "Rust's copy of one file into another",
    SYS_sendfile: "Rust's copy of a file into a socket",
    SYS_splice: "Rust's copy between a pipe and a file",
    #[cfg(target_arch = "x86_64")]
    SYS_dup2: "the older form of dup3",
    #[cfg(target_arch = "x86_64")]
    SYS_open: "the older form of openat",
    #[cfg(target_arch = "x86_64")]
    SYS_creat: "the older form of openat",
    #[cfg(target_arch = "x86_64")]
    SYS_access: "the older form of faccessat",
    #[cfg(target_arch = "x86_64")]
    SYS_stat: "the older form of newfstatat",
    #[cfg(target_arch = "x86_64")]
    SYS_lstat: "the older form of newfstatat",
    #[cfg(target_arch = "x86_64")]
    SYS_readlink: "the older form of readlinkat",
    #[cfg(target_arch = "x86_64")]
    SYS_getdents: "the older form of getdents64",
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir: "the older form of mkdirat",
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir: "the older form of unlinkat",
    #[cfg(target_arch = "x86_64")]
    SYS_unlink: "the older form of unlinkat",
    #[cfg(target_arch = "x86_64")]
    SYS_rename: "the older form of renameat",
    #[cfg(target_arch = "x86_64")]
    SYS_link: "the older form of linkat",
    #[cfg(target_arch = "x86_64")]
    SYS_symlink: "the older form of symlinkat",
};

/// What is changed of files beside what WASI changes: where no writes are denied.
pub(in super::super) const CHANGES: &[Call] = calls! {
    SYS_fchmod: "modes",
    SYS_fchmodat: "modes",
    SYS_sync_file_range: "when bytes are on a disk",
    #[cfg(target_arch = "x86_64")]
    SYS_chmod: "modes",
};

/// Children.
pub(in super::super) const CHILDREN: &[Call] = calls! {
    SYS_wait4: "waits for a child",
    SYS_waitid: "waits for a child",
    SYS_setsid: "a session for a child",
    SYS_setpgid: "a group for a child",
    SYS_getpgid: "a child's group",
    #[cfg(target_arch = "x86_64")]
    SYS_fork: "C libraries' fork",
    #[cfg(target_arch = "x86_64")]
    SYS_vfork: "C libraries' posix_spawn",
    #[cfg(target_arch = "x86_64")]
    SYS_getpgrp: "the own group",
    #[cfg(target_arch = "x86_64")]
    SYS_pipe: "what a child writes to",
};

/// Another program in this process's place, and what its start and its first steps take.
pub(in super::super) const PROGRAMS: &[Call] = calls! {
    SYS_execve: "becomes another program",
    SYS_execveat: "becomes another program",
    SYS_set_tid_address: "a C library's start",
    SYS_getuid: "a program asks who it is",
    SYS_getgid: "a program asks who it is",
    SYS_getegid: "a program asks who it is",
    SYS_getgroups: "a program asks who it is",
    SYS_getresuid: "a program asks who it is",
    SYS_getresgid: "a program asks who it is",
    SYS_capget: "a program asks what it may",
    SYS_close_range: "what a program is not given",
    SYS_uname: "a program asks for the kernel's version",
    SYS_sysinfo: "a program asks for the machine's memory",
    SYS_pselect6: "a program waits",
    SYS_mincore: "a program asks which pages are in memory",
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl: "a C library's start",
    #[cfg(target_arch = "x86_64")]
    SYS_select: "older programs wait",
};

/// A child that this process traces.
pub(in super::super) const TRACING: &[Call] = calls! {
    SYS_wait4: "waits until the guest stops",
    SYS_waitid: "waits until the guest stops",
    // Of a process whose descriptor was made before: no other can be had.
    SYS_pidfd_send_signal: "stops the guest, and ends it",
};

/// Calls that only an attacker makes.
pub(in super::super) const HOSTILE: &[Call] = calls! {
    SYS_process_vm_readv: "reads another process's memory",
    SYS_process_vm_writev: "writes another process's memory",
    SYS_kcmp: "compares what processes have",
    SYS_bpf: "programs for the kernel",
    SYS_perf_event_open: "watches other code",
    SYS_userfaultfd: "stops the kernel in the middle of a copy",
    SYS_io_uring_setup: "makes calls that no filter sees",
    SYS_io_uring_enter: "makes calls that no filter sees",
    SYS_io_uring_register: "makes calls that no filter sees",
    SYS_keyctl: "the kernel's keys",
    SYS_add_key: "the kernel's keys",
    SYS_request_key: "the kernel's keys",
    SYS_mount: "mounts",
    SYS_umount2: "mounts",
    SYS_open_tree: "mounts",
    SYS_move_mount: "mounts",
    SYS_fsopen: "mounts",
    SYS_pivot_root: "another root",
    SYS_chroot: "another root",
    SYS_setns: "another's namespaces",
    SYS_unshare: "namespaces",
    SYS_init_module: "code for the kernel",
    SYS_finit_module: "code for the kernel",
    SYS_delete_module: "code for the kernel",
    SYS_kexec_load: "another kernel",
    SYS_reboot: "another kernel",
    SYS_swapon: "the machine's memory",
    SYS_swapoff: "the machine's memory",
    SYS_open_by_handle_at: "files without a path",
    SYS_pidfd_getfd: "another process's descriptors",
    SYS_personality: "the kernel's older behaviour",
};

/// Calls that libc replaces by others when it is told that there are no such.
pub(in super::super) const ABSENT: &[Call] = calls! {
    // Its flags are in memory, where no filter sees them.
    SYS_clone3: "glibc makes threads by clone then",
};
