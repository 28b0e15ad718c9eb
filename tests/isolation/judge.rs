//! What a host process has, and whether it has more than before.

use anyhow::{Result, bail, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Resident memory that may come and go: the allocator's, the kernel's page tables'.
const TOLERANCE: u64 = 48 << 20;
/// How long what was given back may take to be gone.
const SETTLING: Duration = Duration::from_secs(5);

/// What the process holds of the system's.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    /// Descriptors, by what they lead to.
    descriptors: Vec<String>,
    /// Threads, by their names.
    threads: Vec<String>,
    /// Processes that it has started and that are not gone.
    children: Vec<String>,
    /// Bytes of resident memory.
    resident: u64,
    /// Files in the folder for temporary ones.
    files: Vec<String>,
}

impl Footprint {
    pub(crate) fn take() -> Result<Self> {
        let mut descriptors = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            // The one that lists them is gone by now.
            if let Ok(target) = fs::read_link(entry?.path()) {
                descriptors.push(target.display().to_string());
            }
        }
        descriptors.retain(|target| !target.ends_with("/fd"));
        let (mut threads, mut children) = (Vec::new(), Vec::new());
        for entry in fs::read_dir("/proc/self/task")? {
            let task = entry?.path();
            // A thread may end while it is looked at.
            let read = |name| fs::read_to_string(task.join(name)).unwrap_or_default();
            threads.push(read("comm").trim().to_owned());
            children.extend(read("children").split_whitespace().map(str::to_owned));
        }
        let mut files = Vec::new();
        list(&std::env::temp_dir(), &mut files)?;
        for list in [&mut descriptors, &mut threads, &mut children, &mut files] {
            list.sort();
        }
        Ok(Self { descriptors, threads, children, resident: resident()?, files })
    }

    /// What there is more of than in `before`, in words.
    fn excess(&self, before: &Self) -> String {
        let mut excess = String::new();
        for (what, now, then) in [
            ("descriptors", &self.descriptors, &before.descriptors),
            ("threads", &self.threads, &before.threads),
            ("processes", &self.children, &before.children),
            ("temporary files", &self.files, &before.files),
        ] {
            let mut more = now.clone();
            for old in then {
                if let Some(at) = more.iter().position(|new| new == old) {
                    more.remove(at);
                }
            }
            // A thread may have taken its name only since.
            if !more.is_empty() && now.len() > then.len() {
                let _ = write!(excess, "{} {what} more: {}; ", more.len(), more.join(", "));
            }
        }
        if self.resident > before.resident + TOLERANCE {
            let more = (self.resident - before.resident) >> 20;
            let _ = write!(excess, "{more} MiB of resident memory more; ");
        }
        excess
    }

    /// Waits until nothing is left that was not there before.
    pub(crate) fn returns_to(before: &Self) -> Result<()> {
        let started = Instant::now();
        loop {
            give_memory_back();
            let excess = Self::take()?.excess(before);
            if excess.is_empty() {
                return Ok(());
            }
            if started.elapsed() > SETTLING {
                bail!("left behind: {}", excess.trim_end_matches("; "));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Has the allocator give the system what nobody uses: it is not what is looked for.
fn give_memory_back() {
    // SAFETY: it has no conditions.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes of resident memory.
pub(crate) fn resident() -> Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(pages * 4096)
}

fn list(folder: &Path, to: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What the guest was given it may fill.
        if entry.file_name() == super::host::WORLD {
            continue;
        }
        to.push(entry.path().display().to_string());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), to)?;
        }
    }
    Ok(())
}

/// What the process logs, counted and not kept.
#[derive(Clone, Default)]
pub(crate) struct Log {
    bytes: Arc<AtomicU64>,
}

impl Log {
    /// Counts all that is logged from here on.
    pub(crate) fn install() -> Self {
        let log = Self::default();
        let counter = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || counter.clone())
            .finish();
        // There is one in a process, and this comes first.
        let _ = tracing::subscriber::set_global_default(subscriber);
        log
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Panics of any thread, caught or not: each is a bug.
#[derive(Clone, Default)]
pub(crate) struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    /// Notes all from here on.
    pub(crate) fn install() -> Self {
        let panics = Self::default();
        let noted = panics.clone();
        std::panic::set_hook(Box::new(move |info| {
            eprintln!("{info}");
            noted.0.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        panics
    }

    pub(crate) fn check(&self) -> Result<()> {
        let panics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(panics.is_empty(), "the host panicked: {}", panics.join("; "));
        Ok(())
    }
}
