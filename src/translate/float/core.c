/*
 * Taking values apart, choosing NaNs, rounding and putting together: every rule here stands once, for all formats.
 *
 * Formats    IEEE 754-2019 3.4 and 3.6; f80: Intel SDM volume 1, 4.2.2 and 4.8; 68881: M68000PRM 1.6; bf16: Arm FEAT_BF16
 * Rounding   IEEE 754-2019 4.3, 7.4, 7.5; Arm: FPRoundBase, FPUnpackBase, FPProcessNaNs of the architecture's pseudo-code
 *            (sail-arm, arm-v9.4-a/src/v8_base.sail); others as README.md says
 */
#include "translate/float/core.h"

/* clang-format off */
static const struct fp_layout layouts[FP_FORMATS + 1] = {
	[FP_F16]  = { .width = 16, .precision = 11, .exp_bits = 5, .emin = -14, .emax = 15 },
	[FP_BF16] = { .width = 16, .precision = 8, .exp_bits = 8, .emin = -126, .emax = 127 },
	[FP_F32]  = { .width = 32, .precision = 24, .exp_bits = 8, .emin = -126, .emax = 127 },
	[FP_F64]  = { .width = 64, .precision = 53, .exp_bits = 11, .emin = -1022, .emax = 1023 },
	[FP_F80]  = { .width = 80, .precision = 64, .exp_bits = 15, .emin = -16382, .emax = 16383, .explicit_int = true },
	[FP_F128] = { .width = 128, .precision = 113, .exp_bits = 15, .emin = -16382, .emax = 16383 },
	[FP_F16_ALT] = { .width = 16, .precision = 11, .exp_bits = 5, .emin = -14, .emax = 16, .no_specials = true },
};
static const struct fp_layout layout_f80_m68k =
	{ .width = 80, .precision = 64, .exp_bits = 15, .emin = -16383, .emax = 16383, .explicit_int = true };
/* clang-format on */

const struct fp_layout *fp_layout(enum fp_format f, const struct fp_ctl *ctl)
{
	if (f == FP_F80 && ctl->f80_m68k)
		return &layout_f80_m68k;
	return &layouts[f];
}

unsigned fp_width(enum fp_format f)
{
	return layouts[f].width;
}

/* Bits of the stored significand field: with the integer bit where it is stored. */
static unsigned field_bits(const struct fp_layout *l)
{
	return l->precision - !l->explicit_int;
}

static u128 low_bits(unsigned n)
{
	return n >= 128 ? ~(u128)0 : ((u128)1 << n) - 1;
}

static u128 assemble(const struct fp_layout *l, bool sign, u32 biased, u128 field)
{
	unsigned bits = field_bits(l);
	return (u128)sign << (l->width - 1) | (u128)biased << bits | (field & low_bits(bits));
}

/* The lowest normal exponent as it is stored: 1, but 0 in a 68881's f80, whose numbers of exponent 0 are normal ones. */
static i32 lowest_biased(const struct fp_layout *l)
{
	return l == &layout_f80_m68k ? 0 : 1;
}

static bool is_quiet(u128 sig, const struct fp_ctl *ctl)
{
	return (sig >> 126 & 1) != ctl->snan_bit_set;
}

static struct fp_num unpack_special(const struct fp_layout *l, struct fp_num n, u128 field,
				    const struct fp_ctl *ctl)
{
	u128 frac = field & low_bits(l->precision - 1);
	bool unsupported = l->explicit_int && !ctl->f80_m68k && !(field >> 63);
	if (!frac && !unsupported) {
		n.kind = NUM_INF;
		return n;
	}
	n.sig = FP_TOP | frac << (128 - l->precision);
	n.unsupported = unsupported;
	n.kind = !unsupported && is_quiet(n.sig, ctl) ? NUM_QNAN : NUM_SNAN;
	return n;
}

static bool is_half(enum fp_format f)
{
	return f == FP_F16 || f == (enum fp_format)FP_F16_ALT;
}

static bool flushes_in(enum fp_format f, const struct fp_ctl *ctl)
{
	return is_half(f) ? ctl->flush_in_f16 : ctl->flush_in;
}

struct fp_num fp_unpack(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	unsigned bits = field_bits(l);
	u128 field = a & low_bits(bits);
	i32 biased = (i32)(u32)(a >> bits) & (i32)BITS(l->exp_bits);
	struct fp_num n = { .sign = a >> (l->width - 1) & 1 };
	if (biased == (i32)BITS(l->exp_bits) && !l->no_specials)
		return unpack_special(l, n, field, ctl);
	n.exp = l->emin + biased - lowest_biased(l);
	n.sig = field << (128 - l->precision);
	if (!l->explicit_int && biased)
		n.sig |= FP_TOP;
	if (l->explicit_int && biased && !(n.sig & FP_TOP) && !ctl->f80_m68k) {
		n.unsupported = true;
		n.kind = NUM_SNAN;
		return n;
	}
	if (!n.sig)
		return n;
	if (!biased) {
		n.exp = l->emin;
		if (flushes_in(f, ctl)) {
			*flags |= is_half(f) || ctl->ah ? 0 : FP_INPUT_FLUSHED;
			return n;
		}
		n.denormal = !ctl->f80_m68k || !(n.sig & FP_TOP);
	}
	n.kind = NUM_FINITE;
	fp_normalise(&n);
	return n;
}

u128 fp_zero(enum fp_format f, bool sign, const struct fp_ctl *ctl)
{
	return assemble(fp_layout(f, ctl), sign, 0, 0);
}

u128 fp_inf(enum fp_format f, bool sign, const struct fp_ctl *ctl)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	u128 field = l->explicit_int && !ctl->f80_m68k ? (u128)1 << 63 : 0;
	return assemble(l, sign, BITS(l->exp_bits), field);
}

u128 fp_max_finite(enum fp_format f, bool sign, const struct fp_ctl *ctl)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	return assemble(l, sign, BITS(l->exp_bits) - !l->no_specials, ~(u128)0);
}

u128 fp_default_nan(enum fp_format f, const struct fp_ctl *ctl)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	static const u8 top[] = {
		[FP_SHAPE_FIRST] = 2, [FP_SHAPE_ONES] = 3, [FP_SHAPE_REST] = 1, [FP_SHAPE_SECOND] = 1
	};
	bool ones = ctl->nan_shape == FP_SHAPE_ONES || ctl->nan_shape == FP_SHAPE_REST;
	u128 frac = (u128)top[ctl->nan_shape] << (l->precision - 3);
	if (ones)
		frac |= low_bits(l->precision - 3);
	if (l->explicit_int)
		frac |= (u128)1 << 63;
	return assemble(l, ctl->nan_negative, BITS(l->exp_bits), frac);
}

u128 fp_pack_nan(enum fp_format f, struct fp_num n, const struct fp_ctl *ctl)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	u128 field = n.sig >> (128 - l->precision);
	if (!(field & low_bits(l->precision - 1)))
		return fp_default_nan(f, ctl); /* a narrower format has no room for this one */
	return assemble(l, n.sign, BITS(l->exp_bits), field);
}

u128 fp_invalid(enum fp_format f, u32 cause, const struct fp_ctl *ctl, u32 *flags)
{
	*flags |= FP_INVALID | cause;
	return fp_default_nan(f, ctl);
}

/* Intel SDM volume 1, table 4-7. */
static const struct fp_num *larger_nan(const struct fp_num *a, const struct fp_num *b)
{
	if (!fp_nan(a) || !fp_nan(b))
		return fp_nan(a) ? a : b;
	if (a->kind != b->kind)
		return a->kind == NUM_QNAN ? a : b;
	u128 sa = a->sig & ~(FP_TOP >> 1), sb = b->sig & ~(FP_TOP >> 1);
	if (sa != sb)
		return sa > sb ? a : b;
	return a->sign ? b : a;
}

static const struct fp_num *first_nan(const struct fp_num *ops, unsigned n, unsigned rule, u8 least)
{
	if (!(rule & 0x3f))
		rule = FP_NAN_ABC;
	for (unsigned i = 0; i < 3; i++) {
		unsigned k = rule >> 2 * i & 3;
		if (k < n && ops[k].kind >= least)
			return &ops[k];
	}
	return NULL;
}

u128 fp_choose_nan(enum fp_format f, const struct fp_num *ops, unsigned n, unsigned rule,
		   const struct fp_ctl *ctl, u32 *flags)
{
	bool signalling = false, unsupported = false;
	for (unsigned i = 0; i < n; i++) {
		signalling |= ops[i].kind == NUM_SNAN;
		unsupported |= ops[i].unsupported;
	}
	if (unsupported)
		return fp_invalid(f, FP_INVALID_UNSUPPORTED, ctl, flags);
	if (signalling)
		*flags |= FP_INVALID | FP_INVALID_SNAN;
	if (ctl->default_nan)
		return fp_default_nan(f, ctl);
	const struct fp_num *p = NULL;
	if (rule & FP_NAN_LARGER)
		p = n == 1 ? &ops[0] : larger_nan(&ops[0], &ops[1]);
	else if (rule & FP_NAN_SIGNALLING_FIRST)
		p = first_nan(ops, n, rule, NUM_SNAN);
	if (!p)
		p = first_nan(ops, n, rule, NUM_QNAN);
	struct fp_num nan = *p;
	if (nan.kind == NUM_SNAN) {
		if (ctl->quiet == FP_QUIET_DEFAULT)
			return fp_default_nan(f, ctl);
		if (ctl->quiet == FP_QUIET_NEXT)
			nan.sig = (nan.sig & ~(FP_TOP >> 1)) | FP_TOP >> 2;
		else
			nan.sig |= FP_TOP >> 1;
	}
	return fp_pack_nan(f, nan, ctl);
}

static u128 overflow(enum fp_format f, bool sign, unsigned precision, unsigned mode, const struct fp_ctl *ctl,
		     u32 *flags)
{
	if (fp_layout(f, ctl)->no_specials) {
		*flags |= FP_INVALID;
		return fp_max_finite(f, sign, ctl);
	}
	*flags |= FP_OVERFLOW | FP_INEXACT;
	bool to_inf = mode == FP_NEAREST_EVEN || mode == FP_NEAREST_AWAY || (mode == FP_UP && !sign) ||
		      (mode == FP_DOWN && sign);
	*flags = (*flags & ~(u32)FP_ROUNDED_UP) | (to_inf ? FP_ROUNDED_UP : 0);
	if (to_inf)
		return fp_inf(f, sign, ctl);
	return fp_max_finite(f, sign, ctl) & ~low_bits(fp_layout(f, ctl)->precision - precision);
}

/* Whether a number below the normal range is still below it when rounded with an unbounded exponent. */
static bool tiny_after(const struct fp_layout *l, bool sign, i32 exp, u128 sig, unsigned precision,
		       unsigned mode)
{
	if (exp < l->emin - 1)
		return true;
	u128 lost, kept = fp_split(sig, 128 - precision, &lost);
	return kept != low_bits(precision) || !fp_rounds_up(mode, sign, true, lost);
}

static u128 flushed(enum fp_format f, bool sign, u32 raise, const struct fp_ctl *ctl, u32 *flags)
{
	*flags |= raise | FP_OUTPUT_FLUSHED;
	return fp_zero(f, sign, ctl);
}

u128 fp_round(enum fp_format f, bool sign, i32 exp, u128 sig, unsigned precision, unsigned mode,
	      const struct fp_ctl *ctl, u32 *flags)
{
	const struct fp_layout *l = fp_layout(f, ctl);
	const i32 wrap = 3 << (l->exp_bits - 2);
	bool flush = is_half(f) ? ctl->flush_out_f16 : ctl->flush_out;
	u32 drop;
	mode = fp_mode(mode, ctl);
	if (!precision || precision > l->precision)
		precision = l->precision;
	drop = 128 - precision;
	bool below = exp < l->emin, tiny = false;
	if (below) {
		if (flush && ctl->flush_before_rounding)
			return flushed(f, sign, FP_UNDERFLOW, ctl, flags);
		tiny = ctl->tiny_before_rounding || tiny_after(l, sign, exp, sig, precision, mode);
		if (flush && !ctl->flush_before_rounding && tiny_after(l, sign, exp, sig, precision, mode))
			return flushed(f, sign, FP_UNDERFLOW | FP_INEXACT, ctl, flags);
		if (tiny && ctl->wrap_underflow && exp + wrap >= l->emin) {
			*flags |= FP_UNDERFLOW;
			exp += wrap;
			below = tiny = false;
		} else {
			drop += l->emin - exp;
		}
	}
	u128 lost, kept = fp_split(sig, drop, &lost);
	bool up = fp_rounds_up(mode, sign, kept & 1, lost);
	kept += up;
	if (mode == FP_TO_ODD && lost)
		kept |= 1;
	if (up)
		*flags |= FP_ROUNDED_UP;
	if (tiny && (lost || ctl->underflow_exact))
		*flags |= FP_UNDERFLOW;
	if (below)
		exp = l->emin;
	if (kept >> precision) {
		kept >>= 1;
		exp++;
	}
	if (exp > l->emax) {
		if (!ctl->wrap_overflow || exp - wrap > l->emax)
			return overflow(f, sign, precision, mode, ctl, flags);
		*flags |= FP_OVERFLOW;
		exp -= wrap;
	}
	if (lost)
		*flags |= FP_INEXACT;
	bool normal = kept >> (precision - 1);
	return assemble(l, sign, normal ? exp - l->emin + lowest_biased(l) : 0,
			kept << (l->precision - precision));
}

u128 fp_round_num(enum fp_format f, struct fp_num n, unsigned precision, unsigned mode,
		  const struct fp_ctl *ctl, u32 *flags)
{
	if (n.kind == NUM_ZERO)
		return fp_zero(f, n.sign, ctl);
	return fp_round(f, n.sign, n.exp, n.sig, precision, mode, ctl, flags);
}

enum fp_class fp_classify(enum fp_format f, u128 a, const struct fp_ctl *ctl)
{
	static const u8 class_of[] = { [NUM_ZERO] = FP_CLASS_ZERO,
				       [NUM_FINITE] = FP_CLASS_NORMAL,
				       [NUM_INF] = FP_CLASS_INF,
				       [NUM_QNAN] = FP_CLASS_QNAN,
				       [NUM_SNAN] = FP_CLASS_SNAN };
	struct fp_ctl as_is = *ctl;
	u32 none = 0;
	as_is.flush_in = as_is.flush_in_f16 = false;
	struct fp_num n = fp_unpack(f, a, &as_is, &none);
	return n.denormal ? FP_CLASS_DENORMAL : class_of[n.kind];
}

bool fp_is_nan(enum fp_format f, u128 a, const struct fp_ctl *ctl)
{
	return fp_classify(f, a, ctl) >= FP_CLASS_QNAN;
}

bool fp_is_snan(enum fp_format f, u128 a, const struct fp_ctl *ctl)
{
	return fp_classify(f, a, ctl) == FP_CLASS_SNAN;
}

u128 fp_neg(enum fp_format f, u128 a, const struct fp_ctl *ctl)
{
	if (ctl->ah && fp_is_nan(f, a, ctl))
		return a;
	return a ^ (u128)1 << (layouts[f].width - 1);
}

u128 fp_abs(enum fp_format f, u128 a, const struct fp_ctl *ctl)
{
	if (ctl->ah && fp_is_nan(f, a, ctl))
		return a;
	return a & ~((u128)1 << (layouts[f].width - 1));
}
