/*
 * Comparison, minimum and maximum.
 *
 * Sources: FPCompare, FPMax, FPMin, FPMaxNum, FPMinNum of Arm's pseudo-code; IEEE 754-2008 5.3.1, 754-2019 9.6; Intel SDM
 * volume 2, MAXPS and MINPS; RISC-V unprivileged manual, chapter F.
 */
#include "translate/float/core.h"

static int compare_magnitude(const struct fp_num *a, const struct fp_num *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1; /* zero < finite < infinity */
	if (a->kind != NUM_FINITE)
		return 0;
	if (a->exp != b->exp)
		return a->exp < b->exp ? -1 : 1;
	return a->sig < b->sig ? -1 : a->sig > b->sig;
}

static int compare_numbers(const struct fp_num *a, const struct fp_num *b)
{
	if (a->kind == NUM_ZERO && b->kind == NUM_ZERO)
		return 0;
	if (a->sign != b->sign)
		return a->sign ? -1 : 1;
	int m = compare_magnitude(a, b);
	return a->sign ? -m : m;
}

static enum fp_order compare(enum fp_format f, struct fp_num a, struct fp_num b, bool signalling,
			     const struct fp_ctl *ctl, u32 *flags)
{
	if (fp_nan(&a) || fp_nan(&b)) {
		bool snan = a.kind == NUM_SNAN || b.kind == NUM_SNAN;
		if (a.unsupported || b.unsupported)
			*flags |= FP_INVALID_UNSUPPORTED;
		if (snan)
			*flags |= FP_INVALID | FP_INVALID_SNAN;
		if (signalling)
			*flags |= FP_INVALID | FP_INVALID_VC;
		return FP_UNORDERED;
	}
	fp_note_denormal(f, a.denormal || b.denormal, ctl, flags);
	return compare_numbers(&a, &b);
}

enum fp_order fp_compare(enum fp_format f, u128 a, u128 b, bool signalling, const struct fp_ctl *ctl,
			 u32 *flags)
{
	return compare(f, fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags), signalling, ctl, flags);
}

enum fp_order fp_compare_abs(enum fp_format f, u128 a, u128 b, bool signalling, const struct fp_ctl *ctl,
			     u32 *flags)
{
	struct fp_num x = fp_unpack(f, a, ctl, flags), y = fp_unpack(f, b, ctl, flags);
	x.sign = y.sign = false;
	return compare(f, x, y, signalling, ctl, flags);
}

/* Whether a rather than b is the minimum or maximum; zeros are ordered by their signs. */
static bool first_wins(const struct fp_num *a, const struct fp_num *b, unsigned kind)
{
	int order = kind & FP_MM_MAG ? compare_magnitude(a, b) : 0;
	if (!order)
		order = compare_numbers(a, b);
	if (!order)
		order = b->sign - a->sign;
	return kind & FP_MM_MIN ? order < 0 : order > 0;
}

/* x86's rule, and Arm's when FPCR.AH is set: the second, whenever the first does not clearly win. */
static u128 second_unless(enum fp_format f, u128 a, u128 b, const struct fp_num n[2], unsigned kind,
			  const struct fp_ctl *ctl, u32 *flags)
{
	bool nan = fp_nan(&n[0]) || fp_nan(&n[1]);
	if (nan)
		*flags |= FP_INVALID;
	else
		fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	int order = nan ? 0 : compare_numbers(&n[0], &n[1]);
	bool first = kind & FP_MM_MIN ? order < 0 : order > 0;
	const struct fp_num *won = &n[!first];
	return won->kind == NUM_ZERO ? fp_zero(f, won->sign, ctl) : first ? a : b;
}

static bool chooses_nan(const struct fp_num n[2], unsigned base)
{
	bool q0 = n[0].kind == NUM_QNAN, q1 = n[1].kind == NUM_QNAN;
	if (!fp_nan(&n[0]) && !fp_nan(&n[1]))
		return false;
	switch (base) {
	case FP_MM_NUMBER_2008:
		return n[0].kind == NUM_SNAN || n[1].kind == NUM_SNAN || (q0 && q1);
	case FP_MM_NUMBER_2019:
		return fp_nan(&n[0]) && fp_nan(&n[1]);
	default:
		return true;
	}
}

u128 fp_minmax(enum fp_format f, u128 a, u128 b, unsigned kind, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	unsigned base = kind & ~(unsigned)(FP_MM_MIN | FP_MM_MAG);
	if (base == FP_MM_SECOND || (base == FP_MM_PROPAGATE && ctl->ah))
		return second_unless(f, a, b, n, kind, ctl, flags);
	if (chooses_nan(n, base))
		return fp_choose_nan(f, n, 2, ctl->nan_rule, ctl, flags);
	bool nan0 = fp_nan(&n[0]), nan1 = fp_nan(&n[1]);
	if (n[0].kind == NUM_SNAN || n[1].kind == NUM_SNAN)
		*flags |= FP_INVALID | FP_INVALID_SNAN;
	fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	const struct fp_num *won = &n[nan0 || (!nan1 && !first_wins(&n[0], &n[1], kind))];
	if (won->kind == NUM_INF)
		return fp_inf(f, won->sign, ctl);
	return fp_round_num(f, *won, 0, FP_TO_ZERO, ctl, flags);
}
