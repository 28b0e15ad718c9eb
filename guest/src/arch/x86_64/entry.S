# The vCPU starts here, in ring 3, on the runtime's stack: the host sets rip, rsp, the
# segments and the control registers before the first instruction, and rdi to what
# wrt_abi::boot says of the trapping instruction.
    .section .text.entry, "ax", @progbits
    .globl _start
_start:
    xor %ebp, %ebp
    call {runtime_main}
    ud2

# The image's header.
    .section .boot, "a", @progbits
    .balign 8
    .quad {magic}
    .if {deliver}
    .quad fault_entry
    .quad fault_stack_top
    .else
    .quad 0
    .quad 0
    .endif
