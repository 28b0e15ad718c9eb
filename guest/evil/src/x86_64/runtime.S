# Ring 3: the entry, which keeps all registers for the report; attempts, from which an exception
# is the way back; and what no compiler would write.

    .section .text.entry, "ax", @progbits
    .globl _start
_start:
    mov %rax, entry_state
    mov %rcx, entry_state + 8
    mov %rdx, entry_state + 16
    mov %rbx, entry_state + 24
    mov %rsp, entry_state + 32
    mov %rbp, entry_state + 40
    mov %rsi, entry_state + 48
    mov %rdi, entry_state + 56
    mov %r8, entry_state + 64
    mov %r9, entry_state + 72
    mov %r10, entry_state + 80
    mov %r11, entry_state + 88
    mov %r12, entry_state + 96
    mov %r13, entry_state + 104
    mov %r14, entry_state + 112
    mov %r15, entry_state + 120
    pushfq
    popq entry_state + 128
    mov %ds, entry_state + 136
    mov %es, entry_state + 144
    mov %fs, entry_state + 152
    mov %gs, entry_state + 160
    mov %cs, entry_state + 168
    mov %ss, entry_state + 176
    fxsave64 entry_vectors
    # Not even that is taken for granted.
    cld
    xor %ebp, %ebp
    call {runtime_main}
    ud2

# The image's header.
    .section .boot, "a", %progbits
    .balign 8
    .quad {magic}
    .quad fault_entry
    .quad fault_stack_top

    .section .text.attempt, "ax", @progbits
# rdi: an argument, rsi: a function of it. Returns 0, or 1 after an exception.
    .globl attempt_raw
attempt_raw:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    mov %rsp, recover_stack
    call *%rsi
    xor %eax, %eax
1:  movq $0, recover_stack
    add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

# rdi: vector, rsi: instruction, rdx: frame, rcx: address, r8: stack.
    .globl fault_entry
fault_entry:
    mov %rdi, last_fault
    mov %rcx, last_fault + 8
    incq last_fault + 16
    push $2
    popfq
    mov recover_stack, %rsp
    mov $1, %eax
    test %rsp, %rsp
    jnz 1b
    # Outside of an attempt: no order foresees that. It is the end.
    mov $fault_stack_top, %rsp
    mov ${gate}, %r15d
    mov $gate_report, %r14
    testb $1, by_breakpoint
    jnz 2f
    ud2
2:  syscall
    jmp 2b

# rdi: six registers, rsi: where to go. An instruction, or code of any kind, that returns.
    .globl run_here
run_here:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rdi, %r12
    mov %rsi, %r14
    xor %r15d, %r15d
    mov (%r12), %rax
    mov 8(%r12), %rcx
    mov 16(%r12), %rdx
    mov 24(%r12), %rbx
    mov 40(%r12), %rdi
    mov 32(%r12), %rsi
    call *%r14
    jmp 3f

# The same in ring 0.
    .globl run_privileged
run_privileged:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rdi, %r12
    mov %rsi, %r14
    mov ${gate}, %r15d
    mov (%r12), %rax
    mov 8(%r12), %rcx
    mov 16(%r12), %rdx
    mov 24(%r12), %rbx
    mov 40(%r12), %rdi
    mov 32(%r12), %rsi
    ud2
3:  mov %rax, (%r12)
    mov %rcx, 8(%r12)
    mov %rdx, 16(%r12)
    mov %rbx, 24(%r12)
    mov %rsi, 32(%r12)
    mov %rdi, 40(%r12)
    push $2
    popfq
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

# rdi: a word for all registers; then the trap, and an honest state again.
    .globl trap_with_registers
trap_with_registers:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, kept_stack
    mov by_breakpoint, %al
    movq %rdi, %xmm0
    punpcklqdq %xmm0, %xmm0
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqa %xmm0, %xmm\n
    .endr
    fninit
    push %rdi
    fildll (%rsp)
    fildll (%rsp)
    fldcw odd_control
    ldmxcsr odd_vector_control
    test $1, %al
    # Direction and alignment-check flags.
    pushq $0x40402
    mov %rdi, %rcx
    mov %rdi, %rbx
    mov %rdi, %rbp
    mov %rdi, %rsi
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov %rdi, %r\n
    .endr
    jnz 4f
    mov %rdi, %rax
    mov ${mailbox_port}, %edx
    popfq
    mov %rdi, %rsp
    out %al, %dx
    jmp 5f
4:  mov %rdi, %rax
    mov %rdi, %rdx
    popfq
    mov %rdi, %rsp
    int3
5:  mov kept_stack, %rsp
    push $2
    popfq
    fninit
    pushq $0x1f80
    ldmxcsr (%rsp)
    pop %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .rodata.evil, "a", @progbits
# Rounds up, in single precision; all exceptions are masked.
odd_control:
    .short 0x087f
# Rounds towards zero, denormals are zero; all exceptions are masked, and all were seen.
    .balign 4
odd_vector_control:
    .long 0xffff

    .section .bss.evil, "aw", @nobits
    .globl entry_state, entry_vectors, last_fault, by_breakpoint
    .balign 16
entry_vectors:
    .skip 512
entry_state:
    .skip 23 * 8
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
