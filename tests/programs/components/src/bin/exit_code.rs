//! Leaves with a code that the standard library cannot give.

fn main() {
    let code = std::env::args().nth(1).expect("an argument").parse().expect("a code");
    println!("leaving");
    wasip2::cli::exit::exit_with_code(code);
    println!("still here");
}
