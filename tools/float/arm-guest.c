/*
 * Developer's tool, the arm64 half of the differential: runs every instruction of arm-ops.h on random operands under random
 * FPCR and writes what went in and came out, a line each: FPCR a b c result FPSR instruction. Runs on an arm64 CPU or under an
 * emulator: arm-guest COUNT SEED
 */
#include "operands.h"
#include "arm-ops.h"
#include <stdio.h>
#include <inttypes.h>

struct record {
	unsigned op;
	u32 fpcr, fpsr;
	u64 a, b, c, result;
};

static const u8 format_of[] = {
#define X(F, text, expr) F,
	ARM_OPS
#undef X
};
static const char *const texts[] = {
#define X(F, text, expr) text,
	ARM_OPS
#undef X
};

static void execute(struct record *r)
{
	/* Instructions are numbered by a counter that the compiler folds. */
	u64 out = 0, fpsr = 0;
	unsigned n = 0;
#define X(F, text, expr) \
	if (r->op == n++) \
		__asm__ volatile("mov x10, %2\n fmov d0, %2\n fmov d1, %3\n fmov d2, %4\n fmov d3, xzr\n " \
				 "msr fpcr, %5\n msr fpsr, xzr\n" text \
				 "\n mrs %1, fpsr\n msr fpcr, xzr\n fmov %0, d3" \
				 : "=&r"(out), "=&r"(fpsr) \
				 : "r"(r->a), "r"(r->b), "r"(r->c), "r"((u64)r->fpcr) \
				 : "v0", "v1", "v2", "v3", "x9", "x10", "cc");
	ARM_OPS
#undef X
	r->result = out;
	r->fpsr = (u32)fpsr;
}

static u64 value(enum fp_format f)
{
	if (f == FP_BF16 || f == FP_F16)
		return (u64)operand(f) | (u64)operand(f) << 16 | (u64)operand(f) << 32 |
		       (u64)operand(f) << 48;
	if (f == FP_F32)
		return (u64)operand(f) | (u64)operand(f) << 32;
	return (u64)operand(f);
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	for (unsigned long i = 0; i < count * LEN(format_of); i++) {
		struct record r = { .op = i % LEN(format_of) };
		enum fp_format f = format_of[r.op];
		bool sums = f == FP_BF16 || (f == FP_F16 && r.op >= LEN(format_of) - 2); /* f32 addends */
		/* RMode, FZ, DN, AHP, FZ16 */
		r.fpcr =
		    (next() & 3) << 22 | (next() & 3 ? 0 : next() & (BIT(24) | BIT(25) | BIT(26) | BIT(19)));
		r.a = value(f);
		r.b = value(f);
		r.c = value(sums ? FP_F32 : f);
		if (!(next() & 7))
			r.a = next() >> (next() & 63);
		execute(&r);
		printf("%08" PRIx32 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %02" PRIx32
		       " %s\n",
		       r.fpcr, r.a, r.b, r.c, r.result, r.fpsr, texts[r.op]);
	}
	return 0;
}
