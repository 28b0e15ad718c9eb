//! Runs one program in VMs and compares what came of it.

use crate::programs::{ARGS, ERRORS, EXIT_CODE, GREETING, INPUT, Program};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use wrt_tests::{Setup, matrix, skip};
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Error, Module, WasiConfig};

/// More than any program prints.
const OUTPUT_MAX: usize = 1 << 20;
/// Linear memory of a program. The one in C asks for more, and must not get it.
const MEMORY: u64 = 512 << 20;
/// A program that takes this long hangs.
const HANG: Duration = Duration::from_secs(120);

/// Builds the program, runs it on every setup, and checks all that it leaves behind.
pub(crate) fn run(program: &Program) {
    let setups = matrix();
    if setups.is_empty() {
        return;
    }
    if !(program.toolchain.is_here)() {
        skip(&format!("no {} (run tests/programs/foreign/fetch)", program.toolchain.name));
        return;
    }
    let file = (program.toolchain.build)();
    let module = Module::from_file(file).expect("the program was built");
    for setup in setups {
        run_on(setup, program, &module);
    }
}

fn run_on(setup: Setup, program: &Program, module: &Module) {
    let world = tempfile::tempdir().expect("a folder for the program's world");
    let data = world.path().join("data");
    std::fs::create_dir(&data).expect("a folder in it");
    std::fs::write(world.path().join("secret"), "not for the program").expect("a file in it");
    let stdout = OutputBuffer::new(OUTPUT_MAX);
    let stderr = OutputBuffer::new(OUTPUT_MAX);
    let wasi = WasiConfig::new()
        .arg("foreign")
        .args(program.args.iter().chain(&ARGS).copied())
        .env(GREETING.0, GREETING.1)
        .stdin(Stdin::Bytes(INPUT.into()))
        .dir(&data, "/data")
        .stdout(Output::Capture(stdout.clone()))
        .stderr(Output::Capture(stderr.clone()));

    let ended = start(setup, wasi, module);

    let stdout = String::from_utf8_lossy(&stdout.contents()).into_owned();
    let stderr = String::from_utf8_lossy(&stderr.contents()).into_owned();
    // The whole of it, for a person to see how far a program came.
    let story = format!("{setup}: {ended:?}\n{stdout}\n{stderr}");
    assert!(matches!(ended, Err(Error::Exit(EXIT_CODE))), "{story}");
    for (line, (wanted, got)) in program.stdout.lines().zip(stdout.lines()).enumerate() {
        assert_eq!(wanted, got, "line {} of the output on {setup}", line + 1);
    }
    assert_eq!((program.stdout, ERRORS), (&*stdout, &*stderr), "{story}");
    let wanted: BTreeMap<String, String> =
        program.files.iter().map(|&(path, text)| (path.into(), text.into())).collect();
    assert_eq!(wanted, files(&data), "files on {setup}");
}

/// Runs the program to its end.
fn start(setup: Setup, wasi: WasiConfig, module: &Module) -> Result<(), Error> {
    let mut vm = setup.builder().max_memory(MEMORY).wasi(wasi).build()?;
    vm.set_deadline(Some(Instant::now() + HANG));
    let module = vm.load(module)?;
    let instance = vm.instantiate(module)?;
    let start = vm.function(instance, "_start")?;
    vm.call(&start, &[]).map(|_| ())
}

/// All files below a folder, by their paths in it, and what is in them.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("it is below the folder");
            let text = std::fs::read_to_string(&path).expect("the program wrote UTF-8");
            found.insert(name.to_str().expect("a plain name").to_owned(), text);
        }
    }
    found
}
