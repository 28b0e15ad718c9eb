//! The guest kernels' images: ELF files, of those that are [embedded](crate::embedded).
//!
//! Segments that the guest may not write are shared by all VMs ([`super::read_only`] says how);
//! only the data segment is copied for each.

use super::memory::LARGE_PAGE;
use super::read_only::ReadOnly;
use crate::embedded::Guest;
use crate::error::Error;
use goblin::elf::program_header::{PF_W, PF_X, PT_LOAD};
use goblin::elf64::header::{EM_AARCH64, EM_X86_64, Header};
use goblin::elf64::program_header::ProgramHeader;
use std::sync::{Mutex, OnceLock, PoisonError};
use thiserror::Error;
use wrt_abi::EngineKind;
use wrt_abi::boot;
use wrt_abi::cpu::Arch;
use wrt_abi::layout::{GRANULE, IMAGE_BASE, IMAGE_MAX, PF_PRIVILEGED};
use wrt_hypervisor::{Access, FaultHandler, Gva};
use wrt_platform::memory::PageAligned;
use zerocopy::FromBytes as _;

/// Alignment of the file's segments: a page of any processor.
const PAGE: u64 = GRANULE;

/// A part of the image in guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// Where it goes, aligned to a page.
    pub(crate) gva: Gva,
    /// Its bytes in the file.
    pub(crate) bytes: &'a [u8],
    /// Its size in memory; what the file does not hold is zero.
    pub(crate) size: u64,
    /// What the guest may do with it.
    pub(crate) access: Access,
    /// Whether only the stub may reach it.
    pub(crate) privileged: bool,
}

impl Segment<'_> {
    /// Whether an address lies in it.
    fn holds(&self, address: Gva) -> bool {
        (self.gva.0..self.gva.0 + self.size).contains(&address.0)
    }
}

/// A checked image.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// The processor that it is for.
    pub(crate) arch: Arch,
    /// First instruction.
    pub(crate) entry: Gva,
    /// Where it wants its faults, if it wants any.
    pub(crate) faults: Option<FaultHandler>,
    /// Segments in the order of their addresses; none overlap.
    pub(crate) segments: Vec<Segment<'a>>,
    /// What VMs have of [`Self::code_on_large_pages`], once one has.
    copy: OnceLock<ReadOnly>,
}

/// A copy of a header that can be looked at in place, wherever the file is.
#[repr(align(8))]
struct Aligned([u8; 64]);

/// A guest kernel's image that is not embedded: for tests, of a guest that is none of ours.
#[derive(Clone, Copy, Debug)]
pub struct GuestImage(pub(super) &'static Image<'static>);

impl GuestImage {
    /// The image in an ELF file, which VMs map.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn new(file: &'static PageAligned<[u8]>) -> Result<Self, Error> {
        let image = Image::parse(&file.0).map_err(|error| Error::Setting(error.to_string()))?;
        Ok(Self(Box::leak(Box::new(image))))
    }
}

/// Why bytes are no guest image.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("malformed guest image: {0}")]
pub(crate) struct MalformedImage(&'static str);

/// The embedded image of a guest that holds an engine.
///
/// # Errors
///
/// When it was damaged.
pub(crate) fn of(
    guest: &Guest,
    engine: EngineKind,
) -> Result<&'static Image<'static>, MalformedImage> {
    static PARSED: Mutex<Vec<(Arch, EngineKind, &Image<'static>)>> = Mutex::new(Vec::new());
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = parsed.iter().find(|(arch, kind, _)| (*arch, *kind) == (guest.arch, engine));
    if let Some((_, _, image)) = known {
        return Ok(image);
    }
    // There are as many as files are embedded, and VMs may map what each holds.
    let image: &'static _ = Box::leak(Box::new(Image::parse(guest.image(engine))?));
    parsed.push((guest.arch, engine, image));
    Ok(image)
}

impl<'a> Image<'a> {
    /// Checks an ELF file and lists its segments.
    ///
    /// # Errors
    ///
    /// When the file is truncated, not for this machine, or breaks a rule of the layout.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, MalformedImage> {
        let malformed = |what| MalformedImage(what);
        let header = Aligned(*file.first_chunk().ok_or(malformed("no ELF header"))?);
        let header = Header::from_bytes(&header.0);
        let arch = match header.e_machine {
            EM_X86_64 => Arch::X86_64,
            EM_AARCH64 => Arch::Aarch64,
            _ => return Err(malformed("not for a processor that there are guests of")),
        };
        if header.e_ident[..4] != *b"\x7fELF" {
            return Err(malformed("not an ELF file"));
        }
        let start = usize::try_from(header.e_phoff).unwrap_or(usize::MAX);
        let table = file.get(start..).ok_or(malformed("no program headers"))?;
        let size = size_of::<ProgramHeader>();
        if usize::from(header.e_phentsize) != size || table.len() / size < header.e_phnum.into() {
            return Err(malformed("truncated program headers"));
        }
        let mut segments = Vec::new();
        let mut end = IMAGE_BASE;
        for segment in ProgramHeader::from_bytes(table, header.e_phnum.into()) {
            if segment.p_type != PT_LOAD {
                continue;
            }
            if segment.p_vaddr < end || !segment.p_vaddr.is_multiple_of(PAGE) {
                return Err(malformed("segments overlap or are not aligned"));
            }
            end = segment
                .p_vaddr
                .checked_add(segment.p_memsz)
                .filter(|&end| end <= IMAGE_BASE + IMAGE_MAX)
                .ok_or(malformed("a segment leaves the image's place"))?;
            if segment.p_filesz > segment.p_memsz || !segment.p_offset.is_multiple_of(PAGE) {
                return Err(malformed("a segment's place in the file makes no sense"));
            }
            let from = usize::try_from(segment.p_offset).unwrap_or(usize::MAX);
            let len = usize::try_from(segment.p_filesz).unwrap_or(usize::MAX);
            let bytes = file
                .get(from..)
                .and_then(|rest| rest.get(..len))
                .ok_or(malformed("a segment is truncated"))?;
            let mut access = Access::READ;
            access.set(Access::WRITE, segment.p_flags & PF_W != 0);
            access.set(Access::EXECUTE, segment.p_flags & PF_X != 0);
            if !access.is_wx_safe() {
                return Err(malformed("a segment is writable and executable"));
            }
            if segment.p_memsz == 0 {
                continue;
            }
            segments.push(Segment {
                gva: Gva(segment.p_vaddr),
                bytes,
                size: segment.p_memsz,
                access,
                privileged: segment.p_flags & PF_PRIVILEGED != 0,
            });
        }
        let entry = Gva(header.e_entry);
        if !holds(&segments, Access::EXECUTE, entry) {
            return Err(malformed("the entry is not in code of the runtime"));
        }
        let faults = fault_handler(&segments)?;
        Ok(Self { arch, entry, faults, segments, copy: OnceLock::new() })
    }

    /// The runtime's code that begins a large page, if nothing else is on its large pages.
    pub(crate) fn code_on_large_pages(&self) -> Option<&Segment<'a>> {
        self.read_only().find(|code| {
            let start = code.gva.0;
            let pages = start..start.saturating_add(code.size).next_multiple_of(LARGE_PAGE);
            let taken = |other: &Segment<'_>| {
                other.gva != code.gva && (pages.contains(&other.gva.0) || other.holds(code.gva))
            };
            code.access.contains(Access::EXECUTE)
                && !code.privileged
                && start.is_multiple_of(LARGE_PAGE)
                && !self.segments.iter().any(taken)
        })
    }

    /// A copy of [`Self::code_on_large_pages`], made when it is wanted first.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub(super) fn copy(&'static self) -> std::io::Result<Option<&'static ReadOnly>>
    where
        'a: 'static,
    {
        let Some(code) = self.code_on_large_pages() else { return Ok(None) };
        if let Some(copy) = self.copy.get() {
            return Ok(Some(copy));
        }
        // Of two threads that come here at once, one has made one in vain.
        let made = ReadOnly::copy_of(code)?;
        Ok(Some(self.copy.get_or_init(|| made)))
    }

    /// Segments that the guest may not write.
    pub(super) fn read_only(&self) -> impl Iterator<Item = &Segment<'a>> {
        self.segments.iter().filter(|segment| !segment.access.contains(Access::WRITE))
    }
}

/// Reads the header that the read-only data begins with.
fn fault_handler(segments: &[Segment<'_>]) -> Result<Option<FaultHandler>, MalformedImage> {
    let constants = segments.iter().find(|segment| segment.access == Access::READ);
    let (header, _) = constants
        .and_then(|segment| boot::Header::read_from_prefix(segment.bytes).ok())
        .filter(|(header, _)| header.magic == boot::MAGIC)
        .ok_or(MalformedImage("no header in the read-only data"))?;
    if header.fault_entry == 0 {
        return Ok(None);
    }
    let (entry, stack) = (Gva(header.fault_entry), Gva(header.fault_stack));
    // A stack pointer is one past the stack's last byte.
    let last = Gva(stack.0.wrapping_sub(1));
    if !holds(segments, Access::EXECUTE, entry) || !holds(segments, Access::WRITE, last) {
        return Err(MalformedImage("faults lead out of the runtime"));
    }
    Ok(Some(FaultHandler { entry, stack }))
}

/// Whether the byte at an address is the runtime's to use so.
fn holds(segments: &[Segment<'_>], access: Access, address: Gva) -> bool {
    segments.iter().any(|segment| {
        !segment.privileged && segment.access.contains(access) && segment.holds(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wrt_guest_images::GUESTS;

    #[test]
    fn the_embedded_images_have_a_stub_code_and_data() {
        for guest in GUESTS {
            EngineKind::ALL.iter().for_each(|&engine| has_a_stub_code_and_data(guest, engine));
        }
    }

    fn has_a_stub_code_and_data(guest: &Guest, engine: EngineKind) {
        let image = Image::parse(guest.image(engine)).unwrap();
        assert_eq!(image.arch, guest.arch);
        let stub = &image.segments[0];
        assert!(stub.privileged && stub.access == Access::READ | Access::EXECUTE);
        assert_eq!(stub.gva, Gva(IMAGE_BASE));
        assert!(stub.size < 4096, "the stub stays below 4 KiB");
        assert_eq!(image.segments.iter().filter(|segment| segment.privileged).count(), 1);
        assert!(image.segments.iter().any(|segment| segment.access.contains(Access::WRITE)));
        let wants_faults = engine == EngineKind::Native;
        assert_eq!(image.faults.is_some(), wants_faults, "{engine}: traps of compiled code");
    }

    proptest! {
        #[test]
        fn damaged_images_never_panic(at in 0usize..400, byte: u8, len in 0usize..5000) {
            let embedded = GUESTS[0].image(EngineKind::Interp);
            let mut file = embedded[..len.min(embedded.len())].to_vec();
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
            let _ = Image::parse(&file);
        }
    }
}
