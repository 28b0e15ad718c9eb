//! What the guest reports when Wasm code traps, or imports what nothing provides.

use crate::wire::{Malformed, Reader, Writer};

/// Innermost frames that a backtrace keeps.
pub const BACKTRACE_MAX: usize = 32;
/// Stands for a depth that was not counted.
const UNCOUNTED: u32 = u32::MAX;
/// Bytes of a function's name that a backtrace keeps.
pub const NAME_MAX: usize = 256;
/// Stands for an offset that is not known.
const NO_OFFSET: u32 = u32::MAX;

/// Bytes of an import's module and of its name that a report keeps, of each.
pub const IMPORT_MAX: usize = 1024;

/// An import that cannot be linked: payload of [`Reply::Unlinkable`](crate::Reply::Unlinkable),
/// and what the compiler says of a component with such an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlinkable<'a> {
    /// The import's module; of a component's import, its name.
    pub module: &'a [u8],
    /// The import's name; of an interface that a component imports, an item in it.
    pub name: &'a [u8],
    /// What is wrong with it.
    pub reason: &'a [u8],
}

impl<'a> Unlinkable<'a> {
    /// Writes the report; each part is cut to what still fits.
    pub fn write(&self, to: &mut Writer<'_>) {
        let cut = |name: &'a [u8]| &name[..name.len().min(IMPORT_MAX)];
        for part in [cut(self.module), cut(self.name), self.reason] {
            let _ = to.bytes_truncated(part);
        }
    }

    /// Reads the report. A part that is missing is empty.
    pub fn read(payload: &'a [u8]) -> Self {
        let mut parts = Reader::new(payload);
        let mut part = || parts.bytes().unwrap_or_default();
        Self { module: part(), name: part(), reason: part() }
    }
}

/// One frame of a Wasm backtrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number of the module, in the order of loading.
    pub module: u32,
    /// Index of the function in that module.
    pub function: u32,
    /// Where in the module's bytes the instruction is, if that is known.
    pub offset: Option<u32>,
    /// The function's name from the module's name section, as people write it; empty when there
    /// is none.
    pub name: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Appends the frame.
    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), Malformed> {
        to.u32(self.module)?;
        to.u32(self.function)?;
        to.u32(self.offset.unwrap_or(NO_OFFSET))?;
        to.bytes(&self.name[..self.name.len().min(NAME_MAX)])
    }

    /// Reads one frame.
    pub fn read(from: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            module: from.u32()?,
            function: from.u32()?,
            offset: Some(from.u32()?).filter(|&offset| offset != NO_OFFSET),
            name: from.bytes()?,
        })
    }
}

/// Payload of [`Reply::Trap`](crate::Reply::Trap): a message, then frames, innermost first.
#[derive(Clone, Debug)]
pub struct TrapReport<'a> {
    /// More about the trap in UTF-8; may be empty.
    pub message: &'a [u8],
    /// Frames that were live in all, unless they were too many to count; the payload holds
    /// the innermost ones.
    pub depth: Option<u32>,
    frames: Reader<'a>,
}

impl<'a> TrapReport<'a> {
    /// Starts a report in `to`. Frames are appended with [`Frame::write`].
    pub fn begin(to: &mut Writer<'_>, message: &[u8], depth: Option<u32>) -> Result<(), Malformed> {
        to.bytes(&message[..message.len().min(NAME_MAX * 4)])?;
        to.u32(depth.unwrap_or(UNCOUNTED))
    }

    /// Reads the report's head; [`Self::frames`] yields the rest.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut frames = Reader::new(payload);
        let message = frames.bytes()?;
        let depth = Some(frames.u32()?).filter(|&depth| depth != UNCOUNTED);
        Ok(Self { message, depth, frames })
    }

    /// The frames, innermost first; at most [`BACKTRACE_MAX`], ending at the first
    /// malformed one.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'a>> {
        let mut reader = self.frames.clone();
        core::iter::from_fn(move || Frame::read(&mut reader).ok()).take(BACKTRACE_MAX)
    }
}
