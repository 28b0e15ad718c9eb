//! Streams of files: offsets of their own, and everything that a stream can do.

use component_programs::*;
use wasip2::cli::stdout::get_stdout;

fn main() {
    let file = create("file", b"0123456789");

    // Two streams of one file do not move each other.
    let (one, other) = (file.read_via_stream(2).unwrap(), file.read_via_stream(5).unwrap());
    assert_eq!(one.read(3).unwrap(), b"234");
    assert_eq!(other.blocking_read(2).unwrap(), b"56");
    assert_eq!(one.skip(2).unwrap(), 2);
    assert_eq!(one.read(0).unwrap(), b"");
    assert_eq!(one.blocking_skip(1).unwrap(), 1);
    assert_eq!(one.read(10).unwrap(), b"89");
    assert!(matches!(one.read(1), Err(StreamError::Closed)));
    assert!(matches!(one.blocking_read(1), Err(StreamError::Closed)));
    assert_eq!(other.read(100).unwrap(), b"789");

    // Writing at an offset, and appending, in turn.
    let at = file.write_via_stream(8).unwrap();
    let end = file.append_via_stream().unwrap();
    assert!(at.check_write().unwrap() > 0);
    at.write(b"ab").unwrap();
    end.write(b"end").unwrap();
    at.blocking_write_and_flush(b"cd").unwrap();
    end.blocking_write_and_flush(b"!").unwrap();
    assert_eq!(file.write(b"x", 0), Ok(1));
    end.write_zeroes(2).unwrap();
    end.blocking_write_zeroes_and_flush(1).unwrap();
    at.flush().unwrap();
    at.blocking_flush().unwrap();
    assert_eq!(contents(&file), b"x1234567abcdd!\0\0\0");

    // A stream goes on when its descriptor is gone.
    let source = file.read_via_stream(0).unwrap();
    drop(file);
    let copy = create("copy", b"");
    let sink = copy.write_via_stream(0).unwrap();
    assert_eq!(sink.splice(&source, 5).unwrap(), 5);
    assert_eq!(sink.blocking_splice(&source, 1000).unwrap(), 12);
    assert!(matches!(sink.splice(&source, 1), Err(StreamError::Closed)));
    assert_eq!(contents(&copy), b"x1234567abcdd!\0\0\0");

    // Always ready.
    assert!(source.subscribe().ready() && sink.subscribe().ready());
    source.subscribe().block();
    let (read, write) = (source.subscribe(), sink.subscribe());
    assert_eq!(wasip2::io::poll::poll(&[&read, &write]), [0, 1]);

    // An error has the file system's code in it.
    assert_eq!(code(copy.write_via_stream(u64::MAX).unwrap().write(b"x")), ErrorCode::Invalid);

    let stdout = get_stdout();
    stdout.write(b"written ").unwrap();
    stdout.blocking_write_and_flush(b"twice\n").unwrap();
}
