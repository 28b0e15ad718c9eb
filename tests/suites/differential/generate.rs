//! Modules made of a number.

use arbitrary::Unstructured;
use wasm_smith::{Config, MemoryOffsetChoices, Module};

/// Calls and rounds of loops, together, that one instance may make. As many calls deep the
/// stack of no engine is used up, so that none has to be forgiven an overflow.
const FUEL: u32 = 250;
/// Random bytes that a module is made of.
const ENTROPY: usize = 24 << 10;

/// A module with what is known of it.
pub(crate) struct Generated {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether it may use proposals that the interpreter does not have.
    pub(crate) native_only: bool,
}

/// The module of a number.
pub(crate) fn module(seed: u64) -> Generated {
    let native_only = seed % 3 == 2;
    let entropy = Numbers(seed).bytes(ENTROPY);
    let mut entropy = Unstructured::new(&entropy);
    let mut module = Module::new(config(seed, native_only), &mut entropy)
        .expect("there are enough bytes for any choice");
    // The standard bounds no loop and no recursion; this does, on all engines alike.
    module.ensure_termination(FUEL).expect("all functions are generated");
    Generated { bytes: module.to_bytes(), native_only }
}

fn config(seed: u64, native_only: bool) -> Config {
    Config {
        // Programs that avoid traps get further, others trap in more ways.
        disallow_traps: seed.is_multiple_of(2),
        export_everything: true,
        max_imports: 0,
        min_types: 10,
        min_funcs: 5,
        max_funcs: 12,
        max_instructions: 200,
        max_types: 20,
        max_globals: 10,
        max_tags: 4,
        max_data_segments: 5,
        max_element_segments: 5,
        max_elements: 20,
        memory_offset_choices: MemoryOffsetChoices(80, 10, 10),

        // The standard lets an operation choose the bits of a NaN that it makes, and engines
        // do choose differently. Each such operation is followed by code that replaces any NaN
        // by one with given bits; what is left must agree in all of them.
        canonicalize_nans: true,
        // For the same reason: its operations may give one of several results.
        relaxed_simd_enabled: false,

        // With a maximum that is small, growth depends on nothing but the module: no engine
        // comes to its own limits.
        memory_max_size_required: true,
        max_memory32_bytes: 8 << 16,
        max_memory64_bytes: 8 << 16,
        max_memories: 3,
        table_max_size_required: true,
        max_table_elements: 1000,
        max_tables: 3,
        limit_arrays_in_const_exprs: true,

        bulk_memory_enabled: true,
        custom_page_sizes_enabled: true,
        extended_const_enabled: true,
        memory64_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: true,
        tail_call_enabled: true,
        wide_arithmetic_enabled: true,
        exceptions_enabled: native_only,
        gc_enabled: native_only,
        // No engine here has these.
        compact_imports_enabled: false,
        custom_descriptors_enabled: false,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        ..Config::default()
    }
}

/// Numbers that look random and are always the same: `SplitMix64`.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(len).collect()
    }
}
