//! The host's side of the mailbox.

use std::ptr::NonNull;
use wrt_abi::mailbox::{
    MAILBOX_SIZE, PAYLOAD_MAX, PAYLOAD_OFFSET, REQUEST_OFFSET, RESPONSE_OFFSET, Request, Response,
};

/// The mailbox page as the host maps it.
///
/// All access is by copy: each request is read once, into the host's own memory, and what
/// the host writes it never reads back. The vCPU is stopped whenever these run.
#[derive(Debug)]
pub(crate) struct Mailbox {
    page: NonNull<u8>,
}

// SAFETY: a pointer into guest RAM, which moves between threads with its machine.
unsafe impl Send for Mailbox {}

impl Mailbox {
    /// # Safety
    ///
    /// 1. [`MAILBOX_SIZE`] bytes at `page` stay readable and writable for this value's life.
    /// 2. They are aligned to 8 bytes.
    pub(crate) unsafe fn new(page: NonNull<u8>) -> Self {
        const { assert!(PAYLOAD_OFFSET + PAYLOAD_MAX == MAILBOX_SIZE) };
        Self { page }
    }

    /// Copies the request.
    pub(crate) fn request(&self) -> Request {
        // SAFETY: within the page (1), aligned (2); any bits are a valid `Request`. Volatile:
        // the bytes are the guest's.
        unsafe { self.page.add(REQUEST_OFFSET).cast::<Request>().as_ptr().read_volatile() }
    }

    /// Copies the first `len` bytes of the payload, at most what there is.
    pub(crate) fn payload(&self, len: u32) -> Vec<u8> {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(PAYLOAD_MAX);
        let mut copy = vec![0; len];
        // SAFETY: `len` bytes within the page (1); `copy` is our own.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.page.add(PAYLOAD_OFFSET).as_ptr(),
                copy.as_mut_ptr(),
                len,
            );
        }
        copy
    }

    /// Writes a response and its payload, which is cut to what fits.
    pub(crate) fn respond(&mut self, mut response: Response, payload: &[u8]) {
        let payload = &payload[..payload.len().min(PAYLOAD_MAX)];
        response.payload_len = u32::try_from(payload.len()).unwrap_or(0);
        // SAFETY: as in `request` and `payload`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                payload.as_ptr(),
                self.page.add(PAYLOAD_OFFSET).as_ptr(),
                payload.len(),
            );
            self.page.add(RESPONSE_OFFSET).cast::<Response>().as_ptr().write_volatile(response);
        }
    }
}
