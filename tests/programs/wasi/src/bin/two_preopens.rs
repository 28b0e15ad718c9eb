//! Two preopens next to each other on the host: `/one` and `/two`.

use wasi_programs::*;

const ONE: Fd = ROOT;
const TWO: Fd = ROOT + 1;

fn main() {
    let fd = ok(open_at(ONE, "file", OFLAGS_CREAT, WRITE));
    write_all(fd, b"from one");
    ok(fd_close(fd));

    // Neither sees the other.
    fails(ERRNO_NOENT, open_at(TWO, "file", 0, READ));
    fails(ERRNO_PERM, open_at(TWO, "../one/file", 0, READ));
    fails(ERRNO_PERM, open_at(TWO, "/one/file", 0, READ));
    ok(path_symlink("../one/file", TWO, "link"));
    fails(ERRNO_PERM, open_at(TWO, "link", 0, READ));

    // A file may be linked and moved with a descriptor on either side, unless that is another mount.
    let linked = path_link(ONE, 0, "file", TWO, "linked");
    let moved = path_rename(ONE, "file", TWO, "moved");
    if are_mounts() && linked == Err(ERRNO_XDEV) {
        fails(ERRNO_XDEV, moved);
        assert_eq!(names(TWO), ["link"]);
        std::fs::copy("/one/file", "/two/linked").unwrap();
        std::fs::rename("/one/file", "/one/back").unwrap();
        return;
    }
    ok(linked);
    ok(moved);
    assert_eq!(names(ONE), [""; 0]);
    assert_eq!(names(TWO), ["link", "linked", "moved"]);

    // The standard library finds the right one by the name.
    assert_eq!(std::fs::read("/two/moved").unwrap(), b"from one");
    std::fs::rename("/two/moved", "/one/back").unwrap();
    assert_eq!(names(ONE), ["back"]);
    assert!(std::fs::metadata("/three").is_err());
}
