//! Memory for code that is made at run time: written, then executed, never both at once.
//!
//! [`WritableCode`] can be written and not executed; [publishing](WritableCode::publish) it
//! makes [`ExecutableCode`], which can be executed and not written. Each takes the other's
//! place, so that a program with both in hand does not compile.
//!
//! * Linux: a file in memory, mapped for writing; publishing unmaps that view before it makes
//!   one for execution. No page is ever both, not even under two addresses.
//! * macOS: a mapping with `MAP_JIT`, which is executable for every thread but the one that
//!   has lifted its own protection for the time of [`WritableCode::write`]. A program with the
//!   hardened runtime needs the entitlement `com.apple.security.cs.allow-jit`.
//!
//! A guest's code is no affair of this: the hypervisor makes it executable, in the guest only.
//!
//! ```
//! # use wrt_platform::code::WritableCode;
//! # fn main() -> std::io::Result<()> {
//! // Returns 42.
//! #[cfg(target_arch = "x86_64")]
//! let machine_code = [0xb8, 42, 0, 0, 0, 0xc3];
//! #[cfg(target_arch = "aarch64")]
//! let machine_code = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
//! let mut code = WritableCode::new(machine_code.len())?;
//! code.write(|page| page[..machine_code.len()].copy_from_slice(&machine_code));
//! let code = code.publish()?;
//! // SAFETY: the bytes at the beginning are a function of this type.
//! let answer = unsafe { code.function::<extern "C" fn() -> u32>(0) }.map(|f| f());
//! assert_eq!(answer, Some(42));
//! # Ok(()) }
//! ```

mod cache;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("code at run time is made for Linux and macOS");

use crate::availability::Availability;
use crate::memory::page_size;
use std::io;

/// Code in the making: writable, not executable.
#[derive(Debug)]
pub struct WritableCode {
    pages: sys::Writable,
}

/// Code: executable, not writable.
#[derive(Debug)]
pub struct ExecutableCode {
    pages: sys::Executable,
}

impl WritableCode {
    /// Zeroed room for `len` bytes, rounded up to a page.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for no bytes at all; else what the system says: no memory, or no right to
    /// make code ([`ALLOW_JIT`](crate::entitlements::ALLOW_JIT)).
    pub fn new(len: usize) -> io::Result<Self> {
        let rounded = len.checked_next_multiple_of(page_size()).filter(|len| *len > 0);
        let len = rounded.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self { pages: sys::Writable::new(len)? })
    }

    /// Bytes there is room for.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there is no room; there always is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets `write` have the bytes.
    pub fn write<R>(&mut self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        self.pages.write(write)
    }

    /// Ends the writing; from here on the bytes can be executed, on every thread.
    ///
    /// # Errors
    ///
    /// When the system refuses executable memory.
    pub fn publish(self) -> io::Result<ExecutableCode> {
        Ok(ExecutableCode { pages: self.pages.publish()? })
    }
}

impl ExecutableCode {
    /// First byte.
    pub fn as_ptr(&self) -> *const u8 {
        self.pages.as_ptr()
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are no bytes; there always are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The function that begins at a byte, or `None` outside the code. `F` is a function
    /// pointer's type.
    ///
    /// # Safety
    ///
    /// 1. `F` is a type of function pointers.
    /// 2. A function of that type begins there.
    /// 3. It is not called once `self` is gone or writable again.
    pub unsafe fn function<F: Copy>(&self, offset: usize) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*const u8>()) };
        if offset >= self.len() {
            return None;
        }
        let start = self.as_ptr().wrapping_add(offset);
        // SAFETY: `F` is a function pointer, of a pointer's size (1), and code of its type is
        // there (2).
        Some(unsafe { std::mem::transmute_copy::<*const u8, F>(&start) })
    }

    /// Makes it writable again, and not executable.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Safety
    ///
    /// No thread is in the code, and none enters it until it is published again.
    pub unsafe fn make_writable(self) -> io::Result<WritableCode> {
        Ok(WritableCode { pages: self.pages.make_writable()? })
    }
}

/// Whether this process can make code at all: tries it.
pub fn can_execute() -> bool {
    try_out().is_ok()
}

/// Writes a function, and calls it.
fn try_out() -> io::Result<()> {
    const ANSWER: u32 = 42;
    // `mov eax, 42; ret`, and `mov w0, #42; ret`.
    const FUNCTION: &[u8] = if cfg!(target_arch = "x86_64") {
        &[0xb8, 0x2a, 0, 0, 0, 0xc3]
    } else {
        &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6]
    };
    let mut code = WritableCode::new(FUNCTION.len())?;
    code.write(|page| page[..FUNCTION.len()].copy_from_slice(FUNCTION));
    let code = code.publish()?;
    // SAFETY: a function of this type was written there, for either processor, and `code` outlives
    // the call.
    let answer = unsafe { code.function::<extern "C" fn() -> u32>(0) }.map(|function| function());
    match answer {
        Some(ANSWER) => Ok(()),
        _ => Err(io::Error::other("a function that was written does not return what it should")),
    }
}

/// What of it this machine offers: tried, by a function that is written and called.
pub fn availability() -> Availability {
    let problem = try_out().err();
    Availability {
        system: "code",
        available: problem.is_none(),
        how: format!("{}; a function that was written was called", sys::HOW),
        remedy: problem.as_ref().map(|_| sys::REMEDY.to_owned()),
        missing: problem.map(|error| format!("memory cannot be made executable: {error}")),
    }
}
