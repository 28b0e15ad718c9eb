//! An ordinary program, by the standard library alone: the first argument says what it does.

use std::io::{self, Read as _, Write as _};
use std::process::{ExitCode, exit};
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["args", ref rest @ ..] => rest.iter().for_each(|arg| println!("{arg:?}")),
        ["env"] => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["echo"] => {
            let copied = io::copy(&mut io::stdin().lock(), &mut io::stdout().lock());
            eprint!("{}", copied.expect("both ends are open"));
        }
        ["count"] => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).expect("standard input");
            println!("{}", bytes.len());
        }
        ["streams"] => {
            print!("out");
            io::stdout().flush().expect("standard output");
            eprint!("err");
        }
        ["exit", code] => exit(code.parse().expect("a number")),
        ["fail"] => return ExitCode::FAILURE,
        ["return", code] => return code.parse::<u8>().expect("a number").into(),
        ["panic"] => panic!("so it goes"),
        ["recurse"] => println!("{}", recurse(1)),
        ["hog"] => hog(),
        ["spin"] => loop {
            std::hint::black_box(0);
        },
        ["sleep", milliseconds] => {
            let time = Duration::from_millis(milliseconds.parse().expect("a number"));
            let before = std::time::Instant::now();
            std::thread::sleep(time);
            assert!(before.elapsed() >= time);
        }
        ref other => panic!("no such thing to do: {other:?}"),
    }
    ExitCode::SUCCESS
}

/// Calls that never end, and cannot be made a loop of.
#[expect(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 16]);
    recurse(depth + room[3]) + room[5]
}

/// Takes memory until there is none, and says how much there was.
fn hog() {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut more = Vec::new();
        if more.try_reserve_exact(1 << 20).is_err() {
            println!("{} MiB", taken.len());
            return;
        }
        more.resize(1 << 20, 1);
        taken.push(more);
    }
}
