//! How wrt-vm compares with the floor: `cargo bench -p wrt-tests [-- NAME ...] [--check]`.
//!
//! Every figure is a ratio of two things that take turns in one run on one machine, because
//! an absolute time says little about another machine, or about this one under load. Nothing
//! is asserted unless `--check` is given: then a missed target ends the run with a failure.
//!
//! | name | ours | the floor | target |
//! |---|---|---|---|
//! | `hypercall` | a WASI call, and a call of an export | `out` and back in a raw VM | at most 1.25 |
//! | `create` | builder to first exit | the same VM by raw ioctls | at most 1.5 |
//! | `interp` | wasmi in the VM | wasmi in this process | at least 0.95 of its speed |
//! | `native` | wasmtime in the VM | wasmtime in this process | at least 0.97 of its speed, no kernel below 0.9 |
//! | `child` | an exit of a child process | a breakpoint and back in a bare one | at most 1.25 |
//! | `backends` | kernels in a child process | in a VM of KVM | at least 0.97 of its speed |
//! | `compile` | the compiler in its VM | Cranelift in this process | at most 1.6 |
//! | `snapshot` | a VM that goes on from a snapshot | one that loads and instantiates | below 1 |
//! | `process` | `wrt-vm run hello.wasm` | a process with a raw VM | at most 3, and 24 MiB |
//! | `start` | `wrt-vm run`, cache warm | `wasmtime run`, cache warm | at most 1.5 |
//! | `jail` | `wrt-vm run hello.wasm` | the same with `--no-jail` | – |
//! | `trace` | an exit, with traces that nobody takes | one without | at most 1.01 |
//! | `vec` | `wrt_vec` in the VM | the same function in this process | at most 1.25, of large operands |
//! | `streams` | bytes a second of streams and files | `wasmtime-wasi` in a process | at least 0.7 of its speed, from buffers of 64 KiB on, or 0.85 of what one exit a call leaves |
//! | `memory` | bytes of waiting programs | – | – |

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod backends;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod build;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod child;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod compile;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod create;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod hypercall;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod interp;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kernels;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod memory;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod native;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod pairs;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod process;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod raw;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod snapshot;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod start;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod streams;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod vec;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // This executable plays the other parts of `process` and `streams`, too.
    if let Some((role, rest)) = args.split_first()
        && let Some(code) = process::play(role, rest).or_else(|| streams::play(role, rest))
    {
        return code;
    }
    if let Some(problem) = &wrt_vm::hypervisor::available()[0].problem {
        eprintln!("skipped: {problem}");
        return std::process::ExitCode::SUCCESS;
    }
    // Cargo itself passes `--bench`.
    let names: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    type Benchmark = (&'static str, fn() -> bool);
    let benchmarks: [Benchmark; 15] = [
        ("hypercall", hypercall::run),
        ("create", create::run),
        ("interp", interp::run),
        ("native", native::run),
        ("child", child::run),
        ("backends", backends::run),
        ("compile", compile::run),
        ("snapshot", snapshot::run),
        ("process", process::run),
        ("start", start::run),
        ("jail", start::jail),
        ("trace", trace::run),
        ("vec", vec::run),
        ("streams", streams::run),
        ("memory", memory::run),
    ];
    let mut met = true;
    for (name, run) in benchmarks {
        if names.is_empty() || names.contains(&name) {
            println!("\n{name}");
            met &= run();
        }
    }
    let check = args.iter().any(|arg| arg == "--check");
    std::process::ExitCode::from(u8::from(check && !met))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    eprintln!("skipped: the raw VM to compare with is written for KVM on x86-64");
}
