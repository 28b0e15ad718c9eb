//! What may be written and executed in the program's own memory.

use crate::program;
use goblin::mach::header::{MH_ALLOW_STACK_EXECUTION, MH_EXECUTE, MH_PIE, MH_TWOLEVEL};

// `vm_prot_t` of `mach/vm_prot.h`.
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;

#[test]
fn no_segment_is_or_becomes_writable_and_executable() {
    let Some(bytes) = program::bytes() else { return };
    let program = program::parse(bytes);
    let mut executable = Vec::new();
    for segment in &program.segments {
        let name = segment.name().expect("a name");
        for rights in [segment.initprot, segment.maxprot] {
            assert_ne!(rights & (WRITE | EXECUTE), WRITE | EXECUTE, "{name}: {rights:#x}");
        }
        if segment.maxprot & EXECUTE != 0 {
            executable.push(name);
        }
    }
    assert_eq!(executable, ["__TEXT"]);
}

#[test]
fn it_is_loaded_anywhere_and_bound_to_libraries_by_name() {
    let Some(bytes) = program::bytes() else { return };
    let header = program::parse(bytes).header;
    assert_eq!(header.filetype, MH_EXECUTE);
    assert_eq!(header.flags & (MH_PIE | MH_TWOLEVEL), MH_PIE | MH_TWOLEVEL);
    assert_eq!(header.flags & MH_ALLOW_STACK_EXECUTION, 0);
}
