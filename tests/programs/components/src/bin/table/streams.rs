//! Streams and pollables.

use crate::show::line;
use crate::world::{preopened, write};
use component_programs::{DescriptorFlags, OpenFlags, PathFlags};
use wasip2::cli::stderr::get_stderr;
use wasip2::cli::stdin::get_stdin;
use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock::{now, subscribe_duration, subscribe_instant};
use wasip2::filesystem::types::Descriptor;
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

fn open(path: &str) -> Descriptor {
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let opened = preopened("/").open_at(PathFlags::empty(), path, OpenFlags::empty(), flags);
    opened.expect("a file")
}

pub fn all() {
    write(&preopened("/"), "source", &[b'x'; 200_000]);
    write(&preopened("/"), "sink", b"");
    sizes();
    splices();
    standard();
    pollables();
}

/// The bytes that come at once, whatever was asked for.
fn sizes() {
    let source = open("source");
    for len in [1, 65_535, 65_536, 65_537, 1 << 32, u64::MAX] {
        let stream = source.read_via_stream(0).expect("a stream");
        line(&format!("read {len}"), stream.blocking_read(len).map(|bytes| bytes.len()));
        let stream = source.read_via_stream(199_999).expect("a stream");
        line(&format!("skip {len}"), stream.blocking_skip(len));
        line(&format!("skip {len} again"), stream.blocking_skip(len));
        line(&format!("skip {len} and again"), stream.skip(len));
        let read = source.read(len, 0).map(|(bytes, end)| (bytes.len(), end));
        line(&format!("descriptor: read {len}"), read);
    }
    let sink = open("sink").write_via_stream(0).expect("a stream");
    line("check write", sink.check_write());
    line("write nothing", sink.blocking_write_and_flush(b""));
    line("write 4096", sink.blocking_write_and_flush(&[b'a'; 4096]));
    line("zeroes 4096", sink.blocking_write_zeroes_and_flush(4096));
    line("zeroes 0", sink.blocking_write_zeroes_and_flush(0));
    line("write 65536", sink.write(&[b'b'; 65_536]));
    sink.subscribe().block();
    line("zeroes 65536", sink.write_zeroes(65_536));
    sink.subscribe().block();
    line("flush", sink.flush());
    line("flush and wait", sink.blocking_flush());
    println!("size: {}", open("sink").stat().expect("attributes").size);
}

/// Bytes that go from one stream to the other.
fn splices() {
    let (source, sink) = (open("source"), open("sink"));
    let from = source.read_via_stream(190_000).expect("a stream");
    let to = sink.write_via_stream(0).expect("a stream");
    line("splice 0", to.blocking_splice(&from, 0));
    line("splice 5", to.blocking_splice(&from, 5));
    line("splice much", to.blocking_splice(&from, u64::MAX));
    line("splice at the end", to.blocking_splice(&from, 1));
    line("splice at the end again", to.splice(&from, 1));
    line("the sink after it", to.blocking_write_and_flush(b"x"));
    // What cannot be written.
    let from = source.read_via_stream(190_000).expect("a stream");
    let to = sink.write_via_stream(u64::MAX).expect("a stream");
    let failed = to.blocking_splice(&from, 5);
    if let Err(StreamError::LastOperationFailed(error)) = &failed {
        println!("an error says something: {}", !error.to_debug_string().is_empty());
    }
    line("splice that fails", failed);
    line("splice that failed before", to.blocking_splice(&from, 5));
    line("check after it", to.check_write());
    line("write after it", to.write(b"x"));
    line("flush after it", to.flush());
    line("source after it", from.blocking_read(1).map(|bytes| bytes.len()));
}

/// Standard streams: the input is a line.
fn standard() {
    let (stdin, again) = (get_stdin(), get_stdin());
    stdin.subscribe().block();
    line("stdin: nothing", stdin.read(0));
    line("stdin", stdin.blocking_read(3));
    line("stdin: another", again.blocking_read(100));
    line("stdin: end", ended(&stdin));
    line("stdin: end again", stdin.blocking_read(1));
    line("stdin: another end", ended(&again));
    line("stdin: skip", again.blocking_skip(1));
    println!("stdin ready: {}", stdin.subscribe().ready());
    for (name, stream) in [("stdout", get_stdout()), ("stderr", get_stderr())] {
        // The end of output of a run that is compared as text.
        line(&format!("{name}: nothing"), stream.blocking_write_and_flush(b""));
        line(&format!("{name}: permit"), permit(&stream));
        println!("{name} ready: {}", stream.subscribe().ready());
    }
}

/// The end of a stream, after waiting for it.
fn ended(stream: &InputStream) -> Result<usize, StreamError> {
    loop {
        match stream.blocking_read(10) {
            Ok(bytes) if bytes.is_empty() => {}
            other => return other.map(|bytes| bytes.len()),
        }
    }
}

fn permit(stream: &OutputStream) -> Result<bool, StreamError> {
    stream.subscribe().block();
    stream.check_write().map(|permit| permit >= 4096)
}

/// Times, near and far, and several at once.
fn pollables() {
    let past = subscribe_instant(0);
    past.block();
    println!("past: {}", past.ready());
    let far = [
        subscribe_duration(u64::MAX),
        subscribe_duration(u64::MAX / 2),
        subscribe_instant(u64::MAX),
        subscribe_instant(u64::MAX - 1),
        subscribe_duration(3_600_000_000_000),
    ];
    for pollable in &far {
        println!("far: {}", pollable.ready());
    }
    let soon = subscribe_duration(1_000_000);
    println!("soon: {:?}", poll(&[&far[0], &far[2], &soon, &far[4]]));
    let source = open("source");
    let (one, other) = (source.read_via_stream(0).unwrap(), source.write_via_stream(0).unwrap());
    let (read, written) = (one.subscribe(), other.subscribe());
    read.block();
    written.block();
    println!("files: {} {}", read.ready(), written.ready());
    let mut ready = poll(&[&soon, &far[0], &soon, &past, &past]);
    ready.sort();
    println!("twice: {ready:?}");
    let before = now();
    subscribe_duration(5_000_000).block();
    println!("waited: {}", now() - before >= 5_000_000);
    let stdin = get_stdin();
    let input = stdin.subscribe();
    input.block();
    println!("stdin: {:?}", poll(&[&far[0], &input]));
    // Thousands at once.
    let many: Vec<_> = (0..5000).map(|_| subscribe_duration(0)).collect();
    many.iter().for_each(wasip2::io::poll::Pollable::block);
    println!("many: {}", poll(&many.iter().collect::<Vec<_>>()).len());
}
