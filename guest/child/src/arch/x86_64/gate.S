# The child's code: where it begins, and the gate.
#
# The gate has the one `syscall` instruction that the child's filter allows, for the few calls
# that change mappings. Only the tracer sends the child here, with a call's number and
# arguments in the registers of the kernel's convention, and takes the breakpoint for the end
# of it. A second call may follow the first in one go, if that went well: rbx is its number, or
# 0; r12 to r14 are its arguments. There is no stack, and no memory is read or written.
    .section .gate, "ax", @progbits
    .globl gate
    .balign 4096
gate:
    syscall
    test %rax, %rax
    js 1f
    test %rbx, %rbx
    jz 1f
    mov %rbx, %rax
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    xor %ebx, %ebx
    jmp gate
1:  int3
    ud2

# The kernel starts the child here, on a stack that goes before the guest comes. What it
# reports is in rax at its first breakpoint.
    .section .text, "ax", @progbits
    .globl _start
_start:
    xor %ebp, %ebp
    and $-16, %rsp
    call {prepare}
    int3
    ud2
