/* Developer's tool: reads arm-guest's records on stdin and compares them with src/translate/float. */
#include "translate/float/float.h"
#include "arm-record.h"
#include "arm-ops.h"
#include <stdio.h>

static u64 nzcv(enum fp_order o)
{
	return (u64)(o == FP_EQUAL ? 6 : o == FP_LESS ? 8 : o == FP_GREATER ? 2 : 3) << 28;
}

static bool at_least(enum fp_order o)
{
	return o == FP_EQUAL || o == FP_GREATER;
}

static const struct fp_ctl *to_odd(const struct fp_ctl *ctl)
{
	static struct fp_ctl odd;
	odd = *ctl;
	odd.round = FP_TO_ODD;
	return &odd;
}

static u64 js(u64 a, const struct fp_ctl *ctl, u32 *fl)
{
	bool exact;
	u32 r = fp_arm_js(a, &exact, ctl, fl);
	return r | (u64)exact << 62;
}

static struct fp_ctl ctl_of(u32 fpcr)
{
	static const u8 round[] = { FP_NEAREST_EVEN, FP_UP, FP_DOWN, FP_TO_ZERO };
	struct fp_ctl c = fp_arm;
	c.round = round[fpcr >> 22 & 3];
	c.flush_in = c.flush_out = fpcr & BIT(24);
	c.flush_in_f16 = c.flush_out_f16 = fpcr & BIT(19);
	c.default_nan = fpcr & BIT(25);
	c.alt_half = fpcr & BIT(26);
	return c;
}

/* FPSR: IOC DZC OFC UFC IXC, IDC at bit 7. */
static u32 fpsr_of(u32 fl)
{
	return (fl & FP_IEEE_FLAGS) | (fl & FP_INPUT_FLUSHED ? BIT(7) : 0);
}

static const char *const texts[] = {
#define X(F, text, expr) text,
	ARM_OPS
#undef X
};

static u64 mine(const struct arm_record *r, const struct fp_ctl *ctl, u32 *fl)
{
	u64 a = r->a, b = r->b, c = r->c;
	unsigned n = 0;
#define X(F, text, expr) \
	if (r->op == n++) \
		return (u64)(expr);
	ARM_OPS
#undef X
	return 0;
}

int main(void)
{
	struct arm_record r;
	unsigned long total = 0, bad = 0, per[LEN(texts)] = { 0 };
	while (fread(&r, sizeof(r), 1, stdin) == 1 && r.op < LEN(texts)) {
		struct fp_ctl ctl = ctl_of(r.fpcr);
		u32 fl = 0;
		u64 got = mine(&r, &ctl, &fl);
		total++;
		if (got == r.result && fpsr_of(fl) == r.fpsr)
			continue;
		bad++;
		if (per[r.op]++ < 3)
			printf("%s fpcr %08x: %llx %llx %llx: got %llx %02x, guest %llx %02x\n", texts[r.op], r.fpcr,
			       (unsigned long long)r.a, (unsigned long long)r.b, (unsigned long long)r.c,
			       (unsigned long long)got, fpsr_of(fl), (unsigned long long)r.result, r.fpsr);
	}
	printf("%lu of %lu differ (%zu instructions)\n", bad, total, LEN(texts));
	return bad != 0;
}
