//! Numbered sets: calls, commands, statuses, replies, trap kinds.
//!
//! Every set decodes by `TryFrom`: a number from the other side is data until it is checked.

/// A number that names no member of the set it was decoded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNumber {
    /// Which set was asked.
    pub set: &'static str,
    /// The number that it does not hold.
    pub number: u64,
}

impl core::fmt::Display for UnknownNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} has no number {:#x}", self.set, self.number)
    }
}

impl core::error::Error for UnknownNumber {}

macro_rules! numbered {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $number:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant = $number, )*
        }

        impl $name {
            /// Every member, in the order of its number.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];
        }

        impl TryFrom<u32> for $name {
            type Error = UnknownNumber;
            fn try_from(number: u32) -> Result<Self, UnknownNumber> {
                match number {
                    $( $number => Ok(Self::$variant), )*
                    _ => Err(UnknownNumber { set: stringify!($name), number: number.into() }),
                }
            }
        }

        impl TryFrom<u64> for $name {
            type Error = UnknownNumber;
            fn try_from(number: u64) -> Result<Self, UnknownNumber> {
                u32::try_from(number)
                    .map_err(|_| UnknownNumber { set: stringify!($name), number })
                    .and_then(Self::try_from)
            }
        }
    };
}

numbered! {
    /// Guest to host: hypercall numbers.
    Call {
        /// The runtime is up.
        ///
        /// *Arguments:* ABI version, [`EngineKind`]. *Returns:* a [`Command`] in
        /// `values[0]` and its arguments. *Faults:* a version other than the host's ends
        /// the VM; so does a second `Ready`.
        Ready = 1,
        /// The previous command is finished.
        ///
        /// *Arguments:* a [`Reply`], its three words, and whether the program was ever refused
        /// memory (0 or 1); payload as the reply says. *Returns:* the next command, like `Ready`. *Faults:* an unknown reply ends the VM.
        Done = 2,
        /// The runtime cannot go on: a bug, or a compiled-in check that failed.
        ///
        /// *Payload:* a message in UTF-8. *Never returns.*
        Panic = 3,
        /// The runtime needs memory that the host refused, and has no way to go on.
        ///
        /// *Arguments:* bytes wanted. *Never returns.*
        OutOfMemory = 4,
        /// Reserves a region and commits its first bytes, zeroed.
        ///
        /// *Arguments:* bytes to commit; none is a reservation only. *Returns:* guest-virtual
        /// address. *Faults:* `Refused` when a limit is reached.
        RegionReserve = 5,
        /// Makes the first bytes of a region (or of the heap) usable; new ones are zero.
        ///
        /// *Arguments:* guest-virtual address of the region, total bytes wanted, total bytes
        /// that may be given to save later calls (equal where what follows must fault).
        /// *Returns:* total bytes now usable, at least the wanted ones.
        /// *Faults:* `Refused` when a limit is reached; `Invalid` for an unknown region.
        RegionCommit = 6,
        /// Gives a region back; its contents are gone.
        ///
        /// *Arguments:* guest-virtual address. *Faults:* `Invalid` for an unknown region.
        RegionRelease = 7,
        /// One function of a [service](crate::services).
        ///
        /// *Arguments:* the [word](crate::services::Import::word) of the function, address and
        /// length of the linear memory, then the function's own arguments. *Returns:* the bits of
        /// its result, if it has one. *Faults:* `Invalid` for a function that there is not, and
        /// for memory that is not the guest's; `OutOfBounds` for what is not in the memory;
        /// `Trap` with a message when the service refuses the arguments outright; `Exit` with the
        /// code in `values[0]` when the program asked for its end.
        Service = 8,
        /// Makes a part of a compiled artefact, which the guest can never write, executable.
        ///
        /// *Arguments:* guest-virtual address and length, both multiples of 4 KiB.
        /// *Faults:* `Invalid` unless the range is in an artefact that a
        /// [`Command::Load`] brought.
        CodePublish = 9,
    }
}

numbered! {
    /// Host to guest: what the runtime shall do next.
    Command {
        /// Take a module. *Arguments:* address and length of its bytes, bytes that all linear
        /// memories may take, [CPU features](crate::cpu::CpuFeatures) of this machine, the
        /// highest [`LogLevel`] whose lines are wanted (0: none), bytes of stack that Wasm calls
        /// may take. *Reply:* module number. The stack is that of the first `Load`; later ones
        /// do not change it.
        ///
        /// The interpreter is given a WebAssembly binary, which it validates; the bytes may be
        /// gone after the reply. The native engine is given a compiled artefact, which stays
        /// until the VM ends.
        Load = 1,
        /// Instantiate. *Arguments:* module number. *Reply:* instance number.
        Instantiate = 2,
        /// Find an exported function. *Arguments:* instance number. *Payload:* its name.
        /// *Reply:* function number; payload: its type.
        FindFunction = 3,
        /// Call a function. *Arguments:* function number, count of values.
        /// *Payload:* the values. *Reply:* count of values; payload: the results.
        Call = 4,
        /// Find an exported memory. *Arguments:* instance number. *Payload:* its name.
        /// *Reply:* memory number.
        FindMemory = 5,
        /// Where a memory is now. *Arguments:* memory number.
        /// *Reply:* guest-virtual address and length in bytes.
        LocateMemory = 6,
        /// Read an exported global. *Arguments:* instance number. *Payload:* its name.
        /// *Reply:* one value.
        ReadGlobal = 7,
        /// Offer an instance's exports to later instantiations under a module name.
        /// *Arguments:* instance number. *Payload:* the name.
        Register = 8,
        /// List an instance's exports. *Arguments:* instance number, first index.
        /// *Reply:* count in this payload, count in all; payload: kinds and names.
        ListExports = 9,
        /// Run an instance as a program: `_start` of a module, `run` of the `wasi:cli/run` of
        /// a component. *Arguments:* instance number. A component that says that it failed
        /// has left with code 1.
        Run = 10,
        /// Find out which [proposals](crate::proposals) a module needs, for the host to choose an
        /// engine by. *Arguments:* address and length of its bytes. *Reply:* the set as a word.
        /// Bytes that are no module need none. The interpreter's kernel alone serves this.
        Examine = 11,
    }
}

numbered! {
    /// Host to guest: how a call ended.
    Status {
        /// Served.
        Ok = 0,
        /// A limit is reached; the guest may go on without.
        Refused = 1,
        /// The arguments make no sense.
        Invalid = 2,
        /// The program asked to exit.
        Exit = 3,
        /// The calling Wasm code must trap; the payload says why.
        Trap = 4,
        /// An argument leads out of the linear memory: the calling Wasm code must trap as an access
        /// there would.
        OutOfBounds = 5,
    }
}

numbered! {
    /// Guest to host, with [`Call::Done`]: how a command ended.
    Reply {
        /// Done; words and payload as the command says.
        Ok = 0,
        /// Wasm code trapped. *Words:* a [`TrapKind`]. *Payload:* a
        /// [`TrapReport`](crate::report::TrapReport).
        Trap = 1,
        /// The program called `proc_exit`. *Words:* its code.
        Exit = 2,
        /// The module is malformed or invalid. *Words:* offset in bytes, or `u64::MAX`.
        /// *Payload:* the reason.
        InvalidModule = 3,
        /// An import has no definition, or one of another type. *Payload:* an
        /// [`Unlinkable`](crate::report::Unlinkable).
        Unlinkable = 4,
        /// The module needs more than a limit allows. *Words:* bytes wanted, bytes allowed.
        LimitExceeded = 5,
        /// No such export. *Payload:* the reason.
        NoSuchExport = 6,
        /// Values do not match the function's type. *Payload:* the reason.
        TypeMismatch = 7,
        /// Anything else that is an error of this command alone. *Payload:* the reason.
        Failed = 8,
        /// The artefact is not one that this engine can run: made by another version, for
        /// another processor, or damaged. *Payload:* the reason.
        UnusableArtifact = 9,
        /// Not done with components. *Payload:* the reason.
        NotForComponents = 10,
        /// The module is valid, and needs [proposals](crate::proposals) that this engine does not
        /// support. *Words:* the set of them.
        Unsupported = 11,
    }
}

numbered! {
    /// Why Wasm code trapped.
    TrapKind {
        /// `unreachable` was executed.
        Unreachable = 1,
        /// A memory access outside its bounds.
        MemoryOutOfBounds = 2,
        /// A table access outside its bounds.
        TableOutOfBounds = 3,
        /// `call_indirect` through a null element.
        IndirectCallToNull = 4,
        /// Integer division by zero.
        IntegerDivisionByZero = 5,
        /// Integer overflow.
        IntegerOverflow = 6,
        /// A float that fits no integer of the wanted type.
        BadConversionToInteger = 7,
        /// Too many calls deep, or too much stack used.
        StackOverflow = 8,
        /// `call_indirect` with another type than the callee's.
        BadSignature = 9,
        /// Memory that an operation needed was refused.
        OutOfMemory = 10,
        /// A host function refused; the report has its message.
        Host = 11,
        /// A null reference was used.
        NullReference = 12,
        /// An array access outside its bounds.
        ArrayOutOfBounds = 13,
        /// An array too large to be had.
        AllocationTooLarge = 14,
        /// A reference is of another type than the cast asks for.
        CastFailure = 15,
        /// An exception that nothing caught.
        UncaughtException = 16,
    }
}

numbered! {
    /// How loud a guest's log line is.
    LogLevel {
        /// Something failed.
        Error = 1,
        /// Something is odd.
        Warn = 2,
        /// Something to know.
        Info = 3,
        /// Details.
        Debug = 4,
        /// Every step.
        Trace = 5,
    }
}

numbered! {
    /// Which engine an image holds.
    EngineKind {
        /// wasmi, an interpreter.
        Interp = 1,
        /// wasmtime's runtime, for code that was compiled ahead of time.
        Native = 2,
    }
}

impl EngineKind {
    /// The name users select it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interp => "interp",
            Self::Native => "native",
        }
    }
}

impl core::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl TrapKind {
    /// The kind in words, as engines and the specification tests name it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::MemoryOutOfBounds => "out of bounds memory access",
            Self::TableOutOfBounds => "undefined element: out of bounds table access",
            Self::IndirectCallToNull => "uninitialized element",
            Self::IntegerDivisionByZero => "integer divide by zero",
            Self::IntegerOverflow => "integer overflow",
            Self::BadConversionToInteger => "invalid conversion to integer",
            Self::StackOverflow => "call stack exhausted",
            Self::BadSignature => "indirect call type mismatch",
            Self::OutOfMemory => "out of memory",
            Self::Host => "error in a host function",
            Self::NullReference => "null reference",
            Self::ArrayOutOfBounds => "out of bounds array access",
            Self::AllocationTooLarge => "allocation size too large",
            Self::CastFailure => "cast failure",
            Self::UncaughtException => "uncaught exception",
        }
    }
}
