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
/* clang-format off */
#define ARM64_SVE_INT_GROUPS(_) _(sve_int) _(sve_int_plain) _(sve_shift) _(sve_reduce)
#define ARM64_SVE_EXTRA_GROUPS(_) _(sve_extra)
#define ARM64_SVE2_INT_GROUPS(_) _(sve2_pred) _(sve2_long) _(sve2_narrow) _(sve2_multiply) _(sve2_element)
#define ARM64_SVE_PRED_GROUPS(_) _(sve_pred) _(sve_while) _(sve_count) _(sve_permute) _(sve_imm) _(sve_compare) _(sve_streaming)
#define ARM64_SVE_FP_GROUPS(_) _(sve_fp) _(sve_fp_mul) _(sve_fp_compare) _(sve_fp_convert)
#define ARM64_SVE_MEM_GROUPS(_) _(sve_ldst) _(sve_gather)
#define ARM64_SVE_GROUPS(_) \
	ARM64_SVE_INT_GROUPS(_) ARM64_SVE_EXTRA_GROUPS(_) ARM64_SVE2_INT_GROUPS(_) ARM64_SVE_PRED_GROUPS(_) ARM64_SVE_FP_GROUPS(_) ARM64_SVE_MEM_GROUPS(_)
#define ARM64_SME_GROUPS(_) _(sme_outer) _(sme_za) _(sme_ldst)
#define _(name) extern const struct insn_group arm64_##name;
ARM64_SVE_GROUPS(_) ARM64_SME_GROUPS(_)
#undef _
/* clang-format on */
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
 * An operand of floating-point lanes: 1.0 in inactive elements, where 0 (simd_and with the mask) would raise a flag: divisors, logarithms. lane: TY_F16,
 * TY_F32, TY_F64.
 */
ir_ref sve_fp_in(struct tr *t, ir_ref mask, ir_ref v, enum ir_type lane);
/* Infinity and the default NaN by size, 1 to 3. */
extern const u64 sve_infinity[4], sve_default_nan[4];

/* ---- floating-point conversion: sve_fp_convert.c ---- */
/* FCVT of lanes, as the operation; half precision is IEEE's whatever FPCR.AHP says (FPConvertSVE). round 0: FPCR's. */
ir_ref sve_convert(struct tr *t, ir_ref v, enum ir_type from, enum ir_type to, unsigned round);
/* Of elements of 1 << whole bytes the lowest (top: those above these) 1 << part bytes, side by side, zeros above. */
ir_ref sve_gather_parts(struct tr *t, ir_ref v, unsigned part, unsigned whole, bool top);

/* ---- ZA: sme.c ---- */
/* Row i of a tile of elements of 1 << size bytes, as a slot; the tile of a field of 4 bits, of which the lower ones are an offset. */
#define SME_ROW(tile, size, i) (A64_ZA + ((i) << (size)) + (tile))
#define SME_TILE(field, size) ((field) >> (4 - (size)))
/* The number, an i32, of the slice that register W12 + rs and the field's offset select. */
ir_ref sme_slice(struct tr *t, unsigned rs, unsigned field, unsigned size);
/* A row or a column of a tile; written where the mask (sve_mask) is set, all of it for IR_NONE. */
ir_ref sme_get_slice(struct tr *t, bool vertical, unsigned tile, ir_ref slice, unsigned size);
void sme_set_slice(struct tr *t, bool vertical, unsigned tile, ir_ref slice, unsigned size, ir_ref mask, ir_ref v);
void arm64_text_tile(struct text *o, unsigned tile, unsigned size); /* za1.s */
void arm64_text_slice(struct text *o, unsigned vertical, unsigned rs, unsigned field, unsigned size); /* za1h.s[w12, 2] */
void arm64_text_tiles(struct text *o, unsigned tiles); /* {za0.h, za7.d} */

/* ---- memory: sve_mem.c ---- */
enum sve_faults {
	SVE_FAULTS,
	SVE_FIRST_FAULTS,
	SVE_NO_FAULTS
}; /* which active elements raise one; the others clear FFR from theirs on */
enum sve_offsets {
	SVE_CONTIGUOUS,
	SVE_OFFSETS_U32,
	SVE_OFFSETS_S32,
	SVE_OFFSETS_64
}; /* the low 32 bits of an element, or all of it */
struct sve_access {
	u8 elem, mem; /* log2 of the bytes of an element in its register and in memory; up to 4 */
	bool sign; /* loads: extended by it */
	u8 more; /* structures: how many registers behind reg are loaded or stored too */
	u8 reg; /* with more: the first */
	enum sve_offsets
	    offsets; /* element i is at base + (offset << scale); contiguous: at base + (i << mem) */
	u8 scale;
	enum sve_faults faults;
};
/*
 * Active elements from memory into a slot, zeros in the others; and to memory, from v. pred: the governing predicate; offsets: a vector, IR_NONE when they are
 * contiguous. Elements are accessed in their order: a fault is at the address of the first that has one, and nothing is loaded.
 */
void sve_load(struct tr *t, struct sve_access how, unsigned slot, ir_ref pred, ir_ref base, ir_ref offsets);
void sve_store(struct tr *t, struct sve_access how, ir_ref v, ir_ref pred, ir_ref base, ir_ref offsets);
/* Structures of how.more + 1 elements, contiguous, of the same size in memory, and so many registers. */
void sve_load_structures(struct tr *t, struct sve_access how, ir_ref pred, ir_ref base);
void sve_store_structures(struct tr *t, struct sve_access how, ir_ref pred, ir_ref base);

/* ---- pairs of elements: what SVE2 calls bottom (even) and top (odd); sve2.c. size: of one element ---- */
/* All ones in even elements. */
ir_ref sve2_even(struct tr *t, unsigned size);
/* The two of each pair exchanged. */
ir_ref sve2_swap(struct tr *t, ir_ref v, unsigned size);
/* The one named (top 1: odd) of each pair, packed in the low half (above is anything); or in both places of its pair. */
ir_ref sve2_half(struct tr *t, ir_ref v, unsigned size, unsigned top);
ir_ref sve2_twice(struct tr *t, ir_ref v, unsigned size, unsigned top);
/* The same, extended to twice the size. */
ir_ref sve2_extend(struct tr *t, ir_ref v, unsigned size, bool is_unsigned, unsigned top);
/*
 * Zd: the low halves of wide (lanes of twice the size) in even elements, zero in the others; top: in odd elements, the others as they
 * were.
 */
void sve2_set_half(struct tr *t, unsigned rd, unsigned size, unsigned top, ir_ref wide);
/*
 * A saturating sum of d and sat(2 n m), of what lies in the low halves, in lanes of twice the size. accumulate: 1; -1: the difference; 0: the
 * product alone.
 */
ir_ref sve2_qdmull(struct tr *t, int accumulate, unsigned size, ir_ref d, ir_ref n, ir_ref m);
/* SQRDMLAH, or (subtract) SQRDMLSH: simd_qrdmla without QC, of any size. */
ir_ref sve2_qrdmla(struct tr *t, bool subtract, unsigned size, ir_ref d, ir_ref n, ir_ref m);
/*
 * Complex numbers, pairs of real and imaginary part; rot: the rotation / 90. d + n * m, saturating: as SQRDCMLAH has it; and the dot product,
 * of lanes of a quarter of the size.
 */
ir_ref sve2_cmla(struct tr *t, bool saturating, unsigned size, unsigned rot, ir_ref d, ir_ref n, ir_ref m);
ir_ref sve2_cdot(struct tr *t, unsigned size, unsigned rot, ir_ref d, ir_ref n, ir_ref m);

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
void arm64_text_vl(struct text *o, unsigned n, i32 imm); /* [x1, #-3, mul vl]; 0: [x1] */
