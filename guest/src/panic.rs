//! A panic ends the VM, with its message, as a typed end on the host.

use crate::{heap, hostcall};
use core::fmt::Write as _;
use core::panic::PanicInfo;

/// How `alloc`'s error handler begins its panic message; it has no stable hook.
const ALLOCATION_FAILED: &str = "memory allocation of ";

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut line = hostcall::PayloadWriter::new();
    // Writing cuts what does not fit and cannot fail otherwise.
    let _ = write!(line, "{}", info.message());
    if line.as_bytes().starts_with(ALLOCATION_FAILED.as_bytes()) {
        hostcall::out_of_memory(heap::largest_refused());
    }
    if let Some(place) = info.location() {
        let _ = write!(line, " at {}:{}", place.file(), place.line());
    }
    hostcall::panic(line.len())
}

/// Named by precompiled `core` and `alloc`; never called, since panics abort.
#[cfg(not(target_os = "none"))]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As above.
#[cfg(not(target_os = "none"))]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    panic!("unwinding in a kernel that does not unwind")
}
