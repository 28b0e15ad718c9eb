//! Files by their paths, below a directory that the program has.
//!
//! `cap-primitives` resolves the paths, as it does for wasmtime: by `openat2` with
//! `RESOLVE_BENEATH` where the system has it, step by step elsewhere.

use super::attributes;
use super::call::{Call, Fd};
use super::descriptors::{Descriptor, Directory};
use super::errno::{OrErrno as _, Result};
use super::memory::{Bytes, Place, Text};
use super::opening::{Opening, open};
use super::times::{set_times_at, timestamps};
use cap_primitives::fs::{self, DirOptions, FollowSymlinks};
use std::path::Path;
use wrt_abi::services::wasi::{Errno, Filestat, Fstflags, Lookupflags};
use wrt_platform::files::RENAME_FOLLOWS_LINKS;
use zerocopy::{Immutable, IntoBytes, KnownLayout};

/// How a path is looked up.
pub(super) fn follow(flags: Lookupflags) -> FollowSymlinks {
    match flags.contains(Lookupflags::SYMLINK_FOLLOW) {
        true => FollowSymlinks::Yes,
        false => FollowSymlinks::No,
    }
}

impl Call<'_> {
    pub(super) fn path_create_directory(&mut self, fd: Fd, path: Text) -> Result<()> {
        let (directory, path) = self.to_change(fd, path)?;
        fs::create_dir(&directory.directory, Path::new(&path), &DirOptions::new()).or_errno()
    }

    pub(super) fn path_remove_directory(&mut self, fd: Fd, path: Text) -> Result<()> {
        let (directory, path) = self.to_change(fd, path)?;
        fs::remove_dir(&directory.directory, Path::new(&path)).or_errno()
    }

    pub(super) fn path_unlink_file(&mut self, fd: Fd, path: Text) -> Result<()> {
        let (directory, path) = self.to_change(fd, path)?;
        fs::remove_file(&directory.directory, Path::new(&path)).or_errno()
    }

    /// `S` is the structure of a version of the interface.
    pub(super) fn path_filestat_get<S>(
        &mut self,
        fd: Fd,
        flags: Lookupflags,
        path: Text,
        result: Place<S>,
    ) -> Result<()>
    where
        S: From<Filestat> + IntoBytes + Immutable + KnownLayout,
    {
        let directory = self.wasi.descriptors.directory(fd)?;
        let path = self.memory.path(path)?;
        // What ends with a slash or with `/.` is a directory, and a link there is followed.
        // `cap-primitives` drops both of a path of one name.
        let names_directory = path.ends_with('/') || path.ends_with("/.");
        let follow = if names_directory { FollowSymlinks::Yes } else { follow(flags) };
        let found = fs::stat(&directory.directory, Path::new(&path), follow).or_errno()?;
        if names_directory && !found.is_dir() {
            return Err(Errno::Notdir.into());
        }
        self.memory.write(result, &S::from(attributes::filestat(&found)?))
    }

    pub(super) fn path_filestat_set_times(
        &mut self,
        fd: Fd,
        flags: Lookupflags,
        path: Text,
        access: u64,
        modification: u64,
        which: Fstflags,
    ) -> Result<()> {
        let times = timestamps(access, modification, which)?;
        let (directory, path) = self.to_change(fd, path)?;
        set_times_at(&directory.directory, Path::new(&path), follow(flags), &times)
    }

    pub(super) fn path_open(&mut self, fd: Fd, opening: Opening, result: Place<Fd>) -> Result<()> {
        let path = self.memory.path(opening.path)?;
        let descriptors = &mut self.wasi.descriptors;
        descriptors.has_room()?;
        let directory = match descriptors.get(fd)? {
            Descriptor::Directory(directory) => directory,
            Descriptor::File(_) => return Err(Errno::Notdir.into()),
            Descriptor::Stream(_) => return Err(Errno::Badf.into()),
        };
        let opened = open(directory, Path::new(&path), &opening)?;
        self.memory.write(result, &descriptors.push(opened)?)
    }

    pub(super) fn path_readlink(
        &mut self,
        fd: Fd,
        path: Text,
        room: Bytes,
        result: Place<u32>,
    ) -> Result<()> {
        let directory = self.wasi.descriptors.directory(fd)?;
        let path = self.memory.path(path)?;
        let target = fs::read_link(&directory.directory, Path::new(&path)).or_errno()?;
        let target = target.into_os_string().into_string().map_err(|_| Errno::Ilseq)?;
        let len = self.memory.fill(room, target.as_bytes())?;
        self.memory.write(result, &len)
    }

    pub(super) fn path_symlink(&mut self, target: Text, fd: Fd, path: Text) -> Result<()> {
        let directory = self.wasi.descriptors.directory(fd)?;
        let (target, path) = (self.memory.path(target)?, self.memory.path(path)?);
        directory.may_change()?;
        fs::symlink(Path::new(&target), &directory.directory, Path::new(&path)).or_errno()
    }

    pub(super) fn path_link(
        &mut self,
        old: Fd,
        flags: Lookupflags,
        old_path: Text,
        new: Fd,
        new_path: Text,
    ) -> Result<()> {
        let ([old, new], [old_path, new_path]) = self.pair([old, new], [old_path, new_path])?;
        if flags.contains(Lookupflags::SYMLINK_FOLLOW) {
            return Err(Errno::Inval.into());
        }
        let (old_path, new_path) = (Path::new(&old_path), Path::new(&new_path));
        fs::hard_link(&old.directory, old_path, &new.directory, new_path).or_errno()
    }

    pub(super) fn path_rename(
        &mut self,
        old: Fd,
        old_path: Text,
        new: Fd,
        new_path: Text,
    ) -> Result<()> {
        let ([old, new], [old_path, new_path]) = self.pair([old, new], [old_path, new_path])?;
        rename([old, new], [&old_path, &new_path])
    }

    /// A directory below which something changes, and a path there.
    fn to_change(&self, fd: Fd, path: Text) -> Result<(&Directory, String)> {
        let directory = self.wasi.descriptors.directory(fd)?;
        let path = self.memory.path(path)?;
        directory.may_change()?;
        Ok((directory, path))
    }

    /// Two of them.
    fn pair(
        &self,
        [old, new]: [Fd; 2],
        [old_path, new_path]: [Text; 2],
    ) -> Result<([&Directory; 2], [String; 2])> {
        let old = self.wasi.descriptors.directory(old)?;
        let new = self.wasi.descriptors.directory(new)?;
        let paths = [self.memory.path(old_path)?, self.memory.path(new_path)?];
        old.may_change()?;
        new.may_change()?;
        Ok(([old, new], paths))
    }
}

fn rename([old, new]: [&Directory; 2], [old_path, new_path]: [&str; 2]) -> Result<()> {
    // A slash behind either name wants a directory. `cap-primitives` heeds it behind the old name
    // alone.
    if old_path.is_empty() || !(old_path.ends_with('/') || new_path.ends_with('/')) {
        return rename_to(old, old_path, new, new_path);
    }
    if !RENAME_FOLLOWS_LINKS {
        return rename_to(old, &format!("{old_path}/"), new, new_path);
    }
    let [from, to] = [old_path, new_path].map(|path| match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    });
    let found = fs::stat(&old.directory, Path::new(from), FollowSymlinks::No).or_errno()?;
    if !found.is_dir() {
        return Err(Errno::Notdir.into());
    }
    rename_to(old, from, new, to)
}

fn rename_to(old: &Directory, from: &str, new: &Directory, to: &str) -> Result<()> {
    fs::rename(&old.directory, Path::new(from), &new.directory, Path::new(to)).or_errno()
}
