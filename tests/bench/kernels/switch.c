/* Indirect branches: a little machine's instructions by a table of labels. */
#include <stdio.h>

int main(void)
{
	static const unsigned char program[] = { 0, 1, 2, 0, 3, 1, 4, 2, 5, 0, 1, 3, 6 };
	static void *const go[] = { &&add, &&mul, &&shift, &&mix, &&sub, &&not, &&loop };
	unsigned acc = 1, left = 30000000, pc = 0;
	goto *go[program[pc++]];
add:
	acc += 0x9e3779b9u;
	goto *go[program[pc++]];
mul:
	acc *= 0x85ebca6bu;
	goto *go[program[pc++]];
shift:
	acc = acc << 7 | acc >> 25;
	goto *go[program[pc++]];
mix:
	acc ^= acc >> 13;
	goto *go[program[pc++]];
sub:
	acc -= left;
	goto *go[program[pc++]];
not:
	acc = ~acc;
	goto *go[program[pc++]];
loop:
	pc = 0;
	if (--left)
		goto *go[program[pc++]];
	printf("%u\n", acc);
}
