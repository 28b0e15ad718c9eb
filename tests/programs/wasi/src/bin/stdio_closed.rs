//! All of the standard streams closed by the program, which goes on.

use wasi_programs::*;

fn main() {
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        ok(fd_close(fd));
    }
    // The standard library takes a stream that is not there for an empty one.
    println!("nobody reads this");
    assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "");

    // The last number freed is the first to be given out: wasmtime takes the
    // largest. A file in the place of an output is written as such.
    let fd = ok(open("file", OFLAGS_CREAT, WRITE));
    assert_eq!(fd, FD_STDERR);
    eprintln!("in the file");
    assert_eq!(contents("file"), b"in the file\n");
}
