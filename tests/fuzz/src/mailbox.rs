//! The mailbox: whatever is in the page, the host copies what is there and no more, and its
//! response leaves the guest's request as it was.

use arbitrary::Arbitrary;
use std::cell::RefCell;
use wrt_abi::mailbox::{
    MAILBOX_SIZE, PAYLOAD_MAX, PAYLOAD_OFFSET, REQUEST_OFFSET, RESPONSE_OFFSET, Request, Response,
};
use wrt_platform::memory::{Protection, Reservation};
use wrt_vm::fuzzing::Mailbox;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// The guest writes somewhere.
    Write {
        at: u16,
        bytes: &'a [u8],
    },
    Request,
    Payload(Len),
    Respond {
        status: u32,
        values: [u64; 8],
        claimed: u32,
        len: Len,
        byte: u8,
    },
}

/// A length, near an end as often as not.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Len {
    Short(u8),
    NearTheEnd(i8),
    Raw(u32),
}

impl Len {
    fn get(self) -> u32 {
        let end = u32::try_from(PAYLOAD_MAX).expect("a page is small");
        match self {
            Self::Short(len) => len.into(),
            Self::NearTheEnd(offset) => end.wrapping_add_signed(offset.into()),
            Self::Raw(len) => len,
        }
    }
}

const WORDS: usize = MAILBOX_SIZE / 8;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(case) = crate::input::<Case<'_>>(data) else { return };
    thread_local! {
        // Address space with nothing before and behind it.
        static PAGE: RefCell<Reservation> = RefCell::new({
            let page = Reservation::new(MAILBOX_SIZE).expect("there is address space");
            page.protect(0, MAILBOX_SIZE, Protection::ReadWrite).expect("and memory");
            page
        });
    }
    PAGE.with_borrow_mut(|reservation| {
        // SAFETY: as large as that, readable and writable, aligned to a page; borrowed alone.
        let page = unsafe { reservation.base().cast::<[u64; WORDS]>().as_mut() };
        page.fill(0);
        for step in &case.steps {
            run(page, step);
        }
    });
}

fn bytes(page: &[u64; WORDS]) -> Vec<u8> {
    page.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn run(page: &mut [u64; WORDS], step: &Step<'_>) {
    let before = bytes(page);
    match *step {
        Step::Write { at, bytes } => {
            for (offset, &byte) in bytes.iter().enumerate() {
                let at = (usize::from(at) + offset) % MAILBOX_SIZE;
                let mut word = page[at / 8].to_ne_bytes();
                word[at % 8] = byte;
                page[at / 8] = u64::from_ne_bytes(word);
            }
        }
        Step::Request => {
            let Request { call, payload_len, args } = Mailbox::new(page).request();
            let mut copied = [call.to_le_bytes(), payload_len.to_le_bytes()].concat();
            copied.extend(args.iter().flat_map(|word| word.to_le_bytes()));
            assert_eq!(copied, before[REQUEST_OFFSET..][..copied.len()]);
        }
        Step::Payload(len) => {
            let len = len.get();
            let copied = Mailbox::new(page).payload(len);
            assert_eq!(copied.len(), PAYLOAD_MAX.min(len as usize));
            assert_eq!(copied, before[PAYLOAD_OFFSET..][..copied.len()]);
        }
        Step::Respond { status, values, claimed, len, byte } => {
            // More than fits is cut.
            let payload = vec![byte; (len.get() as usize).min(2 * PAYLOAD_MAX)];
            let response = Response { status, payload_len: claimed, values };
            Mailbox::new(page).respond(response, &payload);
            let after = bytes(page);
            let written = payload.len().min(PAYLOAD_MAX);
            let word = |at: usize| {
                u32::from_le_bytes(after[RESPONSE_OFFSET + at..][..4].try_into().expect("a word"))
            };
            assert_eq!((word(0), word(4) as usize), (status, written), "what it says is there");
            assert_eq!(after[PAYLOAD_OFFSET..][..written], payload[..written]);
            let untouched = |range: std::ops::Range<usize>| before[range.clone()] == after[range];
            assert!(untouched(0..RESPONSE_OFFSET), "the request is the guest's");
            assert!(untouched(RESPONSE_OFFSET + size_of::<Response>()..PAYLOAD_OFFSET));
            assert!(untouched(PAYLOAD_OFFSET + written..MAILBOX_SIZE));
        }
    }
}
