//! The interfaces of WASI 0.2, function by function: each call prints what came of it, by name.
//!
//! The same program runs in a VM and on another host of WASI, and the lines are compared. So
//! nothing is printed that differs from run to run: no times, no numbers of files. The world has
//! `/`, which may be changed, `/ro`, which may not, and `/other`.

mod descriptors;
mod directories;
mod paths;
mod rest;
mod show;
mod streams;
mod world;

fn main() {
    let what = std::env::args().nth(1).expect("an argument");
    match what.as_str() {
        "open" => paths::open(),
        "paths" => paths::operations(),
        "two paths" => paths::of_two(),
        "descriptors" => descriptors::all(),
        "times" => descriptors::times(),
        "directories" => directories::all(),
        "streams" => streams::all(),
        "rest" => rest::all(),
        other => panic!("no such table: {other}"),
    }
}
