# The privileged stub: all the code that runs in ring 0.
#
# An exception that the engine can use as a trap of Wasm code (a division error, an invalid
# instruction, a page fault) is delivered to the runtime, if it is the runtime's and the image
# asks for it ({deliver}): it goes on at fault_entry, on a stack of its own, with what happened
# in registers. Any other is fatal to the VM: each vector leaves the processor's frame, an
# error code, its number, rax and cr2 on the stub's stack, where the host finds them at a known
# place, and exits by the fault port, which ring 3 cannot reach. No policy, no memory access
# but to this stack, no SSE.
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
    .if {deliver} && (vector == 0 || vector == 6 || vector == 14)
    jmp deliver
    .else
    jmp report
    .endif
    .set vector, vector + 1
    .endr

    .if {deliver}
deliver:
    # From the top: ss, rsp, rflags, cs, rip, error code, vector.
    testb $3, 24(%rsp)
    jz report
    pop %rdi
    add $8, %rsp
    mov (%rsp), %rsi
    mov %rbp, %rdx
    mov %cr2, %rcx
    mov 24(%rsp), %r8
    movq $fault_entry, (%rsp)
    movq $fault_stack_top, 24(%rsp)
    movq $2, 16(%rsp)
    iretq
    .endif

report:
    push %rax
    mov %cr2, %rax
    push %rax
    mov ${fault_port}, %eax
    xchg %eax, %edx
    out %al, %dx
1:  hlt
    jmp 1b
