//! Linux: the processor's vectors, the widest it has.

use super::Dimensions;
use super::sealed::Kernel;
use pulp::{Arch, Simd, WithSimd};

/// Accumulators: as many additions are under way at a time, since each waits for the one
/// before.
const LANES: usize = 4;

macro_rules! kernel {
    ($real:ident, $as_simd:ident, $as_mut_simd:ident, $splat:ident, $add:ident, $mul_add:ident,
     $max:ident, $reduce_sum:ident, $reduce_max:ident, $gemm:ident) => {
        impl Kernel for $real {
            fn dot(a: &[Self], b: &[Self]) -> Self {
                struct Dot<'a>(&'a [$real], &'a [$real]);
                impl WithSimd for Dot<'_> {
                    type Output = $real;
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) -> $real {
                        let (a, a_rest) = S::$as_simd(self.0);
                        let (b, b_rest) = S::$as_simd(self.1);
                        let mut sums = [simd.$splat(0.0); LANES];
                        let (a4, a1) = a.as_chunks::<LANES>();
                        let (b4, b1) = b.as_chunks::<LANES>();
                        for (a, b) in a4.iter().zip(b4) {
                            for lane in 0..LANES {
                                sums[lane] = simd.$mul_add(a[lane], b[lane], sums[lane]);
                            }
                        }
                        for (a, b) in a1.iter().zip(b1) {
                            sums[0] = simd.$mul_add(*a, *b, sums[0]);
                        }
                        let [s0, s1, s2, s3] = sums;
                        let sum = simd.$add(simd.$add(s0, s1), simd.$add(s2, s3));
                        let rest: $real = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
                        simd.$reduce_sum(sum) + rest
                    }
                }
                Arch::new().dispatch(Dot(a, b))
            }

            fn axpy(alpha: Self, x: &[Self], y: &mut [Self]) {
                struct Axpy<'a>($real, &'a [$real], &'a mut [$real]);
                impl WithSimd for Axpy<'_> {
                    type Output = ();
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) {
                        let (x, x_rest) = S::$as_simd(self.1);
                        let (y, y_rest) = S::$as_mut_simd(self.2);
                        let alpha = simd.$splat(self.0);
                        for (x, y) in x.iter().zip(y) {
                            *y = simd.$mul_add(alpha, *x, *y);
                        }
                        for (x, y) in x_rest.iter().zip(y_rest) {
                            *y += self.0 * x;
                        }
                    }
                }
                Arch::new().dispatch(Axpy(alpha, x, y));
            }

            fn sum(x: &[Self]) -> Self {
                struct Sum<'a>(&'a [$real]);
                impl WithSimd for Sum<'_> {
                    type Output = $real;
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) -> $real {
                        let (x, rest) = S::$as_simd(self.0);
                        let mut sums = [simd.$splat(0.0); LANES];
                        let (x4, x1) = x.as_chunks::<LANES>();
                        for x in x4 {
                            for lane in 0..LANES {
                                sums[lane] = simd.$add(sums[lane], x[lane]);
                            }
                        }
                        for x in x1 {
                            sums[0] = simd.$add(sums[0], *x);
                        }
                        let [s0, s1, s2, s3] = sums;
                        let sum = simd.$add(simd.$add(s0, s1), simd.$add(s2, s3));
                        simd.$reduce_sum(sum) + rest.iter().sum::<$real>()
                    }
                }
                Arch::new().dispatch(Sum(x))
            }

            fn max(x: &[Self]) -> Self {
                struct Max<'a>(&'a [$real]);
                impl WithSimd for Max<'_> {
                    type Output = $real;
                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) -> $real {
                        let (x, rest) = S::$as_simd(self.0);
                        let mut most = [simd.$splat($real::NEG_INFINITY); LANES];
                        let (x4, x1) = x.as_chunks::<LANES>();
                        for x in x4 {
                            for lane in 0..LANES {
                                most[lane] = simd.$max(most[lane], x[lane]);
                            }
                        }
                        for x in x1 {
                            most[0] = simd.$max(most[0], *x);
                        }
                        let [m0, m1, m2, m3] = most;
                        let most = simd.$max(simd.$max(m0, m1), simd.$max(m2, m3));
                        rest.iter().copied().fold(simd.$reduce_max(most), $real::max)
                    }
                }
                Arch::new().dispatch(Max(x))
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
                let (a_rows, b_rows) = (k.cast_signed(), n.cast_signed());
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: row after row, each matrix is of exactly the size that the dimensions
                // give (checked by the caller); `c` is borrowed for writing and so apart from
                // the others. With `beta` 0, `c` is not read.
                unsafe {
                    matrixmultiply::$gemm(
                        m, k, n, alpha, a, a_rows, 1, b, b_rows, 1, beta, c, b_rows, 1,
                    );
                }
            }
        }
    };
}

kernel!(
    f32,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    mul_add_e_f32s,
    max_f32s,
    reduce_sum_f32s,
    reduce_max_f32s,
    sgemm
);
kernel!(
    f64,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    mul_add_e_f64s,
    max_f64s,
    reduce_sum_f64s,
    reduce_max_f64s,
    dgemm
);

pub(super) fn how() -> String {
    // The set's name; what follows are its parts.
    let set = format!("{:?}", Arch::new());
    let set = set.split('(').next().unwrap_or_default();
    format!("pulp ({set}), matrixmultiply")
}
