# Ring 0, all of it the attacker's: exception vectors, a gate by which ring 3 has instructions
# executed here, and, behind this, the table of instructions.
#
# The gate is an invalid instruction with a number in r15d: r14 is where to go, and whatever is
# there returns by gate_return. Any other exception is handled as POLICY says, a word in SYSTEM.
#
# Vector n is at the start of the page plus n * {vector_stride}; the host's IDT relies on it.
    .section .stub, "ax", @progbits
    .globl stub_vectors, gate_return, gate_policy, gate_report
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
    jmp exception
    .set vector, vector + 1
    .endr

# From the top: ss, rsp, rflags, cs, rip, error code, vector.
exception:
    testb $3, 24(%rsp)
    jz handle
    cmpq $6, (%rsp)
    jne handle
    cmp ${gate}, %r15d
    jne handle
    jmp *%r14

gate_return:
    add $16, %rsp
    addq $2, (%rsp)
    iretq

gate_policy:
    mov %eax, {policy}
    jmp gate_return

gate_report:
    jmp report

handle:
    cmpl $0, {policy}
    je go_on
    cmpl $1, {policy}
    je report
    cmpl $2, {policy}
    je halt
    cmpl $3, {policy}
    je spin
    cmpl $4, {policy}
    je fault
    cmpl $5, {policy}
    je storm
    # Lost: not even a canonical address.
    movabs $0x8000000000000000, %rax
    mov %rax, 16(%rsp)
    add $16, %rsp
    iretq

go_on:
    mov (%rsp), %rdi
    mov 16(%rsp), %rsi
    mov %rbp, %rdx
    mov %cr2, %rcx
    mov 40(%rsp), %r8
    # Whatever this stack was, and wherever the exception was taken: anew.
    mov ${stub_stack}, %rsp
    push ${user_data}
    push $fault_stack_top
    push $2
    push ${user_code}
    push $fault_entry
    iretq

report:
    push %rax
    mov %cr2, %rax
    push %rax
    mov ${fault_port}, %edx
    out %al, %dx
halt:
    hlt
    jmp halt

spin:
    jmp spin

fault:
    ud2

storm:
    mov ${mailbox_port}, %edx
1:  out %al, %dx
    jmp 1b
