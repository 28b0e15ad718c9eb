//! macOS: Accelerate.

use super::Dimensions;
use super::sealed::Kernel;
use std::ffi::c_int;

/// `enum CBLAS_ORDER` and `enum CBLAS_TRANSPOSE` of `vecLib/cblas.h`.
const ROW_MAJOR: c_int = 101;
const NO_TRANSPOSE: c_int = 111;

// `vecLib/vDSP.h` (`vDSP_Stride` is `long`, `vDSP_Length` is `unsigned long`) and
// `vecLib/cblas.h`, macOS 10.0 to 10.5.
#[link(name = "Accelerate", kind = "framework")]
unsafe extern "C" {
    fn vDSP_dotpr(a: *const f32, ia: isize, b: *const f32, ib: isize, c: *mut f32, n: usize);
    fn vDSP_dotprD(a: *const f64, ia: isize, b: *const f64, ib: isize, c: *mut f64, n: usize);
    fn vDSP_sve(a: *const f32, ia: isize, c: *mut f32, n: usize);
    fn vDSP_sveD(a: *const f64, ia: isize, c: *mut f64, n: usize);
    fn vDSP_maxv(a: *const f32, ia: isize, c: *mut f32, n: usize);
    fn vDSP_maxvD(a: *const f64, ia: isize, c: *mut f64, n: usize);
    /// `D = A * B + C`, with `B` a scalar.
    fn vDSP_vsma(
        a: *const f32,
        ia: isize,
        b: *const f32,
        c: *const f32,
        ic: isize,
        d: *mut f32,
        id: isize,
        n: usize,
    );
    fn vDSP_vsmaD(
        a: *const f64,
        ia: isize,
        b: *const f64,
        c: *const f64,
        ic: isize,
        d: *mut f64,
        id: isize,
        n: usize,
    );
    fn cblas_sgemm(
        order: c_int,
        transpose_a: c_int,
        transpose_b: c_int,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: f32,
        a: *const f32,
        lda: c_int,
        b: *const f32,
        ldb: c_int,
        beta: f32,
        c: *mut f32,
        ldc: c_int,
    );
    fn cblas_dgemm(
        order: c_int,
        transpose_a: c_int,
        transpose_b: c_int,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: f64,
        a: *const f64,
        lda: c_int,
        b: *const f64,
        ldb: c_int,
        beta: f64,
        c: *mut f64,
        ldc: c_int,
    );
}

macro_rules! kernel {
    ($real:ident, $dot:ident, $axpy:ident, $sum:ident, $max:ident, $gemm:ident) => {
        impl Kernel for $real {
            fn dot(a: &[Self], b: &[Self]) -> Self {
                let mut result = 0.0;
                // SAFETY: reads as many elements as each has, one after the other (the
                // lengths are equal), and writes one.
                unsafe { $dot(a.as_ptr(), 1, b.as_ptr(), 1, &raw mut result, a.len()) };
                result
            }

            fn axpy(alpha: Self, x: &[Self], y: &mut [Self]) {
                let (len, y) = (y.len(), y.as_mut_ptr());
                // SAFETY: reads and writes `len` elements of each; the result may be where an
                // operand is (`vDSP.h`, "in-place operation").
                unsafe { $axpy(x.as_ptr(), 1, &raw const alpha, y, 1, y, 1, len) };
            }

            fn sum(x: &[Self]) -> Self {
                let mut result = 0.0;
                // SAFETY: reads `x.len()` elements and writes one.
                unsafe { $sum(x.as_ptr(), 1, &raw mut result, x.len()) };
                result
            }

            fn max(x: &[Self]) -> Self {
                let mut result = $real::NEG_INFINITY;
                // SAFETY: as for the sum.
                unsafe { $max(x.as_ptr(), 1, &raw mut result, x.len()) };
                result
            }

            fn gemm(
                Dimensions { m, k, n }: Dimensions,
                alpha: Self,
                a: &[Self],
                b: &[Self],
                beta: Self,
                c: &mut [Self],
            ) {
                debug_assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n);
                let int = |dimension: usize| c_int::try_from(dimension).unwrap_or(c_int::MAX);
                let (order, straight) = (ROW_MAJOR, NO_TRANSPOSE);
                // Leading dimensions are at least 1, even of nothing.
                let (lda, ldb) = (int(k.max(1)), int(n));
                let (m, n, k) = (int(m), int(n), int(k));
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: BLAS reads and writes exactly these matrices, row after row: each is
                // of the size that the dimensions, which fit `int`, give (checked by the
                // caller). `c` is borrowed for writing and so apart from the others. With `beta`
                // 0, BLAS does not read it.
                unsafe {
                    $gemm(order, straight, straight, m, n, k, alpha, a, lda, b, ldb, beta, c, ldb);
                }
            }
        }
    };
}

kernel!(f32, vDSP_dotpr, vDSP_vsma, vDSP_sve, vDSP_maxv, cblas_sgemm);
kernel!(f64, vDSP_dotprD, vDSP_vsmaD, vDSP_sveD, vDSP_maxvD, cblas_dgemm);

pub(super) fn how() -> String {
    "Accelerate".to_owned()
}
