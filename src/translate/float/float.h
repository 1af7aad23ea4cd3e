/*
 * Floating-point arithmetic in integers: f16, bf16, f32, f64, f80 and f128 with the rules of every guest, the same on
 * any host. It serves the interpreter and the cold paths of generated code.
 *
 * A value is its bits in a u128; an f80 has the significand in bits 0 to 63 and sign and exponent in bits 64 to 79.
 * Each operation has one body, taking the format as an argument; fN_op() below are the same with narrow types.
 * What differs between architectures is data in struct fp_ctl; README.md beside this file tells who does what and where
 * that is written. Flags raised by an operation are OR-ed into *flags, never cleared.
 *
 * Any thread; no state; cannot fail.
 */
#pragma once
#include "base/base.h"

enum fp_format { FP_F16, FP_BF16, FP_F32, FP_F64, FP_F80, FP_F128, FP_FORMATS };

/* Map a guest's numbers by a table of its own. In struct fp_ctl, 0 is FP_NEAREST_EVEN. */
enum fp_round {
	FP_ROUND_CTL, /* as an argument: what the fp_ctl says */
	FP_NEAREST_EVEN,
	FP_TO_ZERO,
	FP_DOWN,
	FP_UP,
	FP_NEAREST_AWAY,
	FP_TO_ODD, /* truncate, then set the last bit if anything was lost ("prepare for shorter precision") */
};

enum fp_flag {
	FP_INVALID = 1 << 0,
	FP_DIVZERO = 1 << 1,
	FP_OVERFLOW = 1 << 2,
	FP_UNDERFLOW = 1 << 3,
	FP_INEXACT = 1 << 4,
	FP_INPUT_DENORMAL = 1 << 5, /* a denormal operand was used as such (x86 DE, Arm IDC when FPCR.AH) */
	FP_INPUT_FLUSHED = 1 << 6, /* a denormal operand was taken as zero (Arm IDC); never by f16 */
	FP_OUTPUT_FLUSHED = 1 << 7, /* a tiny result was made zero; comes with what the ctl says */
	FP_ROUNDED_UP =
	    1
	    << 8, /* this operation's result is larger in magnitude than the exact one (x87 C1, PowerPC FR) */
	/* What made the operation invalid; always together with FP_INVALID. PowerPC: VX* */
	FP_INVALID_SNAN = 1 << 16,
	FP_INVALID_ISI = 1 << 17, /* inf - inf */
	FP_INVALID_IDI = 1 << 18, /* inf / inf */
	FP_INVALID_ZDZ = 1 << 19, /* 0 / 0 */
	FP_INVALID_IMZ = 1 << 20, /* inf * 0 */
	FP_INVALID_VC = 1 << 21, /* ordered comparison of a NaN */
	FP_INVALID_SQRT = 1 << 22,
	FP_INVALID_CVI = 1 << 23, /* to integer: NaN or out of range */
	FP_INVALID_REM = 1 << 24, /* remainder of inf, or by 0 */
	FP_INVALID_UNSUPPORTED =
	    1 << 25, /* an x87 operand without a meaning (unnormal, pseudo-NaN, pseudo-infinity) */
	FP_IEEE_FLAGS = 0x1f,
	FP_INVALID_CAUSES = 0x1ff << 16, /* those of PowerPC */
};

/* The order in which operands a, b, c (of a * b + c) are asked for a NaN to pass on; 0 is FP_NAN_ABC. */
#define FP_NAN_ORDER(x, y, z) ((x) | (y) << 2 | (z) << 4)
enum fp_nan_rule {
	FP_NAN_AB = FP_NAN_ORDER(0, 1, 2),
	FP_NAN_BA = FP_NAN_ORDER(1, 0, 2),
	FP_NAN_ABC = FP_NAN_ORDER(0, 1, 2),
	FP_NAN_ACB = FP_NAN_ORDER(0, 2, 1),
	FP_NAN_CAB = FP_NAN_ORDER(2, 0, 1),
	FP_NAN_CBA = FP_NAN_ORDER(2, 1, 0),
	FP_NAN_SIGNALLING_FIRST = 1 << 6, /* first look for a signalling one in that order */
	FP_NAN_LARGER =
	    1 << 7, /* x87: a quiet one, else the larger significand, else the positive one; two operands */
};
/* inf * 0 + NaN */
enum fp_inf_zero_nan {
	FP_IZN_DEFAULT, /* quiet NaN: invalid, default NaN; signalling one: as any signalling NaN */
	FP_IZN_INVALID, /* invalid, and the NaN is passed on */
	FP_IZN_SILENT, /* the NaN is passed on, invalid only if signalling */
};
/* How a signalling NaN is made quiet. */
enum fp_quiet {
	FP_QUIET_SET,
	FP_QUIET_DEFAULT,
	FP_QUIET_NEXT /* clear the first fraction bit, set the second */
};
/* The fraction of the default NaN. */
enum fp_nan_shape {
	FP_SHAPE_FIRST, /* 100..0 */
	FP_SHAPE_ONES, /* 111..1 */
	FP_SHAPE_REST, /* 011..1 */
	FP_SHAPE_SECOND, /* 010..0 */
};
/* The integer that stands for what none can express. All but WRAP and the INDEFINITE ones saturate numbers. */
enum fp_int_rule {
	FP_INT_NAN_ZERO, /* Arm, MIPS 2008 */
	FP_INT_NAN_MAX, /* RISC-V, HPPA: the largest, whatever the NaN's sign */
	FP_INT_NAN_MIN, /* PowerPC, SH4: the smallest */
	FP_INT_NAN_MIN_INEXACT, /* s390x: the smallest; a number out of range raises inexact too */
	FP_INT_NAN_SIGN, /* SPARC: largest or smallest by the NaN's sign */
	FP_INT_INDEFINITE, /* x86: 100..0, or 11..1 of an unsigned one */
	FP_INT_MAX, /* MIPS before 2008: the largest, whatever is wrong */
	FP_INT_WRAP, /* Alpha: the low bits; NaN and infinity give 0 */
};

struct fp_ctl {
	u32 sticky; /* the FP_* flags that the guest's status register keeps; 0: FP_IEEE_FLAGS. See fp_sticky() */
	u8 round; /* enum fp_round */
	u8 nan_rule, nan_rule3; /* enum fp_nan_rule of two operands and of fused multiply-add */
	u8 inf_zero_nan, quiet, nan_shape, int_rule; /* the enums above */
	u8 f80_prec; /* x87 precision control: 24 or 53 significant bits; 0 and 64: all */
	bool nan_negative; /* sign of the default NaN */
	bool default_nan; /* every NaN result is the default one */
	bool snan_bit_set; /* the first fraction bit marks a signalling NaN (old MIPS, HPPA, SH4) */
	bool flush_in, flush_out; /* denormal operands / tiny results are zero; all formats but f16 */
	bool flush_in_f16, flush_out_f16; /* the same for f16, conversions excepted */
	bool
	    loose_flags; /* nobody asks what was flushed: FP_INPUT_FLUSHED, FP_UNDERFLOW, FP_INEXACT may be wrong (for hosts whose own flushing is used) */
	bool
	    flush_before_rounding; /* a result tiny before rounding is flushed, raising underflow alone (Arm FZ); */
	/* else one tiny after it, raising inexact too (x86) */
	bool tiny_before_rounding; /* what underflow means by tiny */
	bool underflow_exact; /* an exact tiny result raises underflow too (the guest has the trap enabled) */
	bool wrap_overflow,
	    wrap_underflow; /* deliver 2^-k resp. 2^k times the result (trap enabled; IEEE 754-1985 7.3) */
	bool alt_half; /* conversions: f16 without infinities and NaNs (Arm FPCR.AHP) */
	bool
	    ah; /* Arm FPCR.AH: min/max, estimates, flags; NaN order, tininess and flushing have their own fields */
	bool neg_nan; /* negation inside fused multiply-add inverts a NaN operand's sign as well (Arm) */
	bool
	    f80_m68k; /* f80 as the 68881 has it: one more exponent below, integer bit free, no unsupported values */
};

/*
 * The state after reset, of guests as they are programmed by usual systems: round to nearest, no flushing, no traps.
 * Copy one, then set what the guest's control register says.
 */
extern const struct fp_ctl fp_arm, fp_arm_ah, fp_x86, fp_x87, fp_riscv, fp_ppc, fp_mips_legacy, fp_mips_2008,
    fp_sparc, fp_s390x, fp_sh4, fp_m68k, fp_hppa, fp_alpha, fp_loongarch;

/* Of flags raised here, those that a guest with these rules ever sees: what is kept across operations. */
static inline u32 fp_sticky(const struct fp_ctl *ctl, u32 flags)
{
	return flags & (ctl->sticky ? ctl->sticky : FP_IEEE_FLAGS);
}

enum fp_order { FP_LESS = -1, FP_EQUAL = 0, FP_GREATER = 1, FP_UNORDERED = 2 };

/* Minimum and maximum; a base kind, with FP_MM_MIN for the minimum and FP_MM_MAG to compare magnitudes. */
enum fp_minmax {
	FP_MM_PROPAGATE, /* Arm FMAX, IEEE 754-2019 maximum: a NaN wins; -0 < +0; follows ctl->ah */
	FP_MM_NUMBER_2008, /* Arm FMAXNM, IEEE 754-2008 maxNum: a quiet NaN loses, a signalling one wins */
	FP_MM_NUMBER_2019, /* RISC-V FMAX: every NaN loses; two give the default NaN or the chosen one */
	FP_MM_SECOND, /* x86 MAXPS: the second operand unless the first is greater; any NaN is invalid */
	FP_MM_MIN = 0x10,
	FP_MM_MAG = 0x20,
};

enum fp_fma_flag {
	FP_FMA_NEG_PRODUCT = 1, /* -(a * b) + c */
	FP_FMA_NEG_ADDEND = 2, /* a * b - c */
	FP_FMA_NEG_RESULT = 4, /* of the rounded result, unless it is a NaN (PowerPC, s390x) */
	FP_FMA_HALVE = 8, /* half the exact sum */
};

/* Arithmetic, correctly rounded as ctl says. */
u128 fp_add(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags);
u128 fp_sub(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags);
u128 fp_mul(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags);
u128 fp_div(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags);
u128 fp_sqrt(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags);
/* a * b + c, rounded once; neg: enum fp_fma_flag. */
u128 fp_fma(enum fp_format f, u128 a, u128 b, u128 c, unsigned neg, const struct fp_ctl *ctl, u32 *flags);
/* The same with factors of format ff, addend and result of format f (Arm FMLAL: f16 into f32; BFMLAL). */
u128 fp_fma_widen(enum fp_format ff, enum fp_format f, u128 a, u128 b, u128 c, unsigned neg,
		  const struct fp_ctl *ctl, u32 *flags);
/* a1 * b1 + a2 * b2 with factors of format ff, rounded once to f (Arm FDOT, BFDOT when FPCR.EBF). */
u128 fp_dot2(enum fp_format ff, enum fp_format f, const u128 a[2], const u128 b[2], const struct fp_ctl *ctl,
	     u32 *flags);
/* a * 2^n. */
u128 fp_scale(enum fp_format f, u128 a, i64 n, const struct fp_ctl *ctl, u32 *flags);
/*
 * a - b * q, exact, q being a / b rounded to nearest even (IEEE remainder, x87 FPREM1) or towards zero (C fmod, x87 FPREM).
 * *ret_quotient: the low 64 bits of |q|; 0 for special operands. May be NULL.
 */
u128 fp_rem(enum fp_format f, u128 a, u128 b, bool nearest, u64 *ret_quotient, const struct fp_ctl *ctl,
	    u32 *flags);
/*
 * One step of x87 FPREM or FPREM1: like fp_rem when the exponents differ by less than 64; else the exponent is lowered by
 * 32 to 63 and true comes back in *ret_partial (C2), with *ret_quotient 0.
 */
u128 fp_rem_partial(u128 a, u128 b, bool nearest, u64 *ret_quotient, bool *ret_partial,
		    const struct fp_ctl *ctl, u32 *flags);
u128 fp_minmax(enum fp_format f, u128 a, u128 b, unsigned kind, const struct fp_ctl *ctl, u32 *flags);
/* signalling: a quiet NaN is invalid as well. */
enum fp_order fp_compare(enum fp_format f, u128 a, u128 b, bool signalling, const struct fp_ctl *ctl,
			 u32 *flags);
/* The same on magnitudes (Arm FACGE, FACGT). */
enum fp_order fp_compare_abs(enum fp_format f, u128 a, u128 b, bool signalling, const struct fp_ctl *ctl,
			     u32 *flags);

/* To a whole number in the same format; exact: raise inexact when it changed. */
u128 fp_round_int(enum fp_format f, u128 a, enum fp_round round, bool exact, const struct fp_ctl *ctl,
		  u32 *flags);
/* The same, what does not fit a signed integer of so many bits giving -2^(bits-1) and invalid (Arm FRINT32Z...). */
u128 fp_round_int_fit(enum fp_format f, u128 a, enum fp_round round, unsigned bits, const struct fp_ctl *ctl,
		      u32 *flags);

/* a * 2^fbits as an integer of 1 to 128 bits, zero- or sign-extended to u128; what does not fit: ctl->int_rule. */
u128 fp_to_int(enum fp_format f, u128 a, unsigned bits, bool is_signed, int fbits, enum fp_round round,
	       const struct fp_ctl *ctl, u32 *flags);
/* n * 2^-fbits. fp_from_int: n is signed. */
u128 fp_from_int(enum fp_format f, i128 n, int fbits, const struct fp_ctl *ctl, u32 *flags);
u128 fp_from_uint(enum fp_format f, u128 n, int fbits, const struct fp_ctl *ctl, u32 *flags);
/* From one format to another; for a rounding of its own (Arm FCVTXN: FP_TO_ODD) pass a changed ctl. */
u128 fp_convert(enum fp_format to, enum fp_format from, u128 a, const struct fp_ctl *ctl, u32 *flags);

/* Sign, NaN and class, without flags. fp_neg and fp_abs leave a NaN alone when ctl->ah. */
u128 fp_neg(enum fp_format f, u128 a, const struct fp_ctl *ctl);
u128 fp_abs(enum fp_format f, u128 a, const struct fp_ctl *ctl);
u128 fp_default_nan(enum fp_format f, const struct fp_ctl *ctl);
bool fp_is_nan(enum fp_format f, u128 a, const struct fp_ctl *ctl);
bool fp_is_snan(enum fp_format f, u128 a, const struct fp_ctl *ctl);
enum fp_class {
	FP_CLASS_ZERO,
	FP_CLASS_DENORMAL,
	FP_CLASS_NORMAL,
	FP_CLASS_INF,
	FP_CLASS_QNAN,
	FP_CLASS_SNAN
};
/* What the bits mean, with no flushing; an f80 that x87 does not support is FP_CLASS_SNAN. */
enum fp_class fp_classify(enum fp_format f, u128 a, const struct fp_ctl *ctl);
/* The storage width in bits: 16, 16, 32, 64, 80, 128. */
unsigned fp_width(enum fp_format f);

/* Arm's own (f16, f32, f64). rpres: FEAT_RPRES, 12 bits of estimate for f32 when ctl->ah. */
u128 fp_arm_mulx(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl, u32 *flags);
u128 fp_arm_recip_estimate(enum fp_format f, u128 a, bool rpres, const struct fp_ctl *ctl, u32 *flags);
u128 fp_arm_rsqrt_estimate(enum fp_format f, u128 a, bool rpres, const struct fp_ctl *ctl, u32 *flags);
u128 fp_arm_recip_step(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl,
		       u32 *flags); /* 2 - a * b */
u128 fp_arm_rsqrt_step(enum fp_format f, u128 a, u128 b, const struct fp_ctl *ctl,
		       u32 *flags); /* (3 - a * b) / 2 */
u128 fp_arm_recip_exponent(enum fp_format f, u128 a, const struct fp_ctl *ctl, u32 *flags); /* FRECPX */
u32 fp_arm_urecpe(u32 a);
u32 fp_arm_ursqrte(u32 a);
/* FJCVTZS: ECMAScript's ToInt32; *ret_exact is the Z flag. */
u32 fp_arm_js(u64 a, bool *ret_exact, const struct fp_ctl *ctl, u32 *flags);
/* BFCVT: f32 to bf16 with FPCR.AH's rules. */
u16 fp_arm_bfcvt(u32 a, const struct fp_ctl *ctl, u32 *flags);
/* BFMLALB/T: c + a * b, bf16 factors, f32 sum. */
u32 fp_arm_bfmlal(u32 c, u16 a, u16 b, const struct fp_ctl *ctl, u32 *flags);
/*
 * One BFDOT: c + a[0] * b[0] + a[1] * b[1] with the low half of a and b first; BFMMLA is two of them in a row. Raises no flags.
 * ebf: FPCR.EBF, one rounding for the two products instead of the round-to-odd arithmetic of FEAT_BF16.
 */
u32 fp_arm_bfdot(u32 c, u32 a, u32 b, bool ebf, const struct fp_ctl *ctl);

/* The same by the format's name and with its own integer type. */
/* clang-format off */
#define FP_TYPED(fN, F, T) \
	static inline T fN##_add(T a, T b, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_add(F, a, b, ctl, flags); } \
	static inline T fN##_sub(T a, T b, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_sub(F, a, b, ctl, flags); } \
	static inline T fN##_mul(T a, T b, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_mul(F, a, b, ctl, flags); } \
	static inline T fN##_div(T a, T b, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_div(F, a, b, ctl, flags); } \
	static inline T fN##_sqrt(T a, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_sqrt(F, a, ctl, flags); } \
	static inline T fN##_fma(T a, T b, T c, unsigned neg, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_fma(F, a, b, c, neg, ctl, flags); } \
	static inline T fN##_round_int(T a, enum fp_round round, bool exact, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_round_int(F, a, round, exact, ctl, flags); } \
	static inline T fN##_minmax(T a, T b, unsigned kind, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_minmax(F, a, b, kind, ctl, flags); } \
	static inline enum fp_order fN##_compare(T a, T b, bool signalling, const struct fp_ctl *ctl, u32 *flags) { return fp_compare(F, a, b, signalling, ctl, flags); } \
	static inline u128 fN##_to_int(T a, unsigned bits, bool is_signed, int fbits, enum fp_round round, const struct fp_ctl *ctl, u32 *flags) { return fp_to_int(F, a, bits, is_signed, fbits, round, ctl, flags); } \
	static inline T fN##_from_int(i128 n, int fbits, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_from_int(F, n, fbits, ctl, flags); } \
	static inline T fN##_from_uint(u128 n, int fbits, const struct fp_ctl *ctl, u32 *flags) { return (T)fp_from_uint(F, n, fbits, ctl, flags); }
FP_TYPED(f16, FP_F16, u16)
FP_TYPED(bf16, FP_BF16, u16)
FP_TYPED(f32, FP_F32, u32)
FP_TYPED(f64, FP_F64, u64)
FP_TYPED(f80, FP_F80, u128)
FP_TYPED(f128, FP_F128, u128)
/* clang-format on */

/* An f80 as its two fields. */
struct f80 {
	u64 frac;
	u16 se;
};
static inline u128 f80_bits(struct f80 v)
{
	return (u128)v.se << 64 | v.frac;
}
static inline struct f80 f80_of(u128 bits)
{
	return (struct f80){ (u64)bits, (u16)(bits >> 64) };
}
