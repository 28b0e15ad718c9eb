// EL0: the entry, which keeps all registers for the report; attempts, from which an exception is
// the way back; and what no compiler would write.

    .macro address register, symbol
    adrp \register, \symbol
    add \register, \register, :lo12:\symbol
    .endm

    // What a function leaves as it found it: x19 to x30, and half of v8 to v15.
    .macro keep
    stp x29, x30, [sp, #-160]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    .endm

    .macro put_back
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #160
    .endm

    .section .text.entry, "ax", %progbits
    .globl _start
_start:
    stp x0, x1, [sp, #-16]!
    address x0, entry_state
    .irp n, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
    str x\n, [x0, #8 * \n]
    .endr
    .irp n, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 30
    str x\n, [x0, #8 * \n]
    .endr
    ldp x2, x3, [sp], #16
    stp x2, x3, [x0]
    mov x1, sp
    str x1, [x0, #8 * 31]
    mrs x1, nzcv
    str x1, [x0, #8 * 32]
    mrs x1, fpcr
    str x1, [x0, #8 * 33]
    mrs x1, fpsr
    str x1, [x0, #8 * 34]
    mrs x1, tpidr_el0
    str x1, [x0, #8 * 35]
    mrs x1, tpidrro_el0
    str x1, [x0, #8 * 36]
    address x0, entry_vectors
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str q\n, [x0, #16 * \n]
    .endr
    mov x0, x2
    mov x29, xzr
    mov x30, xzr
    bl {runtime_main}
    udf #0

// The image's header.
    .section .boot, "a", %progbits
    .balign 8
    .quad {magic}
    .quad fault_entry
    .quad fault_stack_top

    .section .text.attempt, "ax", %progbits
// x0: an argument, x1: a function of it. Returns 0, or 1 after an exception.
    .globl attempt_raw
attempt_raw:
    keep
    address x9, recover_stack
    mov x10, sp
    str x10, [x9]
    blr x1
    mov x0, xzr
1:  address x9, recover_stack
    str xzr, [x9]
    put_back
    ret

// x0: class, x1: instruction, x2: frame, x3: address, x4: stack.
    .globl fault_entry
fault_entry:
    address x9, last_fault
    stp x0, x3, [x9]
    ldr x10, [x9, #16]
    add x10, x10, #1
    str x10, [x9, #16]
    msr fpcr, xzr
    address x9, recover_stack
    ldr x10, [x9]
    mov x0, #1
    cbz x10, 2f
    mov sp, x10
    b 1b
    // Outside of an attempt: no order foresees that. It is the end.
2:  movz w14, #{gate_low}
    movk w14, #{gate_high}, lsl #16
    address x15, gate_report
    address x9, by_breakpoint
    ldr x9, [x9]
    cbnz x9, 3f
    udf #0
3:  svc #0
    b 3b

// x0: six registers, x1: where to go. An instruction, or code of any kind, that returns.
    .globl run_here
run_here:
    keep
    mov x19, x0
    mov x15, x1
    mov x14, xzr
    ldp x0, x1, [x19]
    ldp x2, x3, [x19, #16]
    ldp x4, x5, [x19, #32]
    blr x15
    b 4f

// The same at EL1.
    .globl run_privileged
run_privileged:
    keep
    mov x19, x0
    mov x15, x1
    movz w14, #{gate_low}
    movk w14, #{gate_high}, lsl #16
    ldp x0, x1, [x19]
    ldp x2, x3, [x19, #16]
    ldp x4, x5, [x19, #32]
    udf #0
4:  stp x0, x1, [x19]
    stp x2, x3, [x19, #16]
    stp x4, x5, [x19, #32]
    put_back
    ret

// x0: a word for all registers; then the trap, and an honest state again.
    .globl trap_with_registers
trap_with_registers:
    keep
    address x9, kept_stack
    mov x10, sp
    str x10, [x9]
    address x9, by_breakpoint
    ldr x1, [x9]
    // Rounds towards zero, denormals are zero, NaNs are the usual one; and all exceptions were
    // seen.
    movz x9, #0x03c0, lsl #16
    msr fpcr, x9
    movz x9, #0x0800, lsl #16
    movk x9, #0x9f
    msr fpsr, x9
    msr tpidr_el0, x0
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    dup v\n\().2d, x0
    .endr
    .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    mov x\n, x0
    .endr
    msr nzcv, x0
    mov sp, x0
    cbnz x1, 5f
    mov x1, x0
    svc #0
    b 6f
5:  mov x1, x0
    brk #0
6:  address x9, kept_stack
    ldr x10, [x9]
    mov sp, x10
    msr fpcr, xzr
    msr fpsr, xzr
    put_back
    ret

    .section .bss.evil, "aw", %nobits
    .globl entry_state, entry_vectors, last_fault, by_breakpoint
    .balign 16
entry_vectors:
    .skip 512
entry_state:
    .skip 37 * 8
last_fault:
    .skip 3 * 8
recover_stack:
    .skip 8
kept_stack:
    .skip 8
by_breakpoint:
    .skip 8
    .balign 16
    .skip 16384
    .globl fault_stack_top
fault_stack_top:
