/*
 * What this processor has. The base is x86-64-v3 (AVX2, FMA, BMI, F16C, MOVBE) with PCLMULQDQ, AES and
 * CMPXCHG16B; SHA extensions are used where they are.
 *
 * Source: Intel SDM volume 2, CPUID.
 */
#include "translate/host/x64/jit.h"
#include <cpuid.h>

struct need {
	u8 reg; /* of CPUID leaf 1: 2 ECX; of leaf 7: 1 EBX */
	u8 leaf, bit;
	const char *name;
};

/* Asked once each: in a virtual machine CPUID is a call of the one below it. */
static bool leaf_bit(unsigned leaf, unsigned reg, unsigned bit)
{
	static struct answer {
		unsigned leaf, r[4];
	} known[4];
	unsigned i = 0;
	while (known[i].leaf && known[i].leaf != leaf)
		i++;
	if (!known[i].leaf) {
		struct answer a = { .leaf = leaf };
		__get_cpuid_count(leaf, 0, &a.r[0], &a.r[1], &a.r[2], &a.r[3]);
		known[i] = a;
	}
	return known[i].r[reg] >> bit & 1;
}

bool host_supported(const char **ret_why)
{
	static const struct need needs[] = {
		{ 2, 1, 0, "the processor has no SSE3" },
		{ 2, 1, 1, "the processor has no PCLMULQDQ" },
		{ 2, 1, 9, "the processor has no SSSE3" },
		{ 2, 1, 12, "the processor has no FMA" },
		{ 2, 1, 13, "the processor has no CMPXCHG16B" },
		{ 2, 1, 19, "the processor has no SSE4.1" },
		{ 2, 1, 20, "the processor has no SSE4.2" },
		{ 2, 1, 22, "the processor has no MOVBE" },
		{ 2, 1, 23, "the processor has no POPCNT" },
		{ 2, 1, 25, "the processor has no AES instructions" },
		{ 2, 1, 27, "the system does not save AVX registers" },
		{ 2, 1, 28, "the processor has no AVX" },
		{ 2, 1, 29, "the processor has no F16C" },
		{ 1, 7, 3, "the processor has no BMI1" },
		{ 1, 7, 5, "the processor has no AVX2" },
		{ 1, 7, 8, "the processor has no BMI2" },
		{ 2, 0, 5, "the processor has no LZCNT" }, /* leaf 80000001 */
	};
	for (const struct need *n = needs; n < needs + LEN(needs); n++)
		if (!leaf_bit(n->leaf ? n->leaf : 0x80000001, n->reg, n->bit)) {
			*ret_why = n->name;
			return false;
		}
	u32 low, high;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	*ret_why = "the system does not save AVX registers";
	return (low & 6) == 6;
}

bool has_sha(void)
{
	return leaf_bit(7, 1, 29);
}
