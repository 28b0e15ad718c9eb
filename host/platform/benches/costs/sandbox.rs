//! What entering a sandbox costs, and what system calls cost in it.

use std::time::{Duration, Instant};
use wrt_platform::sandbox::{Profile, Sandbox};

/// Times of one process: building and entering, and a million turns of a call after it.
struct Times {
    build: Duration,
    enter: Duration,
    call: Duration,
}

pub(super) fn run() {
    let mut all: Vec<_> = (0..30).map(|_| in_child(true)).collect();
    let free: Vec<_> = (0..10).map(|_| in_child(false)).collect();
    all.sort_by_key(|times| times.build + times.enter);
    let (least, middle) = (&all[0], &all[all.len() / 2]);
    println!(
        "  a closed profile: built in {:?} and entered in {:?} (least), {:?} and {:?} (median)",
        least.build, least.enter, middle.build, middle.enter
    );
    let call = |times: &[Times]| times.iter().map(|times| times.call).min().unwrap_or_default();
    println!(
        "  a system call in it: {:.2} x as long as outside; an ioctl-like one is looked at each time",
        super::ratio(call(&all), call(&free))
    );
}

/// Entering is for ever, so it is done in a child, which writes its times to a pipe.
fn in_child(enter: bool) -> Times {
    let (mut from, mut to) = std::io::pipe().unwrap();
    // SAFETY: this process has one thread; the child leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let times = measure(enter);
        for time in [times.build, times.enter, times.call] {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let _ = std::io::Write::write_all(&mut to, &nanos.to_le_bytes());
        }
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) }
    }
    drop(to);
    let mut next = || {
        let mut bytes = [0; 8];
        std::io::Read::read_exact(&mut from, &mut bytes).unwrap();
        Duration::from_nanos(u64::from_le_bytes(bytes))
    };
    let times = Times { build: next(), enter: next(), call: next() };
    // SAFETY: reaps the child; writes nothing.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    times
}

fn measure(enter: bool) -> Times {
    let mut times = Times { build: Duration::ZERO, enter: Duration::ZERO, call: Duration::ZERO };
    if enter {
        let start = Instant::now();
        let profile = Profile::builder()
            .deny_network()
            .deny_file_read_all()
            .deny_file_write_all()
            .allow_file_read(&["/usr"])
            .allow_file_read_write(&["/tmp"])
            .deny_process_fork()
            .deny_process_exec()
            .deny_ipc()
            .deny_executable_memory()
            .allow_hypervisor()
            .build()
            .unwrap();
        times.build = start.elapsed();
        let start = Instant::now();
        let _ = Sandbox::enter(profile).unwrap();
        times.enter = start.elapsed();
    }
    let start = Instant::now();
    for _ in 0..20_000 {
        // SAFETY: asks for a number.
        unsafe { libc::getppid() };
    }
    times.call = start.elapsed();
    times
}
