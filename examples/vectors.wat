;; What wrt-vm offers besides WASI: vectors computed by the host (`wrt_vec`), and lines for its
;; log (`wrt_log`).
;;
;;     wrt-vm run -v examples/vectors.wat
(module
  (import "wrt_vec" "dot_f64" (func $dot (param i32 i32 i32) (result f64)))
  (import "wrt_vec" "axpy_f64" (func $axpy (param i32 f64 i32 i32)))
  (import "wrt_log" "log" (func $log (param i32 i32 i32)))

  (memory (export "memory") 1)
  (data (i32.const 96) "1\c2\b74 + 2\c2\b75 + 3\c2\b76 is 32, as it should be")
  (data (i32.const 160) "the sum of the products is wrong")

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
    (if (f64.eq (call $dot (i32.const 3) (i32.const 0) (i32.const 24)) (f64.const 32))
      ;; Level 3 is info, 1 is error.
      (then (call $log (i32.const 3) (i32.const 96) (i32.const 41)))
      (else (call $log (i32.const 1) (i32.const 160) (i32.const 32))))))
