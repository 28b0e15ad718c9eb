//! `fd_prestat_get` and `fd_prestat_dir_name`: the preopens in order, one
//! line each, from descriptor 3 on.

use wasi_programs::*;

fn main() {
    let mut fd = ROOT;
    while let Ok(prestat) = fd_prestat_get(fd) {
        assert_eq!(prestat.tag, PREOPENTYPE_DIR.raw());
        // SAFETY: The tag says which member of the union it is.
        let length = unsafe { prestat.u.dir.pr_name_len };

        // No NUL: the host writes the name and not a byte more.
        let mut name = vec![b'.'; length + 1];
        ok(fd_prestat_dir_name(fd, &mut name));
        assert_eq!(name.pop(), Some(b'.'));
        println!("{}", std::str::from_utf8(&name).unwrap());

        if length > 0 {
            let short = &mut name[..length - 1];
            fails(ERRNO_NAMETOOLONG, fd_prestat_dir_name(fd, short));
        }
        assert_eq!(ok(fd_fdstat_get(fd)).fs_filetype, FILETYPE_DIRECTORY);
        fd += 1;
    }

    fails(ERRNO_BADF, fd_prestat_get(fd));
    fails(ERRNO_BADF, fd_prestat_dir_name(fd, &mut [0; 8]));

    // Open, but not a preopen. The two functions differ on what that is.
    fails(ERRNO_BADF, fd_prestat_get(FD_STDIN));
    fails(ERRNO_NOTDIR, fd_prestat_dir_name(FD_STDIN, &mut [0; 8]));
    if fd > ROOT {
        let opened = ok(open(".", OFLAGS_DIRECTORY, READ));
        fails(ERRNO_BADF, fd_prestat_get(opened));
        fails(ERRNO_NOTDIR, fd_prestat_dir_name(opened, &mut [0; 8]));
    }
}
