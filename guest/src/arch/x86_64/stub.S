# The privileged stub: all the code that runs in ring 0.
#
# An exception of the runtime is fatal to the VM. Each vector leaves the processor's frame,
# an error code, its number, rax and cr2 on the stub's stack, where the host finds them at a
# known place, and exits by the fault port, which ring 3 cannot reach. No policy, no memory
# access but pushes, no SSE.
#
# Vector n is at the start of the page plus n * {vector_stride}; the host's IDT relies on it.
    .section .stub, "ax", @progbits
    .globl stub_vectors
    .balign 4096
stub_vectors:
    .set vector, 0
    .rept 32
    .balign {vector_stride}
    # 8, 10-14, 17, 21, 29 and 30 push an error code themselves.
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push $0
    .endif
    push $vector
    jmp report
    .set vector, vector + 1
    .endr

report:
    push %rax
    mov %cr2, %rax
    push %rax
    mov ${fault_port}, %eax
    xchg %eax, %edx
    out %al, %dx
1:  hlt
    jmp 1b
