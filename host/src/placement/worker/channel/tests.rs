//! Messages and descriptors over a pair of sockets.

use super::*;
use crate::world::passing::Descriptor;
use proptest::prelude::*;
use std::io::{Read as _, Seek as _, Write as _};
use std::time::Instant;

fn pair() -> (Channel, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    (Channel::new(one).unwrap(), other)
}

#[test]
fn messages_arrive_with_their_descriptors() {
    let (sender, other) = pair();
    let receiver = Channel::new(other).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"inside").unwrap();
    file.rewind().unwrap();
    sender.send(&("hello", Descriptor(file.into())), &Endless).unwrap();
    sender.send(&(String::from("again"), 1), &Endless).unwrap();
    let (text, file) = receiver.receive::<(String, Descriptor)>(&Endless).unwrap();
    assert_eq!(text, "hello");
    let mut inside = String::new();
    std::fs::File::from(file.0).read_to_string(&mut inside).unwrap();
    assert_eq!(inside, "inside");
    assert_eq!(receiver.receive::<(String, i32)>(&Endless).unwrap().0, "again");
    drop(sender);
    let end = receiver.receive::<(String, i32)>(&Endless).unwrap_err();
    assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_message_has_no_descriptor_that_it_does_not_name() {
    let (sender, other) = pair();
    let receiver = Channel::new(other).unwrap();
    for descriptors in [0, 2] {
        let mut message = Packed::new(&Descriptor(tempfile::tempfile().unwrap().into())).unwrap();
        message.descriptors.clear();
        let file = || tempfile::tempfile().unwrap().into();
        message.descriptors.extend((0..descriptors).map(|_| file()));
        sender.send_packed(&message, &Endless).unwrap();
        let refused = receiver.receive::<Descriptor>(&Endless).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn impossible_lengths_are_refused_before_memory_is_taken() {
    let (receiver, mut other) = pair();
    other.write_all(&u32::MAX.to_le_bytes()).unwrap();
    other.write_all(&0u32.to_le_bytes()).unwrap();
    let refused = receiver.receive::<String>(&Endless).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
}

/// Lasts until a time.
struct Until(Instant);

impl Patience for Until {
    fn left(&self) -> Option<Duration> {
        Some(self.0.saturating_duration_since(Instant::now()))
    }
}

fn soon() -> Until {
    Until(Instant::now() + Duration::from_millis(50))
}

#[test]
fn neither_silence_nor_half_a_message_is_waited_for_without_end() {
    let (receiver, mut other) = pair();
    let silent = receiver.receive::<String>(&soon()).unwrap_err();
    assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    other.write_all(&[9, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
    let half = receiver.receive::<String>(&soon()).unwrap_err();
    assert_eq!(half.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn who_does_not_read_is_not_waited_for_without_end() {
    let (sender, _other) = pair();
    let full = sender.send(&vec![0_u8; 4 << 20], &soon()).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn who_never_stops_sending_is_not_listened_to_without_end() {
    let (receiver, other) = pair();
    let sender = std::thread::spawn(move || {
        let sender = Channel::new(other).unwrap();
        while sender.send(&1_u8, &Endless).is_ok() {}
    });
    let patience = soon();
    let end = loop {
        if let Err(error) = receiver.receive::<u8>(&patience) {
            break error;
        }
    };
    assert_eq!(end.kind(), io::ErrorKind::TimedOut);
    drop(receiver);
    sender.join().unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_received_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (receiver, mut other) = pair();
        let len = u32::try_from(bytes.len()).unwrap();
        other.write_all(&len.to_le_bytes()).unwrap();
        other.write_all(&0u32.to_le_bytes()).unwrap();
        other.write_all(&bytes).unwrap();
        drop(other);
        let _ = receiver.receive::<super::super::message::Message<'_>>(&Endless);
    }
}
