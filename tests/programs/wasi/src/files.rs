//! Short forms for what nearly every program does with files.

use crate::*;

/// Follow a symbolic link in the last component, as `open` does by default.
pub const FOLLOW: Lookupflags = LOOKUPFLAGS_SYMLINK_FOLLOW;

pub const READ: Rights = RIGHTS_FD_READ;
pub const WRITE: Rights = RIGHTS_FD_WRITE;

/// `path_open` below [`ROOT`], following links, with no descriptor flags.
pub fn open(path: &str, oflags: Oflags, rights: Rights) -> Result<Fd, Errno> {
    open_at(ROOT, path, oflags, rights)
}

pub fn open_at(fd: Fd, path: &str, oflags: Oflags, rights: Rights) -> Result<Fd, Errno> {
    path_open(fd, FOLLOW, path, oflags, rights, 0, 0)
}

#[track_caller]
pub fn open_directory(path: &str) -> Fd {
    ok(open(path, OFLAGS_DIRECTORY, READ))
}

/// A new file that holds `bytes`.
#[track_caller]
pub fn create(path: &str, bytes: &[u8]) {
    let fd = ok(open(path, OFLAGS_CREAT | OFLAGS_EXCL, WRITE));
    write_all(fd, bytes);
    ok(fd_close(fd));
}

/// A new file that holds `bytes`, open for reading and writing at offset 0.
#[track_caller]
pub fn create_open(path: &str, bytes: &[u8]) -> Fd {
    create(path, bytes);
    ok(open(path, 0, READ | WRITE))
}

#[track_caller]
pub fn write_all(fd: Fd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = ok(fd_write(fd, &[bytes]));
        assert_ne!(written, 0, "a write made no progress");
        bytes = &bytes[written..];
    }
}

/// Everything from the current offset to the end.
#[track_caller]
pub fn read_to_end(fd: Fd) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = ok(fd_read(fd, &mut [&mut buffer]));
        if read == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// The whole of the file at `path`.
#[track_caller]
pub fn contents(path: &str) -> Vec<u8> {
    let fd = ok(open(path, 0, READ));
    let bytes = read_to_end(fd);
    ok(fd_close(fd));
    bytes
}

/// What `path` itself is, without following it.
pub fn filetype(path: &str) -> Result<Filetype, Errno> {
    path_filestat_get(ROOT, 0, path).map(|stat| stat.filetype)
}

#[track_caller]
pub fn assert_absent(path: &str) {
    fails(ERRNO_NOENT, filetype(path));
}

/// One entry as `fd_readdir` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub next: Dircookie,
    pub ino: Inode,
    pub filetype: Filetype,
    pub name: String,
}

/// The bytes of a directory entry before its name.
pub const DIRENT_SIZE: usize = size_of::<Dirent>();

/// The entries in `bytes`, without the last one if it was cut short.
pub fn entries(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(DIRENT_SIZE) {
        // SAFETY: The host wrote a whole `Dirent`, though not always aligned.
        let dirent = unsafe { head.as_ptr().cast::<Dirent>().read_unaligned() };
        let Some((name, rest)) = rest.split_at_checked(dirent.d_namlen as usize) else {
            break;
        };
        entries.push(Entry {
            next: dirent.d_next,
            ino: dirent.d_ino,
            filetype: dirent.d_type,
            name: String::from_utf8(name.to_vec()).expect("a name that is not UTF-8"),
        });
        bytes = rest;
    }
    entries
}

/// All of a directory, read through a buffer of `size` bytes.
#[track_caller]
pub fn read_directory(fd: Fd, size: usize) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let mut buffer = vec![0; size];
    loop {
        let cookie = all.last().map_or(DIRCOOKIE_START, |entry| entry.next);
        let used = ok(fd_readdir(fd, &mut buffer, cookie));
        let some = entries(&buffer[..used]);
        let stuck = some.is_empty();
        all.extend(some);
        // A buffer that is not full is the only sign of the end.
        if used < size {
            return all;
        }
        assert!(!stuck, "an entry does not fit into {size} bytes");
    }
}

/// The sorted names in a directory, without `.` and `..`.
#[track_caller]
pub fn names(fd: Fd) -> Vec<String> {
    let mut names: Vec<String> = read_directory(fd, 4096)
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name != "." && name != "..")
        .collect();
    names.sort();
    names
}
