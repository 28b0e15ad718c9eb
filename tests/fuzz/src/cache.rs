//! The code cache, and files of compiled code: a file that somebody has damaged, or put there, is
//! not used, and is gone afterwards; one that is used holds what was written.

use arbitrary::Arbitrary;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_vm::fuzzing::{cache_file, cache_file_name};
use wrt_vm::{Cache, Module, Target};

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    code: &'a [u8],
    target: Option<u64>,
    kind: Kind,
    mode: Option<u16>,
    damages: Vec<Damage<'a>>,
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

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(case) = crate::input::<Case<'_>>(data) else { return };
    let module = Module::from_bytes(b"\0asm\x01\0\0\0").expect("it begins like one");
    let target = case.target();
    let good = cache_file(&module, target, case.code);
    let mut file = match case.kind {
        Kind::OfAnother => {
            let other = Module::from_bytes(b"\0asm\x02\0\0\0").expect("it begins like one");
            cache_file(&other, target, case.code)
        }
        _ => good.clone(),
    };
    case.damages.iter().for_each(|damage| damage.apply(&mut file));
    as_module(&file);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cache");
    let cache = Cache::open(&path).expect("a folder of our own");
    let path = path.join(cache_file_name(&module, target));
    case.put(&file, &path, folder.path()).expect("the folder can be filled");
    match cache.find(&module, target) {
        Some(found) => {
            assert!(matches!(case.kind, Kind::File), "{:?} is no file", case.kind);
            assert!(case.mode.is_none_or(|mode| mode & 0o022 == 0), "anybody may write it");
            assert_eq!((found.as_slice(), found.target()), (case.code, Some(target)));
            assert!(is_same(&file, &good), "a damaged file is used");
        }
        None => {
            let there = path.symlink_metadata().is_ok();
            assert!(!there, "what cannot be used stays in the cache");
            // It can be written again.
            if let Ok(compiled) = Module::from_bytes(&good) {
                cache.store(&compiled).expect("there is room");
                assert!(cache.find(&module, target).is_some(), "what was stored is found");
            }
        }
    }
    if matches!(case.kind, Kind::Link) {
        let outside = fs::read(folder.path().join("outside")).expect("a file of somebody's");
        assert_eq!(outside, file, "a link was followed");
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

    fn put(&self, file: &[u8], path: &Path, folder: &Path) -> std::io::Result<()> {
        match self.kind {
            Kind::Nothing => return Ok(()),
            Kind::Folder => {
                fs::create_dir(path)?;
                return fs::write(path.join("file"), file);
            }
            Kind::Link => {
                fs::write(folder.join("outside"), file)?;
                return symlink(folder.join("outside"), path);
            }
            Kind::LinkToItself => return symlink(path, path),
            Kind::File | Kind::OfAnother => fs::write(path, file)?,
        }
        let mode = self.mode.map_or(0o400, |mode| u32::from(mode) & 0o777 | 0o400);
        fs::set_permissions(path, Permissions::from_mode(mode))
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
