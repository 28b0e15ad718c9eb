//! The mailbox, honestly used.

use crate::arch;
use core::ptr::{addr_of, addr_of_mut};
use wrt_abi::Call;
use wrt_abi::layout::MAILBOX_BASE;
use wrt_abi::mailbox::{Mailbox, PAYLOAD_MAX, REQUEST_ARGS, Request, Response};

const MAILBOX: *mut Mailbox = core::ptr::without_provenance_mut(MAILBOX_BASE as usize);

/// Makes a call.
pub fn call(number: u32, payload_len: u32, args: [u64; REQUEST_ARGS]) -> Response {
    let request = Request { call: number, payload_len, args };
    // SAFETY: the host has mapped the mailbox, unless orders have changed that: an attempt is
    // around those. Volatile: the host reads and writes it between the two accesses.
    unsafe {
        addr_of_mut!((*MAILBOX).request).write_volatile(request);
        arch::trap();
        addr_of!((*MAILBOX).response).read_volatile()
    }
}

/// The payload's bytes.
pub fn payload() -> &'static mut [u8; PAYLOAD_MAX] {
    // SAFETY: mapped and initialised; there is one thread, which holds one of these at a time.
    unsafe { &mut *addr_of_mut!((*MAILBOX).payload) }
}

/// Tells the host of a bug in this program.
pub fn panic() -> ! {
    let text = b"a bug of the evil guest's own";
    payload()[..text.len()].copy_from_slice(text);
    loop {
        call(Call::Panic as u32, text.len() as u32, [0; REQUEST_ARGS]);
    }
}
