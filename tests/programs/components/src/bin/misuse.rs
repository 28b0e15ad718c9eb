//! What ends a program: the argument says which. Nothing of it may reach the host.

use component_programs::*;
use wasip2::cli::stdin::get_stdin;
use wasip2::cli::stdout::get_stdout;
use wasip2::http::types::{Fields, OutgoingRequest};
use wasip2::random::random::get_random_bytes;

fn main() {
    let what = std::env::args().nth(1).expect("an argument");
    println!("calling {what}");
    match what.as_str() {
        "too many streams" => {
            let mut streams = Vec::new();
            loop {
                streams.push(get_stdout());
            }
        }
        "a write beyond the permit" => {
            let _ = get_stdout().write(&vec![0; 1 << 20]);
        }
        "zeroes beyond the permit" => {
            let file = create("file", b"");
            let _ = file.write_via_stream(0).unwrap().write_zeroes(u64::MAX);
        }
        "a blocking write of too much" => {
            let _ = get_stdout().blocking_write_and_flush(&[0; 4097]);
        }
        "blocking zeroes of too much" => {
            let file = create("file", b"");
            let stream = file.write_via_stream(0).unwrap();
            let _ = stream.blocking_write_zeroes_and_flush(4097);
        }
        "a stream that ends before its pollable" => {
            let stream = get_stdin();
            let pollable = stream.subscribe();
            drop(stream);
            drop(pollable);
        }
        "a sink that ends before its pollable" => {
            let stream = create("file", b"").write_via_stream(0).unwrap();
            let pollable = stream.subscribe();
            drop(stream);
            drop(pollable);
        }
        "a body that ends before its stream" => {
            let body = OutgoingRequest::new(Fields::new()).body().unwrap();
            let stream = body.write().unwrap();
            drop(body);
            drop(stream);
        }
        "too many headers" => {
            let headers = Fields::new();
            while headers.append("a", &[b'a'; 1000]).is_ok() {}
        }
        "too many random bytes" => drop(get_random_bytes(1 << 40)),
        "poll of nothing" => drop(wasip2::io::poll::poll(&[])),
        other => panic!("no such misuse: {other}"),
    }
}
