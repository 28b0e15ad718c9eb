//! A name on the host that is not UTF-8, and so is none here.

use wasi_programs::*;

fn main() {
    let mut buffer = [0; 4096];
    let odd = open_directory("odd");

    // It spoils the whole listing of its directory, but nothing else.
    for cookie in 0..4 {
        fails(ERRNO_ILSEQ, fd_readdir(odd, &mut buffer, cookie));
    }
    assert_eq!(names(ROOT), ["good", "odd"]);
    assert_eq!(contents("odd/good"), b"fine");
    ok(path_unlink_file(ROOT, "odd/good"));

    // The directory is not empty, though nothing in it can be named.
    fails(ERRNO_NOTEMPTY, path_remove_directory(ROOT, "odd"));
    ok(path_rename(ROOT, "odd", ROOT, "moved"));
}
