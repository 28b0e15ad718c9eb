//! Hostile modules and their worlds: files, sleeps, streams.

use super::{case, logging};
use crate::attack::{Attack, world_folder};
use crate::case::{Case, Guests};
use anyhow::{Result, bail, ensure};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wrt_vm::error::Interruption;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Error, MicroVm, Module, Value, WasiConfig};

pub(super) const CASES: &[Case] = &[
    case("files-escapes", &[53], Guests::Honest, "paths and links out of the folder", escapes),
    case("files-race", &[53], Guests::Honest, "a link that is swapped during the check", race),
    case(
        "files-read-only",
        &[53],
        Guests::Honest,
        "changing a folder that is read-only",
        read_only,
    ),
    case("files-descriptors", &[47], Guests::Honest, "files opened without end", descriptors),
    case(
        "files-renumber",
        &[54],
        Guests::Honest,
        "streams and folders renumbered and closed",
        renumber,
    ),
    case(
        "files-odd-kinds",
        &[55],
        Guests::Honest,
        "a pipe without a writer, and a socket",
        odd_kinds,
    ),
    case(
        "files-sizes",
        &[48],
        Guests::Honest,
        "files of 2^63 bytes, deep folders, many entries",
        sizes,
    ),
    case("files-sleeps", &[49, 50], Guests::Honest, "sleeps of odd lengths, many at once", sleeps),
    case("files-random", &[50], Guests::Honest, "random bytes without end", random),
    logging(1 << 20, case("files-output", &[46], Guests::Honest, "output without end", output)),
    case(
        "files-arguments",
        &[56],
        Guests::Honest,
        "arguments and environment of many bytes",
        arguments,
    ),
];

/// What modules here import, their memory, and `path_open` of a text with flags.
const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $mkdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_unlink_file"
        (func $unlink (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_symlink"
        (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_set_size"
        (func $set_size (param i32 i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_allocate"
        (func $allocate (param i32 i64 i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir"
        (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get"
        (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get"
        (func $environ (param i32 i32) (result i32)))
    (memory (export "memory") 256)
    (func $open (param $len i32) (param $flags i32) (param $rights i64) (result i32)
        (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (local.get $len)
            (local.get $flags) (local.get $rights) (local.get $rights) (i32.const 0)
            (i32.const 16)))
"#;

/// Rights of reading, writing and the rest that files need.
const RIGHTS: &str = "(i64.const 0x1fffffff)";

/// A module with a text at 1024, and a function that returns a number.
fn module(path: &str, body: &str) -> String {
    let escaped: String = path.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module {IMPORTS} (data (i32.const 1024) "{escaped}")
            (func (export "run") (result i32) (local $i i32) (local $n i32) {body}))"#
    )
}

fn number(result: Result<Vec<Value>, Error>) -> Result<i32> {
    match result?[..] {
        [Value::I32(number)] => Ok(number),
        ref other => bail!("{other:?}"),
    }
}

/// The folder of the program, beside a file that it must not reach.
fn folder() -> Result<(PathBuf, PathBuf)> {
    let world = world_folder()?;
    let (inside, outside) = (world.join("inside"), world.join("outside"));
    for folder in [&inside, &outside] {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(inside.join("file"), b"inside")?;
    std::fs::write(outside.join("secret"), b"outside")?;
    Ok((inside, outside))
}

fn world(inside: &Path) -> WasiConfig {
    WasiConfig::new().dir(inside, "/")
}

/// An honest guest with room for the modules here.
fn roomy(attack: &mut Attack, world: WasiConfig) -> Result<MicroVm> {
    attack.honest_with(world, |builder| builder.max_memory(1 << 30))
}

fn open(path: &str) -> String {
    module(path, &format!("(call $open (i32.const {}) (i32.const 0) {RIGHTS})", path.len()))
}

fn escapes(attack: &mut Attack) -> Result<()> {
    let (inside, outside) = folder()?;
    symlink("../outside/secret", inside.join("up"))?;
    symlink(outside.join("secret"), inside.join("absolute"))?;
    symlink("../outside", inside.join("folder"))?;
    symlink("..", inside.join("parent"))?;
    symlink("loop", inside.join("loop"))?;
    std::fs::create_dir(inside.join("sub"))?;
    symlink("../up", inside.join("sub/twice"))?;
    let mut vm = roomy(attack, world(&inside))?;
    ensure!(number(attack.run_text(&mut vm, &open("file")))? == 0, "its own file is closed");
    let absolute = outside.join("secret").display().to_string();
    for path in [
        "../outside/secret",
        "..",
        "sub/../../outside/secret",
        "./sub/./../..//outside/secret",
        "/etc/passwd",
        absolute.as_str(),
        "//etc/passwd",
        "up",
        "absolute",
        "folder/secret",
        "parent/outside/secret",
        "parent",
        "sub/twice",
        "loop",
        "file/",
        "file/..",
        "up/",
        "..\\outside\\secret",
        "\u{ff0e}\u{ff0e}/outside/secret",
        "/proc/self/fd/0",
    ] {
        let errno = number(attack.run_text(&mut vm, &open(path)))?;
        ensure!(errno != 0, "{path:?} was opened");
    }
    // Links of its own making that lead out are not made, or lead nowhere.
    let body = "(drop (call $symlink (i32.const 1024) (i32.const 17) (i32.const 3) \
                (i32.const 1041) (i32.const 3)))";
    let path = "../outside/secretown";
    attack.run_text(&mut vm, &module(path, &format!("{body} (i32.const 0)")))?;
    ensure!(number(attack.run_text(&mut vm, &open("own")))? != 0, "its own link led out");
    attack.note(&"refused");
    Ok(())
}

fn race(attack: &mut Attack) -> Result<()> {
    let (inside, outside) = folder()?;
    std::fs::create_dir(inside.join("real"))?;
    std::fs::write(inside.join("real/secret"), b"inside")?;
    symlink("real", inside.join("swapped"))?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut vm = roomy(attack, world(&inside))?;
    // Reads the first byte of what it can open, and counts those that are not `i`.
    let body = format!(
        "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1))
         (loop $l
            (if (i32.eqz (call $open (i32.const 14) (i32.const 0) {RIGHTS})) (then
                (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
                (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 105))
                    (then (local.set $n (i32.add (local.get $n) (i32.const 1)))))
                (drop (call $close (i32.load (i32.const 16))))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 3000))))
         (local.get $n)"
    );
    let module = module("swapped/secret", &body);
    let outside_number = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (link, next) = (inside.join("swapped"), inside.join("next"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for target in [outside.as_path(), Path::new("real"), Path::new("../outside")] {
                    // Whichever fails, the next one is there soon.
                    let _ = symlink(target, &next);
                    let _ = std::fs::rename(&next, &link);
                }
            }
        });
        let ran = number(attack.run_text(&mut vm, &module));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ran
    })?;
    ensure!(outside_number == 0, "{outside_number} times it read what is outside");
    attack.count(&vm);
    Ok(())
}

fn read_only(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    let mut vm = roomy(attack, WasiConfig::new().read_only_dir(&inside, "/"))?;
    let body = format!(
        "(if (call $open (i32.const 4) (i32.const 0) (i64.const 2)) (then (return (i32.const 99))))
         (if (i32.eqz (call $open (i32.const 4) (i32.const 8) {RIGHTS})) (then (return (i32.const 1))))
         (if (i32.eqz (call $open (i32.const 4) (i32.const 9) {RIGHTS})) (then (return (i32.const 2))))
         (if (i32.eqz (call $unlink (i32.const 3) (i32.const 1024) (i32.const 4))) (then (return (i32.const 3))))
         (if (i32.eqz (call $mkdir (i32.const 3) (i32.const 1024) (i32.const 3))) (then (return (i32.const 4))))
         (if (i32.eqz (call $open (i32.const 3) (i32.const 1) {RIGHTS})) (then (return (i32.const 5))))
         (i32.const 0)"
    );
    let what = number(attack.run_text(&mut vm, &module("file", &body)))?;
    ensure!(what == 0, "change {what} was made");
    ensure!(std::fs::read(inside.join("file"))? == b"inside", "the file is another");
    attack.note(&"refused");
    Ok(())
}

fn descriptors(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    let mut vm = roomy(attack, world(&inside))?;
    let body = format!(
        "(loop $l
            (local.set $n (call $open (i32.const 4) (i32.const 0) {RIGHTS}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.and (i32.eqz (local.get $n)) (i32.lt_u (local.get $i) (i32.const 100000)))))
         (local.get $i)"
    );
    let opened = number(attack.run_text(&mut vm, &module("file", &body)))?;
    // The host still has some for itself.
    let file = std::fs::File::open(inside.join("file"));
    ensure!(file.is_ok(), "after {opened} files of the guest's the host has no descriptor left");
    attack.note(&format!("{opened} files"));
    attack.count(&vm);
    Ok(())
}

fn renumber(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    let mut vm = roomy(attack, world(&inside))?;
    let pairs =
        [(0, 1), (1, 3), (3, 0), (3, 3), (3, 99), (99, 3), (-1, 3), (3, -1), (3, 0x7fff_ffff)];
    for (from, to) in pairs {
        let body = format!(
            "(drop (call $renumber (i32.const {from}) (i32.const {to})))
             (drop (call $open (i32.const 4) (i32.const 0) {RIGHTS}))
             (drop (call $close (i32.const {from}))) (drop (call $close (i32.const {from})))
             (drop (call $close (i32.const {to})))
             (drop (call $read (i32.const {to}) (i32.const 0) (i32.const 1) (i32.const 8)))
             (i32.const 0)"
        );
        number(attack.run_text(&mut vm, &module("file", &body)))?;
        vm.reset()?;
    }
    attack.note(&"survived");
    Ok(())
}

fn odd_kinds(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    let made = std::process::Command::new("mkfifo").arg(inside.join("pipe")).status()?;
    ensure!(made.success(), "mkfifo failed");
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket"))?;
    for path in ["pipe", "socket"] {
        for rights in ["(i64.const 2)", "(i64.const 64)", RIGHTS] {
            let mut vm = roomy(attack, world(&inside))?;
            let body = format!("(call $open (i32.const {}) (i32.const 0) {rights})", path.len());
            let started = Instant::now();
            vm.set_deadline(Some(started + Duration::from_secs(3)));
            match attack.run_text(&mut vm, &module(path, &body)) {
                Ok(_) => attack.note(&"survived"),
                Err(Error::Interrupted(Interruption::TimedOut)) => attack.note(&"timed out"),
                Err(error) => bail!("{path}: {error}"),
            }
            let took = started.elapsed();
            ensure!(took < Duration::from_secs(20), "{path} held the host for {took:?}");
        }
    }
    Ok(())
}

fn sizes(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    for number in 0..2_000 {
        std::fs::write(inside.join(format!("entry-{number}")), b"")?;
    }
    let mut vm = roomy(attack, world(&inside))?;
    let body = format!(
        "(drop (call $open (i32.const 4) (i32.const 0) {RIGHTS}))
         (local.set $n (i32.load (i32.const 16)))
         (drop (call $set_size (local.get $n) (i64.const 0x7fffffffffffffff)))
         (drop (call $set_size (local.get $n) (i64.const -1)))
         (drop (call $allocate (local.get $n) (i64.const 0) (i64.const 0x7fffffffffffffff)))
         (drop (call $allocate (local.get $n) (i64.const -1) (i64.const -1)))
         (drop (call $readdir (i32.const 3) (i32.const 65536) (i32.const -1) (i64.const 0) (i32.const 8)))
         (drop (call $readdir (i32.const 3) (i32.const 65536) (i32.const 0x100000) (i64.const -1) (i32.const 8)))
         (loop $l
            (drop (call $readdir (i32.const 3) (i32.const 65536) (i32.const 0x10000) (i64.const 0) (i32.const 8)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 20))))
         (drop (call $set_size (local.get $n) (i64.const 0)))
         (i32.const 0)"
    );
    number(attack.run_text(&mut vm, &module("file", &body)))?;
    let deep = "d/".repeat(1_000);
    let body = format!(
        "(loop $l
            (drop (call $mkdir (i32.const 3) (i32.const 1024) (local.get $i)))
            (local.set $i (i32.add (local.get $i) (i32.const 2)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const {}))))
         (i32.const 0)",
        deep.len()
    );
    number(attack.run_text(&mut vm, &module(&deep, &body)))?;
    attack.note(&"survived");
    attack.count(&vm);
    Ok(())
}

fn sleeps(attack: &mut Attack) -> Result<()> {
    // Subscriptions of 48 bytes: userdata, tag, clock, timeout, precision, flags.
    for (count, timeout, flags) in [
        (1_u32, "-1", 0),
        (1, "-1", 1),
        (1, "0x7fffffffffffffff", 0),
        (2, "-1", 0),
        (2, "0x7fffffffffffffff", 0),
        (0, "0", 0),
        (1, "0", 0),
        (1, "1", 1),
        (60_000, "0", 0),
        (60_000, "-1", 0),
        (0x7fff_ffff, "0", 0),
        (u32::MAX, "0", 0),
    ] {
        let mut vm = roomy(attack, WasiConfig::new())?;
        let body = format!(
            "(loop $l
                (i32.store (i32.add (i32.const 0x10010) (local.get $n)) (i32.const 1))
                (i64.store (i32.add (i32.const 0x10018) (local.get $n)) (i64.const {timeout}))
                (i32.store (i32.add (i32.const 0x10028) (local.get $n)) (i32.const {flags}))
                (local.set $n (i32.add (local.get $n) (i32.const 48)))
                (br_if $l (i32.lt_u (local.get $n) (i32.const 2880000))))
             (call $poll (i32.const 0x10000) (i32.const 0x400000)
                (i32.const {}) (i32.const 8))",
            count.cast_signed()
        );
        let loaded = vm.load(&Module::from_text(&module("", &body))?)?;
        let instance = vm.instantiate(loaded)?;
        let run = vm.function(instance, "run")?;
        let started = Instant::now();
        vm.set_deadline(Some(started + Duration::from_millis(400)));
        match vm.call(&run, &[]) {
            Ok(_) | Err(Error::Trap(_)) => attack.note(&"survived"),
            Err(Error::Interrupted(Interruption::TimedOut)) => attack.note(&"timed out"),
            Err(error) => bail!("{count} sleeps of {timeout}: {error}"),
        }
        let took = started.elapsed();
        ensure!(took < Duration::from_secs(12), "{count} sleeps of {timeout}: {took:?}");
        attack.count(&vm);
    }
    Ok(())
}

fn random(attack: &mut Attack) -> Result<()> {
    let mut vm = roomy(attack, WasiConfig::new())?;
    for (at, len) in
        [(0, -1), (0, 0x0100_0000), (0x00ff_ffff, 2), (-1, -1), (0x7fff_ffff, 0x7fff_ffff)]
    {
        let body = format!("(call $random (i32.const {at}) (i32.const {len}))");
        match attack.run_text(&mut vm, &module("", &body)) {
            Ok(_) | Err(Error::Trap(_)) => attack.note(&"survived"),
            Err(error) => bail!("{len} bytes at {at}: {error}"),
        }
    }
    Ok(())
}

fn output(attack: &mut Attack) -> Result<()> {
    const CAPACITY: usize = 1 << 20;
    let captured = OutputBuffer::new(CAPACITY);
    let world = WasiConfig::new().stdout(Output::Capture(captured.clone()));
    let mut vm = roomy(attack, world)?;
    let before = crate::judge::resident()?;
    // A gigabyte: an array of 1,024 vectors of a megabyte each.
    let body = "(loop $l
            (i32.store (i32.add (i32.const 0x10000) (local.get $n)) (i32.const 0x100000))
            (i32.store (i32.add (i32.const 0x10004) (local.get $n)) (i32.const 0x100000))
            (local.set $n (i32.add (local.get $n) (i32.const 8)))
            (br_if $l (i32.lt_u (local.get $n) (i32.const 8192))))
         (loop $m
            (drop (call $write (i32.const 1) (i32.const 0x10000) (i32.const 1024) (i32.const 8)))
            (drop (call $write (i32.const 2) (i32.const 0x10000) (i32.const 1) (i32.const 8)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $m (i32.lt_u (local.get $i) (i32.const 64))))
         (i32.const 0)";
    match attack.run_text(&mut vm, &module("", body)) {
        Err(Error::OutputLimit { .. }) => {}
        other => bail!("{other:?}"),
    }
    ensure!(captured.contents().len() <= CAPACITY, "{} bytes are kept", captured.contents().len());
    let more = crate::judge::resident()?.saturating_sub(before) >> 20;
    ensure!(more < 200, "{more} MiB for output");
    attack.note(&format!("{} bytes are kept", captured.contents().len()));
    Ok(())
}

fn arguments(attack: &mut Attack) -> Result<()> {
    let (inside, _) = folder()?;
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o700))?;
    let mut world = world(&inside);
    for number in 0..2_000 {
        world = world.env(format!("NAME{number}"), "x".repeat(2_000)).arg("y".repeat(100));
    }
    let mut vm = roomy(attack, world)?;
    // Four million bytes fit; at the end of memory they do not.
    let body = "(drop (call $environ_sizes (i32.const 0) (i32.const 4)))
         (if (call $environ (i32.const 0x10000) (i32.const 0x20000)) (then (return (i32.const 1))))
         (call $environ (i32.const 0xfffff0) (i32.const 0xfffff8))";
    match attack.run_text(&mut vm, &module("", body)) {
        Err(Error::Trap(_)) => attack.note(&"trapped"),
        Ok(values) => ensure!(values != [Value::I32(0)] && values != [Value::I32(1)], "{values:?}"),
        Err(error) => bail!("{error}"),
    }
    Ok(())
}
