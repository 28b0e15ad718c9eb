//! The processes of a drill.

use crate::{ROOT, try_all};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use wrt_tests::HANG;
use wrt_vm::worker::{Workers, in_workers, serve};
use wrt_vm::{Backend, Jail, MicroVm, Module, Value, WasiConfig};

/// Asks for a VM in a worker.
pub(crate) const IN_WORKER: &str = "in-worker";

/// What a worker's handler needs, opened before the jail.
static WORKER: OnceLock<(PathBuf, File)> = OnceLock::new();

pub(crate) fn play(backend: &Backend) -> ExitCode {
    let root = PathBuf::from(std::env::var_os(ROOT).unwrap());
    let report = || OpenOptions::new().create(true).append(true).open(root.join("report")).unwrap();
    match std::env::args().nth(1).as_deref() {
        // What `serve` expects to be started as.
        Some("worker") => be_worker(&root, report()),
        Some(IN_WORKER) => drill_worker(*backend, &root, report()),
        _ => drill_this(*backend, &root, report()),
    }
    ExitCode::SUCCESS
}

fn world(root: &Path) -> WasiConfig {
    WasiConfig::new().dir(root.join("open"), "/")
}

/// Enters as `wrt-vm run` does, and does the drill.
fn drill_this(backend: Backend, root: &Path, mut report: File) {
    let hypervisor = backend.open().unwrap();
    let entrance = Jail::of(&world(root)).close_names().unwrap();
    let mut vm = MicroVm::builder().wasi(world(root)).build_on(hypervisor.as_ref()).unwrap();
    let jailed = entrance.enter(&vm).unwrap();
    writeln!(report, "jail: {jailed}").unwrap();
    goes_on(&mut vm);
    try_all(root, &mut report);
    goes_on(&mut vm);
    writeln!(report, "the VM goes on").unwrap();
}

/// Has a VM in a worker, which is told to do the drill.
fn drill_worker(backend: Backend, root: &Path, mut report: File) {
    let workers = Workers::new(std::env::current_exe().unwrap());
    let hypervisor = in_workers(backend.open().unwrap(), workers);
    let mut vm = MicroVm::builder().wasi(world(root)).build_on(hypervisor.as_ref()).unwrap();
    writeln!(report, "jail: {}", vm.jail().unwrap()).unwrap();
    goes_on(&mut vm);
    let worker = vm.worker().unwrap().cast_signed();
    // SAFETY: a plain call.
    assert_eq!(unsafe { libc::kill(worker, libc::SIGUSR2) }, 0);
    let deadline = Instant::now() + HANG;
    while !std::fs::read_to_string(root.join("report")).unwrap().contains("drilled") {
        assert!(Instant::now() < deadline, "it hangs");
        std::thread::sleep(Duration::from_millis(10));
    }
    goes_on(&mut vm);
    writeln!(report, "the VM goes on").unwrap();
}

/// Is a worker, which does the drill when it gets a signal.
fn be_worker(root: &Path, report: File) {
    WORKER.set((root.to_owned(), report)).unwrap();
    let handler: extern "C" fn(libc::c_int) = on_signal;
    // SAFETY: the handler runs on the main thread, which waits for orders then and holds no
    // lock: so it may do more than a handler may in general.
    unsafe { libc::signal(libc::SIGUSR2, handler as *const () as libc::sighandler_t) };
    serve();
}

extern "C" fn on_signal(_: libc::c_int) {
    let (root, mut report) = WORKER.get().map(|(root, file)| (root, file)).unwrap();
    try_all(root, &mut report);
    writeln!(report, "drilled").unwrap();
}

/// That the VM does what it is told to.
fn goes_on(vm: &mut MicroVm) {
    let module = Module::from_text(
        r#"(module (memory 1) (func (export "grow") (result i32) (memory.grow (i32.const 10))))"#,
    );
    let loaded = vm.load(&module.unwrap()).unwrap();
    let instance = vm.instantiate(loaded).unwrap();
    let grow = vm.function(instance, "grow").unwrap();
    assert_eq!(vm.call(&grow, &[]).unwrap(), [Value::I32(1)]);
}
