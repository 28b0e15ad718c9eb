//! Vector operations against what they mean.

use wrt_platform::vector::{Dimensions, VectorError, axpy, dot, gemm, max, sum};

/// Numbers that sums of are exact in either type, so that no order of addition matters.
fn numbers(len: usize, step: u32) -> Vec<f64> {
    (0..u32::try_from(len).unwrap()).map(|i| f64::from(i * step % 31) - 15.0).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
fn single(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}

fn double(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

/// Around the widths of vectors, and past them.
const LENGTHS: [usize; 14] = [0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 33, 64, 100, 1000];

#[test]
fn of_every_length() {
    for len in LENGTHS {
        let (a, b) = (numbers(len, 7), numbers(len, 11));
        let (a32, b32) = (single(&a), single(&b));
        let want: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert_eq!(dot(&a, &b).unwrap(), want, "dot of {len}");
        assert_eq!(f64::from(dot(&a32, &b32).unwrap()), want, "dot of {len}");
        assert_eq!(sum(&a), a.iter().sum::<f64>(), "sum of {len}");
        assert_eq!(sum(&a32), a32.iter().sum::<f32>(), "sum of {len}");
        assert_eq!(max(&a), a.iter().copied().reduce(f64::max), "max of {len}");
        assert_eq!(max(&a32), a32.iter().copied().reduce(f32::max), "max of {len}");
        let mut y = b.clone();
        axpy(3.0, &a, &mut y).unwrap();
        let want: Vec<_> = a.iter().zip(&b).map(|(a, b)| 3.0 * a + b).collect();
        assert_eq!(y, want, "axpy of {len}");
        let mut y32 = b32.clone();
        axpy(3.0, &a32, &mut y32).unwrap();
        assert_eq!(y32, single(&want), "axpy of {len}");
    }
}

#[test]
fn the_largest_is_found_wherever_it_is() {
    for place in 0..70 {
        let mut x = vec![-5.0_f32; 70];
        x[place] = -1.0;
        assert_eq!(max(&x), Some(-1.0), "at {place}");
    }
    assert_eq!(max(&[f64::NEG_INFINITY]), Some(f64::NEG_INFINITY));
}

#[test]
fn lengths_that_differ_are_errors() {
    let error = VectorError::Lengths { left: 2, right: 3 };
    assert_eq!(dot(&[0.0_f32; 2], &[0.0; 3]), Err(error));
    assert_eq!(axpy(1.0, &[0.0_f64; 2], &mut [0.0; 3]), Err(error));
}

#[test]
fn not_a_number_is_passed_on() {
    let mut x = [1.0_f32; 40];
    x[20] = f32::NAN;
    assert!(sum(&x).is_nan() && dot(&x, &[1.0; 40]).unwrap().is_nan());
    let _ = max(&x);
}

fn naive(d: Dimensions, a: &[f32], b: &[f32], c: &mut [f32], alpha: f32, beta: f32) {
    for row in 0..d.m {
        for column in 0..d.n {
            let product: f32 = (0..d.k).map(|i| a[row * d.k + i] * b[i * d.n + column]).sum();
            let cell = &mut c[row * d.n + column];
            *cell = alpha * product + beta * *cell;
        }
    }
}

#[test]
fn matrices_of_every_shape() {
    for (m, k, n) in [(1, 1, 1), (2, 3, 4), (4, 3, 2), (17, 9, 33), (64, 64, 64), (5, 0, 3)] {
        let d = Dimensions { m, k, n };
        let (a, b) = (single(&numbers(m * k, 7)), single(&numbers(k * n, 11)));
        let mut c = single(&numbers(m * n, 3));
        let mut want = c.clone();
        naive(d, &a, &b, &mut want, 2.0, 1.0);
        let (a64, b64, mut c64) = (double(&a), double(&b), double(&c));
        gemm(d, 2.0, &a, &b, 1.0, &mut c).unwrap();
        assert_eq!(c, want, "{d:?}");
        gemm(d, 2.0, &a64, &b64, 1.0, &mut c64).unwrap();
        assert_eq!(c64, double(&want), "{d:?}");
    }
}

#[test]
fn with_beta_0_the_old_values_do_not_matter() {
    let mut c = [f32::NAN; 4];
    let d = Dimensions { m: 2, k: 2, n: 2 };
    gemm(d, 1.0, &[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 0.0, 1.0], 0.0, &mut c).unwrap();
    assert_eq!(c, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn matrices_of_the_wrong_size_are_errors() {
    let d = Dimensions { m: 2, k: 2, n: 2 };
    let (four, three) = ([0.0; 4], [0.0; 3]);
    let mut c = [0.0; 4];
    let wrong = |which| Err(VectorError::Matrix { which, have: 3, want: 4 });
    assert_eq!(gemm(d, 1.0, &three, &four, 0.0, &mut c), wrong('a'));
    assert_eq!(gemm(d, 1.0, &four, &three, 0.0, &mut c), wrong('b'));
    assert_eq!(gemm(d, 1.0, &four, &four, 0.0, &mut c[..3]), wrong('c'));
    for large in [1 << 31, usize::MAX] {
        let d = Dimensions { m: large, k: 2, n: large };
        assert_eq!(gemm(d, 1.0, &[], &[], 0.0, &mut []), Err(VectorError::Dimension(large)));
    }
    let d = Dimensions { m: i32::MAX as usize, k: 1, n: i32::MAX as usize };
    assert!(matches!(gemm(d, 1.0, &[], &[], 0.0, &mut []), Err(VectorError::Matrix { .. })));
}
