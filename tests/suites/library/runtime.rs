//! VMs in programs that have an asynchronous runtime: all calls block, and none panics.

use crate::{call, instantiate};
use std::fs;
use std::time::Duration;
use wrt_tests::matrix;
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Value, WasiConfig};

/// Sleeps, reads its input, writes it out, and opens, writes and lists a directory.
const WORKS: &str = r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir"
    (func $list (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\02\00\00\05\00\00\00file")
  (func (export "work") (result i32)
    ;; 20 ms of the monotonic clock.
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 20000000))
    (i32.or
      (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 60))
      (i32.or
        (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 60))
        (i32.or
          (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 60))
          (i32.or
            (call $open (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 4) (i32.const 1)
              (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 56))
            (i32.or
              (call $write (i32.load (i32.const 56)) (i32.const 0) (i32.const 1) (i32.const 60))
              (call $list (i32.const 3) (i32.const 1024) (i32.const 512) (i64.const 0)
                (i32.const 60)))))))))"#;

#[test]
fn a_vm_works_inside_an_asynchronous_function() {
    // Each forbids another way of blocking in a task.
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let single = tokio::runtime::Builder::new_current_thread().build();
    for (runtime, kind) in [(threads, "threads"), (single, "one thread")] {
        let runtime = runtime.unwrap();
        for setup in matrix() {
            for worker in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().to_owned();
                let work = async move {
                    let output = OutputBuffer::new(64);
                    let world = WasiConfig::new()
                        .stdin(Stdin::Bytes(b"bytes".to_vec()))
                        .stdout(Output::Capture(output.clone()))
                        .dir(path, "/");
                    let builder = if worker { setup.in_worker() } else { setup.builder() };
                    let mut vm = builder.wasi(world).build().unwrap();
                    let instance = instantiate(&mut vm, WORKS);
                    vm.set_deadline(Some(std::time::Instant::now() + Duration::from_secs(600)));
                    let came = call(&mut vm, instance, "work", &[]).unwrap();
                    (came, output.contents())
                };
                // As a task, and as the runtime's own.
                let (came, output) = match kind {
                    "threads" => runtime.block_on(runtime.spawn(work)).unwrap(),
                    _ => runtime.block_on(work),
                };
                assert_eq!(came, [Value::I32(0)], "{setup}, {kind}, worker: {worker}");
                assert_eq!(&output[..], b"bytes", "{setup}, {kind}, worker: {worker}");
                assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"bytes");
            }
        }
    }
}
