//! Addresses of the guest, and what may be done with memory.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! address {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl $name {
            /// The address `offset` bytes on, unless it wraps.
            pub fn checked_add(self, offset: u64) -> Option<Self> {
                self.0.checked_add(offset).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address! {
    /// A guest-physical address (Arm: IPA): what the guest's page tables yield.
    Gpa
}
address! {
    /// A guest-virtual address: what the guest's instructions use.
    Gva
}

bitflags::bitflags! {
    /// What may be done with memory. Never write and execute at once.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u8 {
        /// Loads.
        const READ = 1;
        /// Stores.
        const WRITE = 2;
        /// Instruction fetches.
        const EXECUTE = 4;
    }
}

impl Access {
    /// Whether this keeps to W^X.
    pub fn is_wx_safe(self) -> bool {
        !self.contains(Self::WRITE | Self::EXECUTE)
    }
}
