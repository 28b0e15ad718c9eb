//! Memory at any address.

/// A word of 1 << `width` bytes.
pub fn read(address: u64, width: u8) -> u64 {
    let at = address as usize;
    // SAFETY: none but that an attempt is around it.
    unsafe {
        match width & 3 {
            0 => core::ptr::without_provenance::<u8>(at).read_volatile().into(),
            1 => u64::from(load::<u16>(at)),
            2 => u64::from(load::<u32>(at)),
            _ => load(at),
        }
    }
}

/// Writes a word of 1 << `width` bytes.
pub fn write(address: u64, word: u64, width: u8) {
    let at = address as usize;
    // SAFETY: as in `read`.
    unsafe {
        match width & 3 {
            0 => core::ptr::without_provenance_mut::<u8>(at).write_volatile(word as u8),
            1 => store(at, word as u16),
            2 => store(at, word as u32),
            _ => store(at, word),
        }
    }
}

/// A load of any alignment, in one access.
unsafe fn load<T: Copy>(at: usize) -> T {
    #[repr(C, packed)]
    struct Unaligned<T>(T);
    // SAFETY: the caller's.
    unsafe { core::ptr::without_provenance::<Unaligned<T>>(at).read_volatile().0 }
}

/// A store of any alignment, in one access.
unsafe fn store<T: Copy>(at: usize, word: T) {
    #[repr(C, packed)]
    struct Unaligned<T>(T);
    // SAFETY: the caller's.
    unsafe { core::ptr::without_provenance_mut::<Unaligned<T>>(at).write_volatile(Unaligned(word)) }
}

/// What was written as data may be executed: the processor sees to it.
pub fn make_executable(_start: u64, _len: usize) {}
