//! `proc_exit` from deep inside: nothing runs after it, no destructor either.

use wasi_programs::*;

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        println!("dropped");
    }
}

fn descend(depth: u32) {
    let _loud = Loud;
    if depth == 0 {
        proc_exit(3);
    }
    descend(depth - 1);
    println!("came back");
}

fn main() {
    // What was closed stays closed and what was written stays written.
    create("file", b"written");
    descend(50);
}
