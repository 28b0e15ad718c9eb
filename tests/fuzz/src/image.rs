//! The image loader: any file is refused, or has parts that keep to the layout.

use arbitrary::Arbitrary;
use wrt_abi::boot::{Header, MAGIC};
use wrt_abi::layout::{GRANULE, IMAGE_BASE, IMAGE_MAX};
use wrt_vm::fuzzing::{ImagePart, parse_image};
use wrt_vm::hypervisor::{Access, Gva};

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    Raw(&'a [u8]),
    Elf(Elf<'a>),
}

/// An ELF file, right but for what is said here.
#[derive(Arbitrary, Debug)]
struct Elf<'a> {
    /// Whether it begins with parts that the loader takes: [`USUAL`].
    usual: bool,
    arm: bool,
    machine: Option<u16>,
    table: Option<u64>,
    entry_size: Option<u16>,
    count: Option<u16>,
    entry: Option<Word>,
    fault_entry: Option<Word>,
    fault_stack: Option<Word>,
    segments: Vec<Segment>,
    patches: Vec<(u16, u8)>,
    tail: &'a [u8],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Segment {
    kind: Option<u32>,
    flags: u32,
    offset: Word,
    address: Word,
    filled: Word,
    size: Word,
}

/// A number, mostly one that makes sense.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Word {
    Nothing,
    Pages(u8),
    LargePages(u8),
    InImage(u16),
    Image { pages: u8, offset: i8 },
    Raw(u64),
}

impl Word {
    fn get(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Pages(pages) => u64::from(pages) * GRANULE,
            Self::LargePages(pages) => IMAGE_BASE + (u64::from(pages) << 21),
            Self::InImage(offset) => IMAGE_BASE + u64::from(offset),
            Self::Image { pages, offset } => {
                let page = IMAGE_BASE + u64::from(pages) * GRANULE;
                page.wrapping_add_signed(offset.into())
            }
            Self::Raw(number) => number,
        }
    }
}

/// Code, constants and data, a page between them.
const USUAL: [Segment; 3] = [usual(5, 0), usual(4, 2), usual(6, 4)];
/// An address past the last of them, for a stack.
const USUAL_END: Word = Word::Image { pages: 5, offset: 0 };

const fn usual(flags: u32, pages: u8) -> Segment {
    Segment {
        kind: None,
        flags,
        offset: Word::Pages(1),
        address: Word::Image { pages, offset: 0 },
        filled: Word::Pages(1),
        size: Word::Pages(1),
    }
}

/// Files are no longer than this: the loader looks at headers, and at what they lead to.
const LONGEST: usize = 8 << 14;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    match crate::input(data) {
        Some(Case::Raw(file)) => check(file),
        Some(Case::Elf(elf)) => check(&elf.file()),
        None => {}
    }
}

impl Elf<'_> {
    fn file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let machine = self.machine.unwrap_or(if self.arm { 183 } else { 62 });
        let usual: &[Segment] = if self.usual { &USUAL } else { &[] };
        let segments: Vec<Segment> = usual.iter().chain(&self.segments).take(16).copied().collect();
        let count = segments.len();
        file.extend(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend([2u16, machine].map(u16::to_le_bytes).concat());
        file.extend(1u32.to_le_bytes());
        file.extend(
            [self.entry.unwrap_or(USUAL[0].address).get(), self.table.unwrap_or(64), 0]
                .map(u64::to_le_bytes)
                .concat(),
        );
        file.extend(0u32.to_le_bytes());
        let sizes =
            [64, self.entry_size.unwrap_or(56), self.count.unwrap_or(count as u16), 0, 0, 0];
        file.extend(sizes.map(u16::to_le_bytes).concat());
        let mut length = 64 + count * 56;
        for segment in &segments {
            file.extend([segment.kind.unwrap_or(1), segment.flags].map(u32::to_le_bytes).concat());
            let [offset, address, filled, size] =
                [segment.offset, segment.address, segment.filled, segment.size].map(Word::get);
            let words = [offset, address, address, filled, size, GRANULE];
            file.extend(words.map(u64::to_le_bytes).concat());
            let end = usize::try_from(offset.saturating_add(filled)).unwrap_or(usize::MAX);
            length = length.max(end.min(LONGEST));
        }
        file.resize(length, 0);
        // What the read-only data has to begin with.
        let fault_entry = self.fault_entry.unwrap_or(USUAL[0].address).get();
        let fault_stack = self.fault_stack.unwrap_or(USUAL_END).get();
        let header = [MAGIC, fault_entry, fault_stack].map(u64::to_le_bytes).concat();
        for segment in segments.iter().filter(|segment| segment.flags & 3 == 0) {
            let at = usize::try_from(segment.offset.get()).unwrap_or(usize::MAX);
            if let Some(place) = file.get_mut(at..).and_then(|rest| rest.get_mut(..header.len())) {
                place.copy_from_slice(&header);
            }
        }
        for &(at, byte) in &self.patches {
            if let Some(place) = file.get_mut(usize::from(at)) {
                *place = byte;
            }
        }
        file.extend(self.tail);
        file
    }
}

const _: () = assert!(size_of::<Header>() == 24);

fn check(file: &[u8]) {
    let Some(image) = parse_image(file) else { return };
    let holds = |access: Access, at: u64| {
        image.parts.iter().any(|part| {
            !part.privileged
                && part.access.contains(access)
                && (part.gva.0..part.gva.0 + part.size).contains(&at)
        })
    };
    let mut end = IMAGE_BASE;
    for ImagePart { gva, bytes, size, access, .. } in &image.parts {
        assert!(gva.0 >= end && gva.0.is_multiple_of(GRANULE), "parts overlap");
        end = gva.0 + size;
        assert!(end <= IMAGE_BASE + IMAGE_MAX, "a part leaves the image's place");
        assert!(bytes.len() as u64 <= *size && *size > 0);
        assert!(file.as_ptr_range().start <= bytes.as_ptr_range().start);
        assert!(bytes.as_ptr_range().end <= file.as_ptr_range().end);
        assert!(!access.contains(Access::WRITE | Access::EXECUTE), "writable and executable");
    }
    assert!(holds(Access::EXECUTE, image.entry.0), "it begins in the runtime's code");
    if let Some((entry, Gva(stack))) = image.faults {
        assert!(holds(Access::EXECUTE, entry.0) && holds(Access::WRITE, stack - 1));
    }
    if let Some(code) = image.on_large_pages {
        let large = 2 << 20;
        let part = image.parts.iter().find(|part| part.gva == code).expect("it is a part");
        assert!(!part.privileged && part.access.contains(Access::EXECUTE));
        let pages = code.0..(code.0 + part.size).next_multiple_of(large);
        assert!(code.0.is_multiple_of(large));
        for other in image.parts.iter().filter(|other| other.gva != code) {
            let (start, end) = (other.gva.0, other.gva.0 + other.size);
            assert!(end <= pages.start || pages.end <= start, "not alone on its large pages");
        }
    }
}
