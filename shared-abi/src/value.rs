//! Typed Wasm values on the wire.

use crate::wire::{Malformed, Reader, Writer};

/// Bytes that one value takes in a payload.
pub const VALUE_SIZE: usize = 17;

/// Type of a Wasm value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// 32-bit integer.
    I32 = 1,
    /// 64-bit integer.
    I64 = 2,
    /// 32-bit float.
    F32 = 3,
    /// 64-bit float.
    F64 = 4,
    /// 128-bit vector.
    V128 = 5,
    /// Reference to a function.
    FuncRef = 6,
    /// Reference to a host object.
    ExternRef = 7,
}

impl ValueType {
    /// The type in the text format's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::FuncRef => "funcref",
            Self::ExternRef => "externref",
        }
    }
}

impl core::fmt::Display for ValueType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<u8> for ValueType {
    type Error = Malformed;
    fn try_from(tag: u8) -> Result<Self, Malformed> {
        Ok(match tag {
            1 => Self::I32,
            2 => Self::I64,
            3 => Self::F32,
            4 => Self::F64,
            5 => Self::V128,
            6 => Self::FuncRef,
            7 => Self::ExternRef,
            _ => return Err(Malformed),
        })
    }
}

/// A Wasm value. Floats are kept as bits, so that NaN payloads survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireValue {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Bits of a 32-bit float.
    F32(u32),
    /// Bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector.
    V128(u128),
    /// Function number, or null.
    FuncRef(Option<u32>),
    /// A host object's number, or null.
    ExternRef(Option<u64>),
}

/// What a reference's upper half says when it is not null.
const NOT_NULL: u128 = 1 << 64;

impl WireValue {
    /// The value's type.
    pub const fn ty(&self) -> ValueType {
        match self {
            Self::I32(_) => ValueType::I32,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
            Self::V128(_) => ValueType::V128,
            Self::FuncRef(_) => ValueType::FuncRef,
            Self::ExternRef(_) => ValueType::ExternRef,
        }
    }

    /// Appends the value: a type byte and 16 bytes of value.
    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), Malformed> {
        let bits = match *self {
            Self::I32(value) => u128::from(value.cast_unsigned()),
            Self::I64(value) => u128::from(value.cast_unsigned()),
            Self::F32(bits) => bits.into(),
            Self::F64(bits) => bits.into(),
            Self::V128(bits) => bits,
            Self::FuncRef(func) => func.map_or(0, |number| NOT_NULL | u128::from(number)),
            Self::ExternRef(object) => object.map_or(0, |number| NOT_NULL | u128::from(number)),
        };
        to.u8(self.ty() as u8)?;
        to.u128(bits)
    }

    /// Reads one value. Bits that its type does not have must be zero.
    pub fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let ty = ValueType::try_from(from.u8()?)?;
        let bits = from.u128()?;
        let word = || u64::try_from(bits).map_err(|_| Malformed);
        let half = || u32::try_from(bits).map_err(|_| Malformed);
        let reference = || match bits {
            0 => Ok(None),
            _ => u64::try_from(bits ^ NOT_NULL).map(Some).map_err(|_| Malformed),
        };
        Ok(match ty {
            ValueType::I32 => Self::I32(half()?.cast_signed()),
            ValueType::I64 => Self::I64(word()?.cast_signed()),
            ValueType::F32 => Self::F32(half()?),
            ValueType::F64 => Self::F64(word()?),
            ValueType::V128 => Self::V128(bits),
            ValueType::FuncRef => Self::FuncRef(match reference()? {
                None => None,
                Some(number) => Some(u32::try_from(number).map_err(|_| Malformed)?),
            }),
            ValueType::ExternRef => Self::ExternRef(reference()?),
        })
    }
}
