//! A module's bytes, on their way to a guest.

use crate::artifact::{self, Header, Source, Target, Text};
use crate::embedded::COMPILER_ID;
use crate::error::{Bytes, Error};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use wrt_abi::binary::{MAGIC, is_component};
use wrt_abi::layout::REGION_MAX;
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Lines;

/// Largest module; the engine takes no larger ones.
pub(crate) const MODULE_MAX: u64 = 1 << 30;
/// Largest compiled module: code has several times the size of what it was made of.
const COMPILED_MAX: u64 = 4 << 30;
const _: () = assert!(MODULE_MAX < REGION_MAX && COMPILED_MAX < REGION_MAX);
/// Bytes that tell what a file is.
const MAGIC_MAX: u64 = artifact::MAGIC.len() as u64;

/// A WebAssembly module or component as bytes, or the code that it was
/// [compiled](crate::Compiler) to. The host looks at how they begin, and leaves the rest to a
/// guest.
///
/// Cloning is cheap, and any number of VMs share one copy.
#[derive(Clone)]
pub struct Module {
    bytes: Arc<SharedBytes>,
    compiled: Option<Header>,
    /// Where its code is, if that is known, as it is of the compiler alone.
    text: Option<Text>,
}

impl Module {
    /// A module from the bytes of a `.wasm` or `.cwasm` file.
    ///
    /// # Errors
    ///
    /// [`Error::NotWasm`] unless they begin like one of the two, [`Error::UnusableArtifact`]
    /// for damaged code, [`Error::Memory`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if !is_compiled(bytes) {
            check_wasm(bytes, bytes.len() as u64)?;
            return Ok(Self { bytes: shared(bytes)?, compiled: None, text: None });
        }
        let header = Header::read(bytes)?;
        let code = bytes.get(artifact::CODE_INDEX..).unwrap_or_default();
        check_len(&header, code.len() as u64)?;
        header.check(code)?;
        Ok(Self { bytes: shared(code)?, compiled: Some(header), text: None })
    }

    /// A module from a `.wasm` or `.cwasm` file.
    ///
    /// # Errors
    ///
    /// [`Error::Read`]; else as [`Self::from_bytes`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |error| Error::Read { name: path.display().to_string(), error };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // Files that the system makes up as they are read (/proc) say that they are empty.
        if !metadata.is_file() || metadata.len() == 0 {
            return Self::from_reader(&mut file, &path.display().to_string());
        }
        let mut head = Vec::new();
        (&mut file).take(artifact::HEADER_SIZE as u64).read_to_end(&mut head).map_err(failed)?;
        let (header, start, len) = if is_compiled(&head) {
            let header = Header::read(&head)?;
            check_len(&header, metadata.len().saturating_sub(artifact::CODE_OFFSET))?;
            (Some(header), artifact::CODE_OFFSET, header.len)
        } else {
            check_wasm(&head, metadata.len())?;
            (None, 0, metadata.len())
        };
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = SharedBytes::new(len, |to| file.read_exact(to)).map_err(failed)?;
        if let Some(header) = header {
            header.check(bytes.as_slice())?;
        }
        Ok(Self { bytes: Arc::new(bytes), compiled: header, text: None })
    }

    /// A module from a stream, which is read to its end. `name` is for messages.
    ///
    /// # Errors
    ///
    /// As [`Self::from_file`].
    pub fn from_reader(reader: &mut dyn Read, name: &str) -> Result<Self, Error> {
        let failed = |error| Error::Read { name: name.to_owned(), error };
        // No more than is needed to see that the rest is not wanted: a stream may have no end.
        let mut bytes = Vec::new();
        Read::take(&mut *reader, MAGIC_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let most = if is_compiled(&bytes) {
            let header_size = artifact::HEADER_SIZE as u64;
            Read::take(&mut *reader, header_size - MAGIC_MAX)
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            let header = Header::read(&bytes)?;
            check_len(&header, header.len)?;
            artifact::CODE_OFFSET + header.len
        } else {
            check_wasm(&bytes, bytes.len() as u64)?;
            MODULE_MAX
        };
        let left = most - bytes.len() as u64;
        Read::take(&mut *reader, left).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 == most && reader.read(&mut [0]).map_err(failed)? > 0 {
            return Err(match is_compiled(&bytes) {
                true => Error::UnusableArtifact("there is more behind its code".to_owned()),
                false => too_long(format_args!("more than {}", Bytes(MODULE_MAX))),
            });
        }
        Self::from_bytes(&bytes)
    }

    /// Assembles the text format, on the host: for texts that you trust.
    ///
    /// # Errors
    ///
    /// [`Error::NotWasm`] with the place and reason.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        Self::from_bytes(
            &wat::parse_str(text).map_err(|error| Error::NotWasm(Lines(error).to_string()))?,
        )
    }

    /// A compiled module from what is in its file after the header: from a compiler of your
    /// own, say, or somebody who wants in. Only a guest looks inside.
    ///
    /// # Errors
    ///
    /// [`Error::UnusableArtifact`] when there are none or too many bytes, [`Error::Memory`].
    pub fn from_code(code: &[u8], target: Target) -> Result<Self, Error> {
        let header = Header::unchecked(target, code.len() as u64);
        check_len(&header, header.len)?;
        Ok(Self { bytes: shared(code)?, compiled: Some(header), text: None })
    }

    /// Code that is in memory, and was checked or made here.
    pub(crate) fn compiled(bytes: SharedBytes, header: Header) -> Self {
        Self::shared(Arc::new(bytes), header)
    }

    /// As [`Self::compiled`], that others have, too.
    pub(crate) fn shared(bytes: Arc<SharedBytes>, header: Header) -> Self {
        Self { bytes, compiled: Some(header), text: None }
    }

    /// A compiled module of our own, of which we know where its code is.
    pub(crate) fn program(bytes: Arc<SharedBytes>, header: Header, text: Text) -> Self {
        Self { bytes, compiled: Some(header), text: Some(text) }
    }

    pub(crate) fn text(&self) -> Option<Text> {
        self.text
    }

    /// Where its code runs, if it is compiled.
    pub fn target(&self) -> Option<Target> {
        self.compiled.map(|header| header.target)
    }

    /// Whether it is a component, which only the native engine runs. Of compiled code the host
    /// cannot tell.
    pub fn is_component(&self) -> bool {
        self.compiled.is_none() && is_component(self.as_slice())
    }

    /// Names the code that it leads to on machines of a kind.
    pub(crate) fn source(&self, target: Target) -> Source {
        let mut hasher = blake3::Hasher::new();
        hasher.update(COMPILER_ID.as_bytes());
        hasher.update(&(target.arch as u32).to_le_bytes());
        hasher.update(&target.features.bits().to_le_bytes());
        hasher.update(self.as_slice());
        hasher.finalize()
    }

    pub(crate) fn header(&self) -> Option<&Header> {
        self.compiled.as_ref()
    }

    pub(crate) fn bytes(&self) -> &Arc<SharedBytes> {
        &self.bytes
    }

    /// Its bytes: of WebAssembly, or of code without the header of its file.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Writes it as the contents of a file that [`Self::from_file`] reads.
    ///
    /// # Errors
    ///
    /// What `to` returns.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        match &self.compiled {
            Some(header) => header.write(self.as_slice(), to),
            None => to.write_all(self.as_slice()),
        }
    }

    /// Its length in bytes, without the header of a compiled module's file.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether it has no bytes; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl AsRef<[u8]> for Module {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

fn is_compiled(head: &[u8]) -> bool {
    head.starts_with(artifact::MAGIC)
}

fn shared(bytes: &[u8]) -> Result<Arc<SharedBytes>, Error> {
    let shared = SharedBytes::new(bytes.len(), |to| {
        to.copy_from_slice(bytes);
        Ok::<_, io::Error>(())
    });
    Ok(Arc::new(shared.map_err(Error::Memory)?))
}

/// Whether a file holds as much code as its header says.
fn check_len(header: &Header, len: u64) -> Result<(), Error> {
    if header.len == 0 || header.len > COMPILED_MAX {
        return Err(Error::UnusableArtifact("its header is damaged".to_owned()));
    }
    if header.len != len {
        return Err(Error::UnusableArtifact(format!(
            "it holds {len} bytes of code where {} were written",
            header.len
        )));
    }
    Ok(())
}

/// Whether a file of `len` bytes begins like a module or a component.
fn check_wasm(head: &[u8], len: u64) -> Result<(), Error> {
    if len > MODULE_MAX {
        return Err(too_long(Bytes(len)));
    }
    if head.is_empty() {
        return Err(Error::NotWasm("it is empty".to_owned()));
    }
    if !head.starts_with(MAGIC) {
        let begin: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        return Err(Error::NotWasm(format!(
            "it begins with {} instead of 00 61 73 6d",
            begin.join(" ")
        )));
    }
    // Everything after is a guest's to judge.
    Ok(())
}

fn too_long(len: impl fmt::Display) -> Error {
    let most = Bytes(MODULE_MAX);
    Error::NotWasm(format!("it has {len}, and {most} is the most that any engine takes"))
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.compiled.is_some() { "compiled, " } else { "" };
        write!(f, "Module({kind}{} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, repeat};

    /// What was read of a stream that begins so and has no end, and the error.
    fn endless(begin: &[u8]) -> (u64, String) {
        let read = std::cell::Cell::new(0);
        let mut stream = Counting(begin.chain(repeat(0)), &read);
        let error = Module::from_reader(&mut stream, "it").unwrap_err().to_string();
        (read.get(), error)
    }

    struct Counting<'a, R>(R, &'a std::cell::Cell<u64>);

    impl<R: Read> Read for Counting<'_, R> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(to)?;
            self.1.set(self.1.get() + read as u64);
            Ok(read)
        }
    }

    #[test]
    fn a_stream_is_not_read_for_longer_than_it_may_be_a_module() {
        let (read, error) = endless(b"");
        assert!(error.contains("begins with 00 00 00 00") && read == MAGIC_MAX, "{read}: {error}");
        let (read, error) = endless(artifact::MAGIC);
        assert!(error.contains("version 0") && read < 1000, "{read}: {error}");
        let code = [7; 100];
        let header = Header::unchecked(Target::baseline(Target::ARCH), 100);
        let mut file = Vec::new();
        header.write(&code, &mut file).unwrap();
        let (read, error) = endless(&file);
        assert!(error.contains("more behind its code") && read < 0x8000, "{read}: {error}");
    }

    #[test]
    fn what_fits_is_read_whole() {
        let module = wat::parse_str("(module (memory 1))").unwrap();
        let read = Module::from_reader(&mut Cursor::new(&module), "it").unwrap();
        assert_eq!(read.as_slice(), module);
        let code = [7; 100];
        let header = Header::new(Target::baseline(Target::ARCH), blake3::hash(b""), &code);
        let mut file = Vec::new();
        header.write(&code, &mut file).unwrap();
        let read = Module::from_reader(&mut Cursor::new(&file), "it").unwrap();
        assert_eq!(read.as_slice(), code);
    }
}
