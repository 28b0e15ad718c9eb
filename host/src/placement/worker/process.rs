//! The process of a worker: how it starts, and that it ends.
//!
//! A worker may have become its guest's own, or may be stopped: it is not asked to end, it is
//! killed. It does not outlive this process either. Linux kills it with its parent, even while it
//! is stopped. But to Linux the parent is the *thread* that has started it, so one thread starts
//! all workers, and stays for as long as there is one. On macOS a worker ends when its sockets
//! close, which one that is stopped notices once it goes on.

use super::Workers;
use command_fds::{CommandFdExt as _, FdMapping};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wrt_platform::children::kill_with_parent;
use wrt_platform::descriptors::pass_none_after;

/// The descriptors that a worker finds its sockets at.
pub(super) const REQUESTS: i32 = 3;
pub(super) const CANCELS: i32 = 4;

/// How long a process that was killed is waited for. Only one that is deep in a system call, of a
/// dead network file system for example, takes longer.
const REAP_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked at.
const REAP_INTERVAL: Duration = Duration::from_millis(1);

/// A process that is killed, at the latest when this goes.
pub(super) struct Process {
    /// Until it is waited for.
    child: Option<Child>,
    id: u32,
}

/// A worker that was started, and the ends of its sockets that are ours.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) requests: UnixStream,
    pub(super) cancels: UnixStream,
}

impl Process {
    /// Starts a worker with its sockets and nothing else of this process: no environment, no other
    /// descriptor.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn start(workers: &Workers) -> io::Result<Started> {
        let (requests, its_requests) = UnixStream::pair()?;
        let (cancels, its_cancels) = UnixStream::pair()?;
        let mapping =
            |socket: UnixStream, child_fd| FdMapping { parent_fd: socket.into(), child_fd };
        let mut command = workers.command()?;
        // Streams come with a world that has them. Words of its own are for those who asked.
        let [input, output, words] = nowhere()?;
        let words = if workers.verbose > 0 { Stdio::inherit() } else { words };
        command
            .env_clear()
            .stdin(input)
            .stdout(output)
            .stderr(words)
            .fd_mappings(vec![mapping(its_requests, REQUESTS), mapping(its_cancels, CANCELS)])
            .map_err(io::Error::other)?;
        pass_none_after(&mut command, CANCELS);
        kill_with_parent(&mut command);
        let child = spawn(command)?;
        let id = child.id();
        Ok(Started { process: Self { child: Some(child), id }, requests, cancels })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Gives it `grace` to end by itself, then kills it; returns how it ended, in words.
    pub(super) fn end(&mut self, grace: Duration) -> String {
        let Some(mut child) = self.child.take() else { return "it is gone".to_owned() };
        let ended = match wait(&mut child, grace) {
            Ok(None) => child.kill().and_then(|()| wait(&mut child, REAP_LIMIT)),
            other => other,
        };
        match ended {
            Ok(Some(status)) => {
                started().left -= 1;
                describe(status)
            }
            Ok(None) => {
                started().unreaped.push(child);
                "it was killed, and is still in a system call".to_owned()
            }
            Err(error) => {
                started().left -= 1;
                error.to_string()
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Between two requests it holds nothing that would be lost.
        self.end(Duration::ZERO);
    }
}

/// Streams that have nothing to read and take everything.
fn nowhere() -> io::Result<[Stdio; 3]> {
    match File::options().read(true).write(true).open("/dev/null") {
        Ok(null) => Ok([null.try_clone()?.into(), null.try_clone()?.into(), null.into()]),
        // A system without devices: what is written is refused.
        Err(_) => {
            let (nothing, _) = io::pipe()?;
            let (_, refused) = io::pipe()?;
            Ok([nothing.into(), refused.try_clone()?.into(), refused.into()])
        }
    }
}

/// Waits for a process's end, but not longer than `limit`.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(REAP_INTERVAL);
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("it was killed by signal {signal}"),
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it is gone".to_owned(),
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The thread that starts workers, and those that it has started.
struct Starter {
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
    /// Workers that were started and have not been waited for.
    left: usize,
    /// Those of them that were killed and did not end soon enough.
    unreaped: Vec<Child>,
}

static STARTER: Mutex<Starter> =
    Mutex::new(Starter { thread: None, left: 0, unreaped: Vec::new() });

fn started() -> MutexGuard<'static, Starter> {
    // Whole after any panic: each change is one step.
    STARTER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Starter {
    /// Waits for processes that have ended by now.
    fn reap(&mut self) {
        let before = self.unreaped.len();
        self.unreaped.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        self.left -= before - self.unreaped.len();
    }

    /// The thread's end of the line, which is made if there is none.
    fn jobs(&mut self) -> io::Result<Sender<Job>> {
        if let Some((jobs, _)) = &self.thread {
            return Ok(jobs.clone());
        }
        let (jobs, received) = channel::<Job>();
        let thread = std::thread::Builder::new().name("wrt-vm workers".to_owned());
        let thread = thread.spawn(move || received.into_iter().for_each(|job| job()))?;
        self.thread = Some((jobs.clone(), thread));
        Ok(jobs)
    }
}

/// Starts a process from the thread for that.
fn spawn(mut command: Command) -> io::Result<Child> {
    let (done, result) = channel();
    let jobs = {
        let mut starter = started();
        starter.reap();
        // Counted before it is there: the thread stays.
        starter.left += 1;
        starter.jobs()
    };
    let spawned = jobs.and_then(|jobs| {
        let job: Job = Box::new(move || {
            // The other end waits for it.
            let _ = done.send(command.spawn());
        });
        jobs.send(job).map_err(|_| io::Error::other("its thread is gone"))?;
        result.recv().map_err(|_| io::Error::other("its thread is gone"))?
    });
    if spawned.is_err() {
        started().left -= 1;
    }
    spawned
}

/// Ends the thread that starts workers, unless there is one: what the calling thread gives up next,
/// that one would keep.
pub(crate) fn rest() {
    let mut starter = started();
    starter.reap();
    if starter.left > 0 {
        return;
    }
    if let Some((jobs, thread)) = starter.thread.take() {
        drop((jobs, starter));
        // It does not panic; if it did, it would be gone as well.
        let _ = thread.join();
    }
}
