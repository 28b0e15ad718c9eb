//! Bytes that another process writes, and that no process can change once they are taken over.
//!
//! The writer may be hostile, and keep a descriptor or a mapping of the file. Linux seals the file:
//! from then on no descriptor writes to it, and sealing fails while a writable mapping is there.
//! Where a system has no seals, the bytes are copied.

use super::SharedBytes;
#[cfg(target_os = "linux")]
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

/// A file without a name, for a process to write and its maker to [take over](Self::finish).
#[derive(Debug)]
pub struct Draft {
    file: File,
}

impl Draft {
    /// An empty file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: File::from(unnamed()?) })
    }

    /// A file that another process has [made](Self::new) and [passed on](Self::descriptor).
    pub fn received(descriptor: OwnedFd) -> Self {
        Self { file: File::from(descriptor) }
    }

    /// A descriptor to pass on to the process that writes.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.file.try_clone()?.into())
    }

    /// Writes bytes at a place.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    /// Takes the bytes over: nothing that the writer still has can change them. `None` if there
    /// are none.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` when there are more than `most`; `ResourceBusy` when the writer keeps a
    /// writable mapping of them; else what the system says.
    pub fn finish(&self, most: u64) -> io::Result<Option<SharedBytes>> {
        #[cfg(target_os = "linux")]
        fcntl_add_seals(
            &self.file,
            SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
        )?;
        let len = self.file.metadata()?.len();
        if len > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if len == 0 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.keep(len).map(Some)
    }

    #[cfg(target_os = "linux")]
    fn keep(&self, len: usize) -> io::Result<SharedBytes> {
        // SAFETY: the file is sealed: it has this length and these bytes as long as it is there.
        unsafe { SharedBytes::map_sealed(&self.file, len) }
    }

    #[cfg(not(target_os = "linux"))]
    fn keep(&self, len: usize) -> io::Result<SharedBytes> {
        SharedBytes::new(len, |to| self.file.read_exact_at(to, 0))
    }
}

/// A file without a name that can be sealed, where there are seals.
pub(super) fn unnamed() -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        const NAME: &str = "wrt-vm bytes";
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // It is never executed; some systems make no file that could be executed.
        match memfd_create(NAME, flags | MemfdFlags::NOEXEC_SEAL) {
            // A kernel before 6.3 does not know of it.
            Err(rustix::io::Errno::INVAL) => Ok(memfd_create(NAME, flags)?),
            made => Ok(made?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok(tempfile::tempfile()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_over_stays_whatever_its_writer_does() {
        let draft = Draft::new().unwrap();
        let writer = Draft::received(draft.descriptor().unwrap());
        writer.write_at(b"code", 0).unwrap();
        writer.write_at(b" more", 4).unwrap();
        let bytes = draft.finish(9).unwrap().unwrap();
        // Neither where they are nor behind them, nor in a shorter file.
        let _ = writer.write_at(b"evil", 0);
        let _ = writer.write_at(b"evil", 9);
        let _ = writer.file.set_len(0);
        assert_eq!(bytes.as_slice(), b"code more");
    }

    #[test]
    fn neither_nothing_nor_too_much_is_taken_over() {
        let draft = Draft::new().unwrap();
        draft.write_at(&[7; 100], 0).unwrap();
        assert_eq!(draft.finish(99).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(Draft::new().unwrap().finish(99).unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn bytes_that_their_writer_has_mapped_are_not_taken_over() {
        let draft = Draft::new().unwrap();
        draft.write_at(&[7; 4096], 0).unwrap();
        // SAFETY: its bytes are not looked at.
        let mapping = unsafe { memmap2::MmapMut::map_mut(&draft.file) }.unwrap();
        assert_eq!(draft.finish(4096).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(mapping);
        assert!(draft.finish(4096).unwrap().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sealed_file_is_passed_on_without_a_copy() {
        use std::os::unix::fs::MetadataExt as _;
        let draft = Draft::new().unwrap();
        draft.write_at(b"code", 0).unwrap();
        let inode = draft.file.metadata().unwrap().ino();
        let bytes = draft.finish(4).unwrap().unwrap();
        let passed = File::from(bytes.to_file().unwrap());
        assert_eq!(passed.metadata().unwrap().ino(), inode);
    }
}
