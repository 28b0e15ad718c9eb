//! The file: whole records, so many and no more.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, TryLockError, Weak};
use std::time::Instant;

use crate::stdio::{write_all_bounded, write_now};
use crate::text::push_json;

/// Most bytes of a trace: a guest decides how often it calls.
pub const MAX_BYTES: usize = 256 << 20;

/// Bytes that are kept before they are written.
const BUFFER: usize = 64 << 10;

/// How a file ends.
const END: &str = "\n]\n";

/// Where records go.
#[derive(Debug)]
pub(super) struct Sink {
    start: Instant,
    process: u32,
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    buffer: String,
    written: usize,
    threads: HashSet<u64>,
    dropped: u64,
    error: Option<io::Error>,
    finished: bool,
}

/// The handle of a trace: ends the file when it goes, or when the process exits before.
#[derive(Debug)]
pub struct TraceFile {
    sink: Arc<Sink>,
}

/// Traces to be finished at exit.
static OPEN: Mutex<Vec<Weak<Sink>>> = Mutex::new(Vec::new());
static AT_EXIT: Once = Once::new();

/// A number for each thread, since the system's are not portable. The main thread has the
/// process's: by that it is known.
fn thread(process: u32) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static OWN: u64 = match std::thread::current().name() {
        Some("main") => 0,
        _ => NEXT.fetch_add(1, Ordering::Relaxed),
    });
    // A thread that is ending has lost its own.
    u64::from(process) + OWN.try_with(|own| *own).unwrap_or(0)
}

/// What the process is called.
fn program() -> String {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_name).map(OsStr::to_string_lossy);
    name.unwrap_or_default().into_owned()
}

impl Sink {
    pub(super) fn new(file: File) -> io::Result<Arc<Self>> {
        Self::with_limit(file, MAX_BYTES)
    }

    fn with_limit(file: File, limit: usize) -> io::Result<Arc<Self>> {
        let process = std::process::id();
        let mut begin = format!(
            "[\n{{\"ph\":\"M\",\"pid\":{process},\"tid\":{process},\"name\":\"process_name\",\
             \"args\":{{\"name\":"
        );
        push_json(&mut begin, &program());
        begin.push_str("}}");
        // At once: a file without a record cannot be opened.
        write_all_bounded(file.as_fd(), begin.as_bytes())?;
        let state = State {
            file,
            buffer: String::with_capacity(BUFFER + 4096),
            written: begin.len(),
            threads: HashSet::new(),
            dropped: 0,
            error: None,
            finished: false,
        };
        let start = Instant::now();
        let sink = Arc::new(Self { start, process, limit, state: Mutex::new(state) });
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&sink));
        AT_EXIT.call_once(|| {
            // SAFETY: a function without arguments that does not unwind; should there be no
            // room for it, the trace lacks its end.
            unsafe { libc::atexit(finish_all) };
        });
        Ok(sink)
    }

    /// Appends one record. `name` is a string of JSON; `rest`, the inside of an object.
    pub(super) fn record(&self, phase: char, name: &str, rest: &str) {
        let time = self.start.elapsed();
        let thread = thread(self.process);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.finished || state.error.is_some() {
            return;
        }
        if state.written + state.buffer.len() + name.len() + rest.len() > self.limit {
            state.dropped += 1;
            return;
        }
        if state.threads.insert(thread) {
            let mut own = String::new();
            push_json(&mut own, std::thread::current().name().unwrap_or("thread"));
            let arguments = format!("\"args\":{{\"name\":{own}}}");
            self.line(&mut state, 'M', 0, thread, "\"thread_name\"", &arguments);
        }
        self.line(&mut state, phase, time.as_nanos(), thread, name, rest);
        if state.buffer.len() >= BUFFER {
            state.flush();
        }
    }

    fn line(
        &self,
        state: &mut State,
        phase: char,
        time: u128,
        thread: u64,
        name: &str,
        rest: &str,
    ) {
        let (micros, nanos) = (time / 1000, time % 1000);
        let category = if matches!(phase, 'b' | 'e') { "\"cat\":\"wrt\"," } else { "" };
        let rest_comma = if rest.is_empty() { "" } else { "," };
        let process = self.process;
        let _ = write!(
            state.buffer,
            ",\n{{\"ph\":\"{phase}\",\"ts\":{micros}.{nanos:03},\"pid\":{process},\
             \"tid\":{thread},{category}\"name\":{name}{rest_comma}{rest}}}"
        );
    }

    fn finish(&self, state: &mut State) -> io::Result<()> {
        if !state.finished {
            if state.dropped > 0 {
                let arguments = format!("\"s\":\"t\",\"args\":{{\"records\":{}}}", state.dropped);
                let now = self.start.elapsed().as_nanos();
                self.line(state, 'i', now, self.process.into(), "\"dropped\"", &arguments);
            }
            state.buffer.push_str(END);
            state.flush();
            state.finished = true;
        }
        state.error.take().map_or(Ok(()), Err)
    }
}

impl State {
    fn flush(&mut self) {
        // The file can be a pipe that is not read.
        let result = write_all_bounded(self.file.as_fd(), self.buffer.as_bytes());
        self.written += self.buffer.len();
        self.buffer.clear();
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

/// Finishes what is open. A thread that is writing at this moment keeps the lock: its trace
/// ends without an end, which the format allows.
extern "C" fn finish_all() {
    let Ok(open) = OPEN.try_lock() else { return };
    for sink in open.iter().filter_map(Weak::upgrade) {
        let mut state = match sink.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => continue,
        };
        let _ = sink.finish(&mut state);
    }
}

/// Finishes what is open, from a signal handler: the process ends next. It takes no memory, gives
/// none back and waits for nobody. What a thread is writing at this moment stays as it is.
pub(crate) fn finish_all_at_once() {
    let Ok(open) = OPEN.try_lock() else { return };
    for sink in open.iter().filter_map(Weak::upgrade) {
        if let Ok(state) = sink.state.try_lock()
            && !state.finished
            && state.error.is_none()
        {
            // A pipe that is not read gets what it has room for.
            write_now(state.file.as_raw_fd(), state.buffer.as_bytes());
            write_now(state.file.as_raw_fd(), END.as_bytes());
        }
        // Were it the last, it would give memory back.
        std::mem::forget(sink);
    }
}

impl TraceFile {
    pub(super) fn new(sink: Arc<Sink>) -> Self {
        Self { sink }
    }

    /// Writes what is kept back.
    ///
    /// # Errors
    ///
    /// The first error of writing the file.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.sink.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.flush();
        state.error.take().map_or(Ok(()), Err)
    }

    /// Ends the file; what comes later is not in it.
    ///
    /// # Errors
    ///
    /// The first error of writing the file.
    pub fn finish(self) -> io::Result<()> {
        let mut state = self.sink.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.sink.finish(&mut state)
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        let mut state = self.sink.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.sink.finish(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut file = tempfile::tempfile().unwrap();
        let sink = Sink::with_limit(file.try_clone().unwrap(), 2000).unwrap();
        for _ in 0..10_000 {
            sink.record('i', "\"x\"", "\"s\":\"t\"");
        }
        TraceFile::new(sink).finish().unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert!(text.len() < 2400 && text.ends_with("\n]\n"), "{}", text.len());
        assert!(text.contains("\"dropped\"") && text.contains("\"records\":99"), "{text}");
    }
}
