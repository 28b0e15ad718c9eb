//! The functions of `wrt_vec`: operations on vectors and matrices in a program's memory, by
//! the host's vector units.
//!
//! Each is there for `f32` and for `f64` (`dot_f32`, `dot_f64`); *T* is that type. Arguments
//! are in the order of BLAS. A vector is an offset in bytes and, common to all vectors of a
//! call, a count of elements; a matrix is an offset, its elements row after row. Offsets need
//! no alignment.
//!
//! | | parameters | result |
//! |---|---|---|
//! | `dot_` | n, x, y | *T*: the sum of the products of elements; 0 of none |
//! | `sum_` | n, x | *T*: the sum of the elements; 0 of none |
//! | `max_` | n, x | *T*: the largest element; negative infinity of none |
//! | `axpy_` | n, alpha: *T*, x, y | y ← alpha · x + y |
//! | `gemm_` | m, n, k, alpha: *T*, a, b, beta: *T*, c | c ← alpha · a · b + beta · c, where a has m rows and k columns, b has k rows and n columns, c has m rows and n columns |
//!
//! * What is not in the memory traps as an access of it would, before anything is written:
//!   also an offset past its end with nothing to read, as with `memory.copy`.
//! * The vectors of a call may overlap in any way: `axpy` computes with the elements of x that
//!   were there before the call. `a` and `b` may overlap; `c` overlapping one of them traps.
//! * Sums are added in no particular order and products may be added without being rounded
//!   first, so that last digits differ between machines. `max` is Wasm's own `max` of all
//!   elements: NaN if one is, and of zeros the positive one.
//! * With `beta` 0 what was in `c` does not matter, with `alpha` 0 what is in `a` and `b`, NaN
//!   or not.
//! * A call costs an exit. Compared with a loop of vector instructions in native code it pays for
//!   matrices of some hundred rows and columns, for vectors hardly ever; in the interpreter for
//!   long vectors, too. A limit of time and a cancel end a call while it computes.

use super::{Module, Table};

/// What the service offers.
pub const TABLE: Table =
    Table { name: "vector", modules: &[Module { name: MODULE, functions: FUNCTIONS }] };

/// Name of the import module.
pub const MODULE: &str = "wrt_vec";

super::functions! { Vector:
    DotF32 = "dot_f32"(Size, Size, Size) -> F32;
    DotF64 = "dot_f64"(Size, Size, Size) -> F64;
    SumF32 = "sum_f32"(Size, Size) -> F32;
    SumF64 = "sum_f64"(Size, Size) -> F64;
    MaxF32 = "max_f32"(Size, Size) -> F32;
    MaxF64 = "max_f64"(Size, Size) -> F64;
    AxpyF32 = "axpy_f32"(Size, F32, Size, Size);
    AxpyF64 = "axpy_f64"(Size, F64, Size, Size);
    GemmF32 = "gemm_f32"(Size, Size, Size, F32, Size, Size, F32, Size);
    GemmF64 = "gemm_f64"(Size, Size, Size, F64, Size, Size, F64, Size);
}
