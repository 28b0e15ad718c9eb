//! `fd_renumber` over the standard streams.

use wasi_programs::*;

fn main() {
    // Standard output into a file.
    let log = create_open("log", b"");
    ok(fd_renumber(log, FD_STDOUT));
    write_all(FD_STDOUT, b"into the file");
    assert_eq!(contents("log"), b"into the file");
    // It is a file now and can do what files do.
    assert_eq!(ok(fd_tell(FD_STDOUT)), 13);

    // Standard input from that file.
    let input = ok(open("log", 0, READ));
    ok(fd_renumber(input, FD_STDIN));
    assert_eq!(read_to_end(FD_STDIN), b"into the file");

    // Standard error takes the place of a file and still is what it was.
    let spare = ok(open("log", 0, READ));
    ok(fd_renumber(FD_STDERR, spare));
    write_all(spare, b"moved stderr\n");
    fails(ERRNO_BADF, fd_write(FD_STDERR, &[b"gone"]));
}
