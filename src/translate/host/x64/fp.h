/* What the files about floating point (fp*.c) share. */
#pragma once
#include "translate/host/x64/jit.h"

/* What kind of numbers an operation works on. */
struct form {
	bool packed, wide; /* wide: f64, else f32 */
	u32 prefix; /* of the arithmetic instructions: none ps, 66 pd, F3 ss, F2 sd */
	u32 compare; /* of ucomis: none or 66 */
	unsigned size;
};

/* ---- fp.c ---- */
/* The form of operations on this type (v128: on these lanes); false for what is neither f32 nor f64. */
bool fp_form(struct form *f, enum ir_type type, enum ir_type lane);
/*
 * To cold code if x or y is a NaN: it computes v into d (as in struct slow_desc) from the operands' registers. Flags are clobbered already.
 * Quiet compares: signalling NaNs raise invalid, as they do for the guest.
 */
void fp_check_nan(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		  unsigned x, unsigned y, const unsigned operand[3]);
/* Carry: is this register a narrow float of so many bytes in a box of an f64? */
void fp_test_box(struct jit *j, unsigned narrow, unsigned r);
/* A scalar result's upper bits are those of the operand that the host took them from: clear: known to be zero. */
void fp_upper(struct jit *j, const struct form *f, u32 v, bool clear);
/* The immediate of the rounding instructions; -1: there is none. */
int fp_round_imm(enum fp_round round);
void fp_round_to(struct jit *j, const struct form *f, unsigned d, unsigned a, unsigned imm);
/*
 * t = a to the nearest whole number, halves away from zero, without raising inexact. Large numbers and NaNs go to cold code; the caller
 * says where that comes back: fp_come_back with what this returns.
 */
u32 fp_round_away(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		  unsigned t, unsigned a);
/* The bits of 2^n in the form's format, n in the range of normal numbers. */
static inline u64 fp_power(const struct form *f, int n)
{
	return f->wide ? (u64)(n + 1023) << 52 : (u64)(n + 127) << 23;
}

/* ---- fp_convert.c ---- */
bool lower_fp_to_int(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_fp_from_int(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_fp_format(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_fp_javascript(struct jit *j, const struct ir_insn *in, u32 v);
/* The entries of j->cold from this one on come back here: behind all that the inline path does. */
void fp_come_back(struct jit *j, u32 first_cold);
/* To cold code unless low < x < high in every lane: NaNs are not. Raises nothing that the guest does not. */
void fp_need_between(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned dst,
		     unsigned a, u64 low, u64 high);

/* ---- fp_step.c: FMULX, FRECPS, FRSQRTS, FCADD, FCMLA ---- */
bool lower_fp_step(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f);

/* ---- fp_flush.c: denormals as zero ---- */
/* An operation of a region that flushes: by lower, by the host's own flushing or where the operands let none be needed. */
bool lower_fp_flushing(struct jit *j, const struct ir_insn *in, u32 v,
		       bool (*lower)(struct jit *j, const struct ir_insn *in, u32 v));
/*
 * Where tiny results are zero: to cold code if a result in XMM register d is the least normal number, which may have been tiny before it was
 * rounded. For products, quotients and narrower formats; sums that small are exact. NaNs have been looked for.
 */
void fp_check_least(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		    const unsigned operand[3]);
/* ucomis or comis a, b (op) of numbers of this type (f16: as f32) in any region. Takes up to two scratch registers. */
void fp_ucomis(struct jit *j, u32 op, enum ir_type type, unsigned a, unsigned b);

/* A register with a number that fp_ucomis compares: of f16, as f32. */
unsigned fp_operand(struct jit *j, u32 v);

/* ---- fp_half.c: arithmetic of f16, scalars and v128 ---- */
bool lower_fp_half(struct jit *j, const struct ir_insn *in, u32 v);
/* An f16 as f32 in a scratch register, nothing else in the other lanes. */
unsigned fp_widen_half(struct jit *j, unsigned a);
/* The same of eight lanes, in a YMM register, when packed. */
unsigned fp_half_lanes(struct jit *j, bool packed, unsigned a);
/* d = v, the f32 in x as f16; the last cold path comes back here, and upper halves of registers are clear again. */
void fp_half_result(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned x);
/* x, f32 out of f16, to whole numbers, halves away from zero, without raising inexact. */
void fp_half_round_away(struct jit *j, bool packed, unsigned x);
/* d = the f64 in x's low half as f16, zeros above: by way of f32, rounded to odd. */
void fp_half_from_double(struct jit *j, unsigned d, unsigned x);
/* FCVT from f32 to bf16. */
bool lower_fp_brain(struct jit *j, const struct ir_insn *in, u32 v);
bool fp_half_rules(const struct jit *j); /* may the host's conversions stand for the region's rules of f16? */

/* ---- fp_estimate.c: FRECPE, FRSQRTE, FRECPX, URECPE, URSQRTE ---- */
bool lower_fp_estimate(struct jit *j, const struct ir_insn *in, u32 v);
/* The tables that they read; gives how many bytes. */
size_t fp_estimate_tables(u8 *out);
enum { FP_ESTIMATES_SIZE = 256 + 512 + 8 };
