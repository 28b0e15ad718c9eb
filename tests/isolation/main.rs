//! `wrt-vm-isolation`: attacks on wrt-vm, from inside its VMs, and what comes of them.
//!
//! A case runs in a process of its own, which is the host under attack: with the VM that
//! attacks, and two honest neighbours, in it. What is left of that host is judged from
//! inside, and, should it die, from outside (`runner`).

#[cfg(all(evil, target_os = "linux"))]
mod arch;
#[cfg(all(evil, target_os = "linux"))]
mod attack;
#[cfg(all(evil, target_os = "linux"))]
mod canary;
#[cfg(all(evil, target_os = "linux"))]
mod case;
#[cfg(all(evil, target_os = "linux"))]
mod cases;
#[cfg(all(evil, target_os = "linux"))]
mod cli;
#[cfg(all(evil, target_os = "linux"))]
mod fuzz;
#[cfg(all(evil, target_os = "linux"))]
mod host;
#[cfg(all(evil, target_os = "linux"))]
mod judge;
#[cfg(all(evil, target_os = "linux"))]
mod maps;
#[cfg(all(evil, target_os = "linux"))]
mod neighbour;
#[cfg(all(evil, target_os = "linux"))]
mod orders;
#[cfg(all(evil, target_os = "linux"))]
mod report;
#[cfg(all(evil, target_os = "linux"))]
mod runner;

#[cfg(all(evil, target_os = "linux"))]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(all(evil, target_os = "linux")))]
fn main() -> std::process::ExitCode {
    eprintln!("skipped: there is no evil guest for this machine yet");
    std::process::ExitCode::SUCCESS
}
