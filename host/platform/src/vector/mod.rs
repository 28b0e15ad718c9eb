//! Operations on vectors and matrices of floats.
//!
//! macOS has Accelerate, which also reaches the matrix units of Apple silicon; elsewhere the
//! widest vectors that the processor has are chosen at run time (`pulp`), and matrices are
//! multiplied in blocks (`matrixmultiply`).
//!
//! Lengths are checked and wrong ones are errors: callers pass on what guests ask for. Sums
//! are added in another order than one after the other, so that last digits differ between
//! systems. Where elements are NaN a sum is NaN; what [`max`] says then is left open.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("vector operations are made for Linux and macOS");

use crate::availability::Availability;

/// Lengths that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// Two operands should be of one length.
    #[error("vectors of {left} and {right} elements")]
    Lengths {
        /// The first's.
        left: usize,
        /// The second's.
        right: usize,
    },
    /// A matrix is not of the size that its rows and columns say.
    #[error("matrix {which} has {have} elements and should have {want}")]
    Matrix {
        /// Which of them: `a`, `b` or `c`.
        which: char,
        /// Elements that there are.
        have: usize,
        /// Elements that there should be; `usize::MAX` for more than can be counted.
        want: usize,
    },
    /// A dimension is larger than the system can count.
    #[error("a dimension of {0} is too large")]
    Dimension(usize),
}

mod sealed {
    use super::Dimensions;

    /// What a system does for a type; lengths are checked by then.
    pub trait Kernel: Copy {
        fn dot(a: &[Self], b: &[Self]) -> Self;
        fn axpy(alpha: Self, x: &[Self], y: &mut [Self]);
        fn sum(x: &[Self]) -> Self;
        /// Of at least one element.
        fn max(x: &[Self]) -> Self;
        /// Dimensions fit `i32`, and the matrices are of their sizes.
        fn gemm(
            dimensions: Dimensions,
            alpha: Self,
            a: &[Self],
            b: &[Self],
            beta: Self,
            c: &mut [Self],
        );
    }
}

/// `f32` and `f64`.
pub trait Real: sealed::Kernel {}
impl Real for f32 {}
impl Real for f64 {}

fn same<T>(a: &[T], b: &[T]) -> Result<(), VectorError> {
    match a.len() == b.len() {
        true => Ok(()),
        false => Err(VectorError::Lengths { left: a.len(), right: b.len() }),
    }
}

/// The sum of the products of elements: 0 of none.
///
/// # Errors
///
/// When the lengths differ.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> Result<T, VectorError> {
    same(a, b)?;
    Ok(T::dot(a, b))
}

/// `y = alpha * x + y`.
///
/// # Errors
///
/// When the lengths differ.
pub fn axpy<T: Real>(alpha: T, x: &[T], y: &mut [T]) -> Result<(), VectorError> {
    same(x, y)?;
    T::axpy(alpha, x, y);
    Ok(())
}

/// The sum of the elements: 0 of none.
pub fn sum<T: Real>(x: &[T]) -> T {
    T::sum(x)
}

/// The largest element, or `None` of none.
pub fn max<T: Real>(x: &[T]) -> Option<T> {
    (!x.is_empty()).then(|| T::max(x))
}

/// The dimensions of a product of matrices: `m` rows and `k` columns times `k` rows and `n`
/// columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Rows of `a` and `c`.
    pub m: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    /// Columns of `b` and `c`.
    pub n: usize,
}

/// `c = alpha * a * b + beta * c`, row after row. With `beta` 0, what `c` held does not matter,
/// even NaN.
///
/// # Errors
///
/// When a matrix is not of the size that `dimensions` say.
pub fn gemm<T: Real>(
    dimensions: Dimensions,
    alpha: T,
    a: &[T],
    b: &[T],
    beta: T,
    c: &mut [T],
) -> Result<(), VectorError> {
    let Dimensions { m, k, n } = dimensions;
    for dimension in [m, k, n] {
        // What Accelerate counts with; more does not fit a guest's memory.
        i32::try_from(dimension).map_err(|_| VectorError::Dimension(dimension))?;
    }
    let sizes = [('a', a.len(), m, k), ('b', b.len(), k, n), ('c', c.len(), m, n)];
    for (which, have, rows, columns) in sizes {
        let want = rows.saturating_mul(columns);
        if have != want {
            return Err(VectorError::Matrix { which, have, want });
        }
    }
    if m > 0 && n > 0 {
        T::gemm(dimensions, alpha, a, b, beta, c);
    }
    Ok(())
}

/// What of it this machine offers.
pub fn availability() -> Availability {
    Availability { system: "vector", available: true, how: sys::how(), missing: None, remedy: None }
}
