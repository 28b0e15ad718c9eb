// The child's code: where it begins, and the gate.
//
// The gate has the one `svc` that the child's filter allows, for the few calls that change
// mappings. Only the tracer sends the child here, with a call's number and arguments in the
// registers of the kernel's convention, and takes the breakpoint for the end of it. A second
// call may follow the first in one go, if that went well: x9 is its number, or 0; x10 to x12
// are its arguments. There is no stack, and no memory is read or written.
    .section .gate, "ax", %progbits
    .globl gate
    .balign 4096
gate:
    svc #0
    tbnz x0, #63, 1f
    cbz x9, 1f
    mov x8, x9
    mov x0, x10
    mov x1, x11
    mov x2, x12
    mov x9, xzr
    b gate
1:  brk #0
    udf #0

// The kernel starts the child here, on a stack that goes before the guest comes. What it
// reports is in x0 at its first breakpoint.
    .section .text, "ax", %progbits
    .globl _start
_start:
    mov x29, xzr
    mov x30, xzr
    bl {prepare}
    // The compiler moves words by vector registers. What is in them now is what each guest
    // finds in them.
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    movi v\n\().2d, #0
    .endr
    brk #0
    udf #0
