//! Symbolic links that lead out of the preopen, made by the program itself.

use wasi_programs::*;

fn main() {
    ok(path_create_directory(ROOT, "a"));
    create("file", b"inside");

    // An absolute one cannot even be made.
    fails(ERRNO_PERM, path_symlink("/etc/passwd", ROOT, "x"));
    fails(ERRNO_PERM, path_symlink("/", ROOT, "x"));
    assert_absent("x");

    // A relative one can, but is not followed.
    for (target, link) in [
        ("..", "up"),
        ("../outside", "to-outside"),
        ("../outside/secret.txt", "to-secret"),
        ("../outside/new.txt", "to-new"),
        ("a/../../outside/secret.txt", "zigzag"),
        ("../../outside/secret.txt", "a/to-secret"),
    ] {
        ok(path_symlink(target, ROOT, link));
        fails(ERRNO_PERM, open(link, 0, READ));
        fails(ERRNO_PERM, open(link, OFLAGS_CREAT, WRITE));
        fails(ERRNO_PERM, open(link, OFLAGS_TRUNC, WRITE));
        fails(ERRNO_PERM, path_filestat_get(ROOT, FOLLOW, link));
    }
    for path in ["up/outside/secret.txt", "to-outside/secret.txt", "up/new"] {
        fails(ERRNO_PERM, open(path, 0, READ));
        fails(ERRNO_PERM, open(path, OFLAGS_CREAT, WRITE));
        fails(ERRNO_PERM, path_create_directory(ROOT, path));
        fails(ERRNO_PERM, path_unlink_file(ROOT, path));
        fails(ERRNO_PERM, path_rename(ROOT, "file", ROOT, path));
    }

    // One that is fine where it is made and leads out where it is moved.
    ok(path_symlink("../file", ROOT, "a/link"));
    assert_eq!(contents("a/link"), b"inside");
    ok(path_rename(ROOT, "a/link", ROOT, "link"));
    fails(ERRNO_PERM, open("link", 0, READ));
    // And the other way round.
    ok(path_rename(ROOT, "link", ROOT, "a/link"));
    assert_eq!(contents("a/link"), b"inside");

    // Seen from the directory it is in, it leads out as well.
    let a = open_directory("a");
    fails(ERRNO_PERM, open_at(a, "link", 0, READ));

    // A directory moved under a link: the link now climbs one level more.
    ok(path_create_directory(ROOT, "deep"));
    ok(path_symlink("../../file", ROOT, "deep/link"));
    fails(ERRNO_PERM, open("deep/link", 0, READ));
    ok(path_rename(ROOT, "deep", ROOT, "a/deep"));
    assert_eq!(contents("a/deep/link"), b"inside");
}
