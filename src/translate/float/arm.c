/*
 * What only Arm has: estimates and steps of reciprocal and square root, FMULX, FRECPX, FJCVTZS, and the dot products of bf16.
 *
 * Source: sail-arm, arm-v9.4-a/src/v8_base.sail: RecipEstimate, RecipSqrtEstimate, UnsignedRecipEstimate,
 * UnsignedRSqrtEstimate, FPRecipEstimate, FPRSqrtEstimate, FPRecipStepFused, FPRSqrtStepFused, FPRecpX, FPMulX, FPToFixedJS,
 * FPConvertBF, BFUnpack, BFMulH, FPAdd_BF16, BFRound, BFDotAdd, BFMulAddH. The formulas stand here instead of tables: they are
 * what the tables were made from, and the divisions are small.
 */
#include "translate/float/core.h"

static unsigned field_of(enum fp_format f)
{
	return f == FP_F16 ? 10 : f == FP_F32 ? 23 : 52;
}

static unsigned exponent_bits(enum fp_format f)
{
	return f == FP_F16 ? 5 : f == FP_F32 ? 8 : 11;
}

static unsigned exponent_field(enum fp_format f, u64 a)
{
	return a >> field_of(f) & BITS(exponent_bits(f));
}

/* The fraction, its top bit at bit 51. */
static u64 fraction_field(enum fp_format f, u64 a)
{
	return a << (52 - field_of(f)) & BITS(52);
}

static u64 put_fields(enum fp_format f, bool sign, u32 exponent, u64 fraction)
{
	unsigned bits = field_of(f);
	return (u64)sign << (bits + exponent_bits(f)) | (u64)exponent << bits | fraction >> (52 - bits);
}

/* What the estimates work under when FPCR.AH is set: no flags, denormals are zero, round to nearest. */
static struct fp_ctl quiet_ctl(const struct fp_ctl *ctl, u32 **flags, u32 *nowhere)
{
	struct fp_ctl own = *ctl;
	if (ctl->ah) {
		own.flush_in = own.flush_out = true;
		own.round = FP_NEAREST_EVEN;
		*flags = nowhere;
	}
	return own;
}

/* a in 256..511 stands for 0.5..1; the result in 256..511 for 1..2. */
static u32 recip_estimate(u32 a)
{
	return ((1u << 19) / (a * 2 + 1) + 1) / 2;
}

/* a in 2048..4095; the result in 4096..8191 (FEAT_RPRES). The quotient is never halfway. */
static u32 recip_estimate_12(u32 a)
{
	u32 divisor = a * 2 + 1, r = (1u << 25) / divisor, rest = (1u << 25) % divisor;
	return r + (rest * 2 > divisor);
}

/* a in 128..511 stands for 0.25..1; the result in 256..511 for 1..2. */
static u32 rsqrt_estimate(u32 a)
{
	u32 b = 512; /* the largest with a * b * b below 2^28 */
	a = a < 256 ? a * 2 + 1 : ((a & ~1u) + 1) * 2;
	for (u32 step = 256; step; step /= 2)
		if (a * (b + step) * (b + step) < 1u << 28)
			b += step;
	return (b + 1) / 2;
}

/* The square root of n, rounded down. */
static u64 isqrt(u128 n)
{
	u128 root = 0;
	for (u128 bit = (u128)1 << 126; bit; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* a in 1024..4095; the result in 4096..8191 (FEAT_RPRES). */
static u32 rsqrt_estimate_12(u32 a)
{
	/* The root of the value, times 2^47, to nearest: the root of the value times 2^94 or of twice that at half the scale. */
	u128 n = a < 2048 ? (u128)(a * 2 + 1) << 93 : (u128)((a & ~1u) + 1) << 94;
	u64 root = isqrt(n);
	root += n - (u128)root * root > root; /* beyond root + 1/2 */
	u128 q = ((u128)1 << 65) / root, rest = ((u128)1 << 65) % root;
	return q + (rest * 2 > root || (rest * 2 == root && (q & 1)));
}

u32 fp_arm_urecpe(u32 a)
{
	return a >> 31 ? recip_estimate(a >> 23) << 23 : ~0u;
}

u32 fp_arm_ursqrte(u32 a)
{
	return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : ~0u;
}

u128 fp_arm_recip_estimate(enum fp_format f, u128 a, bool rpres, const struct fp_ctl *ctl, u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	struct fp_num n = fp_unpack(f, a, &own, flags);
	const struct fp_layout *l = fp_layout(f, &own);
	if (fp_nan(&n))
		return fp_choose_nan(f, &n, 1, FP_NAN_AB, &own, flags);
	if (n.kind == NUM_INF)
		return fp_zero(f, n.sign, &own);
	if (n.kind == NUM_ZERO) {
		*flags |= FP_DIVZERO;
		return fp_inf(f, n.sign, &own);
	}
	if (n.exp < l->emin - 2) /* 1 / a is beyond the largest number */
		return fp_round(f, n.sign, l->emax + 1, FP_TOP, 0, own.round, &own, flags);
	bool flush = f == FP_F16 ? own.flush_out_f16 : own.flush_out;
	if (flush && n.exp >= l->emax - 1) {
		*flags |= FP_UNDERFLOW | FP_OUTPUT_FLUSHED;
		return fp_zero(f, n.sign, &own);
	}
	i32 exponent = exponent_field(f, a);
	u64 fraction = fraction_field(f, a);
	if (!exponent) {
		exponent = fraction >> 51 ? 0 : -1;
		fraction = fraction << (exponent ? 2 : 1) & BITS(52);
	}
	exponent = 2 * l->emax - 1 - exponent;
	if (rpres && f == FP_F32 && ctl->ah)
		fraction = (u64)recip_estimate_12(1u << 11 | fraction >> 41) << 40 & BITS(52);
	else
		fraction = (u64)recip_estimate(1u << 8 | fraction >> 44) << 44 & BITS(52);
	if (exponent <= 0) {
		fraction = (BIT(52) | fraction) >> (1 - exponent);
		exponent = 0;
	}
	return put_fields(f, n.sign, exponent, fraction);
}

u128 fp_arm_rsqrt_estimate(enum fp_format f, u128 a, bool rpres, const struct fp_ctl *ctl, u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	struct fp_num n = fp_unpack(f, a, &own, flags);
	const struct fp_layout *l = fp_layout(f, &own);
	if (fp_nan(&n))
		return fp_choose_nan(f, &n, 1, FP_NAN_AB, &own, flags);
	if (n.kind == NUM_ZERO) {
		*flags |= FP_DIVZERO;
		return fp_inf(f, n.sign, &own);
	}
	if (n.sign)
		return fp_invalid(f, FP_INVALID_SQRT, &own, flags);
	if (n.kind == NUM_INF)
		return fp_zero(f, false, &own);
	i32 exponent = n.exp + l->emax; /* as stored, counted on below the smallest normal one */
	u64 fraction = (u64)(n.sig >> 75) & BITS(52);
	bool even = !(exponent & 1);
	i32 result = (3 * l->emax - 1 - exponent) >> 1;
	if (rpres && f == FP_F32 && ctl->ah) {
		u32 scaled = even ? 1u << 11 | fraction >> 41 : 1u << 10 | fraction >> 42;
		return put_fields(f, false, result, (u64)rsqrt_estimate_12(scaled) << 40 & BITS(52));
	}
	u32 scaled = even ? 1u << 8 | fraction >> 44 : 1u << 7 | fraction >> 45;
	return put_fields(f, false, result, (u64)rsqrt_estimate(scaled) << 44 & BITS(52));
}

/* (top - a * b) * 2^-halve; infinity times zero gives top * 2^-halve. top: 2 or 3. */
static u128 step(enum fp_format f, u128 a, u128 b, unsigned top, bool halve, const struct fp_ctl *ctl,
		 u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	struct fp_num n[2] = { fp_unpack(f, fp_neg(f, a, &own), &own, flags), fp_unpack(f, b, &own, flags) };
	if (fp_nan(&n[0]) || fp_nan(&n[1]))
		return fp_choose_nan(f, n, 2, own.nan_rule, &own, flags);
	bool inf = n[0].kind == NUM_INF || n[1].kind == NUM_INF;
	if (inf && n[0].kind != NUM_ZERO && n[1].kind != NUM_ZERO)
		return fp_inf(f, n[0].sign != n[1].sign, &own);
	struct fp_wide sum = { .exp = 1, .hi = top == 3 ? FP_TOP | FP_TOP >> 1 : FP_TOP };
	if (!inf)
		sum = fp_wide_add(fp_wide_mul(&n[0], &n[1]), sum);
	sum.exp -= halve;
	return fp_wide_round(f, sum, &own, flags);
}

u128 fp_arm_recip_step(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	return step(f, a, b, 2, false, ctl, flags);
}

u128 fp_arm_rsqrt_step(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	return step(f, a, b, 3, true, ctl, flags);
}

u128 fp_arm_recip_exponent(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	struct fp_num n = fp_unpack(f, a, &own, flags);
	if (fp_nan(&n))
		return fp_choose_nan(f, &n, 1, FP_NAN_AB, &own, flags);
	u32 ones = BITS(exponent_bits(f)), exponent = exponent_field(f, a);
	return put_fields(f, n.sign, exponent ? exponent ^ ones : ones - 1, 0);
}

u128 fp_arm_mulx(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags)
{
	u32 mine = 0;
	u128 r = fp_mul(f, a, b, ctl, &mine);
	if (mine & FP_INVALID_IMZ) { /* infinity times zero, or what is flushed to zero: 2 */
		bool sign = (a ^ b) >> (fp_width(f) - 1) & 1;
		mine &= ~(u32)(FP_INVALID | FP_INVALID_IMZ);
		r = fp_round(f, sign, 1, FP_TOP, 0, FP_TO_ZERO, ctl, &mine);
	}
	*flags |= mine;
	return r;
}

u32 fp_arm_js(u64 a, bool *ret_exact, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_ctl own = *ctl;
	u32 mine = 0;
	own.int_rule = FP_INT_WRAP;
	u32 r = (u32)fp_to_int(FP_F64, a, 32, true, 0, FP_TO_ZERO, &own, &mine);
	if (mine & FP_INVALID)
		mine &= ~(u32)(FP_INEXACT | FP_ROUNDED_UP);
	/* Inexact, out of range, -0, and a denormal that was flushed all clear Z. */
	bool zero = !(a << 1) || (ctl->flush_in && !(a << 1 >> 53));
	*ret_exact = !(mine & (FP_INVALID | FP_INEXACT)) && !(zero && a);
	*flags |= mine;
	return r;
}

u16 fp_arm_bfcvt(u32 a, const struct fp_ctl *ctl, u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	return (u16)fp_convert(FP_BF16, FP_F32, a, &own, flags);
}

u32 fp_arm_bfmlal(u32 c, u16 a, u16 b, const struct fp_ctl *ctl, u32 *flags)
{
	u32 nowhere = 0;
	struct fp_ctl own = quiet_ctl(ctl, &flags, &nowhere);
	return (u32)fp_fma(FP_F32, (u32)a << 16, (u32)b << 16, c, 0, &own, flags);
}

/* FEAT_BF16's own arithmetic: round to odd, but overflow to infinity (BFRound). */
static u32 bf_step(u128 (*op)(enum fp_format, u128, u128, const struct fp_ctl *, u32 *), u32 a, u32 b,
		   const struct fp_ctl *ctl)
{
	u32 flags = 0, r = (u32)op(FP_F32, a, b, ctl, &flags);
	return flags & FP_OVERFLOW ? (r & 0x80000000) | 0x7f800000 : r;
}

u32 fp_arm_bfdot(u32 c, u32 a, u32 b, bool ebf, const struct fp_ctl *ctl)
{
	u32 nowhere = 0;
	struct fp_ctl own = *ctl;
	own.default_nan = true;
	if (ebf) {
		u128 factors[2][2] = { { a & 0xffff, a >> 16 }, { b & 0xffff, b >> 16 } };
		u32 products = (u32)fp_dot2(FP_BF16, FP_F32, factors[0], factors[1], &own, &nowhere);
		return (u32)fp_add(FP_F32, c, products, &own, &nowhere);
	}
	own.flush_in = own.flush_out = own.flush_before_rounding = true;
	own.round = FP_TO_ODD;
	u32 low = bf_step(fp_mul, a << 16, b << 16, &own),
	    high = bf_step(fp_mul, a & 0xffff0000, b & 0xffff0000, &own);
	return bf_step(fp_add, c, bf_step(fp_add, low, high, &own), &own);
}
