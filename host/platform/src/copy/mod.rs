//! Copies of what does not change: by bytes, or by pages that are copied when written.
//!
//! Mapping pages costs calls and faults, copying bytes costs bytes. Which is cheaper depends on
//! the size and on how much of the copy is written: see [`COPY_ON_WRITE_FROM`].
//!
//! * Linux: the image is a sealed file in memory; a copy maps it privately.
//! * macOS: a copy is `mach_vm_remap` with copying.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("copies of pages are made for Linux and macOS");

use std::io;
use std::ops::{Deref, DerefMut};

/// Images of so many bytes and more are copied by pages, smaller ones by bytes.
///
/// Where `benches/costs` (part `copy`) saw the two cost the same if the copy is only read: on
/// x86-64 Linux, pages of 4 KiB, in a virtual machine, where faults are dear. With one page in
/// eight written, copying bytes was cheaper at any size there (1.4 times at 16 MiB); pages
/// still save the memory.
pub const COPY_ON_WRITE_FROM: usize = 1 << 20;

/// Bytes that do not change, to be copied many times.
#[derive(Debug)]
pub struct Image {
    pages: sys::Image,
    len: usize,
}

/// A copy, which can be written.
#[derive(Debug)]
pub struct Copy(Kind);

#[derive(Debug)]
enum Kind {
    Bytes(Vec<u8>),
    Pages(sys::Pages, usize),
}

impl Image {
    /// Keeps these bytes.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        Ok(Self { pages: sys::Image::new(bytes)?, len: bytes.len() })
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy, the cheaper way for its size.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn copy(&self) -> io::Result<Copy> {
        if self.len < COPY_ON_WRITE_FROM { Ok(self.copy_bytes()) } else { self.copy_pages() }
    }

    /// A copy of all bytes, now.
    pub fn copy_bytes(&self) -> Copy {
        Copy(Kind::Bytes(self.pages.bytes()[..self.len].to_vec()))
    }

    /// A copy whose pages are copied when they are written.
    ///
    /// # Errors
    ///
    /// When there is no memory for mappings.
    pub fn copy_pages(&self) -> io::Result<Copy> {
        Ok(Copy(Kind::Pages(self.pages.copy()?, self.len)))
    }
}

impl Copy {
    /// Whether it is by pages.
    pub fn is_by_pages(&self) -> bool {
        matches!(self.0, Kind::Pages(..))
    }
}

impl Deref for Copy {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Bytes(bytes) => bytes,
            Kind::Pages(pages, len) => &pages.bytes()[..*len],
        }
    }
}

impl DerefMut for Copy {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kind::Bytes(bytes) => bytes,
            Kind::Pages(pages, len) => &mut pages.bytes_mut()[..*len],
        }
    }
}
