//! `args_sizes_get` and `args_get`: the layout of the arguments, then their
//! text, one escaped line per argument after the program's name.

use std::ffi::CStr;
use wasi_programs::*;

fn main() {
    let (argc, argv_buf_size) = ok(args_sizes_get());
    let mut argv = vec![std::ptr::null_mut(); argc];
    let mut argv_buf = vec![0xaa; argv_buf_size];
    ok(args_get(&mut argv, &mut argv_buf));

    // The strings fill the buffer in order, each ended by its NUL.
    let mut rest = &argv_buf[..];
    for &pointer in &argv {
        assert_eq!(pointer.cast_const(), rest.as_ptr());
        let arg = CStr::from_bytes_until_nul(rest).expect("an argument without its NUL");
        rest = &rest[arg.to_bytes_with_nul().len()..];
    }
    assert!(rest.is_empty(), "{} bytes left over", rest.len());

    let strings: Vec<&str> = argv_buf
        .split_inclusive(|&byte| byte == 0)
        .map(|bytes| CStr::from_bytes_with_nul(bytes).unwrap().to_str().unwrap())
        .collect();
    for arg in strings.iter().skip(1) {
        println!("{arg:?}");
    }

    // What the standard library makes of it is the same.
    assert_eq!(std::env::args().collect::<Vec<_>>(), strings);
}
