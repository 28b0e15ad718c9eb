//! `environ_sizes_get` and `environ_get`: the layout of the environment, then
//! its text, one escaped line per variable. The lines are sorted, since the
//! order of the variables means nothing.

use std::ffi::CStr;
use wasi_programs::*;

fn main() {
    let (count, environ_buf_size) = ok(environ_sizes_get());
    let mut environ = vec![std::ptr::null_mut(); count];
    let mut environ_buf = vec![0xaa; environ_buf_size];
    ok(environ_get(&mut environ, &mut environ_buf));

    // The strings fill the buffer in order, each ended by its NUL.
    let mut rest = &environ_buf[..];
    let mut variables = Vec::new();
    for &pointer in &environ {
        assert_eq!(pointer.cast_const(), rest.as_ptr());
        let variable = CStr::from_bytes_until_nul(rest).expect("a variable without its NUL");
        rest = &rest[variable.to_bytes_with_nul().len()..];
        variables.push(variable.to_str().unwrap());
    }
    assert!(rest.is_empty(), "{} bytes left over", rest.len());

    variables.sort();
    for variable in variables {
        assert!(variable.contains('='), "no value: {variable:?}");
        println!("{variable:?}");
    }
}
