//! What is in the argument registers where Hypervisor.framework is called.
//!
//! Rust's declarations could say another thing than the framework's headers, and nothing but the
//! machine code would show it: the simulated framework has the same declarations. What Apple's
//! convention for arm64 puts where:
//!
//! * pointers, `uint64_t`, `size_t`: a register each. `uint32_t` and enumerations of that
//!   (`hv_reg_t`, `hv_feature_reg_t`): its lower half. No declaration can go wrong there but by
//!   a wrong number of arguments, so what is checked is that each register was written.
//! * `hv_sys_reg_t`, which has 16 bits: the caller extends it to 32. In Rust it has 32, so that it
//!   is extended whatever the compiler does. Where it is a constant, it is one that is known.
//! * `bool`: the caller extends it likewise. It is a constant wherever it is passed.
//! * vectors by value (`hv_vcpu_set_simd_fp_reg`) would be in a vector register, and Rust puts
//!   them elsewhere: that function is not called, see `imports`. Structures are passed by none.

use crate::flow::{Source, functions, sources};
use crate::program;
use goblin::mach::load_command::CommandVariant;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

// Sizes of `struct segment_command_64` and `struct section_64` of `mach-o/loader.h`.
const SEGMENT_COMMAND: usize = 72;
const SECTION: usize = 80;

enum Argument {
    /// Any value.
    Any,
    /// One of these constants, and each of them somewhere.
    OneOf(&'static [u64]),
    /// If it is a constant, one of these.
    Within(&'static [u64]),
}
use Argument::{Any, OneOf, Within};

/// `hv_sys_reg_t`: the five numbers of the instructions `mrs` and `msr`.
const fn system([op0, op1, crn, crm, op2]: [u64; 5]) -> u64 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

/// `hv_reg_t`: X0, PC, CPSR.
const REGISTERS: &[u64] = &[0, 31, 34];

/// What a guest boots with.
const BOOT: &[u64] = &[
    system([3, 0, 10, 2, 0]), // MAIR_EL1
    system([3, 0, 2, 0, 2]),  // TCR_EL1
    system([3, 0, 2, 0, 0]),  // TTBR0_EL1
    system([3, 0, 2, 0, 1]),  // TTBR1_EL1
    system([3, 0, 12, 0, 0]), // VBAR_EL1
    system([3, 0, 4, 0, 1]),  // ELR_EL1
    system([3, 0, 4, 0, 0]),  // SPSR_EL1
    system([3, 0, 4, 1, 0]),  // SP_EL0
    system([3, 0, 1, 0, 2]),  // CPACR_EL1
    system([3, 0, 14, 1, 0]), // CNTKCTL_EL1
    system([2, 0, 0, 2, 2]),  // MDSCR_EL1
    system([3, 0, 13, 0, 1]), // CONTEXTIDR_EL1
    system([3, 3, 13, 0, 2]), // TPIDR_EL0
    system([3, 3, 13, 0, 3]), // TPIDRRO_EL0
    system([3, 0, 13, 0, 4]), // TPIDR_EL1
    system([3, 0, 5, 2, 0]),  // ESR_EL1
    system([3, 0, 6, 0, 0]),  // FAR_EL1
    system([3, 0, 1, 0, 0]),  // SCTLR_EL1
];

/// What is read after a fault: ESR_EL1, FAR_EL1, ELR_EL1, SP_EL0.
const FAULT: &[u64] = &[
    system([3, 0, 5, 2, 0]),
    system([3, 0, 6, 0, 0]),
    system([3, 0, 4, 0, 1]),
    system([3, 0, 4, 1, 0]),
];

const CALLS: [(&str, &[Argument]); 17] = [
    ("_hv_vcpu_config_create", &[]),
    ("_hv_vcpu_config_get_feature_reg", &[Any, Any, Any]),
    ("_hv_vcpu_create", &[Any, Any, Any]),
    ("_hv_vcpu_destroy", &[Any]),
    ("_hv_vcpu_get_sys_reg", &[Any, Within(FAULT), Any]),
    ("_hv_vcpu_run", &[Any]),
    ("_hv_vcpu_set_reg", &[Any, OneOf(REGISTERS), Any]),
    ("_hv_vcpu_set_sys_reg", &[Any, Within(BOOT), Any]),
    ("_hv_vcpu_set_vtimer_mask", &[Any, OneOf(&[1])]),
    ("_hv_vcpus_exit", &[Any, OneOf(&[1])]),
    ("_hv_vm_config_create", &[]),
    ("_hv_vm_config_get_max_ipa_size", &[Any]),
    ("_hv_vm_config_set_ipa_size", &[Any, Any]),
    ("_hv_vm_create", &[Any]),
    ("_hv_vm_destroy", &[]),
    ("_hv_vm_map", &[Any, Any, Any, Any]),
    ("_hv_vm_unmap", &[Any, Any]),
];

/// The addresses of the code that jumps to what the loader found, with the names.
fn stubs(bytes: &[u8]) -> BTreeMap<u64, String> {
    let program = program::parse(bytes);
    let word = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("a word"));
    let (mut indirect, mut stubs) = (None, None);
    for command in &program.load_commands {
        match command.command {
            CommandVariant::Dysymtab(table) => indirect = Some(table.indirectsymoff as usize),
            CommandVariant::Segment64(segment) => {
                let sections = (0..segment.nsects as usize)
                    .map(|number| command.offset + SEGMENT_COMMAND + number * SECTION);
                stubs = stubs
                    .or(sections.into_iter().find(|at| bytes[*at..].starts_with(b"__stubs\0")));
            }
            _ => {}
        }
    }
    let (indirect, stubs) = (indirect.expect("dynamic symbols"), stubs.expect("stubs"));
    // Of `struct section_64`: addr, size; of a section of stubs: the first index, a stub's size.
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let (address, size) = (long(stubs + 32), long(stubs + 40));
    let (first, each) = (word(stubs + 68), word(stubs + 72));
    let symbols = program.symbols.as_ref().expect("symbols");
    (0..)
        .zip((address..address + size).step_by(each as usize))
        .map(|(number, address)| {
            let symbol = word(indirect + 4 * (first + number) as usize);
            let (name, _) = symbols.get(symbol as usize).expect("a symbol");
            (address, name.to_owned())
        })
        .collect()
}

/// The number that an instruction puts into a whole register.
fn constant(source: &Source<'_>) -> Option<u64> {
    let Source::Written(instruction) = source else { return None };
    let (_, value) = instruction.operands.split_once(", ")?;
    match (&*instruction.mnemonic, value) {
        ("mov", "wzr" | "xzr") => Some(0),
        ("mov", value) => value.strip_prefix('#')?.parse().ok(),
        _ => None,
    }
}

#[test]
fn the_frameworks_functions_get_their_arguments_where_they_look_for_them() {
    let (Some(path), Some(bytes)) = (program::path(), program::bytes()) else { return };
    let disassembly = Command::new("llvm-objdump")
        .args(["--disassemble", "--no-show-raw-insn", "--mattr=+v8.4a"])
        .arg(path)
        .output()
        .expect("a disassembler");
    let functions = functions(&String::from_utf8_lossy(&disassembly.stdout));
    let stubs = stubs(bytes);

    // Constants that were passed, by the function and the argument's number.
    let mut passed: BTreeMap<(&str, u32), BTreeSet<u64>> = BTreeMap::new();
    let mut called = BTreeSet::new();
    for function in &functions {
        for (at, instruction) in function.iter().enumerate() {
            let Some(name) = instruction.target().and_then(|target| stubs.get(&target)) else {
                continue;
            };
            let Some((name, arguments)) = CALLS.iter().find(|(call, _)| call == name) else {
                assert!(!name.starts_with("_hv_"), "{name} is called");
                continue;
            };
            called.insert(*name);
            for (register, argument) in (0..).zip(*arguments) {
                for source in sources(function, at, register) {
                    let story =
                        || format!("{name}, x{register}, {:x}: {source:?}", instruction.address);
                    match (argument, &source) {
                        (OneOf(_), source) => {
                            let value = constant(source).unwrap_or_else(|| panic!("{}", story()));
                            passed.entry((name, register)).or_default().insert(value);
                        }
                        (Within(known), source) if constant(source).is_some() => {
                            let value = constant(source).unwrap_or_default();
                            assert!(known.contains(&value), "{}", story());
                        }
                        (_, Source::Written(_) | Source::Caller) => {}
                        // The first is where a result is.
                        (_, Source::Clobbered) if register == 0 => {}
                        (_, _) => panic!("{}", story()),
                    }
                }
            }
        }
    }
    assert!(called.into_iter().eq(CALLS.map(|(name, _)| name)), "some are never called");
    for (name, arguments) in CALLS {
        for (register, argument) in (0..).zip(arguments) {
            if let OneOf(values) = argument {
                let wanted: BTreeSet<u64> = values.iter().copied().collect();
                assert_eq!(passed[&(name, register)], wanted, "{name}, x{register}");
            }
        }
    }
}
