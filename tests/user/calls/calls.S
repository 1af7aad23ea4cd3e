// Functions that do not return to where they were called, and a loop that calls into memory that the program wrote.
	.text
	.globl odd, fault, here, behind
// x0: rounds. A function that sometimes returns four bytes further, one that returns by another register, one that keeps x30 in memory.
odd:
	stp	x29, x30, [sp, #-32]!
	mov	x9, #0
	mov	x10, #0
	mov	x11, x0
1:	and	x1, x11, #1023
	bl	skip
	add	x9, x9, #1		// only when it returned here
	bl	by_x12
	bl	by_memory
	bl	by_jump
	subs	x11, x11, #1
	b.ne	1b
	add	x0, x9, x10, lsl #32
	ldp	x29, x30, [sp], #32
	ret
skip:
	cbnz	x1, 2f
	add	x30, x30, #4
2:	ret
by_x12:
	mov	x12, x30
	add	x10, x10, #1
	ret	x12
by_memory:
	str	x30, [sp, #16]
	add	x10, x10, #2
	mov	x30, #0
	ldr	x30, [sp, #16]
	ret
by_jump:				// a return that is none
	adr	x13, 3f
	ret	x13
3:	add	x10, x10, #4
	ret
// x0: rounds, x1: where to load from; the load may be stepped over by a handler.
fault:
	str	x30, [sp, #-16]!
	mov	x2, #0
1:	mov	x3, #7
	bl	load
behind:
	add	x2, x2, x3
	subs	x0, x0, #1
	b.ne	1b
	mov	x0, x2
	ldr	x30, [sp], #16
	ret
load:
	add	x3, x3, #1
here:	ldr	x3, [x1]
	add	x3, x3, #1
	ret
	.section .note.GNU-stack, "", @progbits
