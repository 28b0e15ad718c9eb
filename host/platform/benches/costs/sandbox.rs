//! What entering a sandbox costs, and what system calls cost in it.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};
use wrt_platform::sandbox::{Profile, Sandbox};

/// Times of one process: building and entering, and a million turns of a call after it.
struct Times {
    build: Duration,
    enter: Duration,
    call: Duration,
}

/// What a process enters.
#[derive(Clone, Copy, PartialEq)]
enum Entered {
    Nothing,
    /// A closed profile in which paths lead where they did.
    Closed,
    /// The same with an empty root, as the jail has it.
    Paths,
}

pub(super) fn run() {
    // In turns, so that each has the same share of what else the machine does.
    let turns: Vec<_> = (0..30)
        .map(|_| [Entered::Closed, Entered::Paths, Entered::Nothing].map(in_child))
        .collect();
    let of = |which: usize| {
        let mut all: Vec<&Times> = turns.iter().map(|turn| &turn[which]).collect();
        all.sort_by_key(|times| times.build + times.enter);
        all
    };
    let (closed, paths) = (of(0), of(1));
    for (name, all) in [("a closed profile", &closed), ("with an empty root", &paths)] {
        let (least, middle) = (all[0], all[all.len() / 2]);
        println!(
            "  {name}: built in {:?} and entered in {:?} (least), {:?} and {:?} (median)",
            least.build, least.enter, middle.build, middle.enter
        );
    }
    let middle = |all: &[&Times]| all[all.len() / 2].build + all[all.len() / 2].enter;
    println!("  the empty root: {:.2} x", super::ratio(middle(&paths), middle(&closed)));
    let call = |which: usize| turns.iter().map(|turn| turn[which].call).min().unwrap_or_default();
    println!(
        "  a system call in it: {:.2} x as long as outside; an ioctl-like one is looked at each time",
        super::ratio(call(1), call(2))
    );
}

/// Entering is for ever, so it is done in a child, which writes its times to a pipe.
fn in_child(enter: Entered) -> Times {
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

fn measure(enter: Entered) -> Times {
    let mut times = Times { build: Duration::ZERO, enter: Duration::ZERO, call: Duration::ZERO };
    if enter != Entered::Nothing {
        let start = Instant::now();
        let mut profile = Profile::builder()
            .deny_network()
            .deny_file_read_all()
            .deny_file_write_all()
            .allow_file_read(&["/usr"])
            .allow_file_read_write(&["/tmp"])
            .deny_process_fork()
            .deny_process_exec()
            .deny_ipc()
            .deny_executable_memory()
            .allow_hypervisor();
        if enter == Entered::Paths {
            profile = profile.deny_paths();
        }
        let profile = profile.build().unwrap();
        times.build = start.elapsed();
        let start = Instant::now();
        let closing = Sandbox::close_names(profile).unwrap();
        let places = closing.places().unwrap_or_default().iter();
        // As long as a program uses them.
        let held: Vec<_> =
            places.map(|place| place.as_fd().try_clone_to_owned().unwrap()).collect();
        let _ = closing.close_calls().unwrap();
        times.enter = start.elapsed();
        std::mem::forget(held);
    }
    let start = Instant::now();
    for _ in 0..20_000 {
        // SAFETY: asks for a number.
        unsafe { libc::getppid() };
    }
    times.call = start.elapsed();
    times
}
