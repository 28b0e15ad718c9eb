;; Three things that a program may try. README.md has the commands.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "../../../../etc/passwd")
  (data (i32.const 128) "no way to /etc/passwd\n")

  ;; Computes without end.
  (func (export "loop") (loop $on (br $on)))

  ;; Takes all memory that it gets, then says how many pages of 64 KiB that were.
  (func (export "hoard") (result i32)
    (loop $on (br_if $on (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (memory.size))

  ;; Looks for a file outside of the directory that it was given, as a program.
  (func (export "_start") (local $errno i32)
    (local.set $errno
      (call $path_open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 22) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (if (i32.eqz (local.get $errno)) (then (call $proc_exit (i32.const 1))))
    (i32.store (i32.const 8) (i32.const 128))
    (i32.store (i32.const 12) (i32.const 22))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
    (call $proc_exit (local.get $errno))))
