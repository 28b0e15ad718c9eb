//! The code cache: what modules were compiled to, one file each.
//!
//! A file is named after what it was made of, so that a name never means two contents. It is
//! written under another name and renamed when it is whole: readers need no lock, and of
//! several writers the last one wins with the same bytes. It is used only if it belongs to
//! this user, nobody else may write it, and its [checksum](crate::artifact) is right; one
//! that is not like that is thrown away, and the module compiled again.

mod dir;

use crate::artifact::{self, Header, Source, Target};
use crate::compiler;
use crate::error::Error;
use crate::module::Module;
use dir::Dir;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wrt_platform::memory::SharedBytes;

/// Bytes that a cache may take unless told otherwise.
const DEFAULT_SIZE: u64 = 1 << 30;

/// A directory of compiled modules. Processes and threads may share it.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: Dir,
    max_size: u64,
}

/// One compiled module in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of its file.
    pub name: String,
    /// Bytes of its file.
    pub size: u64,
    /// When it was used last.
    pub used: SystemTime,
}

impl Cache {
    /// Where the cache of this user is: `$XDG_CACHE_HOME/wrt-vm/code`, on macOS
    /// `~/Library/Caches/wrt-vm/code`. `None` if the user has no home.
    pub fn default_dir() -> Option<PathBuf> {
        use etcetera::BaseStrategy as _;
        let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(strategy.cache_dir().join("wrt-vm/code"))
    }

    /// Opens the cache in a directory, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Cache`] when it cannot be made, or when others own or may write it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self { dir: Dir::open(dir.into())?, max_size: DEFAULT_SIZE })
    }

    /// Bytes that the cache may take; 1 GiB unless set. What was used longest ago goes first.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The code of a module, if it was compiled for `target` by this version's compiler.
    pub fn find(&self, module: &Module, target: Target) -> Option<Module> {
        let source = compiler::source(module, target);
        let name = file_name(source);
        let found = self.dir.open_file(&name).and_then(|file| match file {
            Some(file) => read(&file, source, target).map(Some),
            None => Ok(None),
        });
        match found {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!("throwing {name} out of the code cache: {reason}");
                self.dir.remove(&name);
                None
            }
        }
    }

    /// Keeps a compiled module.
    ///
    /// # Errors
    ///
    /// When the system cannot write it; `InvalidInput` for a module that is not compiled.
    /// Nothing half-written is left.
    pub fn store(&self, compiled: &Module) -> io::Result<()> {
        let header = compiled.header().ok_or(io::ErrorKind::InvalidInput)?;
        let size = artifact::CODE_OFFSET + header.len;
        if size > self.max_size {
            tracing::info!("{size} bytes of code are more than the code cache may take");
            return Ok(());
        }
        let name = file_name(header.source);
        self.dir.write(&name, |file| compiled.write(file))?;
        self.evict(&name)
    }

    /// Throws a compiled module out.
    pub fn remove(&self, compiled: &Module) {
        if let Some(header) = compiled.header() {
            self.dir.remove(&file_name(header.source));
        }
    }

    /// What is in it, latest used first.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = self.dir.files()?;
        entries.retain(|entry| is_file_name(&entry.name));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        Ok(entries)
    }

    /// Throws everything out; returns how many bytes that were.
    ///
    /// # Errors
    ///
    /// As [`Self::entries`].
    pub fn clear(&self) -> io::Result<u64> {
        let entries = self.entries()?;
        for entry in &entries {
            self.dir.remove(&entry.name);
        }
        self.dir.remove_unfinished(SystemTime::now());
        Ok(entries.iter().map(|entry| entry.size).sum())
    }

    /// Makes the cache as small as it may be, but keeps `newest`.
    fn evict(&self, newest: &str) -> io::Result<()> {
        self.dir.remove_unfinished(SystemTime::now() - dir::UNFINISHED_FOR);
        let entries = self.entries()?;
        let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
        for entry in entries.iter().rev().filter(|entry| entry.name != newest) {
            if size <= self.max_size {
                break;
            }
            tracing::debug!("the code cache is full: {} goes", entry.name);
            self.dir.remove(&entry.name);
            size -= entry.size;
        }
        Ok(())
    }
}

const SUFFIX: &str = ".cwasm";

pub(crate) fn file_name(source: Source) -> String {
    format!("{source}{SUFFIX}")
}

fn is_file_name(name: &str) -> bool {
    let source = name.strip_suffix(SUFFIX);
    source.is_some_and(|source| blake3::Hash::from_hex(source).is_ok())
}

/// Reads and maps an entry, or says what is wrong with it.
fn read(mut file: &File, source: Source, target: Target) -> Result<Module, String> {
    let text = |error: io::Error| error.to_string();
    let mut head = [0; artifact::HEADER_SIZE];
    file.read_exact(&mut head).map_err(text)?;
    let header = Header::read(&head).map_err(|error| error.to_string())?;
    if (header.source, header.target) != (source, target) {
        return Err("it was made of something else".to_owned());
    }
    let len = usize::try_from(header.len).map_err(|error| error.to_string())?;
    if file.metadata().map_err(text)?.len() != artifact::CODE_OFFSET + header.len {
        return Err("it has another length than was written".to_owned());
    }
    // SAFETY: the file is this user's, nobody else may write it (`Dir::open_file`), and no
    // wrt-vm ever writes a file that has its name.
    let code = unsafe { SharedBytes::map_file(file, artifact::CODE_OFFSET, len) }.map_err(text)?;
    header.check(code.as_slice()).map_err(|error| error.to_string())?;
    // For eviction alone: an entry that cannot be marked is as good.
    let _ = file.set_modified(SystemTime::now());
    Ok(Module::compiled(code, header))
}
