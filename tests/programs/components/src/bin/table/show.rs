//! What came of a call, in words that are the same everywhere.

use std::fmt::Debug;
use wasip2::filesystem::types::{ErrorCode, filesystem_error_code};
use wasip2::io::streams::StreamError;

/// What came of a call.
pub trait Show {
    fn show(self) -> String;
}

/// What only is there or is not.
pub struct Opaque<T>(pub Result<T, ErrorCode>);

impl<T> Show for Opaque<T> {
    fn show(self) -> String {
        self.0.map(drop).show()
    }
}

impl<T: Debug> Show for Result<T, ErrorCode> {
    fn show(self) -> String {
        match self {
            Ok(value) => format!("{value:?}"),
            Err(code) => code.name().to_owned(),
        }
    }
}

impl<T: Debug> Show for Result<T, StreamError> {
    fn show(self) -> String {
        match self {
            Ok(value) => format!("{value:?}"),
            Err(StreamError::Closed) => "closed".to_owned(),
            Err(StreamError::LastOperationFailed(error)) => match filesystem_error_code(&error) {
                Some(code) => format!("failed: {}", code.name()),
                None => "failed".to_owned(),
            },
        }
    }
}

impl<T: Debug> Show for Result<T, wasip2::sockets::network::ErrorCode> {
    fn show(self) -> String {
        match self {
            Ok(value) => format!("{value:?}"),
            Err(code) => code.name().to_owned(),
        }
    }
}

/// Prints a line.
pub fn line(what: &str, result: impl Show) {
    println!("{what}: {}", result.show());
}

/// A long name, shortened.
pub fn name(path: &str) -> String {
    match path.len() {
        0..60 => format!("{path:?}"),
        len => format!("{:?} and more, {len} bytes", &path[..4]),
    }
}
