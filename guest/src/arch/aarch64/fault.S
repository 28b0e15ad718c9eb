// Where the stub sends the runtime after a fault, and the stack for it: the one that was in
// use may be what is wrong.
    .section .text.fault, "ax", %progbits
    .globl fault_entry
fault_entry:
    mov x29, xzr
    mov x30, xzr
    bl {on_fault}
    udf #0

    .section .bss.fault_stack, "aw", %nobits
    .balign 16
    .skip 65536
    .globl fault_stack_top
fault_stack_top:
