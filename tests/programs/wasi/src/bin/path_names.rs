//! Names at the limits: long, not text, and any text at all.

use wasi_programs::*;

/// `path_open` for reading, of a path that need not be UTF-8.
fn open_raw(path: &[u8]) -> i32 {
    let mut fd: Fd = 0;
    // SAFETY: The pointers are to a slice and a local.
    unsafe {
        wasi_snapshot_preview1::path_open(
            ROOT as i32,
            0,
            path.as_ptr() as i32,
            path.len() as i32,
            0,
            READ as i64,
            0,
            0,
            &raw mut fd as i32,
        )
    }
}

fn main() {
    // 255 bytes is the longest name, and 4,095 the longest path.
    let longest = "x".repeat(255);
    let too_long = "x".repeat(256);
    create(&longest, b"");
    assert_eq!(names(ROOT), [longest.as_str()]);
    ok(path_unlink_file(ROOT, &longest));

    // Only a kernel that is given the whole path finds it too long.
    let long_path = "./".repeat(3_000) + "missing";
    let either = [ERRNO_NAMETOOLONG, ERRNO_NOENT];
    fails_either(either, open(&long_path, 0, READ));
    fails_either(either, path_filestat_get(ROOT, FOLLOW, &long_path));

    fails(ERRNO_NAMETOOLONG, open(&too_long, 0, READ));
    fails(ERRNO_NAMETOOLONG, open(&too_long, OFLAGS_CREAT, WRITE));
    fails(ERRNO_NAMETOOLONG, path_filestat_get(ROOT, 0, &too_long));
    fails(ERRNO_NAMETOOLONG, path_filestat_get(ROOT, FOLLOW, &too_long));
    fails(ERRNO_NAMETOOLONG, path_create_directory(ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, path_symlink("x", ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, path_unlink_file(ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, path_remove_directory(ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, path_readlink(ROOT, &too_long, &mut [0; 8]));
    create("file", b"");
    fails(ERRNO_NAMETOOLONG, path_rename(ROOT, "file", ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, path_link(ROOT, 0, "file", ROOT, &too_long));
    fails(ERRNO_NAMETOOLONG, open(&format!("{too_long}/x"), 0, READ));

    // A NUL would end the path on the host.
    for name in ["\0", "file\0", "file\0x"] {
        fails(ERRNO_INVAL, open(name, 0, READ));
        fails(ERRNO_INVAL, open(name, OFLAGS_CREAT, WRITE));
        fails(ERRNO_INVAL, path_filestat_get(ROOT, 0, name));
        fails(ERRNO_INVAL, path_create_directory(ROOT, name));
        fails(ERRNO_INVAL, path_unlink_file(ROOT, name));
        fails(ERRNO_INVAL, path_rename(ROOT, "file", ROOT, name));
        fails(ERRNO_INVAL, path_symlink("file", ROOT, name));
        fails(ERRNO_INVAL, path_symlink(name, ROOT, "link"));
    }

    // Paths are UTF-8: a stray byte, a surrogate, a character cut short.
    for path in [&b"\xff"[..], b"file\x80", b"\xed\xa0\x80", b"\xf0\x9f\xa6"] {
        fails_raw(ERRNO_ILSEQ, open_raw(path));
    }
    assert_eq!(names(ROOT), ["file"]);
    ok(path_unlink_file(ROOT, "file"));

    // Any other text is a name, and two ways to write a letter are two names.
    let mut odd = [
        " ",
        "...",
        "a b",
        "a\nb",
        "\u{1}",
        "C:",
        "a\\b",
        "*?",
        "-",
        "~",
        "é",
        "e\u{301}",
        "🦀",
        "\u{202e}txt",
    ];
    for name in odd {
        create(name, name.as_bytes());
    }
    odd.sort();
    assert_eq!(names(ROOT), odd);
    for name in odd {
        assert_eq!(contents(name), name.as_bytes());
        ok(path_unlink_file(ROOT, name));
    }
}
