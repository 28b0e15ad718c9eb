//! Processor features that compiled code may use.
//!
//! Three places must agree on them: the compiler, which is told what it may use; the host,
//! which finds out what the processor has and the VM lets through; and the guest's engine,
//! which asks for each feature of an artefact by name before it runs it.
//! [`FEATURES`] is their one table.

use crate::numbers::UnknownNumber;

/// Architecture of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Arch {
    /// 64-bit x86.
    X86_64 = 1,
    /// 64-bit Arm.
    Aarch64 = 2,
}

impl Arch {
    /// Every architecture, in the order of its number.
    pub const ALL: &'static [Self] = &[Self::X86_64, Self::Aarch64];

    /// Rust's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The architecture of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|arch| arch.name() == name)
    }

    /// What every machine has that runs a VM: code compiled for it runs anywhere.
    ///
    /// On x86-64 it is x86-64-v2 (as far as it is listed here): each processor with nested
    /// paging has it. Compiled code needs SSE4.1 in any case, since the guest's engine has
    /// no rounding functions that it could call instead.
    pub const fn baseline(self) -> CpuFeatures {
        match self {
            Self::X86_64 => CpuFeatures::X86_64_V2,
            // Armv8.0.
            Self::Aarch64 => CpuFeatures::NONE,
        }
    }

    /// All features of this architecture that are listed here.
    pub const fn features(self) -> CpuFeatures {
        let mut all = CpuFeatures::NONE;
        let mut i = 0;
        while i < FEATURES.len() {
            if FEATURES[i].arch as u32 == self as u32 {
                all = all.union(FEATURES[i].set);
            }
            i += 1;
        }
        all
    }
}

impl core::fmt::Display for Arch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<u32> for Arch {
    type Error = UnknownNumber;
    fn try_from(number: u32) -> Result<Self, UnknownNumber> {
        Self::ALL
            .iter()
            .copied()
            .find(|&arch| arch as u32 == number)
            .ok_or(UnknownNumber { set: "Arch", number: number.into() })
    }
}

/// A set of processor features; those of several architectures do not overlap.
///
/// It is written as its features' names with commas between them, and nothing if it is
/// empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuFeatures(u64);

/// One feature, and what others call it.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// The set of this feature alone: one bit.
    pub set: CpuFeatures,
    /// The architecture that has it.
    pub arch: Arch,
    /// Its name here, and the one by which wasmtime's runtime asks for it.
    pub name: &'static str,
    /// Cranelift's flag for it.
    pub flag: &'static str,
}

macro_rules! features {
    ($( $(#[$meta:meta])* $constant:ident = $bit:literal, $arch:ident, $name:literal, $flag:literal; )*) => {
        impl CpuFeatures {
            $( $(#[$meta])* pub const $constant: Self = Self(1 << $bit); )*
        }

        /// Every feature, in the order of its bit.
        pub const FEATURES: &[Feature] = &[$(
            Feature {
                set: CpuFeatures::$constant,
                arch: Arch::$arch,
                name: $name,
                flag: $flag,
            },
        )*];
    };
}

// Bits 0 to 31 are x86-64's, from 32 on Arm's. Only what Cranelift makes use of is here: no
// AVX-512 (a few instructions for much state), no `cmpxchg16b` (wide atomics: never).
features! {
    /// SSE3.
    SSE3 = 0, X86_64, "sse3", "has_sse3";
    /// SSSE3.
    SSSE3 = 1, X86_64, "ssse3", "has_ssse3";
    /// SSE4.1.
    SSE4_1 = 2, X86_64, "sse4.1", "has_sse41";
    /// SSE4.2.
    SSE4_2 = 3, X86_64, "sse4.2", "has_sse42";
    /// Population count.
    POPCNT = 4, X86_64, "popcnt", "has_popcnt";
    /// AVX: three-operand vector instructions.
    AVX = 5, X86_64, "avx", "has_avx";
    /// AVX2.
    AVX2 = 6, X86_64, "avx2", "has_avx2";
    /// Fused multiply-add.
    FMA = 7, X86_64, "fma", "has_fma";
    /// Bit manipulation, first set.
    BMI1 = 8, X86_64, "bmi1", "has_bmi1";
    /// Bit manipulation, second set.
    BMI2 = 9, X86_64, "bmi2", "has_bmi2";
    /// Leading zero count.
    LZCNT = 10, X86_64, "lzcnt", "has_lzcnt";
    /// Large system extensions: atomic instructions.
    LSE = 32, Aarch64, "lse", "has_lse";
    /// Dot products of bytes.
    DOTPROD = 33, Aarch64, "dotprod", "has_dotprod";
    /// Matrix multiplication of bytes: dot products of mixed sign.
    I8MM = 34, Aarch64, "i8mm", "has_i8mm";
}

impl CpuFeatures {
    /// No feature.
    pub const NONE: Self = Self(0);

    /// x86-64-v2, as far as it is listed here.
    pub const X86_64_V2: Self =
        Self::SSE3.union(Self::SSSE3).union(Self::SSE4_1).union(Self::SSE4_2).union(Self::POPCNT);

    /// x86-64-v3, as far as it is listed here.
    pub const X86_64_V3: Self = Self::X86_64_V2
        .union(Self::AVX)
        .union(Self::AVX2)
        .union(Self::FMA)
        .union(Self::BMI1)
        .union(Self::BMI2)
        .union(Self::LZCNT);

    /// The set as a number, for the other side.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Those that are in one of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of this set that are not in `other`.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The features in this set, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = &'static Feature> {
        FEATURES.iter().filter(move |feature| self.contains(feature.set))
    }

    /// Whether the feature that wasmtime's runtime asks for is in this set; `None` if
    /// nothing by that name is listed.
    pub fn has(self, name: &str) -> Option<bool> {
        let feature = FEATURES.iter().find(|feature| feature.name == name)?;
        Some(self.contains(feature.set))
    }

    /// Reads a list of names with commas between them.
    ///
    /// # Errors
    ///
    /// When a name is not listed.
    pub fn parse(list: &str) -> Result<Self, UnknownFeature<'_>> {
        if list.is_empty() {
            return Ok(Self::NONE);
        }
        list.split(',').try_fold(Self::NONE, |set, name| {
            let feature = FEATURES.iter().find(|feature| feature.name == name);
            feature.map(|feature| set.union(feature.set)).ok_or(UnknownFeature { name })
        })
    }
}

impl core::fmt::Display for CpuFeatures {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, feature) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(feature.name)?;
        }
        Ok(())
    }
}

impl TryFrom<u64> for CpuFeatures {
    type Error = UnknownNumber;
    fn try_from(number: u64) -> Result<Self, UnknownNumber> {
        let known = Arch::X86_64.features().union(Arch::Aarch64.features());
        if number & !known.0 == 0 {
            Ok(Self(number))
        } else {
            Err(UnknownNumber { set: "CpuFeatures", number })
        }
    }
}

/// A name in a list of features that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFeature<'a> {
    /// The name.
    pub name: &'a str,
}

impl core::fmt::Display for UnknownFeature<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "unknown processor feature {:?}", self.name)
    }
}

impl core::error::Error for UnknownFeature<'_> {}

const _: () = {
    let mut i = 0;
    while i < FEATURES.len() {
        // Each has a bit of its own, and they are in order.
        assert!(i == 0 || FEATURES[i - 1].set.0 < FEATURES[i].set.0);
        i += 1;
    }
    assert!(Arch::X86_64.features().contains(CpuFeatures::X86_64_V3));
};
