//! How the compiler, a WASI program, is called.
//!
//! ```text
//! wrt-compiler ARCH FEATURES [--no-address-map] <module >artefact
//! ```
//!
//! *Arguments:* an [architecture](crate::cpu::Arch)'s name, a list of
//! [features](crate::cpu::CpuFeatures), which the architecture's baseline must be part of,
//! and perhaps [`NO_ADDRESS_MAP`]. *Standard input:* a WebAssembly binary. *Standard
//! output:* the artefact, and nothing unless the exit code is 0.
//!
//! The compiler runs in a VM of its own, on a module that nobody has looked at: the host
//! believes nothing that it says, and hands its output to another VM only.
//!
//! A module may be a component too; its artefact is another kind of artefact, which the engine
//! tells by looking inside.

/// The program's name: its first argument.
pub const NAME: &str = "wrt-compiler";

/// Argument: leave out what leads from machine code to offsets in the module, a seventh of an
/// artefact. Only backtraces use it.
pub const NO_ADDRESS_MAP: &str = "--no-address-map";

/// Exit code: the module is malformed or invalid. Standard error is a [`Rejection`].
pub const EXIT_INVALID_MODULE: u8 = 1;

/// Exit code: anything else went wrong. Standard error says what.
pub const EXIT_FAILED: u8 = 2;

/// Exit code: the module is a component with an import that no kernel links. Nothing was compiled.
/// Standard error is an [`Unlinkable`](crate::report::Unlinkable).
pub const EXIT_UNLINKABLE: u8 = 3;

/// Why a module is malformed or invalid.
///
/// As text: the offset in a line of its own (`-` if there is none), then the reason, which
/// may have several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection<'a> {
    /// Where in the module, in bytes.
    pub offset: Option<u64>,
    /// The reason, without the offset.
    pub reason: &'a str,
}

impl<'a> Rejection<'a> {
    /// Reads the text form; `None` if it is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (offset, reason) = text.split_once('\n')?;
        let offset = if offset == "-" { None } else { Some(offset.parse().ok()?) };
        Some(Self { offset, reason })
    }
}

impl core::fmt::Display for Rejection<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{offset}\n{}", self.reason),
            None => write!(f, "-\n{}", self.reason),
        }
    }
}
