//! A module's bytes, on their way to a guest.

use crate::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use wrt_abi::layout::REGION_MAX;
use wrt_platform::memory::SharedBytes;

/// How every WebAssembly binary begins.
const MAGIC: &[u8; 4] = b"\0asm";
/// How compiled code begins: it is in an ELF file.
const ARTIFACT_MAGIC: &[u8; 4] = b"\x7fELF";
/// Largest module; the engine takes no larger ones.
const MAX: u64 = 1 << 30;
const _: () = assert!(MAX < REGION_MAX);

/// A WebAssembly module as bytes. The host looks at the first four of them, and leaves the
/// rest to a guest.
///
/// Cloning is cheap, and any number of VMs share one copy.
#[derive(Clone)]
pub struct Module {
    pub(crate) bytes: Arc<SharedBytes>,
    compiled: bool,
}

impl Module {
    /// A module from bytes.
    ///
    /// # Errors
    ///
    /// [`Error::NotWasm`] unless they begin like a WebAssembly binary; [`Error::Memory`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        check(bytes.len() as u64)?;
        Self::checked(shared(bytes)?)
    }

    /// A module that was compiled, for the native engine. Only a guest looks inside.
    ///
    /// # Errors
    ///
    /// [`Error::UnusableArtifact`] unless the bytes begin like an artefact; [`Error::Memory`].
    pub fn from_compiled(bytes: &[u8]) -> Result<Self, Error> {
        check(bytes.len() as u64)?;
        if !bytes.starts_with(ARTIFACT_MAGIC) {
            return Err(Error::UnusableArtifact("it does not begin like one".to_owned()));
        }
        Ok(Self { bytes: Arc::new(shared(bytes)?), compiled: true })
    }

    /// A module from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Read`]; else as [`Self::from_bytes`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read_error = |source| Error::Read { name: path.display().to_string(), source };
        let mut file = File::open(path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            return Self::from_reader(&mut file, &path.display().to_string());
        }
        check(metadata.len())?;
        let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let shared = SharedBytes::new(len, |to| file.read_exact(to));
        Self::checked(shared.map_err(read_error)?)
    }

    /// A module from a stream, which is read to its end. `name` is for messages.
    ///
    /// # Errors
    ///
    /// As [`Self::from_file`].
    pub fn from_reader(reader: &mut dyn Read, name: &str) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        reader
            .take(MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| Error::Read { name: name.to_owned(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Assembles the text format, on the host: for texts that you trust.
    ///
    /// # Errors
    ///
    /// [`Error::NotWasm`] with the place and reason.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&wat::parse_str(text).map_err(|error| Error::NotWasm(error.to_string()))?)
    }

    fn checked(bytes: SharedBytes) -> Result<Self, Error> {
        let head = bytes.as_slice();
        if head.is_empty() {
            return Err(Error::NotWasm("it is empty".to_owned()));
        }
        if !head.starts_with(MAGIC) {
            let begin: Vec<String> =
                head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            return Err(Error::NotWasm(format!(
                "it begins with {} instead of 00 61 73 6d",
                begin.join(" ")
            )));
        }
        // Everything after is the guest's to judge; but a component is worth its own word.
        if head.get(4..8) == Some(&[0x0d, 0, 1, 0]) {
            return Err(Error::NotWasm(
                "it is a component; wrt-vm runs core modules (build for wasm32-wasip1)".to_owned(),
            ));
        }
        Ok(Self { bytes: Arc::new(bytes), compiled: false })
    }

    /// Whether it is compiled code, for the native engine.
    pub(crate) fn is_artifact(&self) -> bool {
        self.compiled
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.as_slice().len()
    }

    /// Whether it has no bytes; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn shared(bytes: &[u8]) -> Result<SharedBytes, Error> {
    SharedBytes::new(bytes.len(), |to| {
        to.copy_from_slice(bytes);
        Ok::<_, io::Error>(())
    })
    .map_err(Error::Memory)
}

fn check(len: u64) -> Result<(), Error> {
    if len > MAX {
        return Err(Error::NotWasm(format!(
            "it has {} bytes, and {MAX} is the most that any engine takes",
            len
        )));
    }
    Ok(())
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({} bytes)", self.len())
    }
}
