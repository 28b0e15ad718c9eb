//! What this library embeds: for each processor that a backend of this build has guests of, the
//! guest kernels' images and the compiler.

use crate::hypervisor::HypervisorError;
use crate::machine::Text;
use wrt_abi::EngineKind;
use wrt_abi::cpu::Arch;
use wrt_platform::memory::PageAligned;

/// What is embedded for one processor.
pub(crate) struct Guest {
    /// The processor.
    pub(crate) arch: Arch,
    interp: &'static PageAligned<[u8]>,
    native: &'static PageAligned<[u8]>,
    /// The compiler, as the code that it makes of itself for this processor.
    pub(crate) compiler: &'static PageAligned<[u8]>,
    /// Where that code is in it.
    pub(crate) text: Text,
}

// `GUESTS` and `COMPILER_ID`, a digest of the compiler: the build script has built them and
// written this.
include!(concat!(env!("OUT_DIR"), "/guests.rs"));

impl Guest {
    /// The kernel's image that holds an engine: an ELF file.
    pub(crate) fn image(&self, engine: EngineKind) -> &'static [u8] {
        match engine {
            EngineKind::Interp => &self.interp.0,
            EngineKind::Native => &self.native.0,
        }
    }
}

/// What there is for a processor.
///
/// # Errors
///
/// When nothing is.
pub(crate) fn guest(arch: Arch) -> Result<&'static Guest, HypervisorError> {
    GUESTS
        .iter()
        .find(|guest| guest.arch == arch)
        .ok_or(HypervisorError::Unsupported("this build has no guest for its processor"))
}
