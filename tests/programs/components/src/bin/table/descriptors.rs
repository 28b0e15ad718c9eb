//! Every method of a descriptor, on every kind of descriptor.

use crate::show::{Opaque, Show as _, line};
use crate::world::{fresh, preopened};
use component_programs::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::{Advice, Descriptor};

/// Offsets and lengths at their limits.
const NUMBERS: [u64; 8] = [0, 3, 10, 11, 1 << 40, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];

/// Descriptors of each kind, as far as they can be had.
fn kinds(root: &Descriptor) -> Vec<(String, Descriptor)> {
    let (w, ro) = (fresh(root), preopened("/ro"));
    let mut kinds = Vec::new();
    for (letters, flags) in [
        ("-", DescriptorFlags::empty()),
        ("r", DescriptorFlags::READ),
        ("w", DescriptorFlags::WRITE),
        ("rw", DescriptorFlags::READ | DescriptorFlags::WRITE),
    ] {
        for (place, at) in [("/", &w), ("/ro", &ro)] {
            for path in ["file", "dir"] {
                let opened = at.open_at(PathFlags::empty(), path, OpenFlags::empty(), flags);
                if let Ok(opened) = opened {
                    kinds.push((format!("{path} of {place}, {letters}"), opened));
                }
            }
        }
    }
    kinds.push(("/".to_owned(), preopened("/")));
    kinds.push(("/ro".to_owned(), ro));
    kinds
}

pub fn all() {
    let root = preopened("/");
    for (kind, of) in kinds(&root) {
        line(&format!("{kind}: flags"), of.get_flags());
        line(&format!("{kind}: type"), of.get_type());
        line(&format!("{kind}: stat"), of.stat().map(|stat| stat.type_));
        line(&format!("{kind}: hash"), Opaque(of.metadata_hash()));
        line(&format!("{kind}: sync"), of.sync());
        line(&format!("{kind}: sync data"), of.sync_data());
        println!("{kind}: same as itself: {}", of.is_same_object(&of));
        println!("{kind}: same as /: {}", of.is_same_object(&root));
        line(&format!("{kind}: entries"), Opaque(of.read_directory()));
        numbers(&kind, &of);
        streams(&kind, &of);
        line(&format!("{kind}: times"), of.set_times(NewTimestamp::Now, NewTimestamp::NoChange));
    }
    for (kind, of) in kinds(&root) {
        for size in NUMBERS {
            // What a file system cannot hold differs from one to the other.
            if size <= 11 || size > i64::MAX as u64 {
                let set = of.set_size(size);
                let now = of.stat().map(|stat| stat.size);
                let now = if kind.starts_with("file") { now.show() } else { String::new() };
                println!("{kind}: size {size}: {} {now}", set.show());
            }
        }
    }
}

/// Reads, writes and advice at the limits of numbers.
fn numbers(kind: &str, of: &Descriptor) {
    for offset in NUMBERS {
        for len in [0, 4, u64::MAX] {
            let read = of.read(len, offset).map(|(bytes, end)| (text(&bytes), end));
            line(&format!("{kind}: read {len} at {offset}"), read);
        }
        if offset <= 11 || offset > i64::MAX as u64 {
            line(&format!("{kind}: write at {offset}"), of.write(b"ab", offset));
            line(&format!("{kind}: write nothing at {offset}"), of.write(b"", offset));
        }
        for len in [0, 4, u64::MAX] {
            let advised = of.advise(offset, len, Advice::WillNeed);
            line(&format!("{kind}: advise {len} at {offset}"), advised);
        }
    }
    for advice in
        [Advice::Normal, Advice::Sequential, Advice::Random, Advice::DontNeed, Advice::NoReuse]
    {
        line(&format!("{kind}: advise {}", advice as u8), of.advise(1, 2, advice));
    }
    line(&format!("{kind}: read all"), of.read(100, 0).map(|(bytes, end)| (text(&bytes), end)));
}

/// Streams, and what they say first and then.
fn streams(kind: &str, of: &Descriptor) {
    for offset in [2, 100, u64::MAX] {
        let what = format!("{kind}: read stream at {offset}");
        match of.read_via_stream(offset) {
            Err(code) => println!("{what}: {}", code.name()),
            Ok(stream) => {
                line(&what, stream.blocking_read(3).map(|bytes| text(&bytes)));
                line(&what, stream.blocking_read(3).map(|bytes| text(&bytes)));
                line(&what, stream.read(0));
            }
        }
    }
    for offset in [Some(2), Some(u64::MAX), None] {
        let what = format!("{kind}: write stream at {offset:?}");
        let stream = match offset {
            Some(offset) => of.write_via_stream(offset),
            None => of.append_via_stream(),
        };
        match stream {
            Err(code) => println!("{what}: {}", code.name()),
            Ok(stream) => {
                line(&what, stream.blocking_write_and_flush(b""));
                line(&what, stream.blocking_write_and_flush(b"x"));
                line(&what, stream.check_write().map(|permit| permit > 0));
                line(&what, stream.blocking_write_and_flush(b"y"));
                line(&what, stream.blocking_flush());
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Times that are set and read again.
pub fn times() {
    let w = fresh(&preopened("/"));
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let file = w.open_at(PathFlags::empty(), "file", OpenFlags::empty(), flags).expect("it");
    let known = |time: Option<Datetime>| time.map(|time| (time.seconds, time.nanoseconds));
    for seconds in [0, 1, 1 << 31, 1 << 32, 18_446_744_073, 18_446_744_074, 1 << 62, u64::MAX] {
        for nanoseconds in [0, 7, 999_999_999, 1_000_000_000, u32::MAX] {
            let what = format!("times {seconds} {nanoseconds}");
            let time = NewTimestamp::Timestamp(Datetime { seconds, nanoseconds });
            line(&what, file.set_times(time, NewTimestamp::NoChange));
            // Not every file system keeps times that are far away.
            let stat = file.stat();
            if seconds <= 1 << 31 {
                let stat = stat.map(|stat| known(stat.data_access_timestamp));
                line(&what, stat);
            }
            let zero = NewTimestamp::Timestamp(Datetime { seconds: 0, nanoseconds: 0 });
            line(&what, w.set_times_at(PathFlags::empty(), "file", zero, time));
            file.set_times(zero, zero).expect("times");
        }
    }
    let now = file.set_times(NewTimestamp::Now, NewTimestamp::Now);
    line("now", now);
    let stat = file.stat().expect("attributes");
    let is_now = |time: Option<Datetime>| time.is_some_and(|time| time.seconds > 1_700_000_000);
    println!("now: {}", is_now(stat.data_access_timestamp));
    println!("now: {}", is_now(stat.data_modification_timestamp));
}
