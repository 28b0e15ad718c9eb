//! The mailbox: the only memory through which host and guest exchange words.
//!
//! One request is in flight at a time. The guest owns the page while it runs; the host
//! owns it while the vCPU is stopped. The host copies the [`Request`] **once** and never
//! reads back what it wrote.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Size of the mailbox page in bytes.
pub const MAILBOX_SIZE: usize = 16 << 10;
/// Room for a request's or a response's payload, in bytes.
pub const PAYLOAD_MAX: usize = MAILBOX_SIZE - 256;
/// Argument words of a request: a service's function, a memory (base, length) and the nine
/// arguments of `path_open`.
pub const REQUEST_ARGS: usize = 12;
/// Result words of a response.
pub const RESPONSE_VALUES: usize = 8;

/// Guest to host.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Request {
    /// A [`Call`](crate::Call) number.
    pub call: u32,
    /// Bytes of the payload that belong to this request; at most [`PAYLOAD_MAX`].
    pub payload_len: u32,
    /// Arguments, as the call's documentation says; unused words are zero.
    pub args: [u64; REQUEST_ARGS],
}

/// Host to guest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Response {
    /// A [`Status`](crate::Status).
    pub status: u32,
    /// Bytes of the payload that belong to this response; at most [`PAYLOAD_MAX`].
    pub payload_len: u32,
    /// Results, as the call's documentation says.
    pub values: [u64; RESPONSE_VALUES],
}

/// The whole page.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mailbox {
    /// Written by the guest.
    pub request: Request,
    /// Written by the host.
    pub response: Response,
    reserved: [u8; 80],
    /// Bytes that go with the request or the response, whichever was written last.
    pub payload: [u8; PAYLOAD_MAX],
}

/// Offset of [`Mailbox::request`].
pub const REQUEST_OFFSET: usize = core::mem::offset_of!(Mailbox, request);
/// Offset of [`Mailbox::response`].
pub const RESPONSE_OFFSET: usize = core::mem::offset_of!(Mailbox, response);
/// Offset of [`Mailbox::payload`].
pub const PAYLOAD_OFFSET: usize = core::mem::offset_of!(Mailbox, payload);

const _: () = {
    assert!(size_of::<Request>() == 104);
    assert!(size_of::<Response>() == 72);
    assert!(size_of::<Mailbox>() == MAILBOX_SIZE);
    assert!(REQUEST_OFFSET == 0);
    assert!(RESPONSE_OFFSET == 104);
    assert!(PAYLOAD_OFFSET == 256);
    assert!(align_of::<Mailbox>() == 8);
};
