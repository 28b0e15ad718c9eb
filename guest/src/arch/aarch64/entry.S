// The vCPU starts at the stub, which returns to here: at EL0, on the runtime's stack, with
// what wrt_abi::boot says of the trapping instruction in x0.
    .section .text.entry, "ax", %progbits
    .globl _start
_start:
    mov x29, xzr
    mov x30, xzr
    bl {runtime_main}
    udf #0

// The image's header.
    .section .boot, "a", %progbits
    .balign 8
    .quad {magic}
    .if {deliver}
    .quad fault_entry
    .quad fault_stack_top
    .else
    .quad 0
    .quad 0
    .endif
