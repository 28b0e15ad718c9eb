//! The file that compiled code travels in: a header, and what the compiler wrote.
//!
//! ```text
//! 0       magic, version, target, length, source, checksum
//! 0x4000  the compiler's output, on pages of its own: it is mapped, never copied
//! ```
//!
//! The header guards against accidents: another machine, another version, half a file. It
//! vouches for nothing. What it describes is as untrusted as the module that it was made of,
//! and only a guest looks inside.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::layout::GRANULE;
use wrt_hypervisor::Hypervisor;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How the file begins. No other kind of file does, and no text.
pub(crate) const MAGIC: &[u8; 8] = b"\x8awrtcode";
/// Version of this layout.
const VERSION: u32 = 1;
/// Where the compiler's output begins.
pub(crate) const CODE_OFFSET: u64 = GRANULE;
/// The same as an index.
pub(crate) const CODE_INDEX: usize = 0x4000;
const _: () = assert!(CODE_INDEX as u64 == CODE_OFFSET);

/// Length of a header in the file.
pub(crate) const HEADER_SIZE: usize = size_of::<RawHeader>();

/// What code was compiled to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Architecture of the processor.
    pub arch: Arch,
    /// Features that the code may use.
    pub features: CpuFeatures,
}

impl Target {
    /// Architecture of this machine.
    #[cfg(target_arch = "x86_64")]
    pub const ARCH: Arch = Arch::X86_64;
    /// Architecture of this machine.
    #[cfg(target_arch = "aarch64")]
    pub const ARCH: Arch = Arch::Aarch64;

    /// What a hypervisor's VMs on this machine run, as far as compiled code makes use of it.
    pub fn of(hypervisor: &dyn Hypervisor) -> Self {
        Self { arch: hypervisor.arch(), features: hypervisor.code_features() }
    }

    /// Every machine of an architecture.
    pub fn baseline(arch: Arch) -> Self {
        Self { arch, features: arch.baseline() }
    }

    /// Says why code for this target cannot run on a machine that is `machine`.
    pub(crate) fn check_on(self, machine: Self) -> Result<(), Error> {
        if self.arch != machine.arch {
            return Err(Error::UnusableArtifact(format!(
                "it is code for {}, and this machine is {}",
                self.arch, machine.arch
            )));
        }
        if !machine.features.contains(self.features) {
            let missing = self.features.difference(machine.features);
            return Err(Error::UnusableArtifact(format!(
                "it needs {missing}, which VMs on this machine do not have"
            )));
        }
        Ok(())
    }
}

/// Where an artefact's code is in it, from its first byte on: whole pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Names a module, the compiler and the target: equal ones lead to equal code.
pub(crate) type Source = blake3::Hash;

/// What a file says of the code in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where it runs.
    pub(crate) target: Target,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// What it was made of.
    pub(crate) source: Source,
    checksum: blake3::Hash,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: U32,
    arch: U32,
    features: U64,
    len: U64,
    source: [u8; 32],
    checksum: [u8; 32],
}

impl Header {
    /// Describes code.
    pub(crate) fn new(target: Target, source: Source, code: &[u8]) -> Self {
        let mut header = Self { source, ..Self::unchecked(target, code.len() as u64) };
        header.checksum = header.sum(code);
        header
    }

    /// Describes code that needs no checksum, because it never was in a file of its own.
    pub(crate) fn unchecked(target: Target, len: u64) -> Self {
        let zero = blake3::Hash::from([0; 32]);
        Self { target, len, source: zero, checksum: zero }
    }

    /// Reads what a file begins with.
    ///
    /// # Errors
    ///
    /// [`Error::UnusableArtifact`] when it is none, or one of another version.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let unusable = |reason: String| Error::UnusableArtifact(reason);
        let (raw, _) = RawHeader::read_from_prefix(bytes)
            .map_err(|_| unusable("it is cut off in its header".to_owned()))?;
        if raw.magic != *MAGIC {
            return Err(unusable("it is no compiled module".to_owned()));
        }
        if raw.version.get() != VERSION {
            return Err(unusable(format!(
                "its file has version {}, and this wrt-vm reads version {VERSION}",
                raw.version
            )));
        }
        let damaged = |_| unusable("its header is damaged".to_owned());
        let arch = Arch::try_from(raw.arch.get()).map_err(damaged)?;
        let features = CpuFeatures::try_from(raw.features.get()).map_err(damaged)?;
        Ok(Self {
            target: Target { arch, features },
            len: raw.len.get(),
            source: raw.source.into(),
            checksum: raw.checksum.into(),
        })
    }

    /// Whether the code is what this header was written for.
    ///
    /// # Errors
    ///
    /// [`Error::UnusableArtifact`] when a bit is different.
    pub(crate) fn check(&self, code: &[u8]) -> Result<(), Error> {
        if self.sum(code) == self.checksum {
            return Ok(());
        }
        Err(Error::UnusableArtifact("it is damaged: its checksum does not match".to_owned()))
    }

    /// Writes a whole file.
    ///
    /// # Errors
    ///
    /// What `to` returns.
    pub(crate) fn write(&self, code: &[u8], to: &mut dyn Write) -> io::Result<()> {
        let raw = self.raw();
        to.write_all(raw.as_bytes())?;
        to.write_all(&[0; CODE_INDEX][HEADER_SIZE..])?;
        to.write_all(code)
    }

    fn raw(&self) -> RawHeader {
        RawHeader {
            magic: *MAGIC,
            version: VERSION.into(),
            arch: (self.target.arch as u32).into(),
            features: self.target.features.bits().into(),
            len: self.len.into(),
            source: self.source.into(),
            checksum: self.checksum.into(),
        }
    }

    /// Checksum of the code and of all in the header that comes before the checksum.
    fn sum(&self, code: &[u8]) -> blake3::Hash {
        let raw = self.raw();
        let described = &raw.as_bytes()[..HEADER_SIZE - raw.checksum.len()];
        blake3::Hasher::new().update(described).update(code).finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Target = Target { arch: Arch::X86_64, features: CpuFeatures::X86_64_V2 };

    fn file(code: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let header = Header::new(TARGET, blake3::hash(b"source"), code);
        header.write(code, &mut file).unwrap();
        file
    }

    #[test]
    fn what_was_written_is_read() {
        let file = file(b"code");
        let header = Header::read(&file).unwrap();
        assert_eq!((header.target, header.len), (TARGET, 4));
        assert_eq!(header.source, blake3::hash(b"source"));
        header.check(&file[CODE_INDEX..]).unwrap();
    }

    #[test]
    fn code_for_another_machine_is_refused_by_name() {
        let arm = Target::baseline(Arch::Aarch64);
        let error = arm.check_on(TARGET).unwrap_err().to_string();
        assert!(error.contains("code for aarch64, and this machine is x86_64"), "{error}");
        let fast = Target { features: CpuFeatures::X86_64_V3, ..TARGET };
        let error = fast.check_on(TARGET).unwrap_err().to_string();
        assert!(error.contains("needs avx,avx2,fma,bmi1,bmi2,lzcnt"), "{error}");
        TARGET.check_on(fast).unwrap();
    }

    proptest! {
        #[test]
        fn no_flipped_bit_is_accepted(bit in 0..(HEADER_SIZE + 4) * 8) {
            let mut file = file(b"code");
            let byte = bit / 8;
            let at = if byte < HEADER_SIZE { byte } else { byte - HEADER_SIZE + CODE_INDEX };
            file[at] ^= 1 << (bit % 8);
            let accepted = Header::read(&file)
                .and_then(|header| header.check(&file[CODE_INDEX..]));
            prop_assert!(accepted.is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::read(&bytes);
            let mut file = file(b"code");
            let len = bytes.len().min(file.len() - MAGIC.len());
            file[MAGIC.len()..][..len].copy_from_slice(&bytes[..len]);
            let _ = Header::read(&file);
        }
    }
}
