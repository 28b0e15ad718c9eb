//! The words of a call as arguments of their types.
//!
//! A number that is no member of its enumeration or set of flags ends the program, as in wasmtime:
//! before the call does anything, and whatever the other arguments are.

use super::errno::{Checked, Fault};
use super::low;
use super::memory::{Bytes, List, Place, Text};
use wrt_abi::UnknownNumber;
use wrt_abi::services::Arguments;
use wrt_abi::services::wasi::{
    Advice, Clockid, Fdflags, Fstflags, Lookupflags, Oflags, Riflags, Rights, Sdflags, Signal,
    Whence, unstable,
};

/// The words of a call that were not taken yet.
pub(super) struct Words<'a>(std::slice::Iter<'a, u64>);

/// What can be taken from the words of a call.
pub(super) trait Argument: Sized {
    /// Takes as many words as it needs.
    fn take(words: &mut Words<'_>) -> Checked<Self>;
}

impl<'a> Words<'a> {
    pub(super) fn new(arguments: &'a Arguments) -> Self {
        Self(arguments.iter())
    }

    /// The next argument.
    pub(super) fn next<T: Argument>(&mut self) -> Checked<T> {
        T::take(self)
    }

    /// No function has more arguments than there are words.
    fn word(&mut self) -> u64 {
        self.0.next().copied().unwrap_or_default()
    }
}

impl Argument for u32 {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        Ok(low(words.word()))
    }
}

impl Argument for u64 {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        Ok(words.word())
    }
}

impl Argument for i64 {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        Ok(words.word().cast_signed())
    }
}

/// `siflags`: of any bits.
impl Argument for u16 {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        let number = low(words.word());
        Self::try_from(number).map_err(|_| unknown("siflags", number.into()))
    }
}

impl<T> Argument for Place<T> {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        words.next().map(Self::new)
    }
}

impl Argument for Bytes {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        Ok(Self { at: words.next()?, len: words.next()? })
    }
}

impl Argument for Text {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        words.next().map(Self)
    }
}

impl<T> Argument for List<T> {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        Ok(Self { first: words.next()?, count: words.next()? })
    }
}

fn unknown(set: &'static str, number: u64) -> Fault {
    Fault::Number(UnknownNumber { set, number })
}

macro_rules! enumerations {
    ($($name:ty,)*) => {$(
        impl Argument for $name {
            fn take(words: &mut Words<'_>) -> Checked<Self> {
                Self::try_from(low(words.word())).map_err(Fault::Number)
            }
        }
    )*};
}

enumerations! { Advice, Clockid, Signal, Whence, unstable::Whence, }

macro_rules! flags {
    ($($name:ident($word:ident),)*) => {$(
        impl Argument for $name {
            fn take(words: &mut Words<'_>) -> Checked<Self> {
                let word: $word = words.next()?;
                let flags = word.try_into().ok().and_then(Self::from_bits);
                flags.ok_or_else(|| unknown(stringify!($name), word.into()))
            }
        }
    )*};
}

flags! {
    Fdflags(u32), Fstflags(u32), Lookupflags(u32), Oflags(u32), Riflags(u32), Rights(u64),
    Sdflags(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<T: Argument>(word: u64) -> Checked<T> {
        let mut arguments = Arguments::default();
        arguments[0] = word;
        Words::new(&arguments).next()
    }

    #[test]
    fn the_upper_half_of_a_word_is_the_guests_to_fill() {
        assert_eq!(taken::<u32>(0xffff_ffff_0000_0003).unwrap(), 3);
        assert_eq!(taken::<Whence>(0xffff_ffff_0000_0002).unwrap(), Whence::End);
    }

    #[test]
    fn numbers_that_name_nothing_are_refused() {
        assert!(taken::<Clockid>(4).is_err() && taken::<Clockid>(u64::MAX).is_err());
        assert!(taken::<Fdflags>(1 << 5).is_err() && taken::<Fdflags>(1 << 16).is_err());
        assert!(taken::<Rights>(1 << 30).is_err() && taken::<Rights>(1 << 63).is_err());
        assert_eq!(taken::<Rights>((1 << 30) - 1).unwrap(), Rights::all());
        assert!(taken::<u16>(1 << 16).is_err());
        let fault = taken::<Sdflags>(4).unwrap_err();
        assert_eq!(fault.to_string(), "Sdflags has no number 0x4");
    }

    #[test]
    fn words_are_taken_in_their_order() {
        let mut arguments = Arguments::default();
        for (word, number) in arguments.iter_mut().zip(1..) {
            *word = number;
        }
        let mut words = Words::new(&arguments);
        assert_eq!(words.next::<u64>().unwrap(), 1);
        let Text(Bytes { at, len }) = words.next().unwrap();
        assert_eq!((at, len, words.next::<i64>().unwrap()), (2, 3, 4));
    }
}
