//! What is skipped, and why.

use crate::suites::Script;
use wrt_vm::EngineKind;

/// A part of the testsuite that does not pass.
#[derive(Debug)]
pub(crate) struct Skip {
    /// Name of the suite.
    pub(crate) suite: &'static str,
    /// Name of the file in it.
    pub(crate) file: &'static str,
    /// The directives that begin on these lines.
    pub(crate) lines: &'static [usize],
    /// Why.
    pub(crate) reason: &'static str,
}

const fn skip(
    suite: &'static str,
    file: &'static str,
    reason: &'static str,
    lines: &'static [usize],
) -> Skip {
    Skip { suite, file, lines, reason }
}

const NO_EXCEPTIONS: &str = "needs exceptions, which wasmi does not have";
const NO_GC: &str = "needs garbage collection, which wasmi does not have";
const NO_FUNCTION_REFERENCES: &str = "needs function references, which wasmi does not have";
const NO_VALUE: &str = "takes or returns references of a kind that the library has no values for";
const NO_WIDE_CONSTANTS: &str =
    "needs constant expressions over the module's own globals, which came with garbage collection";
const MULTI_MEMORY: &str =
    "valid since multi-memory: more than one memory, and any LEB128 as a memory's index";
const MEMORY64: &str = "valid since memory64: offsets and limits have 64 bits, so up to ten bytes";
const DEAD_LABELS: &str =
    "valid since reference types: labels of `br_table` in dead code may differ in type";
const OLD_LINKING: &str =
    "asserts that segments are checked before any is written; bulk memory changed that";

/// The skips of an engine. The test fails for one that names nothing, or that would pass.
pub(crate) fn of(engine: EngineKind) -> impl Iterator<Item = &'static Skip> {
    let own = match engine {
        EngineKind::Interp => INTERP,
        EngineKind::Native => NATIVE,
    };
    BOTH.iter().chain(own)
}

/// What later versions of the standard have made obsolete.
#[rustfmt::skip]
const BOTH: &[Skip] = &[
    skip("memory64", "binary.wast", MULTI_MEMORY, &[876, 896, 915, 934, 973, 992, 1010, 1028]),
    skip("memory64", "memory.wast", MULTI_MEMORY, &[10, 11]),
    skip("memory64", "memory64.wast", MULTI_MEMORY, &[8, 9]),
    skip("multi-value", "binary.wast", MULTI_MEMORY, &[162, 182, 201, 220, 259, 278, 296, 314]),
    skip("mutable-global", "linking.wast", OLD_LINKING, &[
        206, 227, 236, 238, 248, 298, 334, 342, 344, 354,
    ]),
    skip("reference-types", "binary-leb128.wast", MEMORY64, &[404, 461]),
    skip("reference-types", "binary.wast", MEMORY64, &[362, 419]),
    skip("reference-types", "binary.wast", MULTI_MEMORY, &[
        756, 776, 795, 814, 853, 872, 890, 908,
    ]),
    skip("reference-types", "imports.wast", MULTI_MEMORY, &[416, 420, 424]),
    skip("reference-types", "unreached-invalid.wast", DEAD_LABELS, &[539]),
    skip("wasm-v1", "binary-leb128.wast", MEMORY64, &[403, 460]),
    skip("wasm-v1", "imports.wast", MULTI_MEMORY, &[404, 408, 412]),
    skip("wasm-v1", "memory.wast", MULTI_MEMORY, &[8, 9]),
    skip("wasm-v2", "binary.wast", MULTI_MEMORY, &[145, 165, 184, 203, 242, 261, 279, 297]),
    skip("wasm-v2", "imports.wast", MULTI_MEMORY, &[487, 491, 495]),
    skip("wasm-v2", "memory.wast", MULTI_MEMORY, &[10, 11]),
];

/// What wasmi does not have.
#[rustfmt::skip]
const INTERP: &[Skip] = &[
    skip("bulk-memory", "table-sub.wast", NO_FUNCTION_REFERENCES, &[1]),
    skip("bulk-memory", "table_init.wast", NO_GC, &[2272]),
    skip("wasm-v3", "br_on_non_null.wast", NO_FUNCTION_REFERENCES, &[1, 57, 65]),
    skip("wasm-v3", "br_on_null.wast", NO_FUNCTION_REFERENCES, &[1, 38, 46]),
    skip("wasm-v3", "br_table.wast", NO_FUNCTION_REFERENCES, &[3]),
    skip("wasm-v3", "call_ref.wast", NO_FUNCTION_REFERENCES, &[1, 129, 138, 151]),
    skip("wasm-v3", "data.wast", NO_WIDE_CONSTANTS, &[89, 90]),
    skip("wasm-v3", "elem.wast", NO_FUNCTION_REFERENCES, &[
        87, 315, 448, 453, 465, 470, 482, 487, 499, 504, 539, 544, 556, 561, 573, 578,
    ]),
    skip("wasm-v3", "elem.wast", NO_WIDE_CONSTANTS, &[178, 182]),
    skip("wasm-v3", "global.wast", NO_FUNCTION_REFERENCES, &[634]),
    skip("wasm-v3", "global.wast", NO_WIDE_CONSTANTS, &[373, 374]),
    skip("wasm-v3", "imports.wast", NO_EXCEPTIONS, &[3, 35, 239, 243, 247, 251, 255]),
    skip("wasm-v3", "instance.wast", NO_EXCEPTIONS, &[15, 62, 128]),
    skip("wasm-v3", "instance.wast", NO_FUNCTION_REFERENCES, &[3, 109]),
    skip("wasm-v3", "linking.wast", NO_FUNCTION_REFERENCES, &[
        96, 112, 137, 141, 145, 150, 154, 158, 163, 167, 171, 175, 198, 202, 206, 210, 215, 219,
        223, 227, 232, 236, 240, 244, 426, 434, 450, 454,
    ]),
    skip("wasm-v3", "local_init.wast", NO_FUNCTION_REFERENCES, &[3, 66]),
    skip("wasm-v3", "ref.wast", NO_FUNCTION_REFERENCES, &[3]),
    skip("wasm-v3", "ref_as_non_null.wast", NO_FUNCTION_REFERENCES, &[1, 41]),
    skip("wasm-v3", "ref_is_null.wast", NO_FUNCTION_REFERENCES, &[1, 71]),
    skip("wasm-v3", "ref_null.wast", NO_GC, &[1, 23]),
    skip("wasm-v3", "return_call_ref.wast", NO_FUNCTION_REFERENCES, &[3, 213, 299, 308, 321]),
    skip("wasm-v3", "table.wast", NO_FUNCTION_REFERENCES, &[14, 19, 20, 21, 86, 93]),
    skip("wasm-v3", "type-canon.wast", NO_GC, &[1, 9]),
    skip("wasm-v3", "type-equivalence.wast", NO_FUNCTION_REFERENCES, &[
        5, 16, 38, 107, 195, 200, 208, 218,
    ]),
    skip("wasm-v3", "type-equivalence.wast", NO_GC, &[
        30, 49, 136, 161, 233, 238, 246, 257, 268, 279, 290, 308,
    ]),
    skip("wasm-v3", "type-rec.wast", NO_FUNCTION_REFERENCES, &[3]),
    skip("wasm-v3", "type-rec.wast", NO_GC, &[
        39, 45, 71, 78, 137, 143, 148, 156, 167, 176, 185, 197,
    ]),
    skip("wasm-v3", "unreached-valid.wast", NO_FUNCTION_REFERENCES, &[1, 82]),
];

/// What the library does not pass on from the native engine, and what its newer validator
/// knows to be obsolete.
#[rustfmt::skip]
const NATIVE: &[Skip] = &[
    skip("function-references", "binary.wast", MULTI_MEMORY, &[
        145, 165, 184, 203, 242, 261, 279, 297,
    ]),
    skip("gc", "array.wast", NO_VALUE, &[
        97, 98, 142, 143, 202, 203, 209, 216, 217, 276, 277, 283, 289, 290,
    ]),
    skip("gc", "array_new_data.wast", NO_VALUE, &[12, 13, 14, 15, 18, 19, 20, 21]),
    skip("gc", "array_new_elem.wast", NO_VALUE, &[
        18, 19, 20, 21, 24, 25, 26, 27, 66, 67, 68, 69, 72, 73, 74, 75,
    ]),
    skip("gc", "extern.wast", NO_VALUE, &[39, 40, 42, 43, 46, 47, 48, 52, 53, 54, 55, 56, 57]),
    skip("gc", "i31.wast", NO_VALUE, &[33]),
    skip("gc", "struct.wast", NO_VALUE, &[122]),
    skip("reference-types", "binary-leb128.wast", MEMORY64, &[217, 225]),
    skip("reference-types", "binary.wast", MEMORY64, &[157, 354]),
    skip("wasm-v1", "binary-leb128.wast", MEMORY64, &[216, 224]),
    skip("wasm-v2", "binary-leb128.wast", MEMORY64, &[217, 225]),
    skip("wasm-v3", "ref_null.wast", NO_VALUE, &[
        16, 18, 55, 56, 57, 58, 59, 60, 67, 68, 69, 70, 71, 72,
    ]),
];

/// Complaints about skips of files that do not exist, or that are skipped altogether.
pub(crate) fn without_file(engine: EngineKind, scripts: &[Script]) -> Vec<String> {
    let names = |skip: &Skip, script: &Script| {
        skip.suite == script.suite && skip.file == script.name && script.left_out.is_none()
    };
    of(engine)
        .filter(|skip| !scripts.iter().any(|script| names(skip, script)))
        .map(|skip| format!("{}/{}: skipped, but no such file runs", skip.suite, skip.file))
        .collect()
}
