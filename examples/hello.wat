;; The smallest useful program: writes a line to standard output.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; An iovec at 0: eight bytes further, 23 bytes long.
  (data (i32.const 0) "\08\00\00\00\17\00\00\00Hello from a micro-VM!\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
