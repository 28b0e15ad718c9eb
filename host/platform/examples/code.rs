//! Makes a function at run time: written, published, called, rewritten.
//!
//!     cargo run -p wrt-platform --example code

use std::error::Error;
use wrt_platform::code::{ExecutableCode, WritableCode};
use wrt_platform::entitlements::{ALLOW_JIT, Entitlements};

fn main() -> Result<(), Box<dyn Error>> {
    let entitlements = Entitlements::current()?;
    println!("signed: {}", entitlements.signing());
    if !entitlements.has(ALLOW_JIT) {
        // A hardened runtime refuses below; without one there is no need for it.
        println!("without {ALLOW_JIT}");
    }

    let mut code = WritableCode::new(64)?;
    code.write(|page| put(page, &adding(1)));
    let code = code.publish()?;
    println!("{} bytes: 41 + 1 = {}", code.len(), call(&code, 41));

    // SAFETY: this thread is the only one, and is not in the code.
    let mut code = unsafe { code.make_writable() }?;
    code.write(|page| put(page, &adding(2)));
    println!("rewritten: 41 + 2 = {}", call(&code.publish()?, 41));
    Ok(())
}

fn put(page: &mut [u8], bytes: &[u8]) {
    page[..bytes.len()].copy_from_slice(bytes);
}

/// `fn(u32) -> u32` that adds a number.
fn adding(number: u8) -> Vec<u8> {
    if cfg!(target_arch = "x86_64") {
        // lea eax, [rdi + number]; ret
        vec![0x8d, 0x47, number, 0xc3]
    } else {
        // add w0, w0, #number; ret
        let add = 0x1100_0000_u32 | u32::from(number) << 10;
        [add.to_le_bytes(), 0xd65f_03c0_u32.to_le_bytes()].concat()
    }
}

fn call(code: &ExecutableCode, number: u32) -> u32 {
    // SAFETY: `adding` made a function of this type, which begins there.
    let function = unsafe { code.function::<extern "C" fn(u32) -> u32>(0) };
    function.map_or(0, |function| function(number))
}
