//! Large modules, and streams that are none.

use crate::support::{assert_fails, code_cache, has_hypervisor, stderr, wrt_vm_with_cache};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A number in LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

fn section(kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let len = body.iter().map(|part| part.len()).sum();
    [&[kind], &leb(len)[..], &body.concat()].concat()
}

/// A module of `mebibytes` of data, if `data`, or of a custom section, which exits with 42.
fn module(folder: &Path, data: bool, mebibytes: usize) -> PathBuf {
    let (bytes, len) = (vec![0x5a; mebibytes << 20], mebibytes << 20);
    let pages = if data { 16 * mebibytes + 1 } else { 1 };
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.extend(section(1, &[b"\x02\x60\x01\x7f\0\x60\0\0"]));
    module.extend(section(2, &[b"\x01\x16wasi_snapshot_preview1\x09proc_exit\0\0"]));
    module.extend(section(3, &[b"\x01\x01"]));
    module.extend(section(5, &[b"\x01\0", &leb(pages)]));
    module.extend(section(7, &[b"\x02\x06_start\0\x01\x06memory\x02\0"]));
    module.extend(section(10, &[b"\x01\x06\0\x41\x2a\x10\0\x0b"]));
    match data {
        true => module.extend(section(11, &[b"\x01\0\x41\0\x0b", &leb(len), &bytes])),
        false => module.extend(section(0, &[b"\x03pad", &bytes])),
    }
    let path = folder.join("large.wasm");
    std::fs::write(&path, module).expect("the folder is ours");
    path
}

/// More than 64 MiB, the most that a message had room for, and more than 128, the most that one
/// read or write moved.
#[test]
fn large_modules_are_compiled_and_run() {
    if !has_hypervisor() {
        return;
    }
    for (data, mebibytes) in [(true, 65), (true, 140), (false, 130)] {
        let (cache, folder) = (code_cache(), tempfile::tempdir().expect("a temporary directory"));
        let module = module(folder.path(), data, mebibytes);
        // Compiled here, then found in the cache, in a worker.
        for options in [&[][..], &["--worker"]] {
            let mut command = wrt_vm_with_cache(cache.path());
            command.args(["run", "--engine", "native"]).args(options).arg(&module);
            let output = command.output().expect("the binary runs");
            let what = format!("{data} {mebibytes}");
            assert_eq!(output.status.code(), Some(42), "{what}: {}", stderr(&output));
        }
    }
}

/// The artefact in a file, and the interpreter, on the same module in a worker.
#[test]
fn a_large_module_goes_the_other_ways() {
    if !has_hypervisor() {
        return;
    }
    let (cache, folder) = (code_cache(), tempfile::tempdir().expect("a temporary directory"));
    let module = module(folder.path(), true, 65);
    let artifact = folder.path().join("large.cwasm");
    let mut command = wrt_vm_with_cache(cache.path());
    let output = command.arg("compile").arg(&module).arg("-o").arg(&artifact).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(artifact.metadata().expect("it was written").len() > 65 << 20);
    for (engine, path) in [("native", &artifact), ("interp", &module)] {
        for place in [&[][..], &["--worker"]] {
            let mut command = wrt_vm_with_cache(cache.path());
            command.args(["run", "--engine", engine]).args(place).arg(path);
            let output = command.output().expect("the binary runs");
            assert_eq!(output.status.code(), Some(42), "{engine} {place:?}: {}", stderr(&output));
        }
    }
}

/// As large as README says that they may be to be compiled: minutes, and 4 GiB of memory.
#[test]
#[ignore = "by night (tests/nightly): takes minutes and gigabytes"]
fn modules_up_to_the_limit_are_compiled_and_run() {
    if !has_hypervisor() {
        return;
    }
    let (cache, folder) = (code_cache(), tempfile::tempdir().expect("a temporary directory"));
    for (data, mebibytes) in [(true, 600), (false, 900)] {
        let module = module(folder.path(), data, mebibytes);
        let mut command = wrt_vm_with_cache(cache.path());
        command.args(["run", "--engine", "native"]).arg(&module);
        let output = command.output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(42), "{data} {mebibytes}: {}", stderr(&output));
    }
}

#[test]
fn a_file_without_an_end_is_no_module() {
    let run = |name: &str| -> Output {
        // More memory than that is not to be had.
        let script = format!("ulimit -v 4000000; exec {} run {name}", env!("CARGO_BIN_EXE_wrt-vm"));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).output().expect("every system has one")
    };
    assert_fails(&run("/dev/zero"), 1, &["not a WebAssembly module", "begins with 00 00 00 00"]);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let text = folder.path().join("endless.wat");
    std::os::unix::fs::symlink("/dev/zero", &text).expect("the folder is ours");
    let output = run(text.to_str().expect("a plain name"));
    assert_fails(&output, 1, &["more than 256.0 MiB"]);
}
