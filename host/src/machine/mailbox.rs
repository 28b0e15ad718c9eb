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

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes as _;

    const CANARY: u8 = 0xa5;
    /// Around the page, which is in the middle.
    const AROUND: usize = MAILBOX_SIZE;

    /// A page with canaries on both sides, aligned as the mailbox is.
    #[repr(C, align(4096))]
    struct Pages([u8; 2 * AROUND + MAILBOX_SIZE]);

    impl Pages {
        fn new() -> Box<Self> {
            Box::new(Self([CANARY; 2 * AROUND + MAILBOX_SIZE]))
        }

        fn mailbox(&mut self) -> Mailbox {
            let page = NonNull::from(&mut self.0[AROUND..]).cast();
            // SAFETY: the middle of the pages, which outlive what each test does with it.
            unsafe { Mailbox::new(page) }
        }

        fn page(&mut self) -> &mut [u8] {
            &mut self.0[AROUND..AROUND + MAILBOX_SIZE]
        }
    }

    /// Every length that can make a difference, and the largest.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..=PAYLOAD_MAX + 64).chain([usize::from(u16::MAX), u32::MAX as usize])
    }

    #[test]
    fn no_length_of_a_request_leads_out_of_the_page() {
        let mut pages = Pages::new();
        for (at, byte) in pages.page().iter_mut().enumerate() {
            *byte = u8::try_from(at % 251).expect("it is less");
        }
        let expected = pages.page()[PAYLOAD_OFFSET..].to_vec();
        let mailbox = pages.mailbox();
        for len in lengths() {
            let copy = mailbox.payload(u32::try_from(len).expect("a request has 32 bits for it"));
            assert_eq!(copy, expected[..len.min(PAYLOAD_MAX)], "{len}");
        }
    }

    #[test]
    fn no_length_of_a_response_leads_out_of_the_page() {
        let payload = vec![0x5a; PAYLOAD_MAX + 64];
        for len in 0..=payload.len() {
            let mut pages = Pages::new();
            let response = Response { status: 7, payload_len: u32::MAX, values: [9; _] };
            pages.mailbox().respond(response, &payload[..len]);
            let used = len.min(PAYLOAD_MAX);
            let mut expected = vec![CANARY; pages.0.len()];
            expected[AROUND + PAYLOAD_OFFSET..][..used].fill(0x5a);
            let payload_len = u32::try_from(used).expect("a page");
            let response = Response { payload_len, ..response };
            expected[AROUND + RESPONSE_OFFSET..][..size_of::<Response>()]
                .copy_from_slice(response.as_bytes());
            assert!(pages.0 == expected[..], "{len}: and nothing else is written");
        }
    }
}
