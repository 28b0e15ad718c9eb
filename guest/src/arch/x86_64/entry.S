# The vCPU starts here, in ring 3, on the runtime's stack: the host sets rip, rsp, the
# segments and the control registers before the first instruction.
    .section .text.entry, "ax", @progbits
    .globl _start
_start:
    xor %ebp, %ebp
    call {runtime_main}
    ud2
