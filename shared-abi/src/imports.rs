//! Functions of the import modules that are wrt-vm's own: [`vector`](crate::vector) and
//! [`log`](crate::log).
//!
//! Where a memory is named, it is the one that the caller exports as `memory`, as in WASI.
//! Offsets, lengths and counts are `i32` or, all of one import, `i64`: as the import says,
//! which is as the memory is. They are unsigned.

use crate::value::ValueType;

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// An offset, a length or a count: `i32` or `i64`.
    Size,
    /// This type.
    Of(ValueType),
}

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Import name.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Type of its result, if it has one.
    pub result: Option<ValueType>,
}

impl Function {
    /// The first parameter whose type depends on the memory.
    pub fn first_size(&self) -> Option<usize> {
        self.params.iter().position(|param| *param == Param::Size)
    }

    /// Types of its parameters, where those of sizes are `size`.
    pub fn param_types(&self, size: ValueType) -> impl ExactSizeIterator<Item = ValueType> {
        self.params.iter().map(move |param| match param {
            Param::Size => size,
            Param::Of(ty) => *ty,
        })
    }
}
