//! `path_readlink`.

use wasi_programs::*;

fn main() {
    create("file", b"");
    ok(path_create_directory(ROOT, "a"));
    ok(path_symlink("zażółć/🦀", ROOT, "link"));
    ok(path_symlink("link", ROOT, "to-link"));
    ok(path_symlink("../link", ROOT, "a/link"));

    let target = "zażółć/🦀".as_bytes();
    let mut buffer = [b'.'; 64];
    let used = ok(path_readlink(ROOT, "link", &mut buffer));
    assert_eq!(&buffer[..used], target);
    // Nothing is written after it, no NUL either.
    assert!(buffer[used..].iter().all(|&byte| byte == b'.'));

    // A short buffer cuts it, in the middle of a character too.
    for size in 0..target.len() {
        let mut short = vec![0; size];
        assert_eq!(ok(path_readlink(ROOT, "link", &mut short)), size);
        assert_eq!(short, target[..size]);
    }

    let used = ok(path_readlink(ROOT, "to-link", &mut buffer));
    assert_eq!(&buffer[..used], b"link");
    let used = ok(path_readlink(ROOT, "a/link", &mut buffer));
    assert_eq!(&buffer[..used], b"../link");

    for no_link in ["file", "a", "."] {
        fails(ERRNO_INVAL, path_readlink(ROOT, no_link, &mut buffer));
    }
    fails(ERRNO_NOENT, path_readlink(ROOT, "missing", &mut buffer));
    fails(ERRNO_NOENT, path_readlink(ROOT, "", &mut buffer));
    fails(ERRNO_NOTDIR, path_readlink(ROOT, "file/below", &mut buffer));
    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_readlink(file, "x", &mut buffer));
}
