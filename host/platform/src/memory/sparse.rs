//! Memory that several processes can map: a file that no file system has.

use rustix::fs::memfd_create;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;

/// First descriptor that is not a standard stream's.
const FIRST_DESCRIPTOR: i32 = 3;

/// A file of zeros in memory, which takes memory where something was written.
#[derive(Debug)]
pub struct SparseMemory {
    file: File,
    len: u64,
}

impl SparseMemory {
    /// Makes one of `len` bytes, whose mappings may be executable.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(name: &str, len: u64) -> io::Result<Self> {
        let file = File::from(memory_file(name)?);
        ftruncate(&file, len)?;
        // Whoever else has it cannot take pages from under a mapping.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { file, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the memory; else what the system says.
    pub fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check(offset, bytes.len())?;
        self.file.write_all_at(bytes, offset)
    }

    /// Makes bytes zero, in every mapping of them, and gives their pages back.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check(offset, usize::try_from(len).unwrap_or(usize::MAX))?;
        // Ends: a signal interrupts it once, and none comes without end.
        loop {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match fallocate(&self.file, flags, offset, len) {
                Err(Errno::INTR) => {}
                result => return result.map_err(Into::into),
            }
        }
    }

    /// Makes `len` bytes of this process's address space a window on the memory from `offset`
    /// on, inaccessible as yet.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    ///
    /// # Safety
    ///
    /// 1. The addresses are reserved, inaccessible and the caller's.
    /// 2. They stay so until [`vacate`] or until they are unmapped.
    pub unsafe fn show_at(&self, host: NonNull<u8>, len: usize, offset: u64) -> io::Result<()> {
        self.check(offset, len)?;
        let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::NORESERVE;
        let start = host.as_ptr().cast();
        // SAFETY: replaces a mapping that nobody uses (1) by one that nobody can use.
        unsafe { mmap(start, len, ProtFlags::empty(), flags, &self.file, offset) }?;
        // SAFETY: the mapping is the one just made. A forked child must not share it; systems
        // without these advices lose nothing.
        unsafe {
            let _ = madvise(start, len, Advice::LinuxDontFork);
            let _ = madvise(start, len, Advice::LinuxDontDump);
        }
        Ok(())
    }

    fn check(&self, offset: u64, len: usize) -> io::Result<()> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "range outside the memory")),
        }
    }
}

impl AsFd for SparseMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Puts inaccessible address space back where [`SparseMemory::show_at`] had put a window.
///
/// # Errors
///
/// What the system says.
///
/// # Safety
///
/// 1. The addresses are those of a window, and the caller's; nobody uses them.
pub unsafe fn vacate(host: NonNull<u8>, len: usize) -> io::Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    let start = host.as_ptr().cast();
    // SAFETY: replaces a mapping that nobody uses (1) by one that nobody can use.
    unsafe {
        mmap_anonymous(start, len, ProtFlags::empty(), flags)?;
        let _ = madvise(start, len, Advice::LinuxDontFork);
        let _ = madvise(start, len, Advice::LinuxDontDump);
    }
    Ok(())
}

/// A file in memory that holds a program and cannot be changed any more.
///
/// # Errors
///
/// What the system says.
pub fn sealed_program(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = memory_file(name)?;
    let memory = SparseMemory { file: file.into(), len: bytes.len() as u64 };
    memory.write(bytes, 0)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&memory.file, seals)?;
    Ok(memory.file.into())
}

/// An empty file in memory that can be sealed and executed, with a descriptor that is none of
/// the standard streams': those may be closed here, and are replaced in a child.
fn memory_file(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(name, flags | MemfdFlags::EXEC) {
        // A kernel before 6.3, where every such file may be executed.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    }?;
    Ok(fcntl_dupfd_cloexec(&file, FIRST_DESCRIPTOR)?)
}

#[cfg(test)]
mod tests {
    use super::super::{Protection, Reservation, page_size};
    use super::*;

    #[test]
    fn a_window_shows_what_is_written_and_is_gone_after_it() {
        let memory = SparseMemory::new("test", 1 << 30).unwrap();
        let place = Reservation::new(4 * page_size()).unwrap();
        let len = 2 * page_size();
        // SAFETY: the reservation is this test's.
        unsafe { memory.show_at(place.base(), len, 1 << 20) }.unwrap();
        place.protect(0, len, Protection::ReadWrite).unwrap();
        memory.write(&[7; 10], (1 << 20) + 5).unwrap();
        let byte = |at: usize| place.base().as_ptr().wrapping_add(at);
        // SAFETY: within the window, which is accessible, and whose only user is this test.
        unsafe {
            assert_eq!([*byte(4), *byte(5), *byte(14), *byte(15)], [0, 7, 7, 0]);
            memory.discard(1 << 20, len as u64).unwrap();
            assert_eq!(*byte(5), 0);
            *byte(5) = 9;
            vacate(place.base(), len).unwrap();
        }
        place.protect(0, len, Protection::Read).unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { *byte(5) }, 0, "it is other memory now");
    }

    #[test]
    fn what_is_outside_is_refused() {
        let memory = SparseMemory::new("test", 1 << 20).unwrap();
        for offset in [(1 << 20) - 1, 1 << 20, u64::MAX] {
            assert!(memory.write(&[1, 2], offset).is_err());
            assert!(memory.discard(offset, 2).is_err());
        }
    }

    #[test]
    fn a_program_is_sealed() {
        let file = sealed_program("test", b"text").unwrap();
        assert!(rustix::io::pwrite(&file, b"T", 0).is_err());
        assert!(ftruncate(&file, 0).is_err());
    }
}
