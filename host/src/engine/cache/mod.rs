//! The code cache: what modules were compiled to, one file each.
//!
//! A file is named after what it was made of, so that a name never means two contents. It is
//! written under another name and renamed when it is whole: readers need no lock, and of
//! several writers the last one wins with the same bytes. It is used only if it belongs to
//! this user, no other user may write it, and its checksum is right; one
//! that is not like that is thrown away, and the module compiled again. What one process uses
//! again and again is in its memory, too.

mod dir;
mod kept;
mod making;

pub use kept::CacheCounts;
pub use making::{Making, Turn};

use crate::artifact::{self, Header, Source, Target};
use crate::error::Error;
use crate::module::Module;
use crate::placement::Inside;
use dir::Dir;
use kept::Kept;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use wrt_platform::memory::SharedBytes;

/// Bytes that a cache may take unless told otherwise.
const DEFAULT_SIZE: u64 = 1 << 30;

/// A directory of compiled modules. Processes and threads may share it.
///
/// From the second time on that something is found, it is in memory, which all clones share. What
/// no VM uses is purgeable ([`wrt_platform::memory::Purgeable`]), and 256 MiB at most.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: Dir,
    max_size: u64,
    kept: Arc<Kept>,
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

/// What became of a cache that was cleared.
#[derive(Debug, Default)]
pub struct Cleared {
    /// How many modules are gone.
    pub modules: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// What is still there, and why.
    pub left: Vec<(Entry, io::Error)>,
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
        let dir = Dir::open(dir.into())?;
        Ok(Self { dir, max_size: DEFAULT_SIZE, kept: Arc::default() })
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

    /// Its directory in a jail.
    pub(crate) fn inside(&self) -> Inside {
        self.dir.inside()
    }

    /// The code of a module, if it was compiled for `target` by this version's compiler.
    pub fn find(&self, module: &Module, target: Target) -> Option<Module> {
        let source = module.source(target);
        let name = file_name(source);
        if let Some(copy) = self.kept.take(&name) {
            return Some(copy);
        }
        let found = self.dir.open_file(&name).and_then(|file| match file {
            Some(file) => read(&file, source, target).map(Some),
            None => Ok(None),
        });
        match found {
            Ok(found) => found.map(|found| self.kept.found(&name, found)),
            Err(reason) => {
                tracing::warn!("throwing {name} out of the code cache: {reason}");
                self.dir.try_to_remove(&name);
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
            let name = file_name(header.source);
            self.kept.forget(&name);
            self.dir.try_to_remove(&name);
        }
    }

    /// Where this one and its clones have found code.
    pub fn counts(&self) -> CacheCounts {
        self.kept.counts()
    }

    /// What is in it, latest used first. What was found in memory does not count as used.
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

    /// Where the file of an entry is.
    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        self.path().join(&entry.name)
    }

    /// What the code of an entry runs on, by its file's header; `None` if that cannot be read.
    /// Nothing else of the file is looked at.
    pub fn target_of(&self, entry: &Entry) -> Option<Target> {
        let file = self.dir.open_file(&entry.name).ok()??;
        header_of(&file).ok().map(|header| header.target)
    }

    /// Throws one entry out.
    ///
    /// # Errors
    ///
    /// When the system does not remove it.
    pub fn evict_entry(&self, entry: &Entry) -> io::Result<()> {
        self.kept.forget(&entry.name);
        self.dir.remove(&entry.name)
    }

    /// Throws everything out, as far as the system lets it.
    ///
    /// # Errors
    ///
    /// As [`Self::entries`].
    pub fn clear(&self) -> io::Result<Cleared> {
        let mut cleared = Cleared::default();
        for entry in self.entries()? {
            match self.evict_entry(&entry) {
                Ok(()) => {
                    cleared.modules += 1;
                    cleared.bytes += entry.size;
                }
                Err(error) => cleared.left.push((entry, error)),
            }
        }
        self.kept.clear();
        self.dir.remove_unfinished(SystemTime::now());
        Ok(cleared)
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
            // What cannot be removed takes up room all the same.
            match self.dir.remove(&entry.name) {
                Ok(()) => size -= entry.size,
                Err(error) => tracing::warn!("cannot remove {}: {error}", entry.name),
            }
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

/// Reads the header of an entry, or says what is wrong with it.
fn header_of(mut file: &File) -> Result<Header, String> {
    let mut head = [0; artifact::HEADER_SIZE];
    file.read_exact(&mut head).map_err(|error| error.to_string())?;
    Header::read(&head).map_err(|error| error.to_string())
}

/// Reads and maps an entry, or says what is wrong with it.
fn read(file: &File, source: Source, target: Target) -> Result<Module, String> {
    let text = |error: io::Error| error.to_string();
    let header = header_of(file)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use wrt_platform::memory::purge_all;

    /// A cache, a module, and what it was compiled to.
    pub(super) fn stored(dir: &Path) -> (Cache, Module, Target, Vec<u8>) {
        let cache = Cache::open(dir).unwrap();
        let module = Module::from_text("(module)").unwrap();
        let target = Target::baseline(Target::ARCH);
        let code: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let header = Header::new(target, module.source(target), &code);
        let bytes = SharedBytes::new(code.len(), |to| {
            to.copy_from_slice(&code);
            Ok::<_, io::Error>(())
        });
        cache.store(&Module::compiled(bytes.unwrap(), header)).unwrap();
        (cache, module, target, code)
    }

    // One after the other: what is purged is all of this process's.
    #[test]
    fn what_is_found_again_is_in_memory_until_the_system_takes_it() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, module, target, code) = stored(dir.path());
        let find = || cache.find(&module, target).map(|found| found.as_slice().to_vec());
        let counts = |files, memory, purged| CacheCounts { files, memory, purged };
        for _ in 0..5 {
            assert!(find() == Some(code.clone()));
        }
        assert_eq!(cache.counts(), counts(2, 3, 0));

        // Nobody takes what is in use; and it is one copy.
        let [one, other] = [(); 2].map(|()| cache.find(&module, target).unwrap());
        assert_eq!(one.as_slice().as_ptr(), other.as_slice().as_ptr());
        assert_eq!(purge_all(), 0);
        assert!(one.as_slice() == code);
        drop((one, other));
        assert_eq!(cache.counts(), counts(2, 5, 0));

        assert!(purge_all() >= code.len());
        assert!(find() == Some(code.clone()));
        assert_eq!(cache.counts(), counts(3, 5, 1));
        assert!(find() == Some(code.clone()));
        assert_eq!(cache.counts(), counts(3, 6, 1));

        // A file that is damaged meanwhile does not matter before it is read.
        let [entry] = &cache.entries().unwrap()[..] else { panic!("one file") };
        let path = dir.path().join(&entry.name);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, [0; 100]).unwrap();
        assert!(find() == Some(code.clone()));
        purge_all();
        assert!(find().is_none());
        assert!(!path.exists(), "it is thrown out");
    }

    #[test]
    fn what_is_thrown_out_is_not_in_memory_either() {
        for clear in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (cache, module, target, code) = stored(dir.path());
            for _ in 0..3 {
                assert!(cache.find(&module, target).unwrap().as_slice() == code);
            }
            let in_use = cache.find(&module, target).unwrap();
            match clear {
                true => assert!(cache.clear().unwrap().bytes > 0),
                false => cache.remove(&in_use),
            }
            assert!(cache.find(&module, target).is_none());
            drop(in_use);
            assert!(cache.find(&module, target).is_none());
        }
    }
}
