//! Function by function, what a program is told: as in this process by `wasmtime-wasi`'s own
//! WASI 0.2, on the same files.
//!
//! The program prints a line for each call. Where the lines differ on purpose, [`DIFFERENT`] says
//! so with the reason.

use crate::{outputs, setups};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wrt_abi::component::Interface;
use wrt_tests::Setup;
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Module, WasiConfig};

const INPUT: &str = "a line\n";
const VARIABLES: &[(&str, &str)] = &[("NAME", "value"), ("EMPTY", ""), ("EQUALS", "a=b=c")];
/// More than a table has.
const OUTPUT_MAX: usize = 16 << 20;

/// Lines that are not the peer's: what is in them, how they end here, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        " and more, 80004 bytes",
        "name-too-long",
        "a path has to fit into the memory of one call of preview 1",
    ),
    (
        "times 1844674407",
        ": overflow",
        "a time is nanoseconds in 64 bits in preview 1, and ends in the year 2554",
    ),
    ("times 4611686018427387904", ": overflow", "the same"),
    (
        "times \"././\" and more, 4096 bytes",
        "name-too-long",
        "the system takes 4,095 bytes of a path; the peer hands it the last component alone",
    ),
    ("times \"dir/\" and more, 4099 bytes", "name-too-long", "the same"),
    (
        "/\" PathFlags(0x0)",
        "not-directory",
        "what ends like a directory's path is one, as in later versions of the peer",
    ),
    ("/.\" PathFlags(0x0)", "not-directory", "the same"),
    ("/\" PathFlags(0x0)", "(DescriptorType::Directory, 2)", "the same"),
    ("/\" PathFlags(0x0)", "no-entry", "the same"),
    ("/\" PathFlags(0x0)", "not-permitted", "the same"),
    ("/: times", "()", "the peer cannot change the times of a directory that it was given"),
];

/// Likewise, where each directory is a mount of its own: in a jail.
const MOUNTS: &[&str] = &["link from / to /other", "rename from / to /other"];

/// What no table calls: how it begins, interface and item, and why.
const NOT_CALLED: &[(&str, &str)] = &[
    ("wasi:cli/exit exit-with-code", "unstable: `cases.rs` has the codes"),
    ("wasi:http/", "the peer's is a client of the network; `http.rs` says what is expected"),
    ("wasi:sockets/network network-error-code", "unstable: bindings do not have it"),
    ("wasi:sockets/ip-name-lookup [method]", "no name is ever looked up"),
    ("wasi:sockets/tcp [method]", "no socket is ever made"),
    ("wasi:sockets/udp [method]", "the same"),
    ("wasi:sockets/udp incoming-datagram-stream", "the same"),
    ("wasi:sockets/udp outgoing-datagram-stream", "the same"),
];

/// The program, compiled for this process.
static COMPILED: OnceLock<Component> = OnceLock::new();

/// The directories that a program is given.
fn build(world: &Path) {
    for directory in ["root/odd", "root/kinds/dir", "ro/dir", "other", "outside"] {
        fs::create_dir_all(world.join(directory)).unwrap();
    }
    for file in ["ro/file", "outside/secret.txt", "root/kinds/file", "root/odd/good"] {
        fs::write(world.join(file), "kept").unwrap();
    }
    symlink("file", world.join("ro/to-file")).unwrap();
    symlink("file", world.join("root/kinds/link")).unwrap();
    symlink("nothing", world.join("root/kinds/dangling")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"bad-\xff");
    fs::write(world.join("root/odd").join(odd), "").unwrap();
}

fn program() -> PathBuf {
    wrt_tests::programs::build_components(outputs()).join("table.wasm")
}

fn compiled(program: &Path) -> &'static Component {
    COMPILED.get_or_init(|| {
        let engine = Engine::new(&wrt_engine_config::shared()).unwrap();
        Component::from_file(&engine, program).unwrap()
    })
}

/// The peer's side of a program.
struct Peer {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Peer {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What the peer's program printed, and whether it went well.
fn peer(component: &Path, args: &[&str]) -> (String, bool) {
    let world = tempfile::tempdir().unwrap();
    build(world.path());
    let output = MemoryOutputPipe::new(OUTPUT_MAX);
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(args)
        .envs(VARIABLES)
        .allow_blocking_current_thread(true)
        .stdin(MemoryInputPipe::new(INPUT))
        .stdout(output.clone())
        .stderr(output.clone());
    for (host, guest, perms) in [
        ("root", "/", FsPerms::ReadWrite),
        ("ro", "/ro", FsPerms::ReadOnly),
        ("other", "/other", FsPerms::ReadWrite),
    ] {
        builder.preopened_dir(world.path().join(host), guest, perms).unwrap();
    }
    let component = compiled(component);
    let mut linker = Linker::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    let peer = Peer { wasi: builder.build(), table: ResourceTable::new() };
    let mut store = Store::new(component.engine(), peer);
    let command = Command::instantiate(&mut store, component, &linker).unwrap();
    let ended = command.wasi_cli_run().call_run(&mut store);
    let printed = String::from_utf8(output.contents().to_vec()).unwrap();
    (printed, matches!(ended, Ok(Ok(()))))
}

/// What the same program printed in a VM, and whether it went well.
fn guest(setup: Setup, component: &Path, args: &[&str]) -> (String, bool) {
    let world = tempfile::tempdir().unwrap();
    build(world.path());
    let output = OutputBuffer::new(OUTPUT_MAX);
    let mut wasi = WasiConfig::new()
        .args(args.iter().copied())
        .stdin(Stdin::Bytes(INPUT.into()))
        .stdout(Output::Capture(output.clone()))
        .stderr(Output::Capture(output.clone()))
        .dir(world.path().join("root"), "/")
        .read_only_dir(world.path().join("ro"), "/ro")
        .dir(world.path().join("other"), "/other");
    for (name, value) in VARIABLES {
        wasi = wasi.env(*name, *value);
    }
    let mut vm = setup.builder().wasi(wasi).build().unwrap();
    let loaded = vm.load(&setup.module(Module::from_file(component).unwrap())).unwrap();
    let instance = vm.instantiate(loaded).unwrap();
    let ended = vm.run(instance);
    (String::from_utf8(output.contents().to_vec()).unwrap(), ended.is_ok())
}

/// Compares a table of the program, line by line.
fn compare(table: &str) {
    let setups = setups();
    if setups.is_empty() {
        return;
    }
    let component = program();
    let args = ["table", table];
    let (wanted, went_well) = peer(&component, &args);
    assert!(went_well, "{table}: the peer's program ends early: {wanted}");
    for setup in setups {
        let (found, went_well) = guest(setup, &component, &args);
        let mut wrong = differences(setup, &wanted, &found);
        if !went_well {
            wrong.push(format!("it ends early: {}", found.lines().last().unwrap_or_default()));
        }
        assert!(wrong.is_empty(), "{setup}: {table}:\n{}", wrong.join("\n"));
    }
}

/// The lines that are neither the peer's nor known to be others.
fn differences(setup: Setup, wanted: &str, found: &str) -> Vec<String> {
    let is_mount = |line: &str| MOUNTS.iter().any(|what| line.contains(what));
    let known = |line: &str| {
        DIFFERENT.iter().any(|(what, says, _)| line.contains(what) && line.ends_with(says))
            || setup.is_jailed() && is_mount(line) && line.ends_with("cross-device")
    };
    let lines = wanted.lines().zip(found.lines());
    let mut wrong: Vec<String> = lines
        .filter(|(wanted, found)| wanted != found && !known(found))
        .map(|(wanted, found)| format!("  {found}\n    peer: {wanted}"))
        .collect();
    let (wanted, found) = (wanted.lines().count(), found.lines().count());
    if wanted != found {
        wrong.push(format!("{found} lines instead of {wanted}"));
    }
    wrong
}

/// What the program's code does not call is no import of it.
#[test]
fn every_function_that_is_linked_is_called() {
    let component = compiled(&program());
    let engine = component.engine();
    let mut called = BTreeSet::new();
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let interface = Interface::of_import(import).unwrap().name();
        called.extend(instance.exports(engine).map(|(item, _)| format!("{interface} {item}")));
    }
    for interface in Interface::ALL {
        for item in interface.items() {
            let item = format!("{} {item}", interface.name());
            let excused = NOT_CALLED.iter().any(|(begin, _)| item.starts_with(begin));
            assert_ne!(called.contains(&item), excused, "{item}");
        }
    }
}

#[test]
fn files_are_opened_as_by_the_peer() {
    compare("open");
}

#[test]
fn operations_on_paths_end_as_by_the_peer() {
    compare("paths");
    compare("two paths");
}

#[test]
fn descriptors_do_what_the_peers_do() {
    compare("descriptors");
}

#[test]
fn times_are_set_as_by_the_peer() {
    compare("times");
}

#[test]
fn directories_are_read_as_by_the_peer() {
    compare("directories");
}

#[test]
fn streams_and_pollables_do_what_the_peers_do() {
    compare("streams");
}

#[test]
fn all_other_interfaces_answer_as_the_peers_do() {
    compare("rest");
}
