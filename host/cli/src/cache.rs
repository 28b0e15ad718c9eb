//! `wrt-vm cache`: what was compiled before.

use super::say::{complain, note};
use super::{code, quantity};
use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use wrt_platform::text::{Line, Lines, harmless_json};
use wrt_vm::cache::{Cleared, Entry};
use wrt_vm::error::Bytes;
use wrt_vm::{Cache, Error};

/// Where the cache is and how large it may be.
#[derive(Args, Clone)]
pub(super) struct Place {
    /// The code cache's directory [default: wrt-vm/code in the user's cache directory].
    #[arg(
        long,
        value_name = "DIR",
        env = "WRT_VM_CACHE_DIR",
        hide_env_values = true,
        global = true
    )]
    cache_dir: Option<PathBuf>,

    /// Size that the code cache is brought back to as code is added, such as `512MiB`: the code
    /// that was used longest ago goes first, and code that is larger is not kept.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1GiB",
        value_parser = quantity::bytes,
        env = "WRT_VM_CACHE_SIZE",
        hide_env_values = true
    )]
    cache_size: u64,
}

impl Place {
    /// Opens the cache; `None` when this user has no place for one.
    pub(super) fn open(&self) -> anyhow::Result<Option<Cache>> {
        let Some(dir) = self.dir() else { return Ok(None) };
        Ok(Some(Cache::open(dir)?.max_size(self.cache_size)))
    }

    /// Where it is, or would be. A variable that is empty is none.
    fn dir(&self) -> Option<PathBuf> {
        let named = self.cache_dir.clone().filter(|dir| !dir.as_os_str().is_empty());
        named.or_else(Cache::default_dir)
    }
}

/// The options of commands that use the cache.
#[derive(Args, Clone)]
pub(super) struct CacheOptions {
    /// Neither look for compiled code in the code cache nor keep any there.
    #[arg(long)]
    no_cache: bool,

    #[command(flatten)]
    place: Place,
}

impl CacheOptions {
    /// Opens the cache, if it is wanted and there can be one: nobody needs it to run a program.
    pub(super) fn open(&self) -> anyhow::Result<Option<Cache>> {
        if self.no_cache {
            return Ok(None);
        }
        match self.place.open() {
            Err(error) if error.is::<Error>() => {
                note(format_args!("{error}; going on without (--no-cache)"));
                Ok(None)
            }
            other => other,
        }
    }
}

/// Show or clear the code cache.
///
/// Modules are compiled once; the code is kept in files of this user's.
#[derive(Args)]
pub(super) struct CacheCommand {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Action {
    /// List what is in it, latest used first; as without a command.
    List {
        /// As a JSON object: `path`, `size`, and `entries` with `name`, `path`, `size` in bytes,
        /// `used` in seconds since 1970, and `arch` and `features` of the processors that the code
        /// is for (null if the file does not say).
        #[arg(long)]
        json: bool,
    },
    /// Print its size in bytes.
    Size,
    /// Throw entries out: by their names, or how those begin, as `list` shows them.
    Rm {
        #[arg(value_name = "ENTRY", required = true)]
        entries: Vec<String>,
    },
    /// Throw everything out.
    Clear,
}

impl CacheCommand {
    pub(super) fn execute(self) -> ExitCode {
        match self.report() {
            Ok(report) => {
                let _ = std::io::stdout().write_all(Lines(report).to_string().as_bytes());
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(format_args!("{error:#}"));
                ExitCode::from(code::FAILED)
            }
        }
    }

    fn report(&self) -> anyhow::Result<String> {
        let Some(dir) = self.place.dir() else {
            bail!("this user has no home directory: name one by --cache-dir");
        };
        // It is made when there is something to keep.
        if !dir.exists() {
            return self.report_none(&dir);
        }
        let cache = Cache::open(dir)?;
        let entries = cache.entries()?;
        let size: u64 = entries.iter().map(|entry| entry.size).sum();
        Ok(match &self.action {
            Some(Action::Clear) => clear(&cache)?,
            Some(Action::Rm { entries: names }) => remove(&cache, &entries, names)?,
            Some(Action::Size) => format!("{size}\n"),
            Some(Action::List { json: true }) => {
                let entries = entries.iter().map(|entry| object(&cache, entry)).collect();
                json(cache.path(), entries, size)
            }
            Some(Action::List { json: false }) | None => {
                let mut list = heading(cache.path(), entries.len(), size);
                for entry in &entries {
                    let name = entry.name.get(..16).unwrap_or(&entry.name);
                    let age = SystemTime::now().duration_since(entry.used).unwrap_or_default();
                    let size = Bytes(entry.size).to_string();
                    list += &format!("  {name}  {size:>10}  used {} ago\n", rough(age));
                }
                list
            }
        })
    }
}

impl CacheCommand {
    /// The same of a directory that is not there.
    fn report_none(&self, dir: &Path) -> anyhow::Result<String> {
        Ok(match &self.action {
            Some(Action::Clear) => format!("threw out {} ({})\n", modules(0), Bytes(0)),
            Some(Action::Rm { .. }) => bail!("there is no code cache {}", Line(dir.display())),
            Some(Action::Size) => "0\n".to_owned(),
            Some(Action::List { json: true }) => json(dir, Vec::new(), 0),
            Some(Action::List { json: false }) | None => heading(dir, 0, 0),
        })
    }
}

fn clear(cache: &Cache) -> anyhow::Result<String> {
    let Cleared { modules: count, bytes, left } = cache.clear()?;
    let gone = format!("threw out {} ({})\n", modules(count), Bytes(bytes));
    if left.is_empty() {
        return Ok(gone);
    }
    let mut text = format!("{gone}cannot remove {}:", modules(left.len()));
    for (entry, error) in left {
        text += &format!("\n  {}: {error}", Line(cache.path_of(&entry).display()));
    }
    Err(anyhow!(text))
}

/// Throws out what has these names, or none of it when one is not known.
fn remove(cache: &Cache, entries: &[Entry], names: &[String]) -> anyhow::Result<String> {
    let mut chosen: Vec<&Entry> = Vec::new();
    for name in names {
        let mut found = entries.iter().filter(|entry| entry.name.starts_with(name.as_str()));
        let entry = match (found.next(), found.next()) {
            _ if name.is_empty() => bail!("an entry has a name: `wrt-vm cache list` shows them"),
            (Some(entry), None) => entry,
            (Some(_), Some(_)) => bail!("{name:?} is how several entries begin: add a few digits"),
            (None, _) => {
                bail!("there is no entry {name:?}: `wrt-vm cache list` shows those that there are")
            }
        };
        if !chosen.contains(&entry) {
            chosen.push(entry);
        }
    }
    let mut failed = Vec::new();
    for entry in &chosen {
        if let Err(error) = cache.evict_entry(entry) {
            failed.push(format!("{}: {error}", Line(cache.path_of(entry).display())));
        }
    }
    if !failed.is_empty() {
        bail!("cannot remove {}", failed.join("\n  "));
    }
    let size = chosen.iter().map(|entry| entry.size).sum();
    Ok(format!("threw out {} ({})\n", modules(chosen.len()), Bytes(size)))
}

fn heading(dir: &Path, count: usize, size: u64) -> String {
    format!("{}: {}, {}\n", Line(dir.display()), modules(count), Bytes(size))
}

fn object(cache: &Cache, entry: &Entry) -> Value {
    let used = entry.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let target = cache.target_of(entry);
    json!({
        "name": entry.name,
        "path": cache.path_of(entry).to_string_lossy(),
        "size": entry.size,
        "used": used.as_secs(),
        "arch": target.map(|target| target.arch.to_string()),
        "features": target.map(|target| target.features.to_string()),
    })
}

fn json(dir: &Path, entries: Vec<Value>, size: u64) -> String {
    let all = json!({ "path": dir.to_string_lossy(), "size": size, "entries": entries });
    harmless_json(&format!("{all:#}\n"))
}

fn modules(count: usize) -> String {
    match count {
        1 => "1 module".to_owned(),
        _ => format!("{count} modules"),
    }
}

/// A duration in its largest unit.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (86400, "1 d")]
        {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
    }
}
