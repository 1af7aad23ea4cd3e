/*
 * Add, subtract, multiply, divide, square root, fused multiply-add, scaling and remainder.
 *
 * Results and signs: IEEE 754-2019 5.4.1, 6.3, 7.2, 7.3. Where architectures differ (NaNs, denormal operand flag, infinity times
 * zero plus NaN): FPAdd, FPMul, FPDiv, FPMulAdd, FPMulAddH, FPDot, FPScale of Arm's pseudo-code; Intel SDM volume 1, 4.9.2
 * and 14.5.1; Power ISA book I, chapter 4. FPREM: Intel SDM volume 2.
 */
#include "translate/float/core.h"

static bool any_nan(const struct fp_num *n, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fp_nan(&n[i]))
			return true;
	return false;
}

static bool inf_times_zero(const struct fp_num *a, const struct fp_num *b)
{
	return (a->kind == NUM_INF && b->kind == NUM_ZERO) || (a->kind == NUM_ZERO && b->kind == NUM_INF);
}

/* Only x87's arithmetic obeys the precision control. */
static unsigned precision_of(enum fp_format f, const struct fp_ctl *ctl)
{
	return f == FP_F80 ? ctl->f80_prec : 0;
}

/* (sig >> n) with a sticky last bit. */
static u128 shift_jam(u128 sig, u32 n)
{
	u128 lost, kept = fp_split(sig, n, &lost);
	return kept | (lost != 0);
}

/* Sum of two finite numbers that are not both zero; NUM_ZERO when they cancel. */
static struct fp_num add_finite(struct fp_num a, struct fp_num b)
{
	if (a.kind == NUM_ZERO)
		return b;
	if (b.kind == NUM_ZERO)
		return a;
	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		struct fp_num t = a;
		a = b;
		b = t;
	}
	u128 small = shift_jam(b.sig, a.exp - b.exp + 1);
	struct fp_num sum = { .kind = NUM_FINITE, .sign = a.sign, .exp = a.exp + 1 };
	sum.sig = a.sign == b.sign ? (a.sig >> 1) + small : (a.sig >> 1) - small;
	if (sum.sig)
		fp_normalise(&sum);
	else
		sum.kind = NUM_ZERO;
	return sum;
}

static u128 add(enum fp_format f, const struct fp_num n[2], const struct fp_ctl *ctl, u32 *flags)
{
	if (any_nan(n, 2))
		return fp_choose_nan(f, n, 2, ctl->nan_rule, ctl, flags);
	fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	if (n[0].kind == NUM_INF && n[1].kind == NUM_INF && n[0].sign != n[1].sign)
		return fp_invalid(f, FP_INVALID_ISI, ctl, flags);
	if (n[0].kind == NUM_INF || n[1].kind == NUM_INF)
		return fp_inf(f, n[n[0].kind != NUM_INF].sign, ctl);
	if (n[0].kind == NUM_ZERO && n[1].kind == NUM_ZERO && n[0].sign == n[1].sign)
		return fp_zero(f, n[0].sign, ctl);
	struct fp_num sum = n[0].kind == NUM_ZERO && n[1].kind == NUM_ZERO ? n[0] : add_finite(n[0], n[1]);
	if (sum.kind == NUM_ZERO)
		return fp_zero(f, ctl->round == FP_DOWN, ctl);
	return fp_round_num(f, sum, precision_of(f, ctl), ctl->round, ctl, flags);
}

u128 fp_add(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	return add(f, n, ctl, flags);
}

u128 fp_sub(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	if (!fp_nan(&n[1]))
		n[1].sign = !n[1].sign;
	return add(f, n, ctl, flags);
}

/* The 256-bit product of two significands, not yet normalised. */
static struct fp_wide mul_128(u128 a, u128 b)
{
	u64 ah = a >> 64, al = (u64)a, bh = b >> 64, bl = (u64)b;
	struct fp_wide w = { .hi = (u128)ah * bh };
	if (!al && !bl) /* every format up to 64 bits of precision */
		return w;
	u128 m1 = (u128)ah * bl, m2 = (u128)al * bh, low = (u128)al * bl;
	u128 mid = (low >> 64) + (u64)m1 + (u64)m2;
	w.hi += (m1 >> 64) + (m2 >> 64) + (mid >> 64);
	w.lo = mid << 64 | (u64)low;
	return w;
}

static void wide_normalise(struct fp_wide *w)
{
	if (!w->hi) {
		w->hi = w->lo;
		w->lo = 0;
		w->exp -= 128;
	}
	if (!w->hi)
		return;
	unsigned shift = fp_clz(w->hi);
	if (shift) {
		w->hi = w->hi << shift | w->lo >> (128 - shift);
		w->lo <<= shift;
		w->exp -= shift;
	}
}

struct fp_wide fp_wide_mul(const struct fp_num *a, const struct fp_num *b)
{
	struct fp_wide w = mul_128(a->sig, b->sig);
	w.sign = a->sign != b->sign;
	w.exp = a->exp + b->exp + 1;
	if (a->kind == NUM_ZERO || b->kind == NUM_ZERO)
		w.hi = w.lo = 0;
	wide_normalise(&w);
	return w;
}

static void wide_shift_jam(struct fp_wide *w, u32 n)
{
	u128 lost;
	if (n >= 128) {
		bool sticky = w->lo != 0;
		w->lo = shift_jam(w->hi, n - 128) | sticky;
		w->hi = 0;
		return;
	}
	if (!n)
		return;
	w->lo = fp_split(w->lo, n, &lost) | w->hi << (128 - n) | (lost != 0);
	w->hi >>= n;
}

struct fp_wide fp_wide_add(struct fp_wide a, struct fp_wide b)
{
	if (!a.hi)
		return b;
	if (!b.hi)
		return a;
	if (a.exp < b.exp || (a.exp == b.exp && (a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo)))) {
		struct fp_wide t = a;
		a = b;
		b = t;
	}
	wide_shift_jam(&b, a.exp - b.exp + 1);
	wide_shift_jam(&a, 1);
	a.exp++;
	u128 lo = a.lo;
	if (a.sign == b.sign) {
		a.lo += b.lo;
		a.hi += b.hi + (a.lo < lo);
	} else {
		a.lo -= b.lo;
		a.hi -= b.hi + (lo < b.lo);
	}
	wide_normalise(&a);
	return a;
}

u128 fp_wide_round(enum fp_format f, struct fp_wide w, const struct fp_ctl *ctl, u32 *flags)
{
	if (!w.hi)
		return fp_zero(f, ctl->round == FP_DOWN, ctl);
	return fp_round(f, w.sign, w.exp, w.hi | (w.lo != 0), precision_of(f, ctl), ctl->round, ctl, flags);
}

u128 fp_mul(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	bool sign = n[0].sign != n[1].sign;
	if (any_nan(n, 2))
		return fp_choose_nan(f, n, 2, ctl->nan_rule, ctl, flags);
	if (inf_times_zero(&n[0], &n[1]))
		return fp_invalid(f, FP_INVALID_IMZ, ctl, flags);
	fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	if (n[0].kind == NUM_INF || n[1].kind == NUM_INF)
		return fp_inf(f, sign, ctl);
	if (n[0].kind == NUM_ZERO || n[1].kind == NUM_ZERO)
		return fp_zero(f, sign, ctl);
	return fp_wide_round(f, fp_wide_mul(&n[0], &n[1]), ctl, flags);
}

/* a / b with bit 127 or 126 of the result set, and a sticky last bit; a < 2 b. */
static u128 div_sig(u128 a, u128 b)
{
	if (!(u64)a && !(u64)b) {
		u64 divisor = b >> 64;
		u128 rest = a >> 1;
		u64 high = rest / divisor;
		rest = (rest - (u128)high * divisor) << 64;
		u64 low = rest / divisor;
		return (u128)high << 64 | low | ((u128)low * divisor != rest);
	}
	/* Both are below 2^128 with some low bits free; one quotient bit at a time from 2^127 down. */
	u128 rest = a >> 1, q = 0;
	b >>= 1;
	for (int i = 0; i < 120; i++) {
		bool bit = rest >= b;
		if (bit)
			rest -= b;
		q = q << 1 | bit;
		rest <<= 1;
	}
	return q << 8 | (rest != 0);
}

u128 fp_div(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	bool sign = n[0].sign != n[1].sign;
	if (any_nan(n, 2))
		return fp_choose_nan(f, n, 2, ctl->nan_rule, ctl, flags);
	if (n[0].kind == n[1].kind && n[0].kind != NUM_FINITE)
		return fp_invalid(f, n[0].kind == NUM_INF ? FP_INVALID_IDI : FP_INVALID_ZDZ, ctl, flags);
	if (n[1].kind == NUM_ZERO) {
		*flags |= n[0].kind == NUM_INF ? 0 : FP_DIVZERO;
		return fp_inf(f, sign, ctl);
	}
	fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	if (n[0].kind == NUM_INF)
		return fp_inf(f, sign, ctl);
	if (n[0].kind == NUM_ZERO || n[1].kind == NUM_INF)
		return fp_zero(f, sign, ctl);
	struct fp_num q = { .kind = NUM_FINITE, .sign = sign, .exp = n[0].exp - n[1].exp };
	q.sig = div_sig(n[0].sig, n[1].sig);
	fp_normalise(&q);
	return fp_round_num(f, q, precision_of(f, ctl), ctl->round, ctl, flags);
}

/*
 * Square root of sig / 2^126 (in [1, 4)), digit by digit: `bits` of root with the integer bit, moved to the top, the last bit
 * sticky. bits at most 120.
 */
static u128 sqrt_sig(u128 sig, unsigned bits)
{
	u128 root = 0, rest = 0;
	for (unsigned i = 0; i < bits; i++) {
		rest = rest << 2 | (sig >> 126);
		sig <<= 2;
		u128 trial = root << 2 | 1;
		bool bit = rest >= trial;
		if (bit)
			rest -= trial;
		root = root << 1 | bit;
	}
	return root << (128 - bits) | (rest || sig);
}

u128 fp_sqrt(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n = fp_unpack(f, a, ctl, flags);
	if (fp_nan(&n))
		return fp_choose_nan(f, &n, 1, ctl->nan_rule, ctl, flags);
	if (n.kind == NUM_ZERO)
		return fp_zero(f, n.sign, ctl);
	if (n.sign)
		return fp_invalid(f, FP_INVALID_SQRT, ctl, flags);
	if (n.kind == NUM_INF)
		return fp_inf(f, false, ctl);
	fp_note_denormal(f, n.denormal, ctl, flags);
	bool odd = n.exp & 1;
	/* An even exponent takes the value in [1, 2), an odd one in [2, 4); the lowest bit is free in every format. */
	n.sig = sqrt_sig(odd ? n.sig : n.sig >> 1, fp_layout(f, ctl)->precision + 3);
	n.exp = (n.exp - odd) / 2;
	return fp_round_num(f, n, precision_of(f, ctl), ctl->round, ctl, flags);
}

static struct fp_wide widen(const struct fp_num *n)
{
	return (struct fp_wide){ .sign = n->sign, .exp = n->exp, .hi = n->kind == NUM_ZERO ? 0 : n->sig };
}

static u128 fma_nan(enum fp_format f, const struct fp_num n[3], bool inf_zero, const struct fp_ctl *ctl,
		    u32 *flags)
{
	if (inf_zero && ctl->inf_zero_nan == FP_IZN_DEFAULT && n[2].kind == NUM_QNAN)
		return fp_invalid(f, FP_INVALID_IMZ, ctl, flags);
	if (inf_zero && ctl->inf_zero_nan == FP_IZN_INVALID)
		*flags |= FP_INVALID | FP_INVALID_IMZ;
	return fp_choose_nan(f, n, 3, ctl->nan_rule3, ctl, flags);
}

/* Of unpacked operands with their signs as they shall be added. */
static u128 fma_numbers(enum fp_format f, const struct fp_num n[3], bool halve, const struct fp_ctl *ctl,
			u32 *flags)
{
	bool psign = n[0].sign != n[1].sign;
	bool pinf = n[0].kind == NUM_INF || n[1].kind == NUM_INF;
	bool pzero = n[0].kind == NUM_ZERO || n[1].kind == NUM_ZERO;
	if (pinf && pzero)
		return fp_invalid(f, FP_INVALID_IMZ, ctl, flags);
	if (pinf && n[2].kind == NUM_INF && psign != n[2].sign)
		return fp_invalid(f, FP_INVALID_ISI, ctl, flags);
	fp_note_denormal(f, n[0].denormal || n[1].denormal || n[2].denormal, ctl, flags);
	if (pinf || n[2].kind == NUM_INF)
		return fp_inf(f, pinf ? psign : n[2].sign, ctl);
	if (pzero && n[2].kind == NUM_ZERO && psign == n[2].sign)
		return fp_zero(f, psign, ctl);
	struct fp_wide product = fp_wide_mul(&n[0], &n[1]), sum = fp_wide_add(product, widen(&n[2]));
	sum.exp -= halve;
	return fp_wide_round(f, sum, ctl, flags);
}

u128 fp_fma_widen(enum fp_format ff, enum fp_format f, u128 a, u128 b, u128 c, unsigned neg,
		  const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[3] = { fp_unpack(ff, a, ctl, flags), fp_unpack(ff, b, ctl, flags),
			       fp_unpack(f, c, ctl, flags) };
	if ((neg & FP_FMA_NEG_PRODUCT) && (ctl->neg_nan || !fp_nan(&n[0])))
		n[0].sign = !n[0].sign;
	if ((neg & FP_FMA_NEG_ADDEND) && (ctl->neg_nan || !fp_nan(&n[2])))
		n[2].sign = !n[2].sign;
	if (ctl->ah && ff != f)
		n[0].denormal = n[1].denormal = false; /* FPMulAddH looks at the addend alone */
	if (any_nan(n, 3))
		return fma_nan(f, n, inf_times_zero(&n[0], &n[1]), ctl, flags);
	u128 r = fma_numbers(f, n, neg & FP_FMA_HALVE, ctl, flags);
	if ((neg & FP_FMA_NEG_RESULT) && !fp_is_nan(f, r, ctl))
		r ^= (u128)1 << (fp_width(f) - 1);
	return r;
}

u128 fp_fma(enum fp_format f, u128 a, u128 b, u128 c, unsigned neg, const struct fp_ctl *ctl, u32 *flags)
{
	return fp_fma_widen(f, f, a, b, c, neg, ctl, flags);
}

u128 fp_dot2(enum fp_format ff, enum fp_format f, const u128 a[2], const u128 b[2], const struct fp_ctl *ctl,
	     u32 *flags)
{
	/* In the order of Arm's FPProcessNaNs4. */
	struct fp_num n[4] = { fp_unpack(ff, a[0], ctl, flags), fp_unpack(ff, a[1], ctl, flags),
			       fp_unpack(ff, b[0], ctl, flags), fp_unpack(ff, b[1], ctl, flags) };
	bool iz0 = inf_times_zero(&n[0], &n[2]), iz1 = inf_times_zero(&n[1], &n[3]);
	if (any_nan(n, 4)) {
		for (unsigned least = NUM_SNAN; least >= NUM_QNAN; least--)
			for (unsigned i = 0; i < 4; i++)
				if (n[i].kind >= least)
					return fp_choose_nan(f, &n[i], 1, FP_NAN_AB, ctl, flags);
	}
	bool sign[2] = { n[0].sign != n[2].sign, n[1].sign != n[3].sign };
	bool inf[2] = { n[0].kind == NUM_INF || n[2].kind == NUM_INF,
			n[1].kind == NUM_INF || n[3].kind == NUM_INF };
	bool zero[2] = { n[0].kind == NUM_ZERO || n[2].kind == NUM_ZERO,
			 n[1].kind == NUM_ZERO || n[3].kind == NUM_ZERO };
	if (iz0 || iz1)
		return fp_invalid(f, FP_INVALID_IMZ, ctl, flags);
	if (inf[0] && inf[1] && sign[0] != sign[1])
		return fp_invalid(f, FP_INVALID_ISI, ctl, flags);
	if (inf[0] || inf[1])
		return fp_inf(f, sign[!inf[0]], ctl);
	if (zero[0] && zero[1] && sign[0] == sign[1])
		return fp_zero(f, sign[0], ctl);
	return fp_wide_round(f, fp_wide_add(fp_wide_mul(&n[0], &n[2]), fp_wide_mul(&n[1], &n[3])), ctl,
			     flags);
}

u128 fp_scale(enum fp_format f, u128 a, i64 n, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num v = fp_unpack(f, a, ctl, flags);
	const i64 most = 1 << 18; /* beyond every format's range twice over */
	if (fp_nan(&v))
		return fp_choose_nan(f, &v, 1, ctl->nan_rule, ctl, flags);
	fp_note_denormal(f, v.denormal, ctl, flags);
	if (v.kind == NUM_INF)
		return fp_inf(f, v.sign, ctl);
	v.exp += (i32)(n > most ? most : n < -most ? -most : n);
	return fp_round_num(f, v, 0, ctl->round, ctl, flags);
}

/*
 * Long division of a by b * 2^low, the exponents differing by `low` + steps - 1: leaves the remainder, counted in units of b's
 * exponent + low, and the low 64 bits of the quotient.
 */
static u128 long_division(u128 a, u128 b, u32 steps, u64 *ret_quotient)
{
	u64 q = 0;
	u128 rest = a >> 1;
	b >>= 1;
	for (u32 i = 0; i < steps; i++) {
		if (i)
			rest <<= 1;
		bool bit = rest >= b;
		if (bit)
			rest -= b;
		q = q << 1 | bit;
	}
	*ret_quotient = q;
	return rest;
}

/* NaNs, infinities, zeros: true when *ret is the answer. */
static bool rem_special(enum fp_format f, struct fp_num n[2], u128 *ret, const struct fp_ctl *ctl, u32 *flags)
{
	if (any_nan(n, 2)) {
		*ret = fp_choose_nan(f, n, 2, ctl->nan_rule, ctl, flags);
		return true;
	}
	if (n[0].kind == NUM_INF || n[1].kind == NUM_ZERO) {
		*ret = fp_invalid(f, FP_INVALID_REM, ctl, flags);
		return true;
	}
	fp_note_denormal(f, n[0].denormal || n[1].denormal, ctl, flags);
	if (n[0].kind == NUM_ZERO || n[1].kind == NUM_INF) {
		*ret = fp_round_num(f, n[0], 0, ctl->round, ctl, flags);
		return true;
	}
	return false;
}

/* rest / 2^126 * 2^exp, exact, the sign of the dividend when zero. */
static u128 rem_result(enum fp_format f, bool sign, i32 exp, u128 rest, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num r = { .kind = rest ? NUM_FINITE : NUM_ZERO, .sign = sign, .exp = exp + 1, .sig = rest };
	if (rest)
		fp_normalise(&r);
	return fp_round_num(f, r, 0, ctl->round, ctl, flags);
}

static u128 rem_finite(enum fp_format f, struct fp_num n[2], bool nearest, u64 *ret_quotient,
		       const struct fp_ctl *ctl, u32 *flags)
{
	i32 distance = n[0].exp - n[1].exp;
	u64 q = 0;
	if (distance < -1 || (distance < 0 && !nearest))
		return fp_round_num(f, n[0], 0, ctl->round, ctl, flags);
	bool sign = n[0].sign;
	u128 unit = n[1].sig >> 1;
	u128 rest = distance < 0 ? n[0].sig >> 2 : long_division(n[0].sig, n[1].sig, distance + 1, &q);
	if (nearest && (rest << 1 > unit || (rest << 1 == unit && (q & 1)))) {
		rest = unit - rest;
		sign = !sign;
		q++;
	}
	*ret_quotient = q;
	return rem_result(f, sign, n[1].exp, rest, ctl, flags);
}

u128 fp_rem(enum fp_format f, u128 a, u128 b, bool nearest, u64 *ret_quotient, const struct fp_ctl *ctl,
	    u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(f, a, ctl, flags), fp_unpack(f, b, ctl, flags) };
	u64 q = 0;
	u128 r;
	if (!rem_special(f, n, &r, ctl, flags))
		r = rem_finite(f, n, nearest, &q, ctl, flags);
	if (ret_quotient)
		*ret_quotient = q;
	return r;
}

u128 fp_rem_partial(u128 a, u128 b, bool nearest, u64 *ret_quotient, bool *ret_partial,
		    const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n[2] = { fp_unpack(FP_F80, a, ctl, flags), fp_unpack(FP_F80, b, ctl, flags) };
	u64 q = 0;
	u128 r;
	*ret_partial = false;
	*ret_quotient = 0;
	if (rem_special(FP_F80, n, &r, ctl, flags))
		return r;
	i32 distance = n[0].exp - n[1].exp;
	if (distance < 64)
		return rem_finite(FP_F80, n, nearest, ret_quotient, ctl, flags);
	/* The manual leaves 32 to 63 open; this is what lowers the distance to a multiple of 32. */
	i32 steps = 32 + distance % 32;
	u128 rest = long_division(n[0].sig, n[1].sig, steps + 1, &q);
	*ret_partial = true;
	return rem_result(FP_F80, n[0].sign, n[0].exp - steps, rest, ctl, flags);
}
