//! A name on the host that is not UTF-8.

use wasi_programs::*;

fn main() {
    let mut buffer = [0; 4096];
    let odd = open_directory("odd");

    // A listing has it, byte for byte, and all the others.
    let used = ok(fd_readdir(odd, &mut buffer, DIRCOOKIE_START));
    let mut found = Vec::new();
    let mut bytes = &buffer[..used];
    while let Some((head, rest)) = bytes.split_at_checked(DIRENT_SIZE) {
        // SAFETY: The host wrote a whole `Dirent`, though not always aligned.
        let dirent = unsafe { head.as_ptr().cast::<Dirent>().read_unaligned() };
        let (name, rest) = rest.split_at(dirent.d_namlen as usize);
        found.push((name, dirent.d_type));
        bytes = rest;
    }
    found[2..].sort();
    let odd_name: &[u8] = b"not-\xff-utf8";
    let file = FILETYPE_REGULAR_FILE;
    assert_eq!(found[2..], [(&b"good"[..], file), (odd_name, file)]);

    // A path is UTF-8, so that it cannot be opened.
    assert_eq!(names(ROOT), ["good", "odd"]);
    assert_eq!(contents("odd/good"), b"fine");
    ok(path_unlink_file(ROOT, "odd/good"));

    // The directory is not empty, though nothing in it can be named.
    fails(ERRNO_NOTEMPTY, path_remove_directory(ROOT, "odd"));
    ok(path_rename(ROOT, "odd", ROOT, "moved"));
}
