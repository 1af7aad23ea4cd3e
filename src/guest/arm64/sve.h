/*
 * arm64 front end: what the groups of the Scalable Vector Extension (SVE, SVE2) and of the Scalable Matrix Extension (SME) share.
 *
 * Vectors have 128 bits, in streaming mode too, so that a Z register is the V register of its number, and what counts vectors, elements or
 * predicates is known when code is translated. SME is there with FEAT_SME_FA64: streaming mode forbids nothing.
 *
 * A predicate register is a V128 slot with a byte for each of its 16 bits, 0 or 0xff, never anything else. An element of 4 bytes is governed by the first of
 * its 4 bytes; instructions that write predicates of elements larger than a byte clear the others (sve_active). A *mask* is what a predicate
 * says about elements of one size: all bytes of an active one 0xff (sve_mask).
 *
 * Manual: Arm A-profile architecture (DDI 0487), C7, C8, C9; encodings and meaning from its Sail form, instrs64_sve.sail and instrs64_sme.sail of
 * rems-project/sail-arm (arm-v9.4-a).
 */
#pragma once
#include "guest/arm64/simd.h"

/* The groups; a word of SVE's part of the encodings is looked for by its bits 31 to 29 (sve.c). */
#define ARM64_SVE_INT_GROUPS(_) _(sve_int)
#define ARM64_SVE2_INT_GROUPS(_)
#define ARM64_SVE_PRED_GROUPS(_) \
	_(sve_pred) _(sve_while) _(sve_count) _(sve_permute) _(sve_imm) _(sve_compare) _(sve_streaming)
#define ARM64_SVE_FP_GROUPS(_)
#define ARM64_SVE_MEM_GROUPS(_)
#define ARM64_SVE_GROUPS(_) \
	ARM64_SVE_INT_GROUPS(_) ARM64_SVE2_INT_GROUPS(_) ARM64_SVE_PRED_GROUPS(_) ARM64_SVE_FP_GROUPS(_) ARM64_SVE_MEM_GROUPS(_)
#define ARM64_SME_GROUPS(_)
#define _(name) extern const struct insn_group arm64_##name;
ARM64_SVE_GROUPS(_) ARM64_SME_GROUPS(_)
#undef _
/* Those that can hold an instruction of which bits 28 to 25 are 0010; ends with NULL. */
const struct insn_group *const *arm64_sve_candidates(u32 insn);

enum { SVE_BYTES = 16 }; /* of a vector; a predicate has an eighth of it */
/* Elements of 1 << size bytes in a vector. */
static inline unsigned sve_elements(unsigned size)
{
	return SVE_BYTES >> size;
}
/* How many elements a pattern (pow2, vl1.. vl256, mul4, mul3, all) takes (DecodePredCount). */
unsigned sve_pattern_count(unsigned pattern, unsigned size);

/* Conditions of patterns: ZA may be used; streaming mode is on. When a word is only printed (t NULL) they hold. */
#define IN_ZA (!t || t->key & KEY_ZA)
#define IN_SM (!t || t->key & KEY_SM)
#define IN_SM_ZA (IN_SM && IN_ZA)

/* ---- registers: a Z register is simd_get's, and written whole ---- */
static inline void sve_set(struct tr *t, unsigned reg, ir_ref v)
{
	v_set(t, A64_V0 + reg, v);
}
static inline ir_ref sve_pred(struct tr *t, unsigned reg)
{
	return v_get(t, A64_P0 + reg);
}
static inline void sve_set_pred(struct tr *t, unsigned reg, ir_ref v)
{
	v_set(t, A64_P0 + reg, v);
}

/* ---- predicates ---- */
/* A predicate's say about elements of 1 << size bytes: 0xff in all bytes of active ones. */
ir_ref sve_mask(struct tr *t, ir_ref pred, unsigned size);
/* Of a predicate, or of a mask: the first byte of each element alone, as instructions on predicates of this size leave it. */
ir_ref sve_active(struct tr *t, ir_ref pred, unsigned size);
/* The constant predicate of which the first n elements are true. */
ir_ref sve_first(struct tr *t, unsigned n, unsigned size);
/* Bit i of an i32 = byte i of a predicate or mask. */
static inline ir_ref sve_bits(struct tr *t, ir_ref pred)
{
	return simd_scalar(t, IR_VBITS, TY_I32, TY_I8, pred, 0);
}
/*
 * Sets N Z C V as PredTest does: N the first active element of result, Z none, C not the last active one. pred: the governing predicate;
 * result: only bytes that sve_active leaves count.
 */
void sve_test(struct tr *t, ir_ref pred, ir_ref result, unsigned size);

/* ---- active elements ---- */
/* yes where the mask says so, else no. */
static inline ir_ref sve_select(struct tr *t, ir_ref mask, ir_ref yes, ir_ref no)
{
	return v_lanes(t, IR_BSL, TY_I64, mask, yes, no, 0);
}
/* The mask of register pg at this size. */
static inline ir_ref sve_governing(struct tr *t, unsigned pg, unsigned size)
{
	return sve_mask(t, sve_pred(t, pg), size);
}
/* Zd = v in active elements, the others as they were (/m), resp. zero (/z). */
void sve_merge(struct tr *t, unsigned rd, unsigned pg, unsigned size, ir_ref v);
void sve_zeroing(struct tr *t, unsigned rd, unsigned pg, unsigned size, ir_ref v);
/*
 * An operand of floating-point lanes: 1.0 in inactive elements, on which no operation that is asked like this (1 + 1, 1 * 1 + 1, 1 / 1, sqrt 1, comparisons,
 * conversions) raises a flag. lane: TY_F16, TY_F32, TY_F64.
 */
ir_ref sve_fp_in(struct tr *t, ir_ref mask, ir_ref v, enum ir_type lane);

/* ---- text: sve_text.c ---- */
void arm64_text_z(struct text *o, unsigned n, unsigned size); /* z1.s; size 4: z1.q */
void arm64_text_z2(struct text *o, unsigned d, unsigned n, unsigned size);
void arm64_text_z3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size);
void arm64_text_zr(struct text *o, unsigned n); /* z1 */
void arm64_text_ze(struct text *o, unsigned n, unsigned size, unsigned index); /* z1.s[2] */
void arm64_text_zlist(struct text *o, unsigned n, unsigned count, unsigned size); /* {z31.b, z0.b}; three and more in a row: {z0.b-z2.b} */
void arm64_text_p(struct text *o, unsigned n); /* p1 */
void arm64_text_ps(struct text *o, unsigned n, unsigned size); /* p1.s */
void arm64_text_pm(struct text *o, unsigned n); /* p1/m */
void arm64_text_pz(struct text *o, unsigned n); /* p1/z */
void arm64_text_pattern(struct text *o, unsigned pattern); /* pow2, vl16, mul3, all, #0x15 */
