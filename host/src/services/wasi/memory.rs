//! Access to the linear memory of the stopped guest.
//!
//! Addresses and lengths are the program's. A place outside the memory, or one that is not aligned
//! as its type has to be, ends the program: "the function shall trap", says the description of the
//! interface's format. Nothing is allocated for a place before it is known to be in memory.

use super::errno::{Fault, Result};
use super::{ALLOCATION_MAX, errno};
use std::marker::PhantomData;
use std::ops::Range;
use wrt_abi::services::wasi::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The longest path that is copied. Systems take shorter ones; their own error comes after those of
/// flags.
const PATH_MAX: usize = 64 << 10;

/// A program's linear memory.
pub(super) struct Memory<'m>(&'m mut [u8]);

/// Where the program says that a value is.
pub(super) struct Place<T> {
    /// It may lie beyond what 32 bits reach.
    at: u64,
    _type: PhantomData<fn() -> T>,
}

/// Bytes that the program names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    pub(super) at: u32,
    pub(super) len: u32,
}

/// A string that the program names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text(pub(super) Bytes);

/// Values that the program names, one behind the other.
pub(super) struct List<T> {
    pub(super) first: Place<T>,
    pub(super) count: u32,
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

impl<T> Place<T> {
    pub(super) fn new(at: u32) -> Self {
        Self { at: at.into(), _type: PhantomData }
    }

    /// The place of the value that is `index` behind this one. A number of 32 bits and the size
    /// of a structure cannot overflow 64 bits.
    pub(super) fn nth(self, index: u32) -> Self {
        let at = self.at + u64::from(index) * size_of::<T>() as u64;
        Self { at, _type: PhantomData }
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> List<T> {
    /// Refuses more than a call may make the host allocate.
    pub(super) fn bounded(&self) -> Result<()> {
        bounded(u64::from(self.count) * size_of::<T>() as u64)
    }
}

impl Bytes {
    /// Refuses more than a call may make the host allocate.
    pub(super) fn bounded(self) -> Result<()> {
        bounded(self.len.into())
    }
}

fn bounded(bytes: u64) -> Result<()> {
    if bytes <= ALLOCATION_MAX { Ok(()) } else { Err(Errno::Nomem.into()) }
}

impl<'m> Memory<'m> {
    pub(super) fn new(bytes: &'m mut [u8]) -> Self {
        Self(bytes)
    }

    /// All of its bytes.
    pub(super) fn whole(&self) -> &[u8] {
        self.0
    }

    /// All of its bytes, to be changed.
    pub(super) fn whole_mut(&mut self) -> &mut [u8] {
        self.0
    }

    /// Where in the slice `len` bytes from `at` on are.
    fn locate(&self, at: u64, len: u64) -> errno::Checked<Range<usize>> {
        let outside = Fault::Outside { at, len, memory: self.0.len() as u64 };
        let end = at.checked_add(len).filter(|end| *end <= self.0.len() as u64);
        let (Ok(start), Some(Ok(end))) = (usize::try_from(at), end.map(usize::try_from)) else {
            return Err(outside);
        };
        Ok(start..end)
    }

    /// Where in the slice a value is.
    fn locate_value<T>(&self, place: Place<T>) -> errno::Checked<Range<usize>> {
        let range = self.locate(place.at, size_of::<T>() as u64)?;
        // As `wrt_abi` asserts, types are aligned on the host as in the interface.
        match range.start.is_multiple_of(align_of::<T>()) {
            true => Ok(range),
            false => Err(Fault::Unaligned { at: place.at, to: align_of::<T>() }),
        }
    }

    /// Where in the slice bytes are.
    pub(super) fn range(&self, bytes: Bytes) -> errno::Checked<Range<usize>> {
        self.locate(bytes.at.into(), bytes.len.into())
    }

    /// Whether a list is in memory.
    pub(super) fn holds<T>(&self, list: List<T>) -> errno::Checked<()> {
        self.locate(list.first.at, u64::from(list.count) * size_of::<T>() as u64).map(|_| ())
    }

    /// Reads a value.
    pub(super) fn read<T: FromBytes>(&self, place: Place<T>) -> Result<T> {
        let bytes = &self.0[self.locate_value(place)?];
        // It is as long as the value.
        T::read_from_bytes(bytes).map_err(|_| Errno::Fault.into())
    }

    /// Writes a value.
    pub(super) fn write<T>(&mut self, place: Place<T>, value: &T) -> Result<()>
    where
        T: IntoBytes + Immutable + KnownLayout,
    {
        let range = self.locate_value(place)?;
        self.0[range].copy_from_slice(value.as_bytes());
        Ok(())
    }

    /// Bytes.
    pub(super) fn bytes(&self, bytes: Bytes) -> Result<&[u8]> {
        Ok(&self.0[self.range(bytes)?])
    }

    /// Bytes, to be changed.
    pub(super) fn bytes_mut(&mut self, bytes: Bytes) -> Result<&mut [u8]> {
        let range = self.range(bytes)?;
        Ok(&mut self.0[range])
    }

    /// Writes bytes. None may be anywhere.
    pub(super) fn copy(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let range = self.locate(at, bytes.len() as u64)?;
        self.0[range].copy_from_slice(bytes);
        Ok(())
    }

    /// Writes the first bytes, as many as there is room for; returns how many.
    pub(super) fn fill(&mut self, room: Bytes, bytes: &[u8]) -> Result<u32> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(room.len);
        self.copy(room.at.into(), &bytes[..len as usize])?;
        Ok(len)
    }

    /// A copy of a path.
    pub(super) fn path(&self, path: Text) -> Result<String> {
        path.0.bounded()?;
        let path = str::from_utf8(self.bytes(path.0)?).map_err(|_| Errno::Ilseq)?;
        if path.len() > PATH_MAX { Err(Errno::Nametoolong.into()) } else { Ok(path.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::errno::Failed;
    use super::*;
    use proptest::prelude::*;
    use wrt_abi::services::wasi::Filestat;

    #[test]
    fn a_place_is_within_and_aligned() {
        let mut bytes = [7; 128];
        let mut memory = Memory::new(&mut bytes);
        assert_eq!(memory.read(Place::<u64>::new(120)).unwrap(), 0x0707_0707_0707_0707);
        let faults = [121, 124, 128, u32::MAX, u32::MAX - 7]
            .map(|at| memory.write(Place::<u64>::new(at), &0).unwrap_err());
        assert!(faults.iter().all(|fault| matches!(fault, Failed::Fault(_))), "{faults:?}");
        assert!(memory.write(Place::new(64), &Filestat::default()).is_ok());
        assert!(memory.write(Place::new(72), &Filestat::default()).is_err());
        assert!(memory.read(Place::<u64>::new(0).nth(u32::MAX)).is_err());
    }

    #[test]
    fn no_bytes_are_written_anywhere_but_named_within() {
        let mut bytes = [0; 16];
        let mut memory = Memory::new(&mut bytes);
        assert!(memory.copy(u64::MAX, &[]).is_ok());
        assert!(memory.bytes(Bytes { at: 16, len: 0 }).is_ok());
        assert!(memory.bytes(Bytes { at: 17, len: 0 }).is_err());
        assert_eq!(memory.fill(Bytes { at: 14, len: 2 }, b"abc").unwrap(), 2);
        assert!(memory.fill(Bytes { at: 14, len: 3 }, b"abc").is_err());
    }

    #[test]
    fn a_path_is_text_of_a_bounded_length() {
        let mut bytes = vec![b'a'; PATH_MAX + 1];
        bytes[PATH_MAX] = 0xff;
        let memory = Memory::new(&mut bytes);
        let path = |at, len| memory.path(Text(Bytes { at, len }));
        let len = u32::try_from(PATH_MAX).unwrap();
        assert_eq!(path(0, len).unwrap().len(), PATH_MAX);
        assert!(matches!(path(1, len), Err(Failed::Errno(Errno::Ilseq))));
        assert!(matches!(path(2, len), Err(Failed::Fault(_))));
        assert!(matches!(path(0, u32::MAX), Err(Failed::Errno(Errno::Nomem))));
    }

    proptest! {
        #[test]
        fn any_place_is_served_or_refused(at: u32, len: u32, index: u32, size in 0..200_usize) {
            let mut bytes = vec![0; size];
            let mut memory = Memory::new(&mut bytes);
            let within = u64::from(at) + u64::from(len) <= size as u64;
            prop_assert_eq!(memory.bytes_mut(Bytes { at, len }).is_ok(), within);
            let place = Place::<u32>::new(at).nth(index);
            let start = u64::from(at) + 4 * u64::from(index);
            let within = start + 4 <= size as u64 && start % 4 == 0;
            prop_assert_eq!(memory.write(place, &1).is_ok(), within);
            prop_assert_eq!(memory.read(place).is_ok(), within);
        }
    }
}
