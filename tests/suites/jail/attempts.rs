//! What somebody tries who has got out of a VM, into the process that has it.

use std::ffi::{CStr, c_long};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

/// `KVM_GET_API_VERSION` of `linux/kvm.h`.
const KVM_GET_API_VERSION: libc::Ioctl = 0xae00;

/// What is there to try it on.
pub(crate) struct Scene<'a> {
    /// A directory that is not open to the program, with a file `secret`.
    pub(crate) closed: &'a Path,
    /// One that is, with a file `file` and a link `link` to the secret.
    pub(crate) open: &'a Path,
    /// The same as it is open in this process.
    pub(crate) inside: i32,
    /// A port of this machine on which somebody listens.
    pub(crate) port: u16,
    /// The process that has started this one.
    pub(crate) parent: libc::pid_t,
}

type Attempt = (&'static str, fn(&Scene<'_>) -> io::Result<()>);

/// What must fail, for want of the right to it.
pub(crate) const DENIED: &[Attempt] = &[
    // Files.
    ("read a file", |s| fs::read(s.closed.join("secret")).map(drop)),
    ("read a file of the system", |_| fs::read("/etc/passwd").map(drop)),
    ("read a file by a link in an open directory", |s| fs::read(s.open.join("link")).map(drop)),
    ("read a file by a name that leads out", |s| {
        fs::read(s.open.join("../closed/secret")).map(drop)
    }),
    ("list a directory", |s| fs::read_dir(s.closed).map(drop)),
    ("make a file", |s| fs::write(s.closed.join("new"), "")),
    ("make a file in /tmp", |_| fs::write("/tmp/wrt-vm-drill", "")),
    ("remove a file", |s| fs::remove_file(s.closed.join("secret"))),
    ("move a file out", |s| fs::rename(s.open.join("file"), s.closed.join("moved"))),
    ("make a hard link out", |s| fs::hard_link(s.open.join("file"), s.closed.join("linked"))),
    ("make a device", |s| {
        let path =
            std::ffi::CString::new(s.open.join("device").into_os_string().into_encoded_bytes())?;
        // SAFETY: a string with its end.
        checked(unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR, libc::makedev(1, 3)) })
    }),
    ("read this process's memory by its file", |_| File::open("/proc/self/mem").map(drop)),
    ("write this process's memory by its file", |_| {
        OpenOptions::new().write(true).open("/proc/self/mem").map(drop)
    }),
    ("list this process's descriptors", |_| fs::read_dir("/proc/self/fd").map(drop)),
    ("mount", |_| call(libc::SYS_mount, [0; 5])),
    ("change the root", |_| call(libc::SYS_chroot, [c"/tmp".as_ptr().addr(), 0, 0, 0, 0])),
    // Network.
    ("connect by TCP", |s| TcpStream::connect(("127.0.0.1", s.port)).map(drop)),
    ("listen on TCP", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("open a UDP socket", |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("open a raw socket", |_| call(libc::SYS_socket, [2, 3, 1, 0, 0])),
    ("open a netlink socket", |_| call(libc::SYS_socket, [16, 3, 0, 0, 0])),
    ("connect to a local socket", |s| UnixStream::connect(s.closed.join("socket")).map(drop)),
    ("listen on a local socket", |s| UnixListener::bind(s.open.join("socket")).map(drop)),
    // Processes.
    ("fork", |_| {
        // SAFETY: the child leaves at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
        checked(child)
    }),
    ("run a program", |_| Command::new("/bin/true").status().map(drop)),
    ("become a program", |_| {
        let path = c"/bin/true";
        call(libc::SYS_execve, [path.as_ptr().addr(), 0, 0, 0, 0])
    }),
    ("trace the parent", |s| ptrace(libc::PTRACE_ATTACH, s.parent)),
    ("trace the parent by seizing it", |s| ptrace(libc::PTRACE_SEIZE, s.parent)),
    ("be traced", |_| ptrace(libc::PTRACE_TRACEME, 0)),
    ("read the parent's memory", |s| {
        call(libc::SYS_process_vm_readv, [process(s.parent), 0, 0, 0, 0])
    }),
    ("take a descriptor of the parent's", |_| call(libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0])),
    ("open the parent", |s| call(libc::SYS_pidfd_open, [process(s.parent), 0, 0, 0, 0])),
    ("signal the parent", |s| kill(s.parent, 0)),
    ("kill the parent", |s| kill(s.parent, libc::SIGURG)),
    ("signal everybody", |_| kill(-1, 0)),
    ("signal the parent's thread", |s| {
        call(libc::SYS_tgkill, [process(s.parent), process(s.parent), 0, 0, 0])
    }),
    ("have signals sent", |s| {
        // SAFETY: sets a number.
        checked(unsafe { libc::fcntl(0, libc::F_SETOWN, s.parent) })
    }),
    ("change a limit of the parent's", |s| {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let core = libc::RLIMIT_CORE as usize;
        call(libc::SYS_prlimit64, [process(s.parent), core, (&raw const limit).addr(), 0, 0])
    }),
    // Memory and code.
    ("map executable memory", |_| map(libc::PROT_READ | libc::PROT_EXEC).map(drop)),
    ("map memory that is writable and executable", |_| {
        map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop)
    }),
    ("make memory executable", |_| {
        let page = map(libc::PROT_READ)?;
        // SAFETY: the page is this function's.
        checked(unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) })
    }),
    ("handle page faults", |_| call(libc::SYS_userfaultfd, [0; 5])),
    // The kernel.
    ("io_uring", |_| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0])),
    ("bpf", |_| call(libc::SYS_bpf, [0; 5])),
    ("performance counters", |_| call(libc::SYS_perf_event_open, [0; 5])),
    ("keys", |_| call(libc::SYS_keyctl, [0; 5])),
    ("namespaces", |_| call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0])),
    ("another's namespaces", |_| call(libc::SYS_setns, [0; 5])),
    ("modules", |_| call(libc::SYS_init_module, [0; 5])),
    ("another personality", |_| call(libc::SYS_personality, [0x40_0000, 0, 0, 0, 0])),
    ("a filter of its own", |_| call(libc::SYS_seccomp, [1, 8, 0, 0, 0])),
    ("a newer clone", |_| call(libc::SYS_clone3, [0; 5])),
    ("type into the terminal", |_| {
        // SAFETY: would put one byte into a terminal's input.
        checked(unsafe { libc::ioctl(0, libc::TIOCSTI, b"x".as_ptr()) })
    }),
    // Devices.
    ("a second hypervisor", |_| {
        if !Path::new("/dev/kvm").exists() {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm")?;
        // SAFETY: asks for a number.
        checked(unsafe { libc::ioctl(kvm.as_raw_fd(), KVM_GET_API_VERSION, 0) })
    }),
];

/// What must go on, or the jail would keep the VM from its work, too.
pub(crate) const ALLOWED: &[Attempt] = &[
    ("read in an open directory", |s| open_inside(s, c"file", libc::O_RDONLY)),
    ("make a file in an open directory", |s| {
        open_inside(s, c"new", libc::O_WRONLY | libc::O_CREAT)
    }),
    ("map memory", |_| map(libc::PROT_READ | libc::PROT_WRITE).map(drop)),
    ("make a thread", |_| {
        std::thread::Builder::new()
            .spawn(|| ())?
            .join()
            .map_err(|_| io::Error::other("it panicked"))
    }),
    ("signal itself", |_| {
        // SAFETY: a plain call; signal 0 asks for permission alone.
        checked(unsafe { libc::kill(libc::getpid(), 0) })
    }),
];

/// Whether a call was refused, is said not to be there, or found no file where one is: paths lead
/// nowhere in a jail.
pub(crate) fn is_denial(errno: i32) -> bool {
    [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENOENT, libc::ESRCH].contains(&errno)
}

/// Opens a file in the directory that is open to the program.
fn open_inside(scene: &Scene<'_>, name: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: a string with its end; the number is of a directory that stays open.
    let opened =
        unsafe { libc::openat(scene.inside, name.as_ptr(), flags | libc::O_CLOEXEC, 0o600) };
    checked(opened)?;
    // SAFETY: it was opened just now, and nothing else has it.
    drop(unsafe { OwnedFd::from_raw_fd(opened) });
    Ok(())
}

/// What a call returned, as a result.
fn checked(returned: impl Into<i64>) -> io::Result<()> {
    if returned.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A call with these arguments.
fn call(number: c_long, arguments: [usize; 5]) -> io::Result<()> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the arguments are null, strings, flags or lengths that fit null: none of the
    // calls here writes to memory of this process with them.
    checked(unsafe { libc::syscall(number, a, b, c, d, e) })
}

fn process(pid: libc::pid_t) -> usize {
    usize::try_from(pid).unwrap_or(0)
}

fn kill(pid: libc::pid_t, signal: i32) -> io::Result<()> {
    // SAFETY: a plain call; the signals used are ignored, or none.
    checked(unsafe { libc::kill(pid, signal) })
}

/// What the C library takes for a request.
#[cfg(target_env = "gnu")]
type Request = libc::c_uint;
#[cfg(not(target_env = "gnu"))]
type Request = libc::c_int;

fn ptrace(request: Request, pid: libc::pid_t) -> io::Result<()> {
    // SAFETY: requests that touch no memory of this process.
    checked(unsafe { libc::ptrace(request, pid, 0, 0) })
}

fn map(protection: i32) -> io::Result<*mut libc::c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // By the call itself: musl makes another error of a denial.
    let [protection, flags, nothing] = [protection, flags, -1].map(c_long::from);
    // SAFETY: a new mapping at an address of the system's choice.
    let page = unsafe {
        libc::syscall(libc::SYS_mmap, 0usize, 4096usize, protection, flags, nothing, 0usize)
    };
    let page = usize::try_from(page).map_err(|_| io::Error::last_os_error())?;
    Ok(std::ptr::with_exposed_provenance_mut(page))
}
