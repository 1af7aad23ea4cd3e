/*
 * Conversions between formats, to and from integers, and rounding to whole numbers.
 *
 * Sources: FPConvert, FPToFixed, FixedToFP, FPRoundInt, FPRoundIntN of Arm's pseudo-code; IEEE 754-2019 5.4.1, 5.8, 5.9;
 * Intel SDM volume 1, 4.9.2 and 8.5.1 (integer indefinite); RISC-V unprivileged manual, chapter F; Power ISA book I.
 */
#include "translate/float/core.h"

u128 fp_convert(enum fp_format to, enum fp_format from, u128 a, const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_ctl own = *ctl; /* f16 is never flushed on its way in or out */
	own.flush_in_f16 = own.flush_out_f16 = false;
	unsigned dst = to == FP_F16 && ctl->alt_half ? (unsigned)FP_F16_ALT : to;
	struct fp_num n =
	    fp_unpack(from == FP_F16 && ctl->alt_half ? (unsigned)FP_F16_ALT : from, a, &own, flags);
	if (n.kind >= NUM_INF && dst == FP_F16_ALT) {
		*flags |= FP_INVALID | (n.kind == NUM_SNAN ? FP_INVALID_SNAN : 0);
		return n.kind == NUM_INF ? fp_max_finite(dst, n.sign, &own) : fp_zero(dst, n.sign, &own);
	}
	if (fp_nan(&n))
		return fp_choose_nan(to, &n, 1, FP_NAN_AB, ctl, flags);
	if (n.kind == NUM_INF)
		return fp_inf(to, n.sign, ctl);
	if (from != FP_F16 && from != FP_F80) /* neither Arm's f16 nor x86's VCVTPH2PS and FST raise it */
		fp_note_denormal(from, n.denormal, ctl, flags);
	return fp_round_num(dst, n, 0, ctl->round, &own, flags);
}

/* What stands for a NaN (nan) or a number out of range. */
static u128 no_integer(unsigned bits, bool is_signed, bool sign, bool nan, const struct fp_ctl *ctl,
		       u32 *flags)
{
	u128 least = is_signed ? ~(u128)0 << (bits - 1) : 0;
	u128 most = is_signed ? ~least : bits == 128 ? ~(u128)0 : ((u128)1 << bits) - 1;
	*flags |= FP_INVALID | FP_INVALID_CVI;
	switch (ctl->int_rule) {
	case FP_INT_INDEFINITE:
		return is_signed ? least : most;
	case FP_INT_MAX:
		return most;
	case FP_INT_NAN_ZERO:
		return nan ? 0 : sign ? least : most;
	case FP_INT_NAN_MAX:
		return nan || !sign ? most : least;
	case FP_INT_NAN_MIN_INEXACT:
		*flags |= nan ? 0 : FP_INEXACT;
		return nan || sign ? least : most;
	case FP_INT_NAN_MIN:
		return nan || sign ? least : most;
	default:
		return sign ? least : most;
	}
}

/* A magnitude rounded to an integer: its low 128 bits, what rounding lost, whether it went up, whether higher bits exist. */
struct whole {
	u128 value, lost;
	bool up, huge;
};

static struct whole whole_part(const struct fp_num *n, unsigned mode)
{
	struct whole w = { .huge = n->exp >= 128 };
	if (w.huge) {
		w.value = n->exp - 127 < 128 ? n->sig << (n->exp - 127) : 0;
		return w;
	}
	w.value = fp_split(n->sig, 127 - n->exp, &w.lost);
	w.up = fp_rounds_up(mode, n->sign, w.value & 1, w.lost);
	w.value += w.up;
	return w;
}

static u32 whole_flags(const struct whole *w)
{
	return (w->lost ? FP_INEXACT : 0) | (w->up ? FP_ROUNDED_UP : 0);
}

static u128 extend(u128 v, unsigned bits, bool is_signed)
{
	unsigned up = 128 - bits;
	return is_signed ? (u128)((i128)(v << up) >> up) : v << up >> up;
}

u128 fp_to_int(enum fp_format f, u128 a, unsigned bits, bool is_signed, int fbits, enum fp_round round,
	       const struct fp_ctl *ctl, u32 *flags)
{
	struct fp_num n = fp_unpack(f, a, ctl, flags);
	if (n.kind == NUM_SNAN)
		*flags |= n.unsupported ? FP_INVALID_UNSUPPORTED : FP_INVALID_SNAN;
	if (n.kind >= NUM_INF && ctl->int_rule == FP_INT_WRAP) {
		*flags |= FP_INVALID | FP_INVALID_CVI;
		return 0;
	}
	if (n.kind >= NUM_INF)
		return no_integer(bits, is_signed, n.sign, fp_nan(&n), ctl, flags);
	if (n.kind == NUM_ZERO)
		return 0;
	n.exp += fbits;
	struct whole w = whole_part(&n, fp_mode(round, ctl));
	u128 bound = is_signed	   ? ((u128)1 << (bits - 1)) - !n.sign
		     : n.sign	   ? 0
		     : bits == 128 ? ~(u128)0
				   : ((u128)1 << bits) - 1;
	if (w.huge || w.value > bound) {
		if (ctl->int_rule != FP_INT_WRAP)
			return no_integer(bits, is_signed, n.sign, false, ctl, flags);
		*flags |= FP_INVALID | FP_INVALID_CVI;
	}
	*flags |= whole_flags(&w);
	return extend(n.sign ? -w.value : w.value, bits, is_signed);
}

static u128 from_magnitude(enum fp_format f, bool sign, u128 magnitude, int fbits, const struct fp_ctl *ctl,
			   u32 *flags)
{
	struct fp_num n = { .kind = NUM_FINITE, .sign = sign, .exp = 127 - fbits, .sig = magnitude };
	if (!magnitude)
		return fp_zero(f, false, ctl);
	fp_normalise(&n);
	return fp_round_num(f, n, 0, ctl->round, ctl, flags);
}

u128 fp_from_int(enum fp_format f, i128 n, int fbits, const struct fp_ctl *ctl, u32 *flags)
{
	return from_magnitude(f, n < 0, n < 0 ? -(u128)n : (u128)n, fbits, ctl, flags);
}

u128 fp_from_uint(enum fp_format f, u128 n, int fbits, const struct fp_ctl *ctl, u32 *flags)
{
	return from_magnitude(f, false, n, fbits, ctl, flags);
}

/* A finite number made whole; *ret_flags: what that raises. */
static struct fp_num to_whole(struct fp_num n, unsigned mode, u32 *ret_flags)
{
	*ret_flags = 0;
	if (n.exp >= 127)
		return n;
	struct whole w = whole_part(&n, mode);
	*ret_flags = whole_flags(&w);
	n.exp = 127;
	n.sig = w.value;
	if (n.sig)
		fp_normalise(&n);
	else
		n.kind = NUM_ZERO;
	return n;
}

u128 fp_round_int(enum fp_format f, u128 a, enum fp_round round, bool exact, const struct fp_ctl *ctl,
		  u32 *flags)
{
	struct fp_num n = fp_unpack(f, a, ctl, flags);
	u32 raised;
	if (fp_nan(&n))
		return fp_choose_nan(f, &n, 1, FP_NAN_AB, ctl, flags);
	if (n.kind == NUM_INF)
		return fp_inf(f, n.sign, ctl);
	if (n.kind == NUM_ZERO)
		return fp_zero(f, n.sign, ctl);
	if (f == FP_F80) /* FRNDINT; SSE and AVX do not say so */
		fp_note_denormal(f, n.denormal, ctl, flags);
	n = to_whole(n, fp_mode(round, ctl), &raised);
	if (exact)
		*flags |= raised;
	return fp_round_num(f, n, 0, FP_TO_ZERO, ctl, flags);
}

u128 fp_round_int_fit(enum fp_format f, u128 a, enum fp_round round, unsigned bits, const struct fp_ctl *ctl,
		      u32 *flags)
{
	struct fp_num n = fp_unpack(f, a, ctl, flags);
	u32 raised = 0;
	if (n.kind == NUM_ZERO)
		return fp_zero(f, n.sign, ctl);
	if (n.kind == NUM_FINITE)
		n = to_whole(n, fp_mode(round, ctl), &raised);
	/* |n| < 2^(bits-1), or -2^(bits-1) itself */
	bool fits = n.kind == NUM_ZERO ||
		    (n.kind == NUM_FINITE &&
		     (n.exp < (i32)bits - 1 || (n.exp == (i32)bits - 1 && n.sign && n.sig == FP_TOP)));
	if (!fits) {
		*flags |= FP_INVALID | FP_INVALID_CVI;
		return fp_round(f, true, bits - 1, FP_TOP, 0, FP_TO_ZERO, ctl, flags);
	}
	*flags |= raised;
	return fp_round_num(f, n, 0, FP_TO_ZERO, ctl, flags);
}
