//! A preopen for `/` and one for `/data`, which is elsewhere on the host.

use std::fs;
use wasi_programs::*;

fn main() {
    // To the host they are two directories that do not know of each other.
    let data = ROOT + 1;
    fails(ERRNO_NOENT, path_filestat_get(ROOT, 0, "data"));
    assert_eq!(names(data), ["config"]);

    // It is the program's library that makes one tree of them.
    assert_eq!(fs::read_to_string("/data/config").unwrap(), "from data");
    fs::write("/data/new", "1").unwrap();
    fs::write("/new", "2").unwrap();
    assert_eq!(names(ROOT), ["new"]);
    assert_eq!(names(data), ["config", "new"]);
}
