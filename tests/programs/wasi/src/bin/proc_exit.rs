//! `proc_exit` with the code given as the first argument.

use wasi_programs::*;

fn main() {
    let code = std::env::args().nth(1).expect("an exit code");
    print!("leaving with {code}");
    std::io::Write::flush(&mut std::io::stdout()).unwrap();
    proc_exit(code.parse().expect("a number"));
}
