//! Who compiles a module, when several want it at once.
//!
//! The one that locks a file of the module's name compiles it; the others wait for the code. The
//! lock is the system's (`flock`) and goes with its holder, however that ends. Nothing is wrong
//! when two compile the same module: the lock saves work and guards nothing, so that every wait has
//! an end, and a process that cannot lock compiles.

use super::{Cache, file_name};
use crate::artifact::Target;
use crate::module::Module;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a waiter looks again, at first and later.
const INTERVALS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// How long one waits for another at most: that may be stopped, and others lose no more by it.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// What a lock file holds once its holder has given up.
const GIVEN_UP: u8 = b'-';

/// What to do about a module that has no code yet.
#[derive(Debug)]
pub enum Turn {
    /// To compile it, and to keep this until the code is stored.
    Compile(Making),
    /// Nothing: another has compiled it meanwhile.
    Found(Module),
}

/// The right to compile a module. While it lives others wait for the code. What is not
/// [done](Self::done) when it goes has failed.
#[derive(Debug)]
pub struct Making(Option<Lock>);

#[derive(Debug)]
struct Lock {
    file: File,
    path: PathBuf,
    done: bool,
}

impl Making {
    /// The code is stored, or was not to be.
    pub fn done(mut self) {
        if let Some(lock) = &mut self.0 {
            lock.done = true;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.done {
            // Others would fail one after the other: they are told not to wait for each other.
            let _ = self.file.write_all(&[GIVEN_UP]);
        }
        // First the name, then the lock: whoever gets the lock sees that it is over.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What an attempt to lock led to.
enum Attempt {
    Locked(Lock),
    /// Another has it.
    Busy,
    /// Another had it, and is done.
    Over,
    /// There is no use in waiting.
    Unlocked,
}

impl Cache {
    /// Waits while others compile a module, until it is this caller's turn. `wait_on` is asked
    /// before each short wait; when it says no, and after a minute, the caller does not wait any
    /// more.
    pub fn turn(&self, module: &Module, target: Target, mut wait_on: impl FnMut() -> bool) -> Turn {
        let name = file_name(module.source(target));
        let deadline = Instant::now() + WAIT_MAX;
        let [mut interval, longest] = INTERVALS;
        let mut file = None;
        // Ends: each round compiles, has found something, or waits, which ends after a minute.
        loop {
            match self.attempt(&name, &mut file) {
                Attempt::Locked(lock) => {
                    // It may have been done just before.
                    return match self.find(module, target) {
                        Some(found) => {
                            Making(Some(lock)).done();
                            Turn::Found(found)
                        }
                        None => Turn::Compile(Making(Some(lock))),
                    };
                }
                Attempt::Unlocked => return Turn::Compile(Making(None)),
                Attempt::Over => {
                    if let Some(found) = self.find(module, target) {
                        return Turn::Found(found);
                    }
                }
                Attempt::Busy => {}
            }
            if deadline <= Instant::now() || !wait_on() {
                return Turn::Compile(Making(None));
            }
            sleep(interval);
            interval = (2 * interval).min(longest);
        }
    }

    /// Tries to lock the file of a name. `file` is that file, if it is open from an earlier try.
    fn attempt(&self, name: &str, file: &mut Option<File>) -> Attempt {
        let opened = match file.take() {
            Some(file) => Ok(file),
            None => self.dir.open_lock(name),
        };
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!("cannot lock {name} in the code cache: {error}");
                return Attempt::Unlocked;
            }
        };
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                *file = Some(opened);
                return Attempt::Busy;
            }
            // A file system without locks.
            Err(error) => {
                tracing::debug!("cannot lock {name} in the code cache: {error}");
                return Attempt::Unlocked;
            }
        }
        let path = self.dir.lock_path(name);
        let is_there = |path| {
            let (ours, theirs) = (opened.metadata().ok()?, std::fs::symlink_metadata(path).ok()?);
            Some((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()))
        };
        if is_there(&path) == Some(true) {
            return Attempt::Locked(Lock { file: opened, path, done: false });
        }
        match opened.read(&mut [0]) {
            Ok(0) => Attempt::Over,
            _ => Attempt::Unlocked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::stored;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn module(text: &str) -> (Module, Target) {
        (Module::from_text(text).unwrap(), Target::baseline(Target::ARCH))
    }

    #[test]
    fn of_many_one_compiles_and_the_others_find_it() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, module, target, code) = stored(dir.path());
        let compiled = cache.find(&module, target).unwrap();
        cache.clear().unwrap();
        let compilations = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| match cache.turn(&module, target, || true) {
                    Turn::Found(found) => assert!(found.as_slice() == code),
                    Turn::Compile(making) => {
                        compilations.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(50));
                        cache.store(&compiled).unwrap();
                        making.done();
                    }
                });
            }
        });
        assert_eq!(compilations.into_inner(), 1);
        let names = std::fs::read_dir(dir.path()).unwrap();
        assert_eq!(names.count(), 1, "no lock is left");
    }

    #[test]
    fn a_waiter_does_not_wait_on_when_it_is_told_not_to() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let (module, target) = module("(module)");
        let Turn::Compile(_making) = cache.turn(&module, target, || true) else { panic!() };
        let mut waits = 0;
        let turn = cache.turn(&module, target, || {
            waits += 1;
            waits < 5
        });
        assert!(matches!(turn, Turn::Compile(Making(None))), "{turn:?}");
        assert_eq!(waits, 5);
    }

    #[test]
    fn those_who_waited_for_a_failure_do_not_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let (module, target) = module("(module)");
        let Turn::Compile(making) = cache.turn(&module, target, || true) else { panic!() };
        std::thread::scope(|scope| {
            let (waits, waiting) = std::sync::mpsc::channel();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let mut waits = Some(waits.clone());
                    let tell = move || {
                        waits.take().inspect(|waits| waits.send(()).unwrap());
                        true
                    };
                    let (cache, module) = (&cache, &module);
                    scope.spawn(move || cache.turn(module, target, tell))
                })
                .collect();
            waiters.iter().for_each(|_| waiting.recv().unwrap());
            drop(making);
            for waiter in waiters {
                let turn = waiter.join().unwrap();
                assert!(matches!(turn, Turn::Compile(Making(None))), "{turn:?}");
            }
        });
    }

    #[test]
    fn what_cannot_be_locked_is_compiled() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let (module, target) = module("(module)");
        let name = file_name(module.source(target));
        std::os::unix::fs::symlink("/dev/zero", cache.dir.lock_path(&name)).unwrap();
        let turn = cache.turn(&module, target, || true);
        assert!(matches!(turn, Turn::Compile(Making(None))), "{turn:?}");
    }
}
