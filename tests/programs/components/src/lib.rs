//! What the programs share.

pub use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};
pub use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Reading and writing.
pub const READ_WRITE: DescriptorFlags = DescriptorFlags::READ.union(DescriptorFlags::WRITE);

/// The first preopened directory.
pub fn root() -> Descriptor {
    wasip2::filesystem::preopens::get_directories().remove(0).0
}

/// Opens what is below the root.
pub fn open(path: &str, how: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
    root().open_at(PathFlags::empty(), path, how, flags)
}

/// A new file with these bytes, open for reading and writing.
#[track_caller]
pub fn create(path: &str, bytes: &[u8]) -> Descriptor {
    let how = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let file = open(path, how, READ_WRITE).expect("a new file");
    assert_eq!(file.write(bytes, 0), Ok(bytes.len() as u64));
    file
}

/// All bytes of a file.
#[track_caller]
pub fn contents(file: &Descriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (more, end) = file.read(1 << 20, bytes.len() as u64).expect("a readable file");
        bytes.extend(more);
        if end {
            return bytes;
        }
    }
}

/// The code of the file system in a stream's error.
#[track_caller]
pub fn code<T: std::fmt::Debug>(result: Result<T, StreamError>) -> ErrorCode {
    match result {
        Err(StreamError::LastOperationFailed(error)) => {
            assert!(error.to_debug_string().contains("errno"), "{}", error.to_debug_string());
            wasip2::filesystem::types::filesystem_error_code(&error).expect("a code")
        }
        other => panic!("expected an error, got {other:?}"),
    }
}
