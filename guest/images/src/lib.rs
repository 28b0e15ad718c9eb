//! What wrt-vm runs in its VMs, for each processor that a build has guests of: the guest kernels'
//! images, the compiler, and the program of the child process that stands in for a VM where there
//! is no hypervisor.
//!
//! In a checkout the build script builds all of it from sources in the folder above, with
//! `guest/builder`. A package of this crate has the images themselves, made by `guest/images/package`.

use std::ops::Range;
use wrt_abi::EngineKind;
use wrt_abi::cpu::Arch;
use wrt_platform::memory::PageAligned;

/// What there is for one processor.
#[derive(Debug)]
pub struct Guest {
    /// The processor.
    pub arch: Arch,
    interp: &'static PageAligned<[u8]>,
    native: &'static PageAligned<[u8]>,
    /// The compiler, as the code that it makes of itself for this processor.
    pub compiler: &'static PageAligned<[u8]>,
    /// Where that code is in it.
    pub text: Range<u64>,
    /// The program of the `process` backend's child: an ELF file.
    pub child: &'static [u8],
}

// `GUESTS`; `COMPILER_ID`, a digest of the compiler; `ENGINES`, which the guests have; `ABI`, what
// they were built for.
include!(concat!(env!("OUT_DIR"), "/guests.rs"));

const _: () = assert!(ABI == wrt_abi::ABI_VERSION, "the guest images are of another ABI version");

impl Guest {
    /// What there is for a processor, if this build has guests of it.
    pub fn of(arch: Arch) -> Option<&'static Self> {
        GUESTS.iter().find(|guest| guest.arch == arch)
    }

    /// The kernel's image that holds an engine: an ELF file.
    pub fn image(&self, engine: EngineKind) -> &'static [u8] {
        match engine {
            EngineKind::Interp => &self.interp.0,
            EngineKind::Native => &self.native.0,
        }
    }
}
