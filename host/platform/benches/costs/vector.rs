//! Vector operations against loops as one writes them.

use super::{least, ratio};
use std::hint::black_box;
use wrt_platform::vector::{self, Dimensions};

pub(super) fn run() {
    println!("  by {}", vector::availability().how);
    for len in [16, 256, 4096, 65_536] {
        let (a, b) = (vec![0.5_f32; len], vec![1.5_f32; len]);
        let mut y = b.clone();
        let turns = (1 << 20) / len;
        let naive_dot = least(20, || {
            for _ in 0..turns {
                let (a, b) = (black_box(&a), black_box(&b));
                black_box(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
            }
        });
        let dot = least(20, || {
            for _ in 0..turns {
                black_box(vector::dot(black_box(&a), black_box(&b)).unwrap());
            }
        });
        let naive_axpy = least(20, || {
            for _ in 0..turns {
                for (x, y) in black_box(&a).iter().zip(black_box(&mut y)) {
                    *y += 1e-9 * x;
                }
            }
        });
        let axpy = least(20, || {
            for _ in 0..turns {
                vector::axpy(1e-9, black_box(&a), black_box(&mut y)).unwrap();
            }
        });
        let naive_max = least(20, || {
            for _ in 0..turns {
                black_box(black_box(&a).iter().copied().fold(f32::NEG_INFINITY, f32::max));
            }
        });
        let max = least(20, || {
            for _ in 0..turns {
                black_box(vector::max(black_box(&a)));
            }
        });
        println!(
            "  {len:>6} elements: dot {:.2} x as fast as a loop, axpy {:.2} x, max {:.2} x",
            ratio(naive_dot, dot),
            ratio(naive_axpy, axpy),
            ratio(naive_max, max)
        );
    }
    for side in [8, 64, 256] {
        let (a, b) = (vec![0.5_f32; side * side], vec![1.5_f32; side * side]);
        let mut c = vec![0.0_f32; side * side];
        let naive = least(5, || naive_product(side, black_box(&a), black_box(&b), &mut c));
        let square = Dimensions { m: side, k: side, n: side };
        let gemm = least(10, || {
            vector::gemm(square, 1.0, black_box(&a), black_box(&b), 0.0, &mut c).unwrap();
        });
        println!(
            "  {side:>3} by {side:<3}: product {:.1} x as fast as three loops",
            ratio(naive, gemm)
        );
    }
}

fn naive_product(side: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    for row in 0..side {
        for column in 0..side {
            c[row * side + column] =
                (0..side).map(|k| a[row * side + k] * b[k * side + column]).sum();
        }
    }
}
