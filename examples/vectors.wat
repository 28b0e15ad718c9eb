;; What wrt-vm offers besides WASI: vectors computed by the host (`wrt_vec`), and lines for its
;; log (`wrt_log`).
;;
;;     wrt-vm run examples/vectors.wat        prints: 1*4 + 2*5 + 3*6 = 32
;;     wrt-vm run -v examples/vectors.wat     shows its line in the log, too
(module
  (import "wrt_vec" "dot_f64" (func $dot (param i32 i32 i32) (result f64)))
  (import "wrt_vec" "axpy_f64" (func $axpy (param i32 f64 i32 i32)))
  (import "wrt_log" "log" (func $log (param i32 i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 96) "the host has computed a product")
  (data (i32.const 160) "1*4 + 2*5 + 3*6 = ??\n")

  ;; Puts the last two digits of $number at $to.
  (func $digits (param $number i32) (param $to i32)
    (i32.store8 (local.get $to)
      (i32.add (i32.const 48)
        (i32.rem_u (i32.div_u (local.get $number) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.add (local.get $to) (i32.const 1))
      (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))

  (func (export "_start")
    ;; x is 1, 2, 3; y is 1, 1, 1.
    (f64.store (i32.const 0) (f64.const 1))
    (f64.store (i32.const 8) (f64.const 2))
    (f64.store (i32.const 16) (f64.const 3))
    (f64.store (i32.const 24) (f64.const 1))
    (f64.store (i32.const 32) (f64.const 1))
    (f64.store (i32.const 40) (f64.const 1))
    ;; y becomes 4, 5, 6 by adding 3, 4, 5.
    (f64.store (i32.const 48) (f64.const 3))
    (f64.store (i32.const 56) (f64.const 4))
    (f64.store (i32.const 64) (f64.const 5))
    (call $axpy (i32.const 3) (f64.const 1) (i32.const 48) (i32.const 24))
    (call $digits
      (i32.trunc_f64_u (call $dot (i32.const 3) (i32.const 0) (i32.const 24)))
      (i32.const 178))
    ;; Level 3 is info.
    (call $log (i32.const 3) (i32.const 96) (i32.const 31))
    ;; One buffer of 21 bytes, for standard output.
    (i32.store (i32.const 80) (i32.const 160))
    (i32.store (i32.const 84) (i32.const 21))
    (drop (call $write (i32.const 1) (i32.const 80) (i32.const 1) (i32.const 88)))))
