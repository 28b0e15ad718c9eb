// The privileged stub: all the code that runs at EL1.
//
// A call of the runtime (`svc`) is handed to the host, which has put into SYSTEM how: by `hvc`,
// or by a store to the doorbell, an address behind which there is no memory. On the way back
// the stub does the upkeep of translations and instruction caches that the host asks for in
// SYSTEM, since only the guest's own processor can.
//
// A fault that the engine can use as a trap of Wasm code (an undefined instruction, an abort)
// is delivered to the runtime, if the image asks for it ({deliver}): it goes on at fault_entry,
// on a stack of its own, with what happened in registers. Any other exception is fatal to the
// VM: the host reads what it wants to know from the system registers. No policy, no stack, no
// vector registers, no memory access but to SYSTEM and the doorbell.
//
// The vectors come first (VBAR_EL1; Arm ARM D1.3.1.2), then at {boot_offset} where a vCPU
// starts. x16 and x17 are the runtime's to lose at a call, and anybody's at a fault.
    .set SVC64, 0x15
    .set UNKNOWN, 0x00
    .set INSTRUCTION_ABORT, 0x20
    .set DATA_ABORT, 0x24

    .section .stub, "ax", %progbits
    .globl stub_vectors
    .balign 2048
stub_vectors:
    // From EL1 itself: the stub has failed.
    .rept 8
    .balign 128
    b report
    .endr

    // From EL0, synchronous.
    .balign 128
    mrs x16, esr_el1
    lsr x16, x16, #26
    cmp x16, #SVC64
    b.ne fault
    movz x16, #{system_high}, lsl #16
    ldr x17, [x16, #{doorbell}]
    cbz x17, 1f
    str wzr, [x17, #{ring_mailbox}]
    b 2f
1:  hvc #{hvc_mailbox}
2:  ldr x17, [x16, #{upkeep}]
    cbnz x17, maintain
    eret

    // From EL0, interrupts and errors of the system: there are none. Then those from 32-bit
    // code: there is none.
    .rept 7
    .balign 128
    b report
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

fault:
    .if {deliver}
    cmp x16, #UNKNOWN
    b.eq 1f
    cmp x16, #DATA_ABORT
    b.eq 1f
    cmp x16, #INSTRUCTION_ABORT
    b.ne report
1:  mov x0, x16
    mrs x1, elr_el1
    mov x2, x29
    mrs x3, far_el1
    mrs x4, sp_el0
    movz x16, #:abs_g1:fault_entry
    movk x16, #:abs_g0_nc:fault_entry
    msr elr_el1, x16
    movz x16, #:abs_g1:fault_stack_top
    movk x16, #:abs_g0_nc:fault_stack_top
    msr sp_el0, x16
    mov x16, #{el0}
    msr spsr_el1, x16
    eret
    .endif

report:
    movz x16, #{system_high}, lsl #16
    ldr x17, [x16, #{doorbell}]
    cbz x17, 1f
    str wzr, [x17, #{ring_fault}]
    b report
1:  hvc #{hvc_fault}
    b report
