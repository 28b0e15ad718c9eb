//! The code cache, and files of compiled code: a file that somebody has damaged, or put there, is
//! not used, and is gone afterwards; one that is used holds what was written, and so does its copy
//! in memory, until it is thrown out.

use arbitrary::Arbitrary;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_platform::memory::purge_all;
use wrt_vm::cache::CacheCounts;
use wrt_vm::compiler::Target;
use wrt_vm::fuzzing::{cache_file, cache_file_name};
use wrt_vm::{Cache, Module};

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    target: Option<u64>,
    /// Two things that a name could mean, although it never should.
    codes: [&'a [u8]; 2],
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Somebody puts something where the file is.
    Put {
        kind: Kind,
        code: Which,
        mode: Option<u16>,
        damages: Vec<Damage<'a>>,
    },
    Store {
        code: Which,
        finds: Finds,
    },
    Find,
    /// A VM with code that was found is gone.
    Drop(u8),
    Remove,
    Clear,
    /// The system takes what nobody uses.
    Purge,
}

/// How often something is looked for: the second time makes a copy.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Finds {
    None,
    Once,
    Twice,
}

/// Which of the two.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    One,
    Other,
}

/// What has the file's name.
#[derive(Arbitrary, Debug)]
enum Kind {
    File,
    Nothing,
    Folder,
    Link,
    LinkToItself,
    /// The right file of something else.
    OfAnother,
}

#[derive(Arbitrary, Debug)]
enum Damage<'a> {
    Header { at: u8, byte: u8 },
    Code { at: u16, byte: u8 },
    Cut { len: u16 },
    Append(&'a [u8]),
    Replace(&'a [u8]),
}

/// Length of the header, and where the code begins.
const HEADER: usize = 96;
const CODE: usize = 16 << 10;
/// Steps that a case takes at most.
const STEPS: usize = 32;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(case) = crate::input::<Case<'_>>(data) else { return };
    let mut scene = Scene::open(&case);
    for step in case.steps.iter().take(STEPS) {
        scene.take(step);
        scene.check();
    }
    // Whatever was there: it can be written again.
    scene.find();
    scene.store(Which::One);
    scene.find();
    scene.check();
}

/// A cache, and what must be in it.
struct Scene<'a> {
    case: &'a Case<'a>,
    folder: TempDir,
    module: Module,
    target: Target,
    cache: Cache,
    path: PathBuf,
    /// What was written last to a file outside, which a link leads to.
    outside: Vec<u8>,
    file: OnDisk,
    memory: Memory,
    counts: CacheCounts,
    found: Vec<Found>,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    Nothing,
    Usable(Which),
    Unusable,
    /// The same, and no file can be put in its place.
    Folder,
}

/// What is in the cache's memory.
#[derive(Clone, Copy, Debug)]
enum Memory {
    Nothing,
    /// The name: the next time there will be a copy.
    Name,
    Copy {
        code: Which,
        number: usize,
        purged: bool,
    },
}

/// What a VM has.
struct Found {
    module: Module,
    code: Which,
    /// Of the copy; what is a mapping of the file has none.
    number: Option<usize>,
}

impl<'a> Scene<'a> {
    fn open(case: &'a Case<'a>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("cache");
        let cache = Cache::open(&path).expect("a folder of our own");
        let module = Module::from_bytes(b"\0asm\x01\0\0\0").expect("it begins like one");
        let target = case.target();
        Self {
            case,
            path: path.join(cache_file_name(&module, target)),
            folder,
            module,
            target,
            cache,
            outside: Vec::new(),
            file: OnDisk::Nothing,
            memory: Memory::Nothing,
            counts: CacheCounts::default(),
            found: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step<'_>) {
        match *step {
            Step::Put { ref kind, code, mode, ref damages } => self.put(kind, code, mode, damages),
            Step::Store { code, finds } => {
                self.store(code);
                (0..finds as usize).for_each(|_| self.find());
            }
            Step::Find => self.find(),
            Step::Drop(which) => {
                if !self.found.is_empty() {
                    self.found.swap_remove(usize::from(which) % self.found.len());
                }
            }
            Step::Remove => {
                self.cache.remove(&self.compiled(Which::One));
                (self.file, self.memory) = (OnDisk::Nothing, Memory::Nothing);
            }
            Step::Clear => {
                self.cache.clear().expect("the folder is there");
                (self.file, self.memory) = (OnDisk::Nothing, Memory::Nothing);
            }
            Step::Purge => {
                purge_all();
                if !self.is_used()
                    && let Memory::Copy { purged, .. } = &mut self.memory
                {
                    *purged = true;
                }
            }
        }
    }

    /// Looks for the code.
    fn find(&mut self) {
        let found = self.cache.find(&self.module, self.target);
        if let Memory::Copy { code, number, purged } = self.memory {
            if !purged {
                self.counts.memory += 1;
                return self.keep(found, code, Some(number));
            }
            self.counts.purged += 1;
            self.memory = Memory::Name;
        }
        let OnDisk::Usable(code) = self.file else {
            assert!(found.is_none(), "{:?} is used", self.file);
            self.file = OnDisk::Nothing;
            return;
        };
        self.counts.files += 1;
        let number = self.counts.files;
        let is_known = matches!(self.memory, Memory::Name);
        self.memory = match is_known {
            true => Memory::Copy { code, number, purged: false },
            false => Memory::Name,
        };
        self.keep(found, code, is_known.then_some(number));
    }

    fn keep(&mut self, found: Option<Module>, code: Which, number: Option<usize>) {
        let module = found.expect("what is there is found");
        assert_eq!(module.target(), Some(self.target));
        self.found.push(Found { module, code, number });
    }

    /// Whether a VM uses the copy.
    fn is_used(&self) -> bool {
        let Memory::Copy { number, .. } = self.memory else { return false };
        self.found.iter().any(|found| found.number == Some(number))
    }

    fn store(&mut self, code: Which) {
        let stored = self.cache.store(&self.compiled(code));
        assert_eq!(stored.is_err(), self.file == OnDisk::Folder, "{stored:?}");
        if stored.is_ok() {
            self.file = OnDisk::Usable(code);
        }
    }

    fn put(&mut self, kind: &Kind, code: Which, mode: Option<u16>, damages: &[Damage<'_>]) {
        let mut file = match kind {
            Kind::OfAnother => {
                let other = Module::from_bytes(b"\0asm\x02\0\0\0").expect("it begins like one");
                cache_file(&other, self.target, self.case.code(code))
            }
            _ => self.written(code),
        };
        damages.iter().for_each(|damage| damage.apply(&mut file));
        as_module(&file);
        // Never into a file that is there: it may be mapped.
        remove(&self.path).expect("it can be removed");
        self.put_there(&file, kind, mode).expect("the folder can be filled");
        let is_whole = |code| is_same(&file, &self.written(code));
        let whole = [Which::One, Which::Other].into_iter().find(|code| is_whole(*code));
        let trusted = mode.is_none_or(|mode| mode & 0o022 == 0);
        self.file = match (kind, whole) {
            (Kind::Nothing, _) => OnDisk::Nothing,
            (Kind::Folder, _) => OnDisk::Folder,
            (Kind::File, Some(code)) if trusted => OnDisk::Usable(code),
            _ => OnDisk::Unusable,
        };
        if matches!(kind, Kind::Link) {
            self.outside = file;
        }
    }

    fn put_there(&self, file: &[u8], kind: &Kind, mode: Option<u16>) -> io::Result<()> {
        let path = &self.path;
        match kind {
            Kind::Nothing => return Ok(()),
            Kind::Folder => {
                fs::create_dir(path)?;
                return fs::write(path.join("file"), file);
            }
            Kind::Link => {
                fs::write(self.outside(), file)?;
                return symlink(self.outside(), path);
            }
            Kind::LinkToItself => return symlink(path, path),
            Kind::File | Kind::OfAnother => fs::write(path, file)?,
        }
        let mode = mode.map_or(0o400, |mode| u32::from(mode) & 0o777 | 0o400);
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    /// What must hold after every step.
    fn check(&self) {
        assert_eq!(self.cache.counts(), self.counts);
        let there = self.path.symlink_metadata().is_ok();
        assert_eq!(there, self.file != OnDisk::Nothing, "{:?}", self.file);
        for found in &self.found {
            assert_eq!(found.module.as_slice(), self.case.code(found.code));
        }
        let outside = fs::read(self.outside()).unwrap_or_default();
        assert_eq!(outside, self.outside, "a link was followed");
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    fn written(&self, code: Which) -> Vec<u8> {
        cache_file(&self.module, self.target, self.case.code(code))
    }

    fn compiled(&self, code: Which) -> Module {
        Module::from_bytes(&self.written(code)).expect("it is as it was written")
    }
}

/// Removes whatever has a name.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// The file as a module of somebody's.
fn as_module(file: &[u8]) {
    let Ok(module) = Module::from_bytes(file) else { return };
    match module.target() {
        Some(_) => assert_eq!(module.as_slice(), &file[CODE..]),
        None => assert_eq!(module.as_slice(), file),
    }
    let mut written = Vec::new();
    module.write(&mut written).expect("a vector takes everything");
    assert!(is_same(&written, file));
}

/// Whether files are the same, but for the padding after the header.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let parts = |file: &[u8]| {
        let header = file.get(..HEADER).unwrap_or(file).to_vec();
        (file.len(), header, file.get(CODE..).unwrap_or_default().to_vec())
    };
    let padded = one.starts_with(b"\x8awrtcode") && one.len() >= CODE;
    if padded { parts(one) == parts(other) } else { one == other }
}

impl Case<'_> {
    fn target(&self) -> Target {
        let features = self.target.and_then(|number| CpuFeatures::try_from(number).ok());
        match features {
            Some(features) => Target { arch: Arch::X86_64, features },
            None => Target::baseline(Arch::X86_64),
        }
    }

    fn code(&self, which: Which) -> &[u8] {
        match which {
            // A compiler writes something.
            Which::One if self.codes[0].is_empty() => b"one",
            Which::Other if self.codes[1].is_empty() => b"other",
            Which::One => self.codes[0],
            Which::Other => self.codes[1],
        }
    }
}

impl Damage<'_> {
    fn apply(&self, file: &mut Vec<u8>) {
        match *self {
            Self::Header { at, byte } => set(file, usize::from(at) % HEADER, byte),
            Self::Code { at, byte } => set(file, CODE + usize::from(at), byte),
            Self::Cut { len } => file.truncate(len.into()),
            Self::Append(bytes) => file.extend(bytes),
            Self::Replace(bytes) => *file = bytes.to_vec(),
        }
    }
}

fn set(file: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = file.get_mut(at) {
        *place = byte;
    }
}
