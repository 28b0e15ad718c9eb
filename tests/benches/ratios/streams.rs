//! Bytes a second through streams and files, against wasmtime with `wasmtime-wasi` in a process.
//!
//! Each run is a process of this executable, in one of two roles: it has an instance of the same
//! module, in a VM or in itself, and moves the same bytes by it. The parent fills and drains its
//! pipes. What counts is the time of the call, which the process says on standard error.
//!
//! Each call of the guest's is an exit here and none there, and nothing else differs: both sides
//! copy the bytes once. (Of a file that is read by small pieces the guest reads ahead: several calls
//! are one exit.) So the size of the program's buffer decides, and what an exit costs: some
//! microseconds on a processor, 80 where KVM itself runs in an emulated one, as long as it takes to
//! copy 256 KiB. The exit is measured beside each size, by a bare VM's `out`. A size whose calls
//! cannot reach the target with one exit each, however fast all else is, is judged by what the exits
//! leave, and says so.

use crate::pairs::{Pairs, Target};
use crate::raw::{RawVm, SMALLEST};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wasmtime::{Engine, Linker, Store};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wrt_vm::{EngineKind, MicroVm, Module, Value, WasiConfig};

pub(crate) const OURS: &str = "--role-stream-vm";
pub(crate) const FLOOR: &str = "--role-stream-wasmtime";

/// Bytes that a run moves.
const TOTAL: u32 = 256 << 20;
const SIZES: [u32; 4] = [4 << 10, 64 << 10, 256 << 10, 1 << 20];
/// From this size of buffer on, our speed is to be so much of the other's.
const JUDGED: u32 = 64 << 10;
const SPEED: f64 = 0.7;
/// Where exits alone leave less, so much of what they leave.
const OF_THE_REST: f64 = 0.85;
/// Exits of a measurement.
const EXITS: u32 = 1000;

/// Functions that move `total` bytes, `size` at a time, and return how many they were.
const MODULE: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 40)
  (data (i32.const 64) "file")
  (func $move (param $fd i32) (param $out i32) (param $size i32) (param $total i32) (result i32)
    (local $done i32)
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (local.get $size))
    (block $end (loop $again
      (br_if $end (i32.ge_u (local.get $done) (local.get $total)))
      (if (if (result i32) (local.get $out)
            (then (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
            (else (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
        (then (return (i32.const -1))))
      (br_if $end (i32.eqz (i32.load (i32.const 8))))
      (local.set $done (i32.add (local.get $done) (i32.load (i32.const 8))))
      (br $again)))
    (local.get $done))
  (func $file (param $flags i32) (result i32)
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (local.get $flags)
          (i64.const 0x42) (i64.const 0x42) (i32.const 0) (i32.const 16))
      (then unreachable))
    (i32.load (i32.const 16)))
  (func (export "stdin") (param i32 i32) (result i32)
    (call $move (i32.const 0) (i32.const 0) (local.get 0) (local.get 1)))
  (func (export "stdout") (param i32 i32) (result i32)
    (call $move (i32.const 1) (i32.const 1) (local.get 0) (local.get 1)))
  (func (export "read") (param i32 i32) (result i32)
    (call $move (call $file (i32.const 0)) (i32.const 0) (local.get 0) (local.get 1)))
  (func (export "write") (param i32 i32) (result i32)
    (call $move (call $file (i32.const 0)) (i32.const 1) (local.get 0) (local.get 1))))"#;

/// What is moved, and what is at the other end.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    function: &'static str,
    stdin: End,
    stdout: End,
}

#[derive(Clone, Copy)]
enum End {
    None,
    Pipe,
    File,
}

const CASES: [Case; 6] = [
    Case { name: "stdin, a pipe", function: "stdin", stdin: End::Pipe, stdout: End::None },
    Case { name: "stdin, a file", function: "stdin", stdin: End::File, stdout: End::None },
    Case { name: "stdout, a pipe", function: "stdout", stdin: End::None, stdout: End::Pipe },
    Case { name: "stdout, a file", function: "stdout", stdin: End::None, stdout: End::File },
    Case { name: "a file, read", function: "read", stdin: End::None, stdout: End::None },
    Case { name: "a file, written", function: "write", stdin: End::None, stdout: End::None },
];

pub(crate) fn run() -> bool {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streams");
    std::fs::create_dir_all(&directory).expect("a folder");
    let file = directory.join("file");
    std::fs::write(&file, vec![7; TOTAL as usize]).expect("room for a file");
    let mut raw = RawVm::new(&SMALLEST).expect("a raw VM");
    let mut met = true;
    for case in CASES {
        for size in SIZES {
            let run = |role| case.run(role, size, &directory);
            let pairs = Pairs::measure(5, || run(OURS), || run(FLOOR));
            let name = format!("{}, {} KiB", case.name, size >> 10);
            pairs.print(&name, f64::from(TOTAL) / f64::from(1 << 20));
            let (speed, exit) = (1.0 / pairs.ratio(), exit(&mut raw));
            // Of one call.
            let floor = pairs.floor() / f64::from(TOTAL / size);
            let left = floor / (floor + exit);
            println!(
                "    speed {speed:.2}; an exit of {:.0} us a call leaves {left:.2}",
                exit * 1e6
            );
            if size >= JUDGED {
                let target = SPEED.min(OF_THE_REST * left);
                met &= Target::AtLeast(target).judge(&format!("{name}, speed"), speed);
            }
        }
    }
    met
}

/// How long an exit of a bare VM takes, and to come back.
fn exit(raw: &mut RawVm) -> f64 {
    let started = Instant::now();
    (0..EXITS).for_each(|_| raw.run());
    started.elapsed().as_secs_f64() / f64::from(EXITS)
}

impl Case {
    /// How long a process in a role takes to move the bytes.
    fn run(self, role: &str, size: u32, directory: &Path) -> Duration {
        let mut command = Command::new(std::env::current_exe().expect("this executable"));
        command.args([role, self.function, &size.to_string()]).arg(directory);
        let file = directory.join("file");
        command.stdin(match self.stdin {
            End::None => Stdio::null(),
            End::Pipe => Stdio::piped(),
            End::File => std::fs::File::open(file).expect("it was written").into(),
        });
        command.stdout(match self.stdout {
            End::None => Stdio::null(),
            End::Pipe => Stdio::piped(),
            End::File => std::fs::File::create(directory.join("output")).expect("a file").into(),
        });
        let mut child = command.stderr(Stdio::piped()).spawn().expect("this executable");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let ends = std::thread::spawn(move || {
            let mut chunk = vec![7; 1 << 20];
            if let Some(mut stdin) = stdin {
                for _ in 0..TOTAL >> 20 {
                    stdin.write_all(&chunk).expect("it reads all");
                }
            }
            if let Some(mut stdout) = stdout {
                while stdout.read(&mut chunk).expect("a pipe") > 0 {}
            }
        });
        let output = child.wait_with_output().expect("it ends");
        ends.join().expect("no panic");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", self.name);
        Duration::from_nanos(said.trim().parse().expect("a time"))
    }
}

/// Plays a role: function, size and folder are its arguments.
pub(crate) fn play(role: &str, args: &[String]) -> Option<ExitCode> {
    let [function, size, directory] = args else { return None };
    let size: i32 = size.parse().ok()?;
    let directory = PathBuf::from(directory);
    let (moved, time) = match role {
        OURS => ours(function, size, &directory),
        FLOOR => floor(function, size, &directory),
        _ => return None,
    };
    assert_eq!(moved, TOTAL.cast_signed(), "it moves all");
    eprintln!("{}", time.as_nanos());
    Some(ExitCode::SUCCESS)
}

fn ours(function: &str, size: i32, directory: &Path) -> (i32, Duration) {
    let world = WasiConfig::new().inherit_stdio().dir(directory, ".");
    let builder = MicroVm::builder().engine(EngineKind::Native).wasi(world);
    let mut vm = builder.build().expect("a VM");
    let loaded = vm.load(&Module::from_text(MODULE).expect("a module")).expect("it compiles");
    let instance = vm.instantiate(loaded).expect("an instance");
    let function = vm.function(instance, function).expect("the export");
    let arguments = [Value::I32(size), Value::I32(TOTAL.cast_signed())];
    let started = Instant::now();
    let results = vm.call(&function, &arguments).expect("a call");
    let time = started.elapsed();
    match results[..] {
        [Value::I32(moved)] => (moved, time),
        _ => panic!("not a number: {results:?}"),
    }
}

fn floor(function: &str, size: i32, directory: &Path) -> (i32, Duration) {
    let engine = Engine::default();
    let mut linker = Linker::<WasiP1Ctx>::new(&engine);
    add_to_linker_sync(&mut linker, |world| world).expect("a linker");
    let mut world = WasiCtxBuilder::new();
    // As `wasmtime run` has it.
    world.inherit_stdio().allow_blocking_current_thread(true);
    world.preopened_dir(directory, ".", FsPerms::ReadWrite).expect("the folder");
    let mut store = Store::new(&engine, world.build_p1());
    let wasm = wat::parse_str(MODULE).expect("a module");
    let module = wasmtime::Module::new(&engine, wasm).expect("it compiles");
    let instance = linker.instantiate(&mut store, &module).expect("an instance");
    let function = instance.get_typed_func::<(i32, i32), i32>(&mut store, function);
    let function = function.expect("the export");
    let started = Instant::now();
    let moved = function.call(&mut store, (size, TOTAL.cast_signed())).expect("a call");
    (moved, started.elapsed())
}
