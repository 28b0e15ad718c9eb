//! Signals that end the process, and those that must not.
//!
//! Handlers here run at any moment, on any thread. They allocate nothing, take no lock that they
//! would have to wait for, and never block: what they write is best effort, and a second signal
//! ends the process at once.

use crate::stdio::write_now;
use crate::trace::finish_all_at_once;
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;
use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// A signal's number, shown with its name if it is one of those that end processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named(pub u32);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signal {}", self.0)?;
        let names = [
            (libc::SIGILL, "SIGILL"),
            (libc::SIGTRAP, "SIGTRAP"),
            (libc::SIGABRT, "SIGABRT"),
            (libc::SIGBUS, "SIGBUS"),
            (libc::SIGFPE, "SIGFPE"),
            (libc::SIGKILL, "SIGKILL"),
            (libc::SIGSEGV, "SIGSEGV"),
            (libc::SIGPIPE, "SIGPIPE"),
            (libc::SIGTERM, "SIGTERM"),
            (libc::SIGXCPU, "SIGXCPU"),
            (libc::SIGXFSZ, "SIGXFSZ"),
            (libc::SIGSYS, "SIGSYS"),
        ];
        match names.iter().find(|(number, _)| number.cast_unsigned() == self.0) {
            Some((_, name)) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// How long an orderly end may take before the process ends by force.
const GRACE: Duration = Duration::from_secs(2);
/// How long a handler may take that ends the process.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The signal that asked the process to end; 0 until then.
static RECEIVED: AtomicI32 = AtomicI32::new(0);
/// Where the handler says so to [`on_termination`]'s thread; -1 while there is none.
static LISTENER: AtomicI32 = AtomicI32::new(-1);
/// The exit code of a forced end.
static FORCED_CODE: AtomicI32 = AtomicI32::new(0);

/// Makes signals what this process expects, whatever it inherited: none that ends it is blocked,
/// and a write beyond `RLIMIT_FSIZE` is an error (`EFBIG`), not a silent death by SIGXFSZ.
///
/// # Errors
///
/// When the system refuses.
pub fn prepare() -> io::Result<()> {
    unblock(&[SIGALRM, SIGINT, SIGTERM, SIGHUP, crate::interrupt::signal()]);
    // Ignored, children would be gone before they could be asked how they ended.
    set(libc::SIGCHLD, libc::SIG_DFL)?;
    set(libc::SIGXFSZ, libc::SIG_IGN)
}

/// Leaves the terminal's signals (Ctrl-C, hangup) to the parent, which ends this process itself.
///
/// # Errors
///
/// When the system refuses.
pub fn leave_terminal_to_parent() -> io::Result<()> {
    set(SIGINT, libc::SIG_IGN)?;
    set(SIGHUP, libc::SIG_IGN)
}

/// Sets what a signal does: nothing, or what it does by default.
fn set(signal: i32, disposition: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: a plain call; no handler is named.
    match unsafe { libc::signal(signal, disposition) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Unblocks signals in this thread.
pub(crate) fn unblock(signals: &[i32]) {
    // SAFETY: an all-zero set is valid; the calls are async-signal-safe and change the mask of this
    // thread alone. Numbers that are no signals are left out.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Whether this process was started with a signal ignored, as `nohup` does.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero `sigaction` is valid, and the call fills it in.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Ends the process on Ctrl-C (SIGINT), SIGTERM and SIGHUP, with the exit code that shells use:
/// 128 and the signal's number. A signal that was ignored when the process began stays ignored.
///
/// Traces are finished. Once [`on_termination`] was called, the end is an orderly one: what it
/// names is told first, and has two seconds. A second signal ends the process at once.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn exit_on_termination() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if is_ignored(signal) {
            continue;
        }
        // SAFETY: the handler is async-signal-safe (`signal-safety(7)`): atomics, `write`,
        // `setitimer` and `_exit`.
        unsafe { low_level::register(signal, move || terminate(signal)) }?;
    }
    // SAFETY: as above.
    unsafe { low_level::register(SIGALRM, end_by_force) }.map(|_| ())
}

/// The handler of the three signals.
fn terminate(signal: i32) {
    let code = 128 + signal;
    let first = RECEIVED.swap(signal, Ordering::SeqCst) == 0;
    let listener = LISTENER.load(Ordering::SeqCst);
    if !first || listener < 0 {
        end(code, &[]);
    }
    FORCED_CODE.store(code, Ordering::SeqCst);
    alarm(GRACE);
    // SAFETY: a plain call. The pipe is this module's, and takes a byte without waiting.
    unsafe { libc::write(listener, [0u8].as_ptr().cast(), 1) };
}

/// Has SIGALRM come after a time, once, in the place of an alarm that was set before. It is
/// async-signal-safe: a system call, the same on all systems, as the sandbox needs it.
fn alarm(after: Duration) {
    // Zero would be none.
    set_timer(after.max(Duration::from_micros(1)));
}

/// Takes back an alarm that was set.
fn forget_alarm() {
    set_timer(Duration::ZERO);
}

fn set_timer(after: Duration) {
    let once = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let time = libc::timeval {
        tv_sec: after.as_secs().try_into().unwrap_or(i64::MAX),
        // Below a million: it fits whatever the system's type.
        tv_usec: after.subsec_micros() as _,
    };
    let timer = libc::itimerval { it_interval: once, it_value: time };
    // SAFETY: a plain call that reads `timer`.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// Ends the process, from a handler, with a last line if standard error takes it at once.
///
/// Another alarm comes in a second, in the midst of this even: should something block in spite of
/// all, that one ends the process.
fn end(code: i32, last_line: &[u8]) -> ! {
    static IS_ENDING: AtomicBool = AtomicBool::new(false);
    if IS_ENDING.swap(true, Ordering::SeqCst) {
        low_level::exit(code);
    }
    FORCED_CODE.store(code, Ordering::SeqCst);
    unblock(&[SIGALRM]);
    alarm(AT_ONCE);
    write_now(libc::STDERR_FILENO, last_line);
    finish_all_at_once();
    low_level::exit(code)
}

/// The handler of SIGALRM for when a signal asked the process to end, and that takes too long.
fn end_by_force() {
    if RECEIVED.load(Ordering::SeqCst) != 0 {
        end(FORCED_CODE.load(Ordering::SeqCst), &[]);
    }
}

/// The exit code that says which signal asked the process to end, if one did.
pub fn termination() -> Option<u8> {
    let signal = RECEIVED.load(Ordering::SeqCst);
    (signal != 0).then(|| u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// Calls `told`, on a thread of its own, when a signal asks the process to end
/// ([`exit_on_termination`]). Once in a process: later calls do nothing.
///
/// # Errors
///
/// When there is no pipe or thread for it: then such a signal ends the process at once.
pub fn on_termination(told: impl FnOnce() + Send + 'static) -> io::Result<()> {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let (from, to): (PipeReader, PipeWriter) = io::pipe()?;
    rustix::io::ioctl_fionbio(&to, true)?;
    let thread = std::thread::Builder::new().name("wrt-vm signals".to_owned());
    thread.spawn(move || wait_and_tell(from, told))?;
    debug_assert!(to.as_raw_fd() > 2, "a standard stream was closed");
    // From now on it is the handler's, as long as the process lives.
    LISTENER.store(to.into_raw_fd(), Ordering::SeqCst);
    Ok(())
}

fn wait_and_tell(mut from: PipeReader, told: impl FnOnce()) {
    let read = loop {
        match from.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    if matches!(read, Ok(1)) {
        told();
    }
}

/// Ends the process by force after `time`, with this exit code and a last line, which ends with a
/// line end, on standard error if that takes it without waiting. There is one such time for a
/// process, the latest that was set; no thread waits for it.
///
/// # Errors
///
/// When the system refuses the handler.
pub fn exit_after(time: Duration, last_line: &str, code: u8) -> io::Result<()> {
    let line = last_line.as_bytes().to_vec();
    // After a signal that asked for the end, the alarm is that one's.
    let end = move || match RECEIVED.load(Ordering::SeqCst) {
        0 => end(code.into(), &line),
        _ => end(FORCED_CODE.load(Ordering::SeqCst), &[]),
    };
    // SAFETY: as in `exit_on_termination`; the line lives as long as the handler.
    unsafe { low_level::register(SIGALRM, end) }?;
    alarm(time);
    Ok(())
}

/// Moves the end that [`exit_after`] has set to so long from now, or gives it up.
pub fn move_exit(time: Option<Duration>) {
    // After a signal the alarm is that one's.
    if RECEIVED.load(Ordering::SeqCst) == 0 {
        time.map_or_else(forget_alarm, alarm);
    }
}
