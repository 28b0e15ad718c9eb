//! wasmtime's configuration: the one place where it is made, for both sides.
//!
//! The compiler writes artefacts and the guest kernel runs them, each with a wasmtime of its
//! own. An artefact loads only if both were configured alike, which [`shared`] sees to:
//!
//! * **The version.** Both are the wasmtime that `Cargo.toml` pins, and [`ARTIFACT_VERSION`]
//!   is written to each artefact and compared.
//! * **Cargo features.** `component-model`, `gc` and `gc-copying` are on for both. None that
//!   turns a proposal on by itself (`threads`, `component-model-async`) may be on for the
//!   compiler alone.
//! * **WebAssembly proposals.** The guest must have all that the compiler has.
//! * **Tunables**, such as reservations and guards of memories: compiled code leaves out the
//!   checks that they make superfluous, so both must be told the same.
//! * **The target.** The compiler's triple has the architecture and the operating system of
//!   the one that the guest is built for: `…-unknown-none`.
//! * **Processor features.** Each that an artefact may use is asked of the function given to
//!   `runtime`, by its name in [`wrt_abi::cpu::FEATURES`].
//!
//! wasmtime compares all of these when an artefact is loaded, and says which one differs.
#![no_std]

#[cfg(feature = "runtime")]
use core::num::NonZeroUsize;
use wasmtime::{Collector, Config, Inlining, ModuleVersionStrategy, WasmBacktraceDetails};
use wrt_abi::layout::WASM_STACK;

/// Bytes of address space that each linear memory has, below its guard: all that 32 bits can
/// address, so that an access needs no check unless its offset leaves the guard too.
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// Bytes that are never mapped after a linear memory's reservation.
///
/// Accesses with constant offsets up to this many bytes need no check.
pub const MEMORY_GUARD: u64 = 32 << 20;

/// Frames of a backtrace that are looked at. wasmtime makes room for as many before it looks
/// at one.
pub const FRAMES_COUNTED: usize = 1000;

/// What artefacts say they were made by.
pub const ARTIFACT_VERSION: &str =
    concat!("wrt-vm ", env!("CARGO_PKG_VERSION"), ", wasmtime 48.0.8");

// wasmtime writes its length as a byte.
const _: () = assert!(ARTIFACT_VERSION.len() < 256);

/// What both sides have in common.
pub fn shared() -> Config {
    let mut config = Config::new();

    // Everything that wasmtime has without threads (which need `std`) and stack switching (the
    // same); of components, what WASI 0.2 needs. Those on by default are named too, so that a
    // new default changes nothing unseen.
    config
        .wasm_bulk_memory(true)
        .wasm_component_model(true)
        .wasm_custom_page_sizes(true)
        .wasm_exceptions(true)
        .wasm_extended_const(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_multi_value(true)
        .wasm_reference_types(true)
        .wasm_relaxed_simd(true)
        .wasm_simd(true)
        .wasm_tail_call(true)
        .wasm_wide_arithmetic(true);

    // Memories. A guest's region has no neighbour within its stride, hence needs no guard
    // before it; and the guest has no files or images to map copies of.
    config
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(MEMORY_GUARD)
        .guard_before_linear_memory(false)
        .memory_init_cow(false)
        .collector(Collector::Copying);

    // Traps come from the processor (an unmapped page, `ud2`) where that is cheaper.
    config.signals_based_traps(true).max_wasm_stack(WASM_STACK as usize);

    // Backtraces have functions' names, which come from the module's `name` section, and
    // offsets in the module; neither source lines nor the artefact's own symbols are kept.
    config
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(true)
        .debug_symbols(false);

    // Compilers to WebAssembly have inlined already, and an inlined function is missing in
    // backtraces. Besides, wasmtime keeps all functions in memory to inline any: a module of
    // 8 MiB takes 2.7 GiB then, of the 4 that the compiler has.
    config.compiler_inlining(Inlining::No);

    config
        .module_version(ModuleVersionStrategy::Custom(ARTIFACT_VERSION.into()))
        .expect("the version is short enough, as asserted above");
    config
}

/// The configuration of an engine that runs artefacts.
///
/// `has` says whether the processor has a feature, named as in [`wrt_abi::cpu::FEATURES`];
/// `None` is for one that it does not know. [`CpuFeatures::has`] is such a function of a set
/// that the host has sent.
///
/// [`CpuFeatures::has`]: wrt_abi::cpu::CpuFeatures::has
///
/// # Safety
///
/// What `has` says must be true.
#[cfg(feature = "runtime")]
pub unsafe fn runtime(has: fn(&str) -> Option<bool>) -> Config {
    let mut config = shared();
    config.wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_COUNTED));
    // SAFETY: the caller's promise.
    unsafe { config.detect_host_feature(has) };
    // SAFETY: this target passes floats in integer registers, compiled code in others; they
    // would meet in the calls of wasmtime's rounding functions alone. `compiler` makes none,
    // since it always has SSE4.1.
    unsafe { config.x86_float_abi_ok(true) };
    config
}

/// The configuration of an engine that compiles for a guest of `arch` whose processor has
/// `features`.
///
/// # Errors
///
/// When `features` lacks some of the architecture's baseline, or has another architecture's.
#[cfg(feature = "compiler")]
pub fn compiler(
    arch: wrt_abi::cpu::Arch,
    features: wrt_abi::cpu::CpuFeatures,
) -> wasmtime::Result<Config> {
    use wasmtime::{OptLevel, bail};
    use wrt_abi::cpu::Arch;

    if !features.contains(arch.baseline()) {
        bail!("{arch} code needs {} at least", arch.baseline());
    }
    if !arch.features().contains(features) {
        bail!("{arch} has but {}", arch.features());
    }
    let mut config = shared();
    // A target turns inference of this machine's features off: the flags below are all.
    config.target(match arch {
        Arch::X86_64 => "x86_64-unknown-none",
        Arch::Aarch64 => "aarch64-unknown-none",
    })?;
    for feature in features.iter() {
        // SAFETY: wasmtime refuses to run the code where the feature is missing.
        unsafe { config.cranelift_flag_enable(feature.flag) };
    }
    // wasmtime walks stacks by frame pointers; tables for other unwinders are dead weight.
    config.cranelift_opt_level(OptLevel::Speed).native_unwind_info(false);
    Ok(config)
}
