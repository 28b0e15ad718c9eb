//! The processes of a drill.

use crate::{BACKEND, PORT, Place, ROOT, try_all};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use wrt_tests::HANG;
use wrt_vm::worker::serve;
use wrt_vm::{Backend, Jail, MicroVm, Module, Value, WasiConfig};

/// Asks for a VM in a worker.
pub(crate) const IN_WORKER: &str = "in-worker";

/// What a worker's handler needs, opened before the jail.
static WORKER: OnceLock<(Place, File)> = OnceLock::new();

/// Plays a part in the drill. A worker has no environment, and learns from its parent's what to do.
pub(crate) fn play() -> Option<ExitCode> {
    let is_worker = std::env::args().nth(1).as_deref() == Some("worker");
    let parents = is_worker.then(parents_environment).unwrap_or_default();
    let variable = |name: &str| std::env::var(name).ok().or_else(|| parents.get(name).cloned());
    let backend: Backend = variable(BACKEND)?.parse().unwrap();
    let place = Place::new(variable(ROOT)?.into(), variable(PORT)?.parse().unwrap());
    let report = place.root.join("report");
    let report = OpenOptions::new().create(true).append(true).open(report).unwrap();
    match std::env::args().nth(1).as_deref() {
        // What `serve` expects to be started as.
        Some("worker") => be_worker(place, report),
        Some(IN_WORKER) => drill_worker(backend, &place.root, report),
        _ => drill_this(backend, &place, report),
    }
    Some(ExitCode::SUCCESS)
}

fn parents_environment() -> HashMap<String, String> {
    assert_eq!(std::env::vars_os().count(), 0, "a worker has an environment");
    let parent = std::os::unix::process::parent_id();
    let environment = std::fs::read_to_string(format!("/proc/{parent}/environ")).unwrap();
    let variables = environment.split('\0').filter_map(|variable| variable.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn world(root: &Path) -> WasiConfig {
    WasiConfig::new().dir(root.join("open"), "/")
}

/// Enters as `wrt-vm run` does, and does the drill.
fn drill_this(backend: Backend, place: &Place, mut report: File) {
    let root = &place.root;
    let hypervisor = backend.open().unwrap();
    let world = world(root);
    let entrance = Jail::of(&world).close_names().unwrap();
    let mut vm = MicroVm::builder().wasi(entrance.world()).build_on(hypervisor.as_ref()).unwrap();
    let jailed = entrance.enter(&vm).unwrap();
    writeln!(report, "jail: {jailed}").unwrap();
    goes_on(&mut vm);
    try_all(place, &mut report);
    goes_on(&mut vm);
    writeln!(report, "the VM goes on").unwrap();
}

/// Has a VM in a worker, which is told to do the drill.
fn drill_worker(backend: Backend, root: &Path, mut report: File) {
    let settings = MicroVm::builder().backend(backend).worker(std::env::current_exe().unwrap());
    let mut vm = settings.wasi(world(root)).build().unwrap();
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
fn be_worker(place: Place, report: File) {
    WORKER.set((place, report)).unwrap();
    let handler: extern "C" fn(libc::c_int) = on_signal;
    // SAFETY: the handler runs on the main thread, which waits for orders then and holds no
    // lock: so it may do more than a handler may in general.
    unsafe { libc::signal(libc::SIGUSR2, handler as *const () as libc::sighandler_t) };
    serve();
}

extern "C" fn on_signal(_: libc::c_int) {
    let (place, mut report) = WORKER.get().map(|(place, file)| (place, file)).unwrap();
    try_all(place, &mut report);
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
