/* Touches more scattered pages than a window may map (with bare-libc.c). */
#include <stdio.h>
static volatile char area[140 << 20];
int main(void)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < sizeof(area); i += 4096)
		sum += ++area[i];
	printf("touch %u\n", sum);
	return 0;
}
