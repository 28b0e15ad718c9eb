//! Ending a thread's blocking system calls from other threads.
//!
//! A thread that works on behalf of a caller with a deadline [enters](Interrupter::enter) a
//! section. Until it leaves, [`Interrupter::interrupt`] sends it a signal. Its handler does nothing
//! and does not restart calls, so that a call which blocks (a write to a full pipe, a read from
//! a terminal, an open of a FIFO) returns `EINTR`. The thread then asks [`requested`] whether to
//! give up or to try again.
//!
//! A signal that arrives just before the thread blocks is lost. The sender therefore repeats it
//! until the thread has left its section.
//!
//! The alternatives are worse: `O_NONBLOCK` belongs to the open file, which a terminal or a pipe
//! shares with other processes; `poll` says that *some* bytes can be written, not how many, nor that
//! another writer will not be faster; a thread per stream costs two switches for each write.

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

thread_local! {
    /// The sections that this thread is in, innermost last.
    static SECTIONS: RefCell<Vec<Arc<AtomicBool>>> = const { RefCell::new(Vec::new()) };
}

/// Ends blocking calls of the thread that is in its section.
#[derive(Debug, Default)]
pub struct Interrupter {
    inside: Mutex<Option<Inside>>,
}

/// A thread in its section.
#[derive(Debug)]
struct Inside {
    thread: libc::pthread_t,
    requested: Arc<AtomicBool>,
}

// SAFETY: a thread's id means the same in every thread. With musl its type is a pointer, which only
// the C library follows, in `interrupt`: while the thread is in its section, hence alive.
unsafe impl Send for Inside {}

/// A part of a thread's work whose blocking calls other threads can end.
#[derive(Debug)]
#[must_use = "the section ends when this is dropped"]
pub struct Section {
    interrupter: Arc<Interrupter>,
    requested: Arc<AtomicBool>,
    /// It belongs to the thread that entered it.
    _this_thread: PhantomData<*const ()>,
}

impl Interrupter {
    /// No thread is in its section.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the section for the calling thread, until the guard is dropped.
    ///
    /// # Errors
    ///
    /// When the system refuses the signal's handler.
    pub fn enter(self: &Arc<Self>) -> io::Result<Section> {
        listen()?;
        let requested = Arc::<AtomicBool>::default();
        SECTIONS.with_borrow_mut(|sections| sections.push(Arc::clone(&requested)));
        // SAFETY: a plain call.
        let thread = unsafe { libc::pthread_self() };
        *self.lock() = Some(Inside { thread, requested: Arc::clone(&requested) });
        Ok(Section { interrupter: Arc::clone(self), requested, _this_thread: PhantomData })
    }

    /// Ends the blocking call that the thread in the section is in. Returns whether a thread is in
    /// it: the caller repeats this after a while then.
    pub fn interrupt(&self) -> bool {
        let inside = self.lock();
        let Some(Inside { thread, requested }) = inside.as_ref() else { return false };
        requested.store(true, Ordering::SeqCst);
        // SAFETY: the thread leaves its section before it ends, and that takes the lock.
        unsafe { libc::pthread_kill(*thread, signal()) };
        true
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        *self.interrupter.lock() = None;
        SECTIONS.with_borrow_mut(|sections| {
            sections.retain(|section| !Arc::ptr_eq(section, &self.requested));
        });
    }
}

/// Whether the calling thread is in a section that was interrupted: a call that returned `EINTR` is
/// not to be repeated.
pub fn requested() -> bool {
    any_section(|section| section.load(Ordering::SeqCst))
}

/// Whether the calling thread is in a section.
pub fn is_inside() -> bool {
    any_section(|_| true)
}

/// Whether the calling thread is in a section such as this. A thread that is ending has left all:
/// what runs at the process's exit asks, too.
fn any_section(is_such: impl Fn(&AtomicBool) -> bool) -> bool {
    let found =
        SECTIONS.try_with(|sections| sections.borrow().iter().any(|section| is_such(section)));
    found.unwrap_or(false)
}

/// The signal that ends blocking calls. Nothing else in the process uses it.
pub fn signal() -> i32 {
    #[cfg(target_os = "linux")]
    {
        libc::SIGRTMIN() + 7
    }
    // There are no real-time signals. Ignored by default, and rarely used.
    #[cfg(target_os = "macos")]
    {
        libc::SIGURG
    }
}

extern "C" fn nothing(_signal: i32) {}

/// Lets [`signal`] end blocking calls of this thread: installs its handler, once in a process, and
/// unblocks it, since a mask is inherited from whatever started the process or the thread.
///
/// # Errors
///
/// When the system refuses the handler.
pub fn listen() -> io::Result<()> {
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    let errno = *INSTALLED.get_or_init(|| {
        // SAFETY: an all-zero `sigaction` is valid, and the handler is async-signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as usize;
            match libc::sigaction(signal(), &raw const action, std::ptr::null_mut()) {
                0 => 0,
                _ => io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL),
            }
        }
    });
    match errno {
        0 => {
            crate::signal::unblock(&[signal()]);
            Ok(())
        }
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// Interrupts until the section is left.
    fn interrupt(interrupter: &Interrupter) {
        while interrupter.interrupt() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_read_that_blocks_ends() {
        let interrupter = Interrupter::new();
        let (entered, wait) = channel();
        let ours = Arc::clone(&interrupter);
        let reader = std::thread::spawn(move || {
            let (mut from, _to) = io::pipe().unwrap();
            let section = ours.enter().unwrap();
            entered.send(()).unwrap();
            let read = from.read(&mut [0]);
            let asked = requested();
            drop(section);
            (read.map_err(|error| error.kind()), asked, requested())
        });
        wait.recv().unwrap();
        interrupt(&interrupter);
        assert_eq!(reader.join().unwrap(), (Err(io::ErrorKind::Interrupted), true, false));
    }

    #[test]
    fn a_write_that_blocks_ends_though_the_signal_was_blocked() {
        let interrupter = Interrupter::new();
        let (entered, wait) = channel();
        let ours = Arc::clone(&interrupter);
        let writer = std::thread::spawn(move || {
            // SAFETY: the mask of this thread alone.
            unsafe {
                let mut all: libc::sigset_t = std::mem::zeroed();
                libc::sigfillset(&raw mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
            }
            let (_from, mut to) = io::pipe().unwrap();
            let _section = ours.enter().unwrap();
            entered.send(()).unwrap();
            loop {
                if let Err(error) = to.write(&[0; 4096]) {
                    break (error.kind(), requested());
                }
            }
        });
        wait.recv().unwrap();
        interrupt(&interrupter);
        assert_eq!(writer.join().unwrap(), (io::ErrorKind::Interrupted, true));
    }

    #[test]
    fn outside_a_section_there_is_nothing_to_interrupt() {
        let interrupter = Interrupter::new();
        assert!(!interrupter.interrupt());
        drop(interrupter.enter().unwrap());
        assert!(!interrupter.interrupt() && !requested());
        // A section that was interrupted is over when it is left.
        let section = interrupter.enter().unwrap();
        assert!(interrupter.interrupt() && requested());
        drop(section);
        let _section = interrupter.enter().unwrap();
        assert!(!requested());
    }
}
