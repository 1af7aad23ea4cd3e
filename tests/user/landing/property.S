// A static program whose ELF properties ask for landing checks (linked with -z force-bti). It jumps to PAD and ends with 0.
	.globl	_start
_start:	adr	x1, there
	br	x1
	.align	4
there:	PAD
	mov	x0, #0
	mov	x8, #93
	svc	#0
