// EL1, all of it the attacker's: exception vectors, a gate by which EL0 has instructions executed
// here, and, behind this, the tables of instructions and registers.
//
// The gate is an undefined instruction with a number in x14: x15 is where to go, and whatever is
// there returns by `eret`. `svc #0` delivers the mailbox, as the honest stub does. Any other
// exception is handled as POLICY says, a word in SYSTEM.
//
// The vectors come first (VBAR_EL1), then at {boot_offset} where a vCPU starts: see
// guest/src/arch/aarch64/stub.S.
    .set SVC_0, 0x5600

    .section .stub, "ax", %progbits
    .globl stub_vectors, gate_policy, gate_report
    .balign 2048
stub_vectors:
    // From EL1 itself.
    .rept 8
    .balign 128
    b handle
    .endr

    // From EL0, synchronous.
    .balign 128
    mrs x16, esr_el1
    lsr x17, x16, #26
    cbz x17, gate
    movz x17, #SVC_0, lsl #16
    cmp x16, x17
    b.ne handle
    movz x16, #{system_high}, lsl #16
    ldr x17, [x16, #{doorbell}]
    cbz x17, 1f
    str wzr, [x17, #{ring_mailbox}]
    b 2f
1:  hvc #{hvc_mailbox}
2:  ldr x17, [x16, #{upkeep}]
    cbnz x17, maintain
    eret

    // From EL0, interrupts and errors of the system; then from 32-bit code.
    .rept 7
    .balign 128
    b handle
    .endr

    .balign 128
stub_boot:
    movz x16, #{system_high}, lsl #16
maintain:
    str xzr, [x16, #{upkeep}]
    dsb ish
    tlbi vmalle1is
    ic ialluis
    dsb ish
    isb
    eret

gate:
    movz w17, #{gate_low}
    movk w17, #{gate_high}, lsl #16
    cmp w14, w17
    b.ne handle
    mrs x16, elr_el1
    add x16, x16, #4
    msr elr_el1, x16
    br x15

gate_policy:
    movz x16, #{system_high}, lsl #16
    str w0, [x16, #{policy}]
    eret

gate_report:
    b report

handle:
    movz x16, #{system_high}, lsl #16
    ldr w17, [x16, #{policy}]
    cbz w17, go_on
    cmp w17, #1
    b.eq report
    cmp w17, #2
    b.eq halt
    cmp w17, #3
    b.eq spin
    cmp w17, #4
    b.eq fault
    cmp w17, #5
    b.eq storm
    // Lost: not even a canonical address.
    movz x16, #0x8000, lsl #48
    msr elr_el1, x16
    eret

go_on:
    mrs x0, esr_el1
    ubfx x0, x0, #26, #6
    mrs x1, elr_el1
    mov x2, x29
    mrs x3, far_el1
    mrs x4, sp_el0
    // Wherever the exception was taken: anew.
    movz x16, #:abs_g1:fault_entry
    movk x16, #:abs_g0_nc:fault_entry
    msr elr_el1, x16
    movz x16, #:abs_g1:fault_stack_top
    movk x16, #:abs_g0_nc:fault_stack_top
    msr sp_el0, x16
    mov x16, #{el0}
    msr spsr_el1, x16
    eret

report:
    movz x16, #{system_high}, lsl #16
    ldr x17, [x16, #{doorbell}]
    cbz x17, 1f
    str wzr, [x17, #{ring_fault}]
    b report
1:  hvc #{hvc_fault}
    b report

halt:
    wfi
    b halt

spin:
    b spin

fault:
    udf #0

storm:
    ldr x17, [x16, #{doorbell}]
    cbz x17, 2f
1:  str wzr, [x17, #{ring_mailbox}]
    b 1b
2:  hvc #{hvc_mailbox}
    b 2b
