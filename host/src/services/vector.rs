//! `wrt_vec`: operations on vectors and matrices in the stopped guest's memory.
//!
//! Sizes are checked here, whatever the engine in the guest has done. Work goes in blocks, for
//! three reasons: a call can be ended between two of them, what is copied is bounded, and of
//! what is written no other reference is there. Elements are read where they are if they are
//! aligned and nothing is written beside them; else they are copied.

mod matrix;

use super::{Service, within};
use crate::error::{Error, Interruption};
use crate::machine::{CancelState, Ended};
use std::ops::{AddAssign, Range};
use wrt_abi::services::vector::FunctionId;
use wrt_abi::services::{Arguments, Import};
use wrt_platform::vector::{self, Real, VectorError};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a vector that are worked on between two looks at whether the call shall end. They
/// fit a processor's second cache.
const BLOCK: usize = 256 << 10;

/// Why a call has no result.
enum Failure {
    /// It reaches out of the memory.
    OutOfBounds,
    /// It is not defined.
    Undefined(String),
    /// It shall end.
    Interrupted(Interruption),
}

impl From<VectorError> for Failure {
    fn from(error: VectorError) -> Self {
        Self::Undefined(error.to_string())
    }
}

/// `f32` and `f64`.
trait Element: Real + PartialOrd + AddAssign + FromBytes + IntoBytes + KnownLayout + Immutable {
    const ZERO: Self;
    const ONE: Self;
    const NEGATIVE_ZERO: Self;
    const NEGATIVE_INFINITY: Self;
    const NAN: Self;

    /// The number whose bits are the low ones of a word.
    fn of_word(word: u64) -> Self;
    /// Its bits.
    fn word(self) -> u64;
    fn is_nan(self) -> bool;
}

macro_rules! element {
    ($real:ident, $bits:ident) => {
        impl Element for $real {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEGATIVE_ZERO: Self = -0.0;
            const NEGATIVE_INFINITY: Self = $real::NEG_INFINITY;
            const NAN: Self = $real::NAN;

            #[allow(clippy::cast_possible_truncation, reason = "an f32 travels in the low half")]
            fn of_word(word: u64) -> Self {
                Self::from_bits(word as $bits)
            }

            fn word(self) -> u64 {
                self.to_bits().into()
            }

            fn is_nan(self) -> bool {
                $real::is_nan(self)
            }
        }
    };
}

element!(f32, u32);
element!(f64, u64);

/// It keeps nothing between two calls.
pub(super) struct Vector;

impl Service for Vector {
    fn call(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        cancel: &CancelState,
    ) -> Result<Ended, Error> {
        let Some(function) = FunctionId::of(import) else { return Ok(Ended::Unknown) };
        match (Guest { memory, cancel }).call(function, arguments) {
            Ok(bits) => Ok(Ended::Returned(bits)),
            Err(Failure::OutOfBounds) => Ok(Ended::OutOfBounds),
            Err(Failure::Undefined(why)) => Ok(Ended::Trap(why)),
            Err(Failure::Interrupted(why)) => Err(Error::Interrupted(why)),
        }
    }
}

/// A program's memory, and what ends its call.
struct Guest<'a> {
    memory: &'a mut [u8],
    cancel: &'a CancelState,
}

impl Guest<'_> {
    /// The bits of the function's result, if it has one.
    fn call(&mut self, function: FunctionId, arguments: &Arguments) -> Result<u64, Failure> {
        match function {
            FunctionId::DotF32 => self.dot::<f32>(arguments).map(Element::word),
            FunctionId::DotF64 => self.dot::<f64>(arguments).map(Element::word),
            FunctionId::SumF32 => self.sum::<f32>(arguments).map(Element::word),
            FunctionId::SumF64 => self.sum::<f64>(arguments).map(Element::word),
            FunctionId::MaxF32 => self.max::<f32>(arguments).map(Element::word),
            FunctionId::MaxF64 => self.max::<f64>(arguments).map(Element::word),
            FunctionId::AxpyF32 => self.axpy::<f32>(arguments).map(|()| 0),
            FunctionId::AxpyF64 => self.axpy::<f64>(arguments).map(|()| 0),
            FunctionId::GemmF32 => self.gemm::<f32>(arguments).map(|()| 0),
            FunctionId::GemmF64 => self.gemm::<f64>(arguments).map(|()| 0),
        }
    }

    fn dot<T: Element>(&self, &[n, x, y, ..]: &Arguments) -> Result<T, Failure> {
        let (x, y) = (self.vector::<T>(n, x)?, self.vector::<T>(n, y)?);
        let (mut x_copy, mut y_copy) = (Vec::new(), Vec::new());
        let mut sum = T::ZERO;
        for (x, y) in self.memory[x].chunks(BLOCK).zip(self.memory[y].chunks(BLOCK)) {
            self.go_on()?;
            sum += vector::dot(elements(x, &mut x_copy), elements(y, &mut y_copy))?;
        }
        Ok(sum)
    }

    fn sum<T: Element>(&self, &[n, x, ..]: &Arguments) -> Result<T, Failure> {
        let x = self.vector::<T>(n, x)?;
        let mut copy = Vec::new();
        let mut sum = T::ZERO;
        for x in self.memory[x].chunks(BLOCK) {
            self.go_on()?;
            sum += vector::sum(elements::<T>(x, &mut copy));
        }
        Ok(sum)
    }

    fn max<T: Element>(&self, &[n, x, ..]: &Arguments) -> Result<T, Failure> {
        let x = self.vector::<T>(n, x)?;
        let mut copy = Vec::new();
        let mut most = T::NEGATIVE_INFINITY;
        for x in self.memory[x].chunks(BLOCK) {
            self.go_on()?;
            let x = elements::<T>(x, &mut copy);
            // What the system's own says of NaN, and of two zeros, is left open. Without a way
            // out of the loop it is done by vectors.
            if x.iter().fold(false, |found, x| found | x.is_nan()) {
                return Ok(T::NAN);
            }
            let here = match vector::max(x) {
                Some(zero) if zero == T::ZERO => match x.iter().any(|x| x.word() == 0) {
                    true => T::ZERO,
                    false => T::NEGATIVE_ZERO,
                },
                here => here.unwrap_or(T::NEGATIVE_INFINITY),
            };
            // Bits 0 are those of the positive zero.
            if here > most || (here == most && here.word() == 0) {
                most = here;
            }
        }
        Ok(most)
    }

    fn axpy<T: Element>(&mut self, &[n, alpha, x, y, ..]: &Arguments) -> Result<(), Failure> {
        let alpha = T::of_word(alpha);
        let (x, y) = (self.vector::<T>(n, x)?, self.vector::<T>(n, y)?);
        let (mut x_copy, mut y_copy) = (Vec::new(), Vec::new());
        let count = x.len().div_ceil(BLOCK);
        // As memmove does it: what is overwritten of x has been read by then.
        let backwards = x.start < y.start;
        for block in 0..count {
            self.go_on()?;
            let start = if backwards { count - 1 - block } else { block } * BLOCK;
            let len = BLOCK.min(x.len() - start);
            let at = x.start + start;
            copy_out(&self.memory[at..at + len], &mut x_copy);
            let at = y.start + start;
            let y = &mut self.memory[at..at + len];
            if let Ok(y) = <[T]>::mut_from_bytes(y) {
                vector::axpy(alpha, &x_copy, y)?;
                continue;
            }
            copy_out(y, &mut y_copy);
            vector::axpy(alpha, &x_copy, &mut y_copy)?;
            y.copy_from_slice(y_copy.as_bytes());
        }
        Ok(())
    }

    /// Where a vector is in the memory.
    fn vector<T: Element>(&self, n: u64, at: u64) -> Result<Range<usize>, Failure> {
        let len = n.checked_mul(size_of::<T>() as u64);
        len.and_then(|len| within(self.memory, at, len)).ok_or(Failure::OutOfBounds)
    }

    /// Fails if the call shall end.
    fn go_on(&self) -> Result<(), Failure> {
        self.cancel.interruption().map_or(Ok(()), |why| Err(Failure::Interrupted(why)))
    }
}

/// The elements that these bytes are: there, if they are aligned, else in the copy.
fn elements<'a, T: Element>(bytes: &'a [u8], copy: &'a mut Vec<T>) -> &'a [T] {
    match <[T]>::ref_from_bytes(bytes) {
        Ok(elements) => elements,
        Err(_) => {
            copy_out(bytes, copy);
            copy
        }
    }
}

/// Makes `copy` the elements that these bytes are.
fn copy_out<T: Element>(bytes: &[u8], copy: &mut Vec<T>) {
    copy.resize(bytes.len() / size_of::<T>(), T::ZERO);
    copy.as_mut_bytes().copy_from_slice(bytes);
}

#[cfg(test)]
mod tests;
