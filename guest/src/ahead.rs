//! Reading files ahead of the program.
//!
//! A read of the program's is an exit, and that costs as much as to copy some ten KiB. One that
//! reads a file on and on by small pieces gets most of them from here: a larger piece was had by
//! one exit.
//!
//! The program cannot tell, and neither can others. Between two exits it learns nothing from
//! outside and tells nothing: what it reads in that time it may have read at its beginning, even
//! if another process changes the file meanwhile. So bytes that were read ahead are good until the
//! next exit that could tell or learn anything, be it another function of WASI's, another file's
//! read or the end of the program; then they are forgotten, and the host's position is put to
//! where the program's is. Errors and ends of files are the host's to tell.
//!
//! Files alone are read ahead, and no further than they reach: what is taken from a pipe, a terminal
//! or the standard input is gone for others.

use crate::hostcall;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use wrt_abi::services::wasi::FunctionId;
use wrt_abi::services::{Arguments, Import};

/// Reads of a file in a row, of about as many bytes, after which it is read ahead.
const READS: u32 = 3;
/// Reads that must be left in the file then: fewer are not worth it.
const WORTH: u64 = 6;
/// Bytes that are read ahead at a time: at first, then, and of a long file when there were so many
/// that the pages for more are worth being touched.
const FIRST: usize = 32 << 10;
const THEN: usize = 224 << 10;
const MOST: usize = 1 << 20;
const LONG: u64 = 16 << 20;
/// Reads of more are the host's: they are worth an exit each.
const SMALL: usize = 112 << 10;

/// Before the bytes: the one `iovec`, and where the host puts results, the largest of which is a
/// `filestat` of 64 bytes.
const IOVEC: usize = 0;
const RESULT: usize = 16;
const DATA: usize = 80;

/// `filetype` of a regular file.
const REGULAR: u8 = 4;
const FILETYPE: usize = 16;
const SIZE: usize = 32;

struct Resident(UnsafeCell<Ahead>);

// SAFETY: there is one vCPU, and no interrupts.
unsafe impl Sync for Resident {}

static AHEAD: Resident = Resident(UnsafeCell::new(Ahead::NOTHING));

/// The file that is being read, and what was read of it ahead.
struct Ahead {
    fd: u32,
    /// Where the next read begins: given with each read, or kept by the host.
    next: Next,
    /// Reads in a row, and after how many of them to look whether reading ahead is worth it.
    reads: u32,
    worth_at: u32,
    /// Bytes to read ahead when there are none left.
    window: usize,
    /// Bytes that were read ahead so far.
    so_far: u64,
    /// What the host takes for a linear memory. As long as there are bytes in it, reading ahead
    /// is going on.
    memory: Vec<u64>,
    /// The rest of the bytes.
    from: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// The host's position, which nothing has been moved from.
    Kept,
    /// The host's position is behind: the program's is here.
    Position(u64),
    /// The offset of a read that has one.
    Offset(u64),
}

/// The most places that a read is served in from here.
const PLACES: usize = 16;

/// Places in the program's memory, and one for the number of bytes that were read.
struct Wanted {
    /// Where each begins, and how many bytes it has. A copy: the program may have them read into
    /// its list of them.
    places: [(usize, usize); PLACES],
    count: usize,
    /// Bytes that they have in all.
    len: usize,
    told: usize,
}

/// Serves a call of WASI's from what was read ahead; returns the errno. Without one, it is for the
/// host, and what was read ahead has been forgotten.
pub fn serve(import: Import, memory: &mut [u8], arguments: &Arguments) -> Option<u64> {
    // SAFETY: nothing in this module comes back here while it has the reference: there is one vCPU,
    // and the calls below go to the host directly.
    let ahead = unsafe { &mut *AHEAD.0.get() };
    let [fd, iovs, count, more @ ..] = *arguments;
    let (is_read, told, offset) = match FunctionId::of(import) {
        Some(FunctionId::FdRead) => (true, more[0], None),
        Some(FunctionId::FdPread) => (true, more[1], Some(more[0])),
        _ => (false, 0, None),
    };
    if !is_read {
        ahead.end();
        return None;
    }
    match wanted(memory, low(iovs), low(count), low(told)) {
        Some(wanted) if wanted.len <= SMALL => ahead.read(fd as u32, offset, memory, wanted),
        _ => {
            ahead.end();
            None
        }
    }
}

/// Forgets what was read ahead, before the host is told or asked something.
pub fn end() {
    // SAFETY: as above.
    unsafe { &mut *AHEAD.0.get() }.end();
}

impl Ahead {
    const NOTHING: Self = Self {
        fd: 0,
        next: Next::Kept,
        reads: 0,
        worth_at: READS,
        window: FIRST,
        so_far: 0,
        memory: Vec::new(),
        from: 0,
        end: 0,
    };

    fn read(
        &mut self,
        fd: u32,
        offset: Option<u64>,
        memory: &mut [u8],
        wanted: Wanted,
    ) -> Option<u64> {
        let goes_on = fd == self.fd
            && match (self.next, offset) {
                (Next::Kept | Next::Position(_), None) => true,
                (Next::Offset(next), Some(offset)) => next == offset,
                _ => false,
            };
        if !goes_on {
            self.end();
            self.fd = fd;
            self.next = offset.map_or(Next::Kept, Next::Offset);
        }
        if self.memory.is_empty() && !self.begin(wanted.len) {
            // Should fewer bytes come, the next read does not begin here.
            if let Next::Offset(offset) = &mut self.next {
                *offset = offset.saturating_add(wanted.len as u64);
            }
            return None;
        }
        let mut done = 0;
        'places: for &(at, len) in &wanted.places[..wanted.count] {
            let mut to = &mut memory[at..][..len];
            while !to.is_empty() {
                if self.from == self.end && !self.fill() {
                    break 'places;
                }
                let taken = self.take(to);
                to = &mut to[taken..];
                done += taken;
            }
        }
        if done == 0 {
            // An end or an error.
            self.end();
            return None;
        }
        let told = u32::try_from(done).unwrap_or(u32::MAX).to_le_bytes();
        memory[wanted.told..][..4].copy_from_slice(&told);
        Some(0)
    }

    /// Looks whether to read ahead, and makes room for it; says whether that begins now.
    fn begin(&mut self, len: usize) -> bool {
        self.reads = self.reads.saturating_add(1);
        if self.reads <= self.worth_at || len == 0 {
            return false;
        }
        // Next time after twice as many.
        self.worth_at = self.worth_at.saturating_mul(2);
        if self.make_room() && self.is_worth_it(len as u64) {
            return true;
        }
        self.memory = Vec::new();
        false
    }

    /// Whether it is a file with much left in it. The place of the next read is known then.
    fn is_worth_it(&mut self, len: u64) -> bool {
        if !self.call(FunctionId::FdFilestatGet, &[RESULT as u64]) {
            return false;
        }
        let (kind, size) = (self.bytes()[RESULT + FILETYPE], self.word(RESULT + SIZE));
        if kind != REGULAR {
            return false;
        }
        let next = self.next;
        let at = match next {
            Next::Offset(at) | Next::Position(at) => at,
            Next::Kept if !self.call(FunctionId::FdTell, &[RESULT as u64]) => return false,
            Next::Kept => self.word(RESULT),
        };
        let is_worth_it = size.saturating_sub(at) >= WORTH * len;
        if let (true, Next::Kept) = (is_worth_it, next) {
            self.next = Next::Position(at);
        }
        is_worth_it
    }

    /// Makes room for as many bytes as are to be read ahead, if there is memory.
    fn make_room(&mut self) -> bool {
        let words = (DATA + self.window).div_ceil(8);
        let mut memory = Vec::new();
        if memory.try_reserve_exact(words).is_err() {
            return false;
        }
        memory.resize(words, 0);
        self.memory = memory;
        true
    }

    /// Reads ahead; says whether there are bytes now.
    fn fill(&mut self) -> bool {
        let (Next::Position(at) | Next::Offset(at)) = self.next else { return false };
        let room = self.memory.len() * 8 - DATA;
        let window = match room >= self.window || self.make_room() {
            true => self.window,
            false => room,
        };
        let [data, len] = [DATA, window].map(|word| u32::try_from(word).unwrap_or(0).to_le_bytes());
        self.bytes()[IOVEC..][..4].copy_from_slice(&data);
        self.bytes()[IOVEC + 4..][..4].copy_from_slice(&len);
        if !self.call(FunctionId::FdPread, &[IOVEC as u64, 1, at, RESULT as u64]) {
            return false;
        }
        let read = usize::try_from(self.word(RESULT) & u64::from(u32::MAX)).unwrap_or(0);
        let read = read.min(window);
        (self.from, self.end) = (DATA, DATA + read);
        self.so_far += read as u64;
        self.window = if self.so_far < LONG { THEN } else { MOST };
        read > 0
    }

    /// Takes bytes that were read ahead; says how many.
    fn take(&mut self, to: &mut [u8]) -> usize {
        let len = to.len().min(self.end - self.from);
        let from = self.from;
        to[..len].copy_from_slice(&self.bytes()[from..][..len]);
        self.from += len;
        if let Next::Position(at) | Next::Offset(at) = &mut self.next {
            *at += len as u64;
        }
        len
    }

    /// Puts the host's position to the program's, and forgets the rest.
    fn end(&mut self) {
        if let (Next::Position(at), false) = (self.next, self.memory.is_empty()) {
            // From the file's start. It was here: it can be again.
            self.call(FunctionId::FdSeek, &[at, 0, RESULT as u64]);
        }
        *self = Self::NOTHING;
    }

    /// Makes a call of the file; says whether it succeeded.
    fn call(&mut self, function: FunctionId, args: &[u64]) -> bool {
        let mut arguments = Arguments::default();
        arguments[0] = self.fd.into();
        arguments[1..][..args.len()].copy_from_slice(args);
        matches!(hostcall::service(function.import(), self.bytes(), &arguments), Ok(0))
    }

    fn bytes(&mut self) -> &mut [u8] {
        let len = self.memory.len() * 8;
        // SAFETY: the words' own bytes, which any values may have, for as long as the words are
        // borrowed.
        unsafe { core::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), len) }
    }

    fn word(&mut self, at: usize) -> u64 {
        let bytes = self.bytes();
        u64::from_le_bytes(core::array::from_fn(|n| bytes[at + n]))
    }
}

/// What a read asks for, if that is easy to say: the rest is for the host, errors among it.
fn wanted(memory: &[u8], iovs: usize, count: usize, told: usize) -> Option<Wanted> {
    let word = |at: usize| Some(u32::from_le_bytes(*memory.get(at..)?.first_chunk()?) as usize);
    if count > PLACES || !iovs.is_multiple_of(4) || !told.is_multiple_of(4) {
        return None;
    }
    word(told)?;
    let mut wanted = Wanted { places: [(0, 0); PLACES], count, len: 0, told };
    for (n, place) in wanted.places[..count].iter_mut().enumerate() {
        let iov = iovs + 8 * n;
        let (at, len) = (word(iov)?, word(iov + 4)?);
        if at + len > memory.len() {
            return None;
        }
        *place = (at, len);
        wanted.len += len;
    }
    Some(wanted)
}

/// An argument of 32 bits: the upper half is the program's to fill.
fn low(word: u64) -> usize {
    (word & u64::from(u32::MAX)) as usize
}
