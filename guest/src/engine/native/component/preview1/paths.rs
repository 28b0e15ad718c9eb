//! Files and directories by their paths, and their attributes.

use super::{CHUNK, DATA, Preview1, RESULT};
use crate::engine::native::component::failure::Failure;
use wrt_abi::services::wasi::{
    Errno, Fdflags, Filestat, Fstflags, FunctionId, Lookupflags, Oflags, Rights,
};

/// How a path is looked up below a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    pub fd: u32,
    pub lookup: Lookupflags,
    pub path: &'a str,
}

/// What a file's times shall be: nanoseconds, and which of them change.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub access: u64,
    pub modification: u64,
    pub flags: Fstflags,
}

impl Preview1 {
    /// Puts strings one after the other where calls find them; returns address and length of
    /// each.
    fn put<const N: usize>(&mut self, strings: [&str; N]) -> Result<[[u64; 2]; N], Failure> {
        let memory = self.memory();
        let mut next = DATA;
        let mut places = [[0; 2]; N];
        for (place, string) in places.iter_mut().zip(strings) {
            if string.len() > DATA + CHUNK - next {
                return Err(Errno::Nametoolong.into());
            }
            memory.write(next, string.as_bytes());
            *place = [next as u64, string.len() as u64];
            next += string.len();
        }
        Ok(places)
    }

    /// A call that takes a path below a descriptor and returns nothing.
    pub fn at(&mut self, function: FunctionId, fd: u32, path: &str) -> Result<(), Failure> {
        let [[path, len]] = self.put([path])?;
        self.plain(function, [fd.into(), path, len])
    }

    /// Whether the host refuses all changes below a preopened directory.
    ///
    /// Preview 1 has no question for it, and says the same rights of all of them. But what may
    /// not be changed is refused first, and no directory is ever made by an empty path.
    pub fn is_read_only(&mut self, preopen: u32) -> Result<bool, Failure> {
        match self.at(FunctionId::PathCreateDirectory, preopen, "") {
            Err(Failure::Errno(errno)) => Ok(errno == Errno::Perm),
            other => other.map(|()| false),
        }
    }

    /// Attributes of an open file.
    pub fn filestat(&mut self, fd: u32) -> Result<Filestat, Failure> {
        self.call(FunctionId::FdFilestatGet, &[fd.into(), RESULT as u64])?.read(RESULT)
    }

    /// Attributes of what has a path.
    pub fn filestat_at(&mut self, at: At<'_>) -> Result<Filestat, Failure> {
        let [[path, len]] = self.put([at.path])?;
        let args = [at.fd.into(), at.lookup.bits().into(), path, len, RESULT as u64];
        self.call(FunctionId::PathFilestatGet, &args)?.read(RESULT)
    }

    /// Changes the times of what has a path.
    pub fn set_times_at(&mut self, at: At<'_>, times: Times) -> Result<(), Failure> {
        let [[path, len]] = self.put([at.path])?;
        let Times { access, modification, flags } = times;
        let args = [
            at.fd.into(),
            at.lookup.bits().into(),
            path,
            len,
            access,
            modification,
            flags.bits().into(),
        ];
        self.plain(FunctionId::PathFilestatSetTimes, args)
    }

    /// Opens what has a path; returns its descriptor.
    pub fn open(
        &mut self,
        at: At<'_>,
        oflags: Oflags,
        rights: Rights,
        flags: Fdflags,
    ) -> Result<u32, Failure> {
        let [[path, len]] = self.put([at.path])?;
        let (fd, lookup, result) = (at.fd.into(), at.lookup.bits().into(), RESULT as u64);
        let (oflags, rights, flags) = (oflags.bits().into(), rights.bits(), flags.bits().into());
        let args = [fd, lookup, path, len, oflags, rights, rights, flags, result];
        self.call(FunctionId::PathOpen, &args)?.read(RESULT)
    }

    /// Makes a hard link.
    pub fn link(&mut self, old: At<'_>, new_fd: u32, new_path: &str) -> Result<(), Failure> {
        let [[path, len], [new, new_len]] = self.put([old.path, new_path])?;
        let args =
            [old.fd.into(), old.lookup.bits().into(), path, len, new_fd.into(), new, new_len];
        self.plain(FunctionId::PathLink, args)
    }

    /// Renames.
    pub fn rename(
        &mut self,
        fd: u32,
        path: &str,
        new_fd: u32,
        new_path: &str,
    ) -> Result<(), Failure> {
        let [[path, len], [new, new_len]] = self.put([path, new_path])?;
        self.plain(FunctionId::PathRename, [fd.into(), path, len, new_fd.into(), new, new_len])
    }

    /// Makes a symbolic link to `target`.
    pub fn symlink(&mut self, target: &str, fd: u32, path: &str) -> Result<(), Failure> {
        let [[target, target_len], [path, len]] = self.put([target, path])?;
        self.plain(FunctionId::PathSymlink, [target, target_len, fd.into(), path, len])
    }

    /// What a symbolic link leads to.
    pub fn readlink(&mut self, fd: u32, path: &str) -> Result<&[u8], Failure> {
        // The host has read the path when it writes, which may be to the same place.
        let [[path, len]] = self.put([path])?;
        let args = [fd.into(), path, len, DATA as u64, CHUNK as u64, RESULT as u64];
        let memory = self.call(FunctionId::PathReadlink, &args)?;
        let len = (memory.read::<u32>(RESULT)? as usize).min(CHUNK);
        Ok(&memory.bytes()[DATA..][..len])
    }

    /// Some of a directory's entries, as preview 1 writes them, from a position on. Fewer bytes
    /// than a [`CHUNK`] are the last.
    pub fn readdir(&mut self, fd: u32, position: u64) -> Result<&[u8], Failure> {
        let args = [fd.into(), DATA as u64, CHUNK as u64, position, RESULT as u64];
        let memory = self.call(FunctionId::FdReaddir, &args)?;
        let used = (memory.read::<u32>(RESULT)? as usize).min(CHUNK);
        Ok(&memory.bytes()[DATA..][..used])
    }
}
