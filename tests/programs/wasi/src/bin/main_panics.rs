//! A panic: the message goes to standard error and the program traps.

fn main() {
    println!("before");
    panic!("on purpose");
}
