//! Memory by `mmap`, `madvise` and files in memory.

mod image;

pub(super) use image::Image;

use super::limits::name_limit;
use super::{Attributes, VmFlags, VmInherit, VmProt, page_size};
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};
use std::ffi::CStr;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;

/// By what the allocator works, for people.
pub(super) const HOW: &str =
    "mmap, madvise (DONTFORK, DONTNEED, COLD); copies share the pages of a memfd, mapped private";

/// Whether [`reset`] brings back the bytes of an image. Private pages go, and what is below them is the image.
pub(super) const RESET_SHOWS_IMAGES: bool = true;

/// Takes address space, inaccessible, at an address of the kernel's or of chance's choice.
pub(super) fn reserve(len: usize, random: bool) -> io::Result<NonNull<u8>> {
    let hint = if random { random_address() } else { 0 };
    // SAFETY: a fresh anonymous mapping. The kernel takes the hint if nothing is there, and
    // another place else.
    let start = unsafe {
        mmap_anonymous(
            std::ptr::without_provenance_mut(hint),
            len,
            ProtFlags::empty(),
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
    }
    .map_err(|errno| name_limit(errno.into()))?;
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// A page's address between 64 GiB and 112 TiB: below is the program, above are libraries and
/// the stack, of the 128 TiB that x86-64 and arm64 have at the least (39-bit arm64 kernels
/// ignore the hint).
fn random_address() -> usize {
    const LOWEST: u64 = 64 << 30;
    const HIGHEST: u64 = 112 << 40;
    // Keyed by the system's random bytes, with another key each time.
    let chance = RandomState::new().build_hasher().finish();
    let address = LOWEST + chance % (HIGHEST - LOWEST);
    usize::try_from(address).map_or(0, |address| address / page_size() * page_size())
}

/// Gives address space back.
///
/// # Safety
///
/// 1. It was [`reserve`]d in one piece, and nobody uses it any more.
pub(super) unsafe fn release(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: by (1).
    unsafe { munmap(start.as_ptr().cast(), len) }.map_err(Into::into)
}

/// Puts zeros where address space was reserved, with these attributes.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's address space, and nobody uses it.
pub(super) unsafe fn fill(start: NonNull<u8>, len: usize, with: &Attributes) -> io::Result<()> {
    let kind = match with.inherit {
        VmInherit::Share => MapFlags::SHARED,
        VmInherit::None | VmInherit::Copy => MapFlags::PRIVATE,
    };
    let protection = prot_flags(with.protection);
    // SAFETY: replaces a mapping that nobody uses (1).
    unsafe { mmap_anonymous(start.as_ptr().cast(), len, protection, kind | MapFlags::FIXED) }?;
    // SAFETY: the mapping just made.
    unsafe {
        name(start, len, c"wrt-vm");
        inherit(start, len, with.inherit)
    }
}

/// Sets what memory may be used for.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's; no reference that needs the right that it loses
///    covers it.
pub(super) unsafe fn protect(start: NonNull<u8>, len: usize, to: VmProt) -> io::Result<()> {
    let mut flags = MprotectFlags::empty();
    flags.set(MprotectFlags::READ, to.contains(VmProt::READ));
    flags.set(MprotectFlags::WRITE, to.contains(VmProt::WRITE));
    // SAFETY: by (1).
    unsafe { mprotect(start.as_ptr().cast(), len, flags) }.map_err(Into::into)
}

/// Sets what a forked child has in the place of memory that is not shared yet.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
pub(super) unsafe fn inherit(start: NonNull<u8>, len: usize, to: VmInherit) -> io::Result<()> {
    match to {
        // The kernel's default, and `fill`'s doing.
        VmInherit::Copy | VmInherit::Share => Ok(()),
        // SAFETY: by (1); changes nothing here. What a child shall not see is nothing for a core
        // dump, either, which may fail.
        VmInherit::None => unsafe {
            let _ = madvise(start.as_ptr().cast(), len, Advice::LinuxDontDump);
            madvise(start.as_ptr().cast(), len, Advice::LinuxDontFork).map_err(Into::into)
        },
    }
}

/// Makes bytes what they were at first: zero, or an image's; their pages are given back.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's, that no reference covers.
pub(super) unsafe fn reset(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: by (1). Private pages are dropped; the next touch finds what is below them.
    unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxDontNeed) }.map_err(Into::into)
}

/// Backs writable bytes with memory now. Best effort, as all that follow.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
pub(super) unsafe fn populate(start: NonNull<u8>, len: usize) {
    // SAFETY: by (1); contents do not change.
    let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxPopulateWrite) };
}

/// Has the pages of readable memory at hand.
pub(super) fn populate_read(pages: &[u8]) {
    let start = pages.as_ptr().cast_mut().cast();
    // SAFETY: the range is readable for as long as it is borrowed; nothing changes.
    let _ = unsafe { madvise(start, pages.len(), Advice::LinuxPopulateRead) };
}

/// Lets the kernel use large pages.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
pub(super) unsafe fn prefer_large_pages(start: NonNull<u8>, len: usize) {
    // SAFETY: by (1); contents do not change.
    let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxHugepage) };
}

/// Keeps the kernel from using large pages.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
pub(super) unsafe fn prefer_small_pages(start: NonNull<u8>, len: usize) {
    // SAFETY: by (1); contents do not change.
    let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxNoHugepage) };
}

/// Makes pages the next to be reclaimed, if the flags ask for it.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
unsafe fn written(start: NonNull<u8>, len: usize, flags: VmFlags) {
    if flags.contains(VmFlags::NO_CACHE) {
        // SAFETY: by (1); contents do not change.
        let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxCold) };
    }
}

/// What the range is called in `/proc/self/maps`, if the kernel has names.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
unsafe fn name(start: NonNull<u8>, len: usize, name: &CStr) {
    // SAFETY: prctl(2) PR_SET_VMA: the kernel copies the string, and changes no contents (1).
    unsafe {
        libc::prctl(
            libc::PR_SET_VMA,
            libc::PR_SET_VMA_ANON_NAME,
            start.as_ptr().addr(),
            len,
            name.as_ptr(),
        )
    };
}

/// Copies bytes.
///
/// # Safety
///
/// 1. `from` is readable, `to` is writable, `len` bytes each, whole pages, and they do not
///    overlap.
/// 2. Nobody writes `from` or uses `to` meanwhile.
pub(super) unsafe fn copy(
    from: NonNull<u8>,
    to: NonNull<u8>,
    len: usize,
    flags: VmFlags,
) -> io::Result<()> {
    // SAFETY: by (1) and (2).
    unsafe {
        to.copy_from_nonoverlapping(from, len);
        written(to, len.next_multiple_of(page_size()), flags);
    }
    Ok(())
}

/// How many pages of the range are its own: neither untouched nor shared with an image.
pub(super) fn own_pages(start: NonNull<u8>, len: usize) -> io::Result<usize> {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    /// A page of a file, or of memory that processes share.
    const FILE: u64 = 1 << 61;
    let map = File::open("/proc/self/pagemap")?;
    let first = start.as_ptr().addr() / page_size();
    let mut entries = vec![0; len / page_size() * size_of::<u64>()];
    map.read_exact_at(&mut entries, (first * size_of::<u64>()) as u64)?;
    let (entries, _) = entries.as_chunks();
    let own = |entry: &&[u8; 8]| {
        let entry = u64::from_ne_bytes(**entry);
        entry & (PRESENT | SWAPPED) != 0 && entry & FILE == 0
    };
    Ok(entries.iter().filter(own).count())
}

/// Whether memory surely is as it was when its image was made.
pub(super) fn unchanged(start: NonNull<u8>, len: usize) -> bool {
    own_pages(start, len).is_ok_and(|pages| pages == 0)
}

fn prot_flags(protection: VmProt) -> ProtFlags {
    let mut flags = ProtFlags::empty();
    flags.set(ProtFlags::READ, protection.contains(VmProt::READ));
    flags.set(ProtFlags::WRITE, protection.contains(VmProt::WRITE));
    flags
}
