// The world of a case on disk: made before the run, checked after it.
//
// To be `include!`d next to `cases.rs`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What no case may change, as it was before the run.
pub struct Untouched(BTreeMap<PathBuf, Seen>);

#[derive(PartialEq, Eq)]
struct Seen {
    mode: u32,
    nlink: u64,
    mtime: (i64, i64),
    /// A file's bytes or a link's target.
    content: Vec<u8>,
}

/// `text` with the world's path for `{world}`.
pub fn in_world(text: &str, world: &Path) -> String {
    text.replace("{world}", world.to_str().expect("a world's path in UTF-8"))
}

/// Fills the empty directory `world`, whose path is absolute and has no link
/// in it.
pub fn build(case: &Case, world: &Path) -> io::Result<Untouched> {
    let always = [
        Dir("scratch"),
        Dir("outside"),
        File("outside/secret.txt", Text("not yours\n")),
    ];
    for entry in always.iter().chain(case.before) {
        match *entry {
            Dir(path) => fs::create_dir(world.join(path))?,
            File(path, content) => fs::write(world.join(path), content.bytes())?,
            OddName { parent, name } => {
                fs::write(world.join(parent).join(OsStr::from_bytes(name)), "")?;
            }
            Symlink { path, target } => {
                std::os::unix::fs::symlink(in_world(target, world), world.join(path))?;
            }
        }
    }
    Ok(Untouched(look(case, world)?))
}

/// All that is wrong with `world` after the run.
pub fn complaints(case: &Case, world: &Path, untouched: &Untouched) -> io::Result<Vec<String>> {
    let mut complaints = Vec::new();

    let now = look(case, world)?;
    for (path, seen) in &now {
        match untouched.0.get(path) {
            None => complaints.push(format!("{} is new", path.display())),
            Some(before) if before != seen => {
                complaints.push(format!("{} was changed", path.display()));
            }
            Some(_) => {}
        }
    }
    for path in untouched.0.keys() {
        if !now.contains_key(path) {
            complaints.push(format!("{} is gone", path.display()));
        }
    }

    for entry in case.after {
        let (path, good) = match *entry {
            Dir(path) => {
                let kind = fs::symlink_metadata(world.join(path));
                (path, kind.is_ok_and(|kind| kind.is_dir()))
            }
            File(path, content) => {
                let kind = fs::symlink_metadata(world.join(path));
                let same = fs::read(world.join(path)).is_ok_and(|now| now == content.bytes());
                (path, same && kind.is_ok_and(|kind| kind.is_file()))
            }
            OddName { parent, name } => {
                let path = world.join(parent).join(OsStr::from_bytes(name));
                (parent, fs::read(path).is_ok_and(|now| now.is_empty()))
            }
            Symlink { path, target } => {
                let now = fs::read_link(world.join(path));
                (
                    path,
                    now.is_ok_and(|now| now == Path::new(&in_world(target, world))),
                )
            }
        };
        if !good {
            complaints.push(format!("{path} is not as it should be"));
        }
    }
    for path in case.absent {
        if fs::symlink_metadata(world.join(path)).is_ok() {
            complaints.push(format!("{path} is there"));
        }
    }
    Ok(complaints)
}

/// All of the world that no writable preopen covers.
fn look(case: &Case, world: &Path) -> io::Result<BTreeMap<PathBuf, Seen>> {
    let mut seen = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let writable =
            |preopen: &Preopen| preopen.access == ReadWrite && path == Path::new(preopen.host);
        if case.preopens.iter().any(writable) {
            continue;
        }
        let on_host = world.join(&path);
        let kind = fs::symlink_metadata(&on_host)?;
        let content = if kind.is_dir() {
            for entry in fs::read_dir(&on_host)? {
                pending.push(path.join(entry?.file_name()));
            }
            Vec::new()
        } else if kind.is_symlink() {
            fs::read_link(&on_host)?
                .into_os_string()
                .into_encoded_bytes()
        } else {
            fs::read(&on_host)?
        };
        let (mode, nlink) = (kind.mode(), kind.nlink());
        let mtime = (kind.mtime(), kind.mtime_nsec());
        seen.insert(
            path,
            Seen {
                mode,
                nlink,
                mtime,
                content,
            },
        );
    }
    Ok(seen)
}
