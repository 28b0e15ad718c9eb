//! Bytes that nobody writes any more, on pages of their own: a guest may map them.

use super::draft::unnamed;
use super::{ALIGNMENT, AllocError, Protection, Purgeable, Reservation, page_size};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

/// The largest page of any system that this runs on, in bytes: Apple silicon's.
pub const PAGE_MAX: usize = 16 << 10;

/// Bytes that begin a page, and have the rest of their last page to themselves.
#[derive(Debug)]
#[repr(C, align(16384))]
pub struct PageAligned<B: ?Sized>(pub B);

const _: () = assert!(align_of::<PageAligned<u8>>() == PAGE_MAX);

/// Read-only bytes on pages of their own, shared by whoever maps them.
#[derive(Debug)]
pub struct SharedBytes {
    pages: Pages,
    len: usize,
}

#[derive(Debug)]
enum Pages {
    /// Memory of this process, or in its place a file's pages, which all processes that map it
    /// share; all but some bytes of it. The file too, if it is sealed: others may have it.
    Own { memory: Reservation, skipped: usize, sealed: Option<OwnedFd> },
    /// Part of the program.
    Static(&'static PageAligned<[u8]>),
    /// Memory that goes back to its owner.
    Lent(Lent),
}

type GiveBack = Box<dyn FnOnce(Purgeable) + Send + Sync>;

/// Non-volatile memory, and what takes it back.
struct Lent {
    /// Until it goes.
    memory: Option<(Purgeable, GiveBack)>,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: `base` is the memory's own, which nobody writes while it is lent.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("base", &self.base).field("len", &self.len).finish()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((memory, give_back)) = self.memory.take() {
            give_back(memory);
        }
    }
}

impl SharedBytes {
    /// Makes room for `len` bytes, lets `fill` write them, and seals them. Many are put on large
    /// pages, if the system has such, and padded to a whole one.
    ///
    /// # Errors
    ///
    /// When there is no memory, or what `fill` returns.
    pub fn new<E: From<io::Error>>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::around(0, len, fill)
    }

    /// As [`Self::new`], and byte number `at`, which begins a page, begins a large one.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn around<E: From<io::Error>>(
        at: usize,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let skipped = (ALIGNMENT - at % ALIGNMENT) % ALIGNMENT;
        let many = len >= ALIGNMENT;
        let end = skipped.saturating_add(len);
        let room = if many { end.checked_next_multiple_of(ALIGNMENT) } else { Some(end) };
        let memory = Reservation::new(padded(room.unwrap_or(end))?)?;
        let used = memory.len() - skipped;
        memory.protect(skipped, used, Protection::ReadWrite)?;
        if many {
            memory.prefer_large_pages(skipped, used);
        }
        // SAFETY: `len` committed bytes of a reservation that nothing else knows of yet.
        fill(unsafe { std::slice::from_raw_parts_mut(memory.base().add(skipped).as_ptr(), len) })?;
        memory.protect(skipped, used, Protection::Read)?;
        Ok(Self { pages: Pages::Own { memory, skipped, sealed: None }, len })
    }

    /// Bytes that are part of the program.
    pub fn from_static(bytes: &'static PageAligned<[u8]>) -> Self {
        Self { pages: Pages::Static(bytes), len: bytes.0.len() }
    }

    /// The first `len` bytes of purgeable memory, which stays as it is for as long as the value
    /// lives; `give_back` has it then.
    ///
    /// # Errors
    ///
    /// `Volatile` unless the memory is non-volatile, `Range` when it is shorter, `Size` unless it
    /// is whole pages of [`PAGE_MAX`].
    pub fn lent(
        memory: Purgeable,
        len: usize,
        give_back: impl FnOnce(Purgeable) + Send + Sync + 'static,
    ) -> Result<Self, AllocError> {
        let have = memory.bytes()?.len();
        if len > have {
            return Err(AllocError::Range { len, have });
        }
        if !have.is_multiple_of(PAGE_MAX) {
            return Err(AllocError::Size(have / page_size()));
        }
        let base = memory.base();
        let lent = Lent { memory: Some((memory, Box::new(give_back))), base, len: have };
        Ok(Self { pages: Pages::Lent(lent), len })
    }

    /// Maps `len` bytes of a file from `offset` on, which is a multiple of [`PAGE_MAX`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the offset is none or `len` is 0, `UnexpectedEof` when the file is
    /// shorter; else what the system says.
    ///
    /// # Safety
    ///
    /// Nobody changes the file, or makes it shorter, for as long as the value lives: its bytes
    /// would change under a shared reference, or reading them would end the process.
    pub unsafe fn map_file(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        if !offset.is_multiple_of(PAGE_MAX as u64) || len == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match offset.checked_add(len as u64) {
            Some(end) if end <= file.metadata()?.len() => {}
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        // `memmap2` neither aligns a mapping to a page of any system nor pads it with zeros.
        let pages = Reservation::new(padded(len)?)?;
        // What lies behind the file's last page is zero.
        pages.protect(0, pages.len(), Protection::Read)?;
        // SAFETY: takes the place of pages of a reservation that nothing else knows of yet.
        unsafe {
            let flags = MapFlags::SHARED | MapFlags::FIXED;
            mmap(pages.base().as_ptr().cast(), len, ProtFlags::READ, flags, file, offset)
        }?;
        Ok(Self { pages: Pages::Own { memory: pages, skipped: 0, sealed: None }, len })
    }

    /// Maps the first `len` bytes of a sealed file, and keeps the file to [pass it
    /// on](Self::to_file).
    ///
    /// # Errors
    ///
    /// As [`Self::map_file`], and when the process has no descriptor left.
    ///
    /// # Safety
    ///
    /// The file is sealed: no process can change it, or make it shorter.
    #[cfg(target_os = "linux")]
    pub(super) unsafe fn map_sealed(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: the caller's.
        let mut bytes = unsafe { Self::map_file(file, 0, len) }?;
        if let Pages::Own { sealed, .. } = &mut bytes.pages {
            *sealed = Some(file.try_clone()?.into());
        }
        Ok(bytes)
    }

    /// A file that holds the bytes, for another process to map: a copy, unless they are in one
    /// that no process can change.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn to_file(&self) -> io::Result<OwnedFd> {
        match &self.pages {
            Pages::Own { sealed: Some(file), .. } => file.try_clone(),
            _ => unnamed_file(self.as_slice()),
        }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        let (base, _) = self.pages();
        // SAFETY: `len` readable bytes that nothing writes: their pages are sealed, lent to this
        // value, the program's, or a file's that its opener promised to be left alone.
        unsafe { std::slice::from_raw_parts(base.as_ptr(), self.len) }
    }

    /// The pages that hold the bytes, aligned and padded to a page of any system
    /// ([`PAGE_MAX`]) with bytes of no meaning.
    pub fn pages(&self) -> (NonNull<u8>, usize) {
        match &self.pages {
            // SAFETY: no more is skipped than there is.
            Pages::Own { memory, skipped, .. } => unsafe {
                (memory.base().add(*skipped), memory.len() - skipped)
            },
            // The type's size is a multiple of its alignment.
            Pages::Static(bytes) => (NonNull::from(&bytes.0).cast(), size_of_val(*bytes)),
            Pages::Lent(lent) => (lent.base, lent.len),
        }
    }
}

/// Makes a file without a name that holds `bytes`: for another process to map.
///
/// # Errors
///
/// What the system says.
pub fn unnamed_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(unnamed()?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// Bytes of the pages that hold `len`.
fn padded(len: usize) -> io::Result<usize> {
    len.max(1).checked_next_multiple_of(PAGE_MAX).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    static EMBEDDED: &PageAligned<[u8]> = &PageAligned([7; 5000]);

    #[test]
    fn every_source_begins_a_page_and_fills_its_last() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; PAGE_MAX]).unwrap();
        file.write_all(&[7; 5000]).unwrap();
        // SAFETY: the file is this test's alone.
        let mapped = unsafe { SharedBytes::map_file(&file, PAGE_MAX as u64, 5000) }.unwrap();
        let own = SharedBytes::new(5000, |to| {
            to.fill(7);
            Ok::<_, io::Error>(())
        });
        for bytes in [mapped, own.unwrap(), SharedBytes::from_static(EMBEDDED)] {
            assert_eq!(bytes.as_slice(), [7; 5000]);
            let (base, len) = bytes.pages();
            assert!(base.addr().get().is_multiple_of(PAGE_MAX));
            assert!(len >= 5000 && len.is_multiple_of(PAGE_MAX));
            // SAFETY: the padding is readable, too.
            let all = unsafe { std::slice::from_raw_parts(base.as_ptr(), len) };
            assert_eq!(all[..5000], [7; 5000]);
        }
    }

    #[test]
    fn a_byte_can_begin_a_large_page() {
        let len = ALIGNMENT + 5000;
        let at = 3 * PAGE_MAX;
        let bytes = SharedBytes::around(at, len, |to| {
            to.fill(7);
            Ok::<_, io::Error>(())
        });
        let bytes = bytes.unwrap();
        let (base, whole) = bytes.pages();
        assert!((base.addr().get() + at).is_multiple_of(ALIGNMENT));
        assert!(whole >= len && whole.is_multiple_of(PAGE_MAX));
        assert!(bytes.as_slice().iter().all(|byte| *byte == 7) && bytes.as_slice().len() == len);
    }

    #[test]
    fn a_file_that_is_too_short_is_not_mapped() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 5000]).unwrap();
        for (offset, len, kind) in [
            (0, 5001, io::ErrorKind::UnexpectedEof),
            (PAGE_MAX as u64, 1, io::ErrorKind::UnexpectedEof),
            (1 << 62, 1, io::ErrorKind::UnexpectedEof),
            (4096, 1, io::ErrorKind::InvalidInput),
            (0, 0, io::ErrorKind::InvalidInput),
        ] {
            // SAFETY: the file is this test's alone.
            let error = unsafe { SharedBytes::map_file(&file, offset, len) }.unwrap_err();
            assert_eq!(error.kind(), kind, "{offset}, {len}");
        }
    }
}
