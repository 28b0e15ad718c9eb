//! Code: written, then executed, never both.

use wrt_platform::code::{ExecutableCode, WritableCode, can_execute};
use wrt_platform::entitlements::{ALLOW_JIT, Entitlements};

/// A function that returns `value`.
fn returning(value: u8) -> Vec<u8> {
    if cfg!(target_arch = "x86_64") {
        vec![0xb8, value, 0, 0, 0, 0xc3]
    } else {
        let mov = 0x5280_0000_u32 | u32::from(value) << 5;
        [mov.to_le_bytes(), 0xd65f_03c0_u32.to_le_bytes()].concat()
    }
}

fn published(value: u8) -> ExecutableCode {
    let bytes = returning(value);
    let mut code = WritableCode::new(bytes.len()).unwrap();
    code.write(|page| page[..bytes.len()].copy_from_slice(&bytes));
    code.publish().unwrap()
}

fn call(code: &ExecutableCode) -> u32 {
    // SAFETY: `published` wrote such a function there.
    unsafe { code.function::<extern "C" fn() -> u32>(0) }.unwrap()()
}

#[test]
fn code_runs_on_every_thread() {
    let code = published(42);
    assert_eq!(call(&code), 42);
    std::thread::scope(|scope| {
        assert_eq!(scope.spawn(|| call(&code)).join().unwrap(), 42);
    });
}

#[test]
fn code_can_be_rewritten() {
    let code = published(1);
    assert_eq!(call(&code), 1);
    // SAFETY: no thread is in it.
    let mut code = unsafe { code.make_writable() }.unwrap();
    let bytes = returning(2);
    code.write(|page| page[..bytes.len()].copy_from_slice(&bytes));
    assert_eq!(call(&code.publish().unwrap()), 2);
}

#[test]
fn no_room_and_no_function_outside() {
    assert!(WritableCode::new(0).is_err());
    assert!(WritableCode::new(usize::MAX).is_err());
    let code = published(1);
    // SAFETY: nothing is called.
    assert!(unsafe { code.function::<fn()>(code.len()) }.is_none());
}

#[test]
fn the_entitlement_is_what_can_be_done() {
    assert_eq!(Entitlements::current().unwrap().has(ALLOW_JIT), can_execute());
}

/// What the kernel says of the page that this address is on: `rwx` and so on.
#[cfg(target_os = "linux")]
fn protection(address: usize) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        (number(start)? <= address && address < number(end)?).then(|| rest[..3].to_owned())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn no_page_is_writable_and_executable() {
    let mut code = WritableCode::new(1).unwrap();
    let writable = code.write(|page| page.as_ptr().addr());
    assert_eq!(protection(writable).unwrap(), "rw-");
    let code = code.publish().unwrap();
    assert_eq!(protection(code.as_ptr().addr()).unwrap(), "r-x");
    let inode = |address: usize| {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let start = format!("{address:x}-");
        maps.lines()
            .find(|line| line.starts_with(&start))
            .unwrap()
            .split(' ')
            .nth(4)
            .map(str::to_owned)
    };
    let views = std::fs::read_to_string("/proc/self/maps").unwrap();
    let file = inode(code.as_ptr().addr()).unwrap();
    let views = views.lines().filter(|line| line.split(' ').nth(4) == Some(&file));
    assert_eq!(views.count(), 1, "the writable view is gone");
}

#[cfg(target_os = "macos")]
#[test]
fn writing_is_over_after_write() {
    // Apple silicon: executable again on this thread, or this would not return.
    assert_eq!(call(&published(7)), 7);
}
