//! Instructions that are not for a guest.

use crate::guest::{Guest, code};
use wrt_vm::hypervisor::{Exit, Fault};

/// Intel SDM volume 3A, table 7-1.
const PROTECTION: u8 = 13;
const ALIGNMENT: u8 = 17;
const FLOATING_POINT: u8 = 19;

fn vector(exit: Exit) -> u8 {
    match exit {
        Exit::Fault(Fault { vector, .. }) => vector,
        other => panic!("no fault: {other:?}"),
    }
}

code!(rdtsc: "rdtsc");
code!(rdtscp: "rdtscp");
code!(rdpmc: "xor %ecx, %ecx" "rdpmc");

#[test]
fn the_clock_and_the_counters_are_kept_from_it() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [rdtsc(), rdtscp(), rdpmc()] {
        assert_eq!(vector(guest.boot(code)), PROTECTION);
    }
    guest.assert_works();
}

code!(cpuid: "xor %eax, %eax" "cpuid");

#[test]
fn the_processors_description_is_kept_from_it_where_that_can_be() {
    let Some(mut guest) = Guest::new() else { return };
    // Only some processors can, and in a VM it would cost more than the exits do.
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let exit = guest.boot(cpuid());
    if flags.contains("cpuid_fault") && !flags.contains("hypervisor") {
        assert_eq!(vector(exit), PROTECTION);
    } else {
        assert_eq!(exit, Exit::Mailbox);
    }
}

code!(port_out: "mov $0xa00, %dx" "out %al, %dx");
code!(port_in: "mov $0x60, %dx" "in %dx, %al");
code!(port_string: "mov $0xa00, %dx" "mov $0x800000, %rsi" "outsb");
code!(halt: "hlt");
code!(interrupts_off: "cli");
code!(control_register: "mov %rax, %cr3");
code!(debug_register: "mov %rax, %db7");
code!(descriptor_table: "lgdt 0x800000");
code!(model_register: "xor %ecx, %ecx" "wrmsr");
code!(caches: "invd");
code!(to_ring_0: "pushq $0" "pushq $0x800800" "pushq $2" "pushq $0x10" "pushq $0x400000" "iretq");
code!(kernel_base: "mov $0xffff800000000000, %rax" "wrgsbase %rax" "mov %gs:0, %rax");
code!(wild_address: "mov $0x1234567890abcdef, %rax" "mov (%rax), %rax");

#[test]
fn privileged_instructions_are_faults() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [
        port_out(),
        port_in(),
        port_string(),
        halt(),
        interrupts_off(),
        control_register(),
        debug_register(),
        descriptor_table(),
        model_register(),
        caches(),
        to_ring_0(),
        wild_address(),
    ] {
        assert_eq!(vector(guest.boot(code)), PROTECTION, "{code:02x?}");
    }
    // An address of the kernel's: a fault of one kind or the other, or no such instruction.
    let _ = vector(guest.boot(kernel_base()));
    guest.assert_works();
}

#[test]
fn every_software_interrupt_ends_it_but_those_that_are_the_mailbox() {
    let Some(mut guest) = Guest::new() else { return };
    for number in 0..=255u8 {
        // int n
        let exit = guest.boot(&[0xcd, number]);
        match number {
            3 => assert_eq!(exit, Exit::Mailbox),
            0x80 => assert!(matches!(exit, Exit::SystemCall { .. }), "{exit:?}"),
            _ => assert_eq!(vector(exit), PROTECTION, "int {number}"),
        }
    }
    guest.assert_works();
}

code!(trap_flag: "pushq $0x102" "popfq" "nop" "nop" "nop" "nop");
code!(in_circuit: ".byte 0xf1" "nop");

/// A trap that the guest sets for itself is a delivery of the mailbox, no more.
#[test]
fn single_steps_are_mailboxes_and_end_with_the_boot() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(guest.boot(trap_flag()), Exit::Mailbox);
    for _ in 0..3 {
        assert_eq!(guest.run(), Exit::Mailbox);
    }
    // Mappings can be changed while the guest steps, and it steps on.
    guest.map();
    assert_eq!(guest.run(), Exit::Mailbox);
    guest.assert_works();
    assert_eq!(guest.boot(in_circuit()), Exit::Mailbox);
    guest.assert_works();
}

code!(unaligned: "pushq $0x40002" "popfq" "mov 0x800001, %rax");
code!(float: "movl $0, 0x800000" "ldmxcsr 0x800000" "xorps %xmm0, %xmm0" "divps %xmm0, %xmm0");

#[test]
fn exceptions_that_it_asks_for_have_their_numbers() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(vector(guest.boot(unaligned())), ALIGNMENT);
    assert_eq!(vector(guest.boot(float())), FLOATING_POINT);
    guest.assert_works();
}

// A far return to Linux's 32-bit code segment; there, a breakpoint, then one more system call.
code!(compatibility_mode:
    "mov $0x800800, %rsp" "pushq $0x23" "pushq $0x400100" "lretq"
    ".org hostile_compatibility_mode_start + 0x100" "int3" "int $0x80");
code!(selectors: "mov $0x2b, %eax" "mov %eax, %ds" "mov %eax, %es" "xor %eax, %eax"
    "mov %eax, %fs" "mov %eax, %gs" "int3");
code!(no_stack: "xor %esp, %esp" "int3");

/// What the host does to a stopped guest must not depend on the mode that it stopped in.
#[test]
fn other_modes_and_segments_do_not_confuse_the_host() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [compatibility_mode(), selectors(), no_stack()] {
        assert_eq!(guest.boot(code), Exit::Mailbox);
        guest.map();
    }
    assert_eq!(guest.boot(compatibility_mode()), Exit::Mailbox);
    guest.map();
    assert!(matches!(guest.run(), Exit::SystemCall { .. }), "it went on in its own mode");
    guest.assert_works();
}
