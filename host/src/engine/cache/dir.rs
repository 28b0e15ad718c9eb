//! A directory that is this user's alone, and files in it that are whole or not there.

use super::Entry;
use crate::error::Error;
use crate::placement::Inside;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".unfinished-";
/// Nobody takes longer to finish a file: its writer is gone.
pub(super) const UNFINISHED_FOR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
pub(super) struct Dir {
    path: PathBuf,
    /// What it is in a jail.
    inside: Inside,
}

impl Dir {
    pub(super) fn open(path: PathBuf) -> Result<Self, Error> {
        let refused = |reason: String| Error::Cache { dir: path.clone(), reason };
        make(&path).map_err(|error| refused(error.to_string()))?;
        let metadata = fs::metadata(&path).map_err(|error| refused(error.to_string()))?;
        if !metadata.is_dir() {
            return Err(refused("it is no directory".to_owned()));
        }
        trusted(&metadata).map_err(refused)?;
        Ok(Self { path, inside: Inside::default() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it is in a jail, where it has no path. All clones share it.
    pub(super) fn inside(&self) -> Inside {
        Arc::clone(&self.inside)
    }

    /// Opens a file, if there is one; says why it cannot be trusted, if it cannot.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>, String> {
        // Not a link to elsewhere; and should it be a pipe, do not wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(self.path.join(name), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is no regular file".to_owned());
        }
        trusted(&metadata)?;
        Ok(Some(file))
    }

    /// Writes a file whole, or not at all.
    pub(super) fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        // Removed when it is dropped unfinished.
        let mut file = match self.unfinished() {
            // The directory was removed since it was opened.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.path)?;
                self.unfinished()?
            }
            other => other?,
        };
        fill(file.as_file_mut())?;
        file.as_file().set_permissions(Permissions::from_mode(0o400))?;
        file.persist(self.path.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    fn unfinished(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.path)
    }

    /// Opens the file that processes lock while one of them makes what has this name; it is made
    /// if it is missing.
    pub(super) fn open_lock(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(rustix::fs::open(self.lock_path(name), flags, mode)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        trusted(&metadata).map_err(io::Error::other)?;
        Ok(file)
    }

    /// Where that file is. It goes with unfinished files, should its makers all be gone.
    pub(super) fn lock_path(&self, name: &str) -> PathBuf {
        self.path.join(format!("{UNFINISHED}{name}"))
    }

    /// Removes what has this name. Another process may have been faster.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        if let Some(dir) = self.inside.get() {
            return match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        let removed = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// As [`Self::remove`], where it cannot be helped if that fails.
    pub(super) fn try_to_remove(&self, name: &str) {
        if let Err(error) = self.remove(name) {
            tracing::warn!("cannot remove {}: {error}", self.path.join(name).display());
        }
    }

    /// Every file in the directory.
    pub(super) fn files(&self) -> io::Result<Vec<Entry>> {
        let mut files = Vec::new();
        let items = match fs::read_dir(&self.path) {
            // It was removed since it was opened, with all that was in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            other => other?,
        };
        for item in items {
            let item = item?;
            // Gone since it was listed, or not named by this program.
            let (Ok(metadata), Ok(name)) = (item.metadata(), item.file_name().into_string()) else {
                continue;
            };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push(Entry { name, size: metadata.len(), used });
        }
        Ok(files)
    }

    /// Removes files that nobody finished and that were last written before `before`.
    pub(super) fn remove_unfinished(&self, before: SystemTime) {
        for file in self.files().unwrap_or_default() {
            if file.name.starts_with(UNFINISHED) && file.used < before {
                self.try_to_remove(&file.name);
            }
        }
    }
}

/// Makes a directory that is this user's alone, unless there is one.
fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether nobody else could have written this.
fn trusted(metadata: &Metadata) -> Result<(), String> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(format!("it belongs to user {} and not to {user}", metadata.uid()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("others than its owner may write it".to_owned());
    }
    Ok(())
}
