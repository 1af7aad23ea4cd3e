/* Calls and returns: a recursive function. */
#include <stdio.h>

static unsigned ack(unsigned m, unsigned n)
{
	return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1));
}

int main(void)
{
	unsigned sum = 0;
	for (int i = 0; i < 150; i++)
		sum += ack(2, 1200) + ack(3, 7);
	printf("%u\n", sum);
}
