//! Where a process has guest memory: this one, or a worker of its.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// A mapping that is guest memory's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) writable: bool,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    This,
    Worker(u32),
}

impl Process {
    /// A file that the system has about it.
    fn file(self, name: &str) -> PathBuf {
        match self {
            Self::This => format!("/proc/self/{name}").into(),
            Self::Worker(id) => format!("/proc/{id}/{name}").into(),
        }
    }
}

/// All mappings of guest memory, by their addresses.
///
/// They are told from others by what `wrt-platform` does with its reservations: they do not go
/// to forked children (`dc` of `proc(5)`), or they are views of a file by its name.
pub(crate) fn read(process: Process) -> Result<Vec<Mapping>> {
    let text = std::fs::read_to_string(process.file("smaps"))?;
    let mut mappings = Vec::new();
    let mut latest = None;
    for line in text.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let (mapping, named) = latest.take().context("flags of no mapping")?;
            if named || flags.split_whitespace().any(|flag| flag == "dc") {
                mappings.push(mapping);
            }
        } else if let Some((range, rest)) = line.split_once(' ')
            && let Some((start, end)) = range.split_once('-')
        {
            let mapping = Mapping {
                start: u64::from_str_radix(start, 16)?,
                end: u64::from_str_radix(end, 16)?,
                writable: rest.starts_with("rw"),
            };
            latest = Some((mapping, rest.contains("/memfd:wrt-vm")));
        }
    }
    Ok(mappings)
}

/// Mappings side by side.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) mappings: Vec<Mapping>,
}

/// What is in `after` that was not in `before`.
pub(crate) fn new_since(before: &[Mapping], after: &[Mapping]) -> Vec<Span> {
    let new = after.iter().filter(|mapping| {
        !before.iter().any(|old| old.start < mapping.end && mapping.start < old.end)
    });
    let mut spans: Vec<Span> = Vec::new();
    for mapping in new {
        match spans.last_mut() {
            Some(span) if span.end == mapping.start => {
                span.end = mapping.end;
                span.mappings.push(mapping.clone());
            }
            _ => spans.push(Span {
                start: mapping.start,
                end: mapping.end,
                mappings: vec![mapping.clone()],
            }),
        }
    }
    spans
}

/// A number for the contents of all bytes that the host can write there.
pub(crate) fn hash(process: Process, spans: &[Span]) -> Result<u64> {
    let memory = File::open(process.file("mem"))?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 256 << 10];
    for mapping in spans.iter().flat_map(|span| &span.mappings) {
        if !mapping.writable {
            continue;
        }
        let mut at = mapping.start;
        while at < mapping.end {
            let len = usize::try_from(mapping.end - at)?.min(buffer.len());
            memory.read_exact_at(&mut buffer[..len], at).context("guest memory is unreadable")?;
            hasher.write_u64(at);
            hasher.write(&buffer[..len]);
            at += len as u64;
        }
    }
    Ok(hasher.finish())
}
