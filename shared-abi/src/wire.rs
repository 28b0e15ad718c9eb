//! Bounded reading and writing of payload bytes.
//!
//! Little-endian words and length-prefixed byte strings; nothing is ever read past the end.

/// The payload ended before the value that was asked for, or holds a malformed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("malformed payload")
    }
}

impl core::error::Error for Malformed {}

/// Reads from the front of a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A 32-bit word.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// A 64-bit word.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A 128-bit word.
    pub fn u128(&mut self) -> Result<u128, Malformed> {
        self.array().map(u128::from_le_bytes)
    }

    /// A byte string behind its 32-bit length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()?;
        self.take(usize::try_from(len).map_err(|_| Malformed)?)
    }
}

/// Writes to the front of a byte slice; what does not fit is refused.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends raw bytes.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let end = self.len.checked_add(bytes.len()).ok_or(Malformed)?;
        self.buffer.get_mut(self.len..end).ok_or(Malformed)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> Result<(), Malformed> {
        self.put(&[value])
    }

    /// Appends a 32-bit word.
    pub fn u32(&mut self, value: u32) -> Result<(), Malformed> {
        self.put(&value.to_le_bytes())
    }

    /// Appends a 64-bit word.
    pub fn u64(&mut self, value: u64) -> Result<(), Malformed> {
        self.put(&value.to_le_bytes())
    }

    /// Appends a 128-bit word.
    pub fn u128(&mut self, value: u128) -> Result<(), Malformed> {
        self.put(&value.to_le_bytes())
    }

    /// Appends a byte string behind its 32-bit length.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.u32(u32::try_from(bytes.len()).map_err(|_| Malformed)?)?;
        self.put(bytes)
    }

    /// Appends a byte string, cut to what fits.
    pub fn bytes_truncated(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let room = self.buffer.len().saturating_sub(self.len).saturating_sub(4);
        self.bytes(&bytes[..bytes.len().min(room)])
    }
}
