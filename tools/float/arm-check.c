/*
 * Developer's tool: reads arm-guest's lines on stdin and compares them with src/translate/float. Lines starting with # are skipped.
 * Prints the first differences and a count; exit status 1 if any.
 */
#include "translate/float/float.h"
#include "arm-ops.h"
#include <inttypes.h>
#include <stdio.h>

struct record {
	unsigned op;
	u32 fpcr, fpsr;
	u64 a, b, c, result;
};

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

static u64 mine(const struct record *r, const struct fp_ctl *ctl, u32 *fl)
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

/*
 * FJCVTZS of a denormal that FPCR.FZ makes zero: the architecture clears Z (FPToFixedJS: sign 0, value 0, fraction not 0),
 * qemu-aarch64 7.2 sets it.
 */
static bool excused(const struct record *r, u64 got)
{
	return !strncmp(texts[r->op], "fjcvtzs", 7) && !(r->a >> 52) && r->a && r->fpcr & BIT(24) &&
	       (got ^ r->result) == BIT(62);
}

static bool parse(const char *line, struct record *r)
{
	int at = 0;
	if (sscanf(line, "%" SCNx32 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx32 " %n",
		   &r->fpcr, &r->a, &r->b, &r->c, &r->result, &r->fpsr, &at) < 6)
		return false;
	for (unsigned i = 0; i < LEN(texts); i++) {
		r->op = (r->op + 1) % LEN(texts); /* they mostly come in order */
		size_t n = strlen(texts[r->op]);
		if (!strncmp(line + at, texts[r->op], n) && line[at + n] <= '\n')
			return true;
	}
	return false;
}

int main(void)
{
	char line[512];
	struct record r = { .op = LEN(texts) - 1 };
	unsigned long total = 0, bad = 0, let = 0;
	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] == '#')
			continue;
		total++;
		if (!parse(line, &r)) {
			bad++;
			printf("not understood: %s", line);
			continue;
		}
		struct fp_ctl ctl = ctl_of(r.fpcr);
		u32 fl = 0;
		u64 got = mine(&r, &ctl, &fl);
		if (got == r.result && fpsr_of(fl) == r.fpsr)
			continue;
		if (excused(&r, got)) {
			let++;
			continue;
		}
		if (bad++ < 40)
			printf("got %016" PRIx64 " %02" PRIx32 " for %s", got, fpsr_of(fl), line);
	}
	printf("%lu of %lu differ, %lu excused (%zu instructions)\n", bad, total, let, LEN(texts));
	return bad || !total;
}
