//! Hard links across the border of the preopen, either way.

use wasi_programs::*;

fn main() {
    create("file", b"inside");
    ok(path_create_directory(ROOT, "a"));
    ok(path_symlink("../outside", ROOT, "to-outside"));
    ok(path_symlink("../outside/secret.txt", ROOT, "to-secret"));

    for secret in ["../outside/secret.txt", "a/../../outside/secret.txt", "to-outside/secret.txt"] {
        fails(ERRNO_PERM, path_link(ROOT, 0, secret, ROOT, "stolen"));
        fails(ERRNO_INVAL, path_link(ROOT, FOLLOW, secret, ROOT, "stolen"));
    }
    for place in ["../outside/planted", "to-outside/planted", "../planted"] {
        fails(ERRNO_PERM, path_link(ROOT, 0, "file", ROOT, place));
    }
    assert_absent("stolen");

    // Following the link is refused, so what is linked is the link.
    fails(ERRNO_INVAL, path_link(ROOT, FOLLOW, "to-secret", ROOT, "stolen"));
    ok(path_link(ROOT, 0, "to-secret", ROOT, "still-a-link"));
    assert_eq!(filetype("still-a-link"), Ok(FILETYPE_SYMBOLIC_LINK));
    fails(ERRNO_PERM, open("still-a-link", 0, READ));

    // Out of an opened directory, though not out of the preopen.
    let a = open_directory("a");
    fails(ERRNO_PERM, path_link(a, 0, "../file", ROOT, "stolen"));
    fails(ERRNO_PERM, path_link(ROOT, 0, "file", a, "../planted"));
    assert_absent("stolen");
    assert_absent("planted");
}
