/*
 * What the files of this folder share: a value taken apart, and its way back into a format.
 * Private to translate/float.
 */
#pragma once
#include "translate/float/float.h"

struct fp_layout {
	u8 width, precision; /* storage bits; significand bits with the integer bit */
	u8 exp_bits;
	bool explicit_int, no_specials; /* f80; f16 without infinities and NaNs */
	i16 emin, emax; /* of normal numbers 1.x * 2^e */
};

/* NUM_FINITE: not zero. */
enum fp_kind { NUM_ZERO, NUM_FINITE, NUM_INF, NUM_QNAN, NUM_SNAN };

/* Finite: sig / 2^127 * 2^exp, bit 127 set. NaN: the fraction from bit 126 down, bit 127 set. */
struct fp_num {
	u8 kind;
	bool sign, denormal, unsupported; /* unsupported: x87 has no meaning for it; kind is NUM_SNAN then */
	i32 exp;
	u128 sig;
};

/* An exact product or sum: hi:lo / 2^255 * 2^exp, bit 127 of hi set, or all zero. */
struct fp_wide {
	bool sign;
	i32 exp;
	u128 hi, lo;
};

#define FP_TOP ((u128)1 << 127)

/* f16 without infinities and NaNs; only conversions know it (ctl->alt_half). */
#define FP_F16_ALT FP_FORMATS

const struct fp_layout *fp_layout(enum fp_format f, const struct fp_ctl *ctl);
/* Takes apart; flushes denormals as ctl says. */
struct fp_num fp_unpack(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags);
/* A zero, infinity or default NaN in f. */
u128 fp_zero(enum fp_format f, bool sign, const struct fp_ctl *ctl);
u128 fp_inf(enum fp_format f, bool sign, const struct fp_ctl *ctl);
/* The largest finite number. */
u128 fp_max_finite(enum fp_format f, bool sign, const struct fp_ctl *ctl);
/* The result of an operation at least one of whose n operands is a NaN; rule: enum fp_nan_rule. */
u128 fp_choose_nan(enum fp_format f, const struct fp_num *ops, unsigned n, unsigned rule,
		   const struct fp_ctl *ctl, u32 *flags);
/* Raises invalid for a cause and gives the default NaN. */
u128 fp_invalid(enum fp_format f, u32 cause, const struct fp_ctl *ctl, u32 *flags);
/* A NaN as it is, its fraction cut or widened. */
u128 fp_pack_nan(enum fp_format f, struct fp_num n, const struct fp_ctl *ctl);
/*
 * Rounds into f: sig has bit 127 set, and bit 0 set if anything was lost below it. precision: significand bits to keep, 0 for
 * the format's. mode: enum fp_round, may be FP_ROUND_CTL.
 */
u128 fp_round(enum fp_format f, bool sign, i32 exp, u128 sig, unsigned precision, unsigned mode,
	      const struct fp_ctl *ctl, u32 *flags);
/* The same for a finite number that may be zero. */
u128 fp_round_num(enum fp_format f, struct fp_num n, unsigned precision, unsigned mode,
		  const struct fp_ctl *ctl, u32 *flags);

/* Shifts out `drop` low bits; *ret_lost: what was lost, as a fraction with half at bit 127; anything below is kept sticky. */
static inline u128 fp_split(u128 sig, u32 drop, u128 *ret_lost)
{
	if (drop == 0) {
		*ret_lost = 0;
		return sig;
	}
	if (drop >= 128) {
		*ret_lost = drop == 128 ? sig : sig != 0;
		return 0;
	}
	*ret_lost = sig << (128 - drop);
	return sig >> drop;
}

/* Whether what was lost makes the kept magnitude one larger. */
static inline bool fp_rounds_up(unsigned mode, bool sign, bool odd, u128 lost)
{
	switch (mode) {
	case FP_NEAREST_EVEN:
		return lost > FP_TOP || (lost == FP_TOP && odd);
	case FP_NEAREST_AWAY:
		return lost >= FP_TOP;
	case FP_UP:
		return lost && !sign;
	case FP_DOWN:
		return lost && sign;
	default:
		return false;
	}
}

static inline unsigned fp_clz(u128 v)
{
	return (u64)(v >> 64) ? __builtin_clzll((u64)(v >> 64)) : 64 + __builtin_clzll((u64)v);
}

/* Moves the top bit of a nonzero significand to bit 127. */
static inline void fp_normalise(struct fp_num *n)
{
	unsigned shift = fp_clz(n->sig);
	n->sig <<= shift;
	n->exp -= shift;
}

static inline bool fp_nan(const struct fp_num *n)
{
	return n->kind >= NUM_QNAN;
}

/* x86 DE, and Arm IDC under FPCR.AH, which leaves f16 out. */
static inline void fp_note_denormal(enum fp_format f, bool denormal, const struct fp_ctl *ctl, u32 *flags)
{
	if (denormal && !(ctl->ah && f == FP_F16))
		*flags |= FP_INPUT_DENORMAL;
}

static inline unsigned fp_mode(unsigned mode, const struct fp_ctl *ctl)
{
	if (mode == FP_ROUND_CTL)
		mode = ctl->round;
	return mode == FP_ROUND_CTL ? FP_NEAREST_EVEN : mode;
}

/* Exact product of finite numbers, exact sum up to a sticky last bit; see struct fp_wide. */
struct fp_wide fp_wide_mul(const struct fp_num *a, const struct fp_num *b);
struct fp_wide fp_wide_add(struct fp_wide a, struct fp_wide b);
/* Rounds a wide number; an exact zero gets the sign that the rounding mode gives to a cancelled sum. */
u128 fp_wide_round(enum fp_format f, struct fp_wide w, const struct fp_ctl *ctl, u32 *flags);
