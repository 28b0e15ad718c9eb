//! What one guest leaves must not be found by the next that boots in its process.

use crate::guest::{Guest, code};
use wrt_vm::hypervisor::Exit;

code!(leave:
    "mov $-1, %rax" "mov %rax, %rbx" "mov %rax, %rcx" "mov %rax, %rdx" "mov %rax, %rsi"
    "mov %rax, %rdi" "mov %rax, %rbp" "mov %rax, %r8" "mov %rax, %r15"
    "pcmpeqd %xmm0, %xmm0" "pcmpeqd %xmm15, %xmm15" "fldpi"
    "movl $0x7f80, 0x800000" "ldmxcsr 0x800000"
    "std" "int3");
code!(look:
    "mov %rax, 0x800000" "mov %rbx, 0x800008" "mov %rcx, 0x800010" "mov %rdx, 0x800018"
    "mov %rsi, 0x800020" "mov %rdi, 0x800028" "mov %rbp, 0x800030" "mov %r8, 0x800038"
    "mov %r15, 0x800040" "movdqu %xmm0, 0x800048" "movdqu %xmm15, 0x800058"
    "fnstenv 0x800100" "stmxcsr 0x800068" "pushfq" "popq 0x800070"
    "int3");
code!(leave_wide: "vpcmpeqd %ymm7, %ymm7, %ymm7" "int3");
code!(look_wide: "vmovdqu %ymm7, 0x800000" "int3");
code!(leave_bases: "mov $0x800000, %rax" "wrfsbase %rax" "wrgsbase %rax" "int3");
code!(look_bases: "rdfsbase %rax" "rdgsbase %rbx" "mov %rax, 0x800000" "mov %rbx, 0x800008" "int3");

#[test]
fn registers_are_those_of_a_fresh_boot() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(guest.boot(leave()), Exit::Mailbox);
    assert_eq!(guest.boot(look()), Exit::Mailbox);
    // rdi says how to trap: by a breakpoint.
    let general: Vec<u64> = (0..9).map(|index| guest.data(index)).collect();
    assert_eq!(general, [0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!((9..13).map(|index| guest.data(index)).max(), Some(0), "vectors");
    assert_eq!(guest.data(13) as u32, 0x1f80, "control of floating point");
    assert_eq!(guest.data(14) & 0x400, 0, "direction flag");
    // Tags of an empty stack, in the third word of the environment.
    assert_eq!(guest.data(33) as u32 & 0xffff, 0xffff, "x87 stack");
}

#[test]
fn wide_registers_are_too() {
    let Some(mut guest) = Guest::new() else { return };
    if !is_x86_feature_detected!("avx2") {
        wrt_tests::skip("no AVX2");
        return;
    }
    assert_eq!(guest.boot(leave_wide()), Exit::Mailbox);
    assert_eq!(guest.boot(look_wide()), Exit::Mailbox);
    assert_eq!((0..4).map(|index| guest.data(index)).max(), Some(0));
}

#[test]
fn segment_bases_are_too() {
    let Some(mut guest) = Guest::new() else { return };
    if guest.boot(leave_bases()) != Exit::Mailbox {
        wrt_tests::skip("no FSGSBASE");
        return;
    }
    guest.set_data(0, u64::MAX);
    assert_eq!(guest.boot(look_bases()), Exit::Mailbox);
    assert_eq!([guest.data(0), guest.data(1)], [0, 0]);
}
