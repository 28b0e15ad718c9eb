//! What is tried from inside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Error, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use wrt_platform::sandbox::{Profile, Sandbox};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Denied,
}

/// What the attempts work on, opened before the entry.
pub(super) struct Scene {
    root: PathBuf,
    port: u16,
    before: File,
    pub(super) parent: libc::pid_t,
    helper: Option<(Sender<()>, Receiver<io::Result<()>>)>,
    sleeper: Option<libc::pid_t>,
    /// The writable place, as it is used where paths lead nowhere.
    pub(super) place: Option<OwnedFd>,
    #[cfg(target_os = "linux")]
    pub(super) kvm: Option<File>,
}

impl Scene {
    pub(super) fn open(root: &Path, port: u16) -> Self {
        Self {
            root: root.to_owned(),
            port,
            before: File::open(root.join("closed/file")).unwrap(),
            parent: std::process::id().try_into().unwrap(),
            helper: None,
            sleeper: None,
            place: None,
            #[cfg(target_os = "linux")]
            kvm: super::linux::hypervisor(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A thread that is there before the entry, and opens a socket when told.
    pub(super) fn make_helper(&mut self) {
        let (order, orders) = channel::<()>();
        let (result, results) = channel();
        std::thread::spawn(move || {
            for () in orders {
                result.send(UdpSocket::bind("127.0.0.1:0").map(|_| ())).unwrap();
            }
        });
        self.helper = Some((order, results));
    }

    /// A child that sleeps, traced or not.
    pub(super) fn make_sleeper(&mut self, traced: bool) {
        // SAFETY: this process has one thread; the child sleeps or stops until it is killed.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: plain calls, then the end.
            unsafe {
                #[cfg(target_os = "linux")]
                if traced {
                    libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                    libc::raise(libc::SIGSTOP);
                }
                // An end by itself, whatever becomes of the parent.
                libc::alarm(20);
                libc::sleep(20);
                libc::_exit(0);
            }
        }
        #[cfg(target_os = "linux")]
        if traced {
            let mut status = 0;
            // SAFETY: writes one integer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        }
        let _ = traced;
        self.sleeper = Some(child);
    }

    pub(super) fn sleepers(&self) -> Vec<u32> {
        self.sleeper.iter().map(|child| child.unsigned_abs()).collect()
    }
}

/// `None`: not tried in this scene.
type Attempt = fn(&mut Scene) -> Option<io::Result<()>>;

/// What a call returned, as a result.
pub(super) fn checked(returned: impl Into<i64>) -> io::Result<()> {
    if returned.into() < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Whether a profile may end the process for it.
pub(super) fn is_fatal(name: &str) -> bool {
    name.ends_with("(fatal)")
}

pub(super) fn all() -> Vec<(&'static str, Attempt)> {
    let mut all = files();
    #[cfg(target_os = "linux")]
    all.extend(names());
    all.extend(talk());
    all.extend(processes());
    all.extend(memory_and_threads());
    #[cfg(target_os = "linux")]
    all.extend(super::linux::attempts());
    all
}

fn create(path: PathBuf) -> Option<io::Result<()>> {
    Some(fs::write(path, "x"))
}

fn files() -> Vec<(&'static str, Attempt)> {
    vec![
        ("read outside", |s| Some(fs::read(s.path("closed/file")).map(drop))),
        ("list outside", |s| Some(fs::read_dir(s.path("closed")).map(drop))),
        ("read by a link", |s| Some(fs::read(s.path("writable/link")).map(drop))),
        ("write outside", |s| create(s.path("closed/new"))),
        ("truncate outside", |s| {
            Some(
                OpenOptions::new().write(true).truncate(true).open(s.path("closed/file")).map(drop),
            )
        }),
        ("read in the read-only place", |s| Some(fs::read(s.path("readable/file")).map(drop))),
        ("list the read-only place", |s| Some(fs::read_dir(s.path("readable")).map(drop))),
        ("write in the read-only place", |s| create(s.path("readable/file"))),
        ("create in the read-only place", |s| create(s.path("readable/new"))),
        ("remove in the read-only place", |s| Some(fs::remove_file(s.path("readable/file")))),
        ("write in the open place", |s| create(s.path("writable/new"))),
        ("move within the open place", |s| {
            let from = s.path("writable/new");
            let made = fs::create_dir(s.path("writable/below"));
            Some(made.and_then(|()| fs::rename(from, s.path("writable/below/new"))))
        }),
        ("move a file out", |s| {
            Some(fs::rename(s.path("writable/below/new"), s.path("closed/moved")))
        }),
        ("read in the removable place", |s| Some(fs::read(s.path("removable/file")).map(drop))),
        ("write in the removable place", |s| create(s.path("removable/file"))),
        ("create in the removable place", |s| create(s.path("removable/new"))),
        ("remove in the removable place", |s| Some(fs::remove_file(s.path("removable/file")))),
        ("read what was open before", |s| Some(s.before.read_exact(&mut [0]))),
        ("open many files", |s| {
            let open = (0..64).map(|_| File::open(s.path("readable/file")));
            Some(open.collect::<io::Result<Vec<_>>>().map(drop))
        }),
        ("enter an empty profile", |_| {
            let profile = Profile::builder().build().unwrap();
            Some(Sandbox::enter(profile).map(drop).map_err(|_| Error::from_raw_os_error(1)))
        }),
        ("leave core dumps", |_| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: writes one structure.
            checked(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) }).unwrap();
            Some(if limit.rlim_max > 0 { Ok(()) } else { Err(Error::from_raw_os_error(1)) })
        }),
        ("raise the limit of core dumps", |_| {
            let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
            // SAFETY: reads one structure.
            Some(checked(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) }))
        }),
    ]
}

/// By descriptors alone, where a profile denies paths.
#[cfg(target_os = "linux")]
fn names() -> Vec<(&'static str, Attempt)> {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat, utimensat};
    fn times() -> rustix::fs::Timestamps {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        rustix::fs::Timestamps { last_access: now, last_modification: now }
    }
    fn done<T>(result: rustix::io::Result<T>) -> Option<io::Result<()>> {
        Some(result.map(drop).map_err(io::Error::from))
    }
    vec![
        ("ask for a size outside", |s| Some(fs::metadata(s.path("closed/file")).map(drop))),
        ("set times outside", |s| {
            done(utimensat(CWD, s.path("closed/file"), &times(), AtFlags::empty()))
        }),
        ("hold a file outside", |s| {
            done(openat(CWD, s.path("closed/file"), OFlags::PATH, Mode::empty()))
        }),
        ("ask for a size above an open place", |s| {
            done(statat(s.place.as_ref()?, "../closed/file", AtFlags::empty()))
        }),
        ("ask for a size in an open place", |s| {
            done(statat(s.place.as_ref()?, "file", AtFlags::empty()))
        }),
        ("write in an open place", |s| {
            let flags = OFlags::WRONLY | OFlags::CREATE;
            done(openat(s.place.as_ref()?, "made", flags, Mode::RUSR | Mode::WUSR))
        }),
        ("set times in an open place", |s| {
            done(utimensat(s.place.as_ref()?, "file", &times(), AtFlags::empty()))
        }),
    ]
}

fn talk() -> Vec<(&'static str, Attempt)> {
    vec![
        ("connect by TCP", |s| Some(TcpStream::connect(("127.0.0.1", s.port)).map(drop))),
        ("listen on TCP", |_| Some(TcpListener::bind("127.0.0.1:0").map(drop))),
        ("open a UDP socket", |_| Some(UdpSocket::bind("127.0.0.1:0").map(drop))),
        ("open a UDP socket in a thread from before", |s| {
            let (order, result) = s.helper.as_ref()?;
            order.send(()).unwrap();
            Some(result.recv().unwrap())
        }),
        ("connect to a local socket", |s| {
            Some(UnixStream::connect(s.path("closed/socket")).map(drop))
        }),
        ("make a pair of sockets and a pipe", |_| {
            Some(UnixStream::pair().and_then(|_| io::pipe()).map(drop))
        }),
    ]
}

fn processes() -> Vec<(&'static str, Attempt)> {
    vec![
        ("read outside in a thread made meanwhile", |s| {
            let path = s.path("closed/file");
            Some(std::thread::spawn(move || fs::read(path).map(drop)).join().unwrap())
        }),
        ("fork", |_| {
            // SAFETY: the child leaves at once.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: ends the process.
                unsafe { libc::_exit(0) }
            }
            if child > 0 {
                // SAFETY: reaps the child; writes nothing.
                unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            }
            Some(checked(child))
        }),
        ("run a program", |_| {
            Some(Command::new("/bin/true").stderr(Stdio::null()).status().map(drop))
        }),
        ("signal the parent", |s| {
            // SAFETY: signal 0 asks for permission alone.
            Some(checked(unsafe { libc::kill(s.parent, 0) }))
        }),
        ("kill the parent", |s| {
            // SAFETY: a plain call; the parent ignores this signal.
            Some(checked(unsafe { libc::kill(s.parent, libc::SIGURG) }))
        }),
        ("ask a sleeper to end", |s| {
            // SAFETY: a plain call, to a child.
            s.sleeper.map(|child| checked(unsafe { libc::kill(child, libc::SIGTERM) }))
        }),
        ("signal a thread of its own", |_| {
            // SAFETY: this signal is ignored.
            let failed = unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGURG) };
            Some(if failed == 0 { Ok(()) } else { Err(Error::from_raw_os_error(failed)) })
        }),
    ]
}

fn memory_and_threads() -> Vec<(&'static str, Attempt)> {
    vec![
        ("map memory", |_| Some(map(libc::PROT_READ | libc::PROT_WRITE).map(drop))),
        ("map executable memory", |_| Some(map(libc::PROT_READ | libc::PROT_EXEC).map(drop))),
        ("make memory executable", |_| {
            let page = map(libc::PROT_READ).unwrap();
            // SAFETY: the page is this function's.
            let done =
                unsafe { libc::mprotect(page.cast(), 16 << 10, libc::PROT_READ | libc::PROT_EXEC) };
            Some(checked(done))
        }),
        ("make a thread", |_| {
            let made = std::thread::Builder::new().spawn(|| vec![1_u8; 1 << 20].len());
            Some(made.map(|thread| drop(thread.join())))
        }),
        ("sleep and take the time", |_| {
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(1));
            assert!(start.elapsed() >= Duration::from_millis(1));
            Some(Ok(()))
        }),
        ("take random bytes", |_| {
            let mut bytes = [0_u8; 16];
            let (start, len) = (bytes.as_mut_ptr().cast(), bytes.len());
            // SAFETY: fills the array.
            #[cfg(target_os = "linux")]
            let done = i64::try_from(unsafe { libc::getrandom(start, len, 0) }).unwrap();
            // SAFETY: fills the array.
            #[cfg(target_os = "macos")]
            let done = unsafe { libc::getentropy(start, len) };
            Some(checked(done))
        }),
    ]
}

fn map(protection: i32) -> io::Result<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new mapping at an address of the system's choice.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 16 << 10, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(page.cast()) }
}
