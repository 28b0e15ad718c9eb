//! Chains of symbolic links: 40 are followed, one more is too many.

use wasi_programs::*;

fn main() {
    create("file", b"found");
    ok(path_symlink("file", ROOT, "link-1"));
    for index in 2..=41 {
        let target = format!("link-{}", index - 1);
        ok(path_symlink(&target, ROOT, &format!("link-{index}")));
    }
    assert_eq!(contents("link-40"), b"found");
    ok(path_filestat_get(ROOT, FOLLOW, "link-40"));
    fails(ERRNO_LOOP, open("link-41", 0, READ));
    fails(ERRNO_LOOP, open("link-41", OFLAGS_CREAT, WRITE));
    fails(ERRNO_LOOP, path_filestat_get(ROOT, FOLLOW, "link-41"));
    ok(path_filestat_get(ROOT, 0, "link-41"));

    // All links of a path count, not only those of one component.
    ok(path_create_directory(ROOT, "a"));
    ok(path_symlink(".", ROOT, "a/dot"));
    create("a/file", b"found too");
    let forty = format!("a/{}file", "dot/".repeat(40));
    assert_eq!(contents(&forty), b"found too");
    let more = format!("a/{}file", "dot/".repeat(41));
    fails(ERRNO_LOOP, open(&more, 0, READ));

    // A link to the directory it is in.
    ok(path_symlink("../a", ROOT, "a/again"));
    assert_eq!(contents("a/again/again/again/file"), b"found too");

    // Loops of one, two and three, in the middle and at the end.
    for (target, link) in [
        ("one", "one"),
        ("two-b", "two-a"),
        ("two-a", "two-b"),
        ("three-b", "three-a"),
        ("three-c/x", "three-b"),
        ("three-a", "three-c"),
    ] {
        ok(path_symlink(target, ROOT, link));
    }
    for link in ["one", "two-a", "three-a"] {
        fails(ERRNO_LOOP, open(link, 0, READ));
        fails(ERRNO_LOOP, open(&format!("{link}/x"), 0, READ));
        fails(ERRNO_LOOP, path_unlink_file(ROOT, &format!("{link}/x")));
        fails(ERRNO_LOOP, path_create_directory(ROOT, &format!("{link}/x")));
    }
    // A loop can be taken apart.
    ok(path_unlink_file(ROOT, "one"));
}
