/* What the programs here share: random numbers from SEED on, and the sum of all that they leave. */
#include <stddef.h>
#include <stdint.h>

static uint64_t seed = SEED;
static uint64_t rnd(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t sum;
static void mix(const void *p, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++) {
		sum = (sum ^ b[i]) * 0x100000001b3;
		__asm__ volatile("" ::: "memory"); /* not a loop for vectors */
	}
}
