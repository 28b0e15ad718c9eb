//! What the conformance programs share.
//!
//! The crate re-exports `wasip1` and shadows its functions with safe ones of
//! the same name. Those take slices where the import takes a pointer and a
//! length, and otherwise make exactly the one call their name says.

mod calls;
mod files;

pub use calls::*;
pub use files::*;

/// The first preopened directory.
pub const ROOT: Fd = 3;

/// A descriptor number no program ever gets.
pub const NO_SUCH_FD: Fd = 9_999;

/// The value of a call that must succeed.
#[track_caller]
pub fn ok<T>(result: Result<T, Errno>) -> T {
    match result {
        Ok(value) => value,
        Err(errno) => panic!("expected success, got {}", errno.name()),
    }
}

/// Asserts that a call fails, and with which errno.
#[track_caller]
pub fn fails<T>(want: Errno, result: Result<T, Errno>) {
    match result {
        Ok(_) => panic!("expected {}, got success", want.name()),
        Err(got) => assert!(got == want, "expected {}, got {}", want.name(), got.name()),
    }
}

/// Like [`fails`], where it depends on the host's kernel which errno it is:
/// wasmtime has `openat2` resolve paths, and resolves them itself without it.
#[track_caller]
pub fn fails_either<T>(want: [Errno; 2], result: Result<T, Errno>) {
    match result {
        Ok(_) => panic!("expected {} or {}, got success", want[0].name(), want[1].name()),
        Err(got) => assert!(
            want.contains(&got),
            "expected {} or {}, got {}",
            want[0].name(),
            want[1].name(),
            got.name()
        ),
    }
}

/// Like [`fails`], for a call made through the raw import.
#[track_caller]
pub fn fails_raw(want: Errno, got: i32) {
    assert_eq!(got, i32::from(want.raw()), "expected {}", want.name());
}

/// Whether each preopen may be a mount of its own, which no link and no rename crosses.
pub fn are_mounts() -> bool {
    std::env::args().next_back().is_some_and(|last| last == "mounts")
}

/// Makes a failed assertion exit with 101 where it would trap.
///
/// For the programs whose last call is expected to trap: a trap must not be
/// taken for success when it is only a panic.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        std::process::exit(101);
    }));
}
