/*
 * arm64 front end: what the floating-point and Advanced SIMD groups share.
 *
 * A V register is a V128 slot. An instruction on 64 bits (Q = 0) or on a scalar computes on the whole register and keeps the low
 * bytes. Where the rest could raise a floating-point flag or set QC it is cleared first (simd_in), or is a copy of the low part
 * (simd_twice) when zeros could do so too.
 * Scalar floating-point values are IR scalars: the low bits of the register, zero-extended into the destination.
 */
#pragma once
#include "guest/arm64/arm64.h"

/* The groups of floating point, Advanced SIMD, cryptography. */
#define ARM64_SIMD_GROUPS(_) \
	_(fp) \
	_(fp_convert) \
	_(simd_three) _(simd_three_fp) _(simd_extra) _(simd_two) _(simd_two_fp) _(simd_diff) _(simd_element) \
	    _(simd_shift) _(simd_permute) _(crypto) _(ldst_simd) _(ldst_struct)
#define _(name) extern const struct insn_group arm64_##name;
ARM64_SIMD_GROUPS(_)
#undef _
/* Those that can hold an instruction of which bits 28 to 25 are x1x0 with bit 26 set, or x111; ends with NULL. */
const struct insn_group *const *arm64_simd_candidates(u32 insn);

/* Lanes by the manual's size field: integers 0..3, floating point 1..3. */
static inline enum ir_type lane_int(unsigned size)
{
	return TY_I8 + size;
}
static inline enum ir_type lane_fp(unsigned size)
{
	return TY_F16 + size - 1;
}
/* The operand size of FP instructions by their ftype field: 0 single, 1 double, 3 half; 2 is reserved. */
static inline enum ir_type fp_type(unsigned ftype)
{
	static const u8 type[4] = { TY_F32, TY_F64, TY_VOID, TY_F16 };
	return type[ftype];
}
/* Whether an instruction on this type exists: half precision wants FEAT_FP16. */
static inline bool fp_ok(const struct tr *t, unsigned ftype)
{
	return ftype < 2 || (ftype == 3 && INSN_HAS(t, FP16));
}
static inline unsigned q_bytes(unsigned q)
{
	return q ? 16 : 8;
}

/* The low bytes of v (1, 2, 4, 8, 16), zeros above. */
static inline ir_ref simd_low(struct tr *t, ir_ref v, unsigned bytes)
{
	return bytes == 16 ? v : v_op(t, IR_VLOW, TY_V128, v, 0, 0, bytes);
}
static inline ir_ref simd_get(struct tr *t, unsigned reg)
{
	return v_get(t, A64_V0 + reg);
}
/* A register of which only the low bytes matter, the others zero. */
static inline ir_ref simd_in(struct tr *t, unsigned reg, unsigned bytes)
{
	return simd_low(t, simd_get(t, reg), bytes);
}
static inline void simd_set(struct tr *t, unsigned reg, ir_ref v, unsigned bytes)
{
	v_set(t, A64_V0 + reg, simd_low(t, v, bytes));
}

static inline ir_ref simd_op2(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref a, ir_ref b)
{
	return v_lanes(t, op, lane, a, b, 0, 0);
}
static inline ir_ref simd_op1(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref a)
{
	return v_lanes(t, op, lane, a, 0, 0, 0);
}
/* VGET, VGETS, RED*: of lanes to a scalar. */
static inline ir_ref simd_scalar(struct tr *t, enum ir_op op, enum ir_type type, enum ir_type lane, ir_ref v,
				 u64 imm)
{
	return ir_emit(t->ir, &(struct ir_insn){ .op = op, .type = type, .lane = lane, .a = v, .imm = imm });
}
/* Bitwise. */
static inline ir_ref simd_and(struct tr *t, ir_ref a, ir_ref b)
{
	return simd_op2(t, IR_AND, TY_I64, a, b);
}
static inline ir_ref simd_or(struct tr *t, ir_ref a, ir_ref b)
{
	return simd_op2(t, IR_OR, TY_I64, a, b);
}
static inline ir_ref simd_xor(struct tr *t, ir_ref a, ir_ref b)
{
	return simd_op2(t, IR_XOR, TY_I64, a, b);
}

/* SHL, SHR, SAR by a constant; RSHRU, RSHRS. */
ir_ref simd_shift(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref v, unsigned count);
/* Every lane, 0 <= count < its width. */
ir_ref simd_rotate_right(struct tr *t, enum ir_type lane, ir_ref v, unsigned count);
/*
 * Shifts by an immediate have the lane's size and the count in one field, immh:immb (SVE: tszh:tszl:imm3), not below 8: its highest bit tells the size,
 * right shifts are by 2 * width - imm, left ones by imm - width.
 */
static inline unsigned simd_shift_size(unsigned imm)
{
	return imm < 8 ? 0 : 28 - __builtin_clz(imm);
}
static inline unsigned simd_shift_right(unsigned imm)
{
	return (16u << simd_shift_size(imm)) - imm;
}
static inline unsigned simd_shift_left(unsigned imm)
{
	return imm - (8u << simd_shift_size(imm));
}
/* Vd = what a RED* operation makes of all lanes, zeros above. */
void simd_across(struct tr *t, unsigned rd, enum ir_op op, enum ir_type lane, ir_ref v);
/* Every 64 bits, resp. every lane, = value. */
ir_ref simd_const64(struct tr *t, u64 low, u64 high);
ir_ref simd_const(struct tr *t, enum ir_type lane, u64 value);
static inline ir_ref simd_zero(struct tr *t)
{
	return simd_const64(t, 0, 0);
}
/* Bytes of a (0..15) and b (16..31); 255: zero. */
ir_ref simd_shuffle(struct tr *t, ir_ref a, ir_ref b, const u8 mask[16]);
/* The low bytes all = lane index of v (lanes of 1 << size bytes), zeros above. */
ir_ref simd_dup(struct tr *t, ir_ref v, unsigned size, unsigned index, unsigned bytes);
/* Lane index moved to the bottom, zeros above. */
ir_ref simd_lane(struct tr *t, ir_ref v, unsigned size, unsigned index);
/* The low bytes (8, 16) of a permutation of lanes of n and m: the first (second: the second) of ZIP1 and ZIP2 and the like. */
enum simd_permutation { PERMUTE_ZIP, PERMUTE_UZP, PERMUTE_TRN };
ir_ref simd_permute(struct tr *t, enum simd_permutation kind, unsigned second, ir_ref n, ir_ref m,
		    unsigned size, unsigned bytes);
/* So many low bytes of n from byte from on, then of m. */
ir_ref simd_extract(struct tr *t, ir_ref n, ir_ref m, unsigned from, unsigned bytes);
/* Lanes of 1 << size bytes in the opposite order within groups of 1 << log bytes. */
ir_ref simd_reverse(struct tr *t, ir_ref v, unsigned size, unsigned log, unsigned bytes);
/* Byte i: byte index[i] of count registers from rn on, of which 0 follows 31; 0 beyond them. */
ir_ref simd_table(struct tr *t, unsigned rn, unsigned count, ir_ref index);
/* Low half of lo below low half of hi. */
ir_ref simd_concat(struct tr *t, ir_ref lo, ir_ref hi);
/* For 8 bytes the low half twice, else v. */
ir_ref simd_twice(struct tr *t, ir_ref v, unsigned bytes);
/* Writes a narrowed result, in the low half of v: the low half with zeros above, or (q) the high half of the register. */
void simd_set_half(struct tr *t, unsigned reg, ir_ref v, unsigned q);
/* FPSR.QC is set when any bit of the low bytes of v is. */
void simd_qc(struct tr *t, ir_ref v, unsigned bytes);
/* ... when the low bytes of a and b differ. */
void simd_qc_differ(struct tr *t, ir_ref a, ir_ref b, unsigned bytes);

/* The vector of lanes that a by-element instruction multiplies with: index and register from the fields by size 1, 2, 3. */
ir_ref simd_element(struct tr *t, unsigned size, unsigned L, unsigned M, unsigned Rm, unsigned H,
		    unsigned bytes);

/* Scalar floating point: the register's low part, and the write that clears the rest. */
static inline ir_ref fp_get(struct tr *t, unsigned reg, enum ir_type type)
{
	return v_op(t, IR_VTRUNC, type, simd_get(t, reg), 0, 0, 0);
}
static inline void fp_set(struct tr *t, unsigned reg, ir_ref v)
{
	v_set(t, A64_V0 + reg, v_op(t, IR_VZEXT, TY_V128, v, 0, 0, 0));
}
/* An operation with the rounding mode of FPCR. */
static inline ir_ref fp_op(struct tr *t, enum ir_op op, enum ir_type type, ir_ref a, ir_ref b, ir_ref c,
			   u64 imm)
{
	return v_op(t, op, type, a, b, c, imm | FP_ROUND_CTL);
}
static inline ir_ref simd_fp(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref a, ir_ref b, ir_ref c,
			     u64 imm)
{
	return v_lanes(t, op, lane, a, b, c, imm | FP_ROUND_CTL);
}
/* Arm's FMINNM and FMAXNM, as the imm of FMIN, FMAX, VFPMIN, VFPMAX; FMIN and FMAX are 0. */
#define FP_IMM_NUMBER (FP_MM_NUMBER_2008 << 8)
_Static_assert(FP_MM_PROPAGATE == 0, "the imm of Arm's FMIN and FMAX");
/* FMA's variants. */
#define FP_IMM_NEG_PRODUCT (1 << 8)
#define FP_IMM_NEG_ADDEND (1 << 9)
/* FRINT's: raise inexact; to what fits 32 or 64 bits. */
#define FP_IMM_EXACT (1 << 8)
#define FP_IMM_INT32 (1 << 9 | FP_IMM_EXACT)
#define FP_IMM_INT64 (2 << 9 | FP_IMM_EXACT)

/* The 8-bit immediate of FMOV as a number of the type: sign, 3 exponent bits, 4 fraction bits (VFPExpandImm). */
u64 fp_expand_imm(unsigned imm8, enum ir_type type);
/* The 64 bits of a modified immediate (AdvSIMDExpandImm). */
u64 simd_expand_imm(unsigned op, unsigned cmode, unsigned imm8);

/* A saturating sum or difference; QC where it differs from the plain one in the low bytes. */
ir_ref simd_saturate(struct tr *t, enum ir_op op, enum ir_op plain, enum ir_type lane, ir_ref n, ir_ref m,
		     unsigned bytes);
/* NARROWxx of lanes twice as large as lane; QC where widening the result again does not give the low bytes of v. */
ir_ref simd_narrow(struct tr *t, enum ir_op op, enum ir_op widen, enum ir_type lane, ir_ref v,
		   unsigned bytes);
/* SQDMULH, SQRDMULH (op QDMULH, QRDMULH); sets QC by the low bytes. */
ir_ref simd_qdmulh(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref n, ir_ref m, unsigned bytes);
/* SQRDMLAH, SQRDMLSH of 8 to 32 bits; sets QC by the low bytes; bytes 0: does not (SVE). */
ir_ref simd_qrdmla(struct tr *t, bool subtract, enum ir_type lane, ir_ref d, ir_ref n, ir_ref m,
		   unsigned bytes);
/* SMULH, UMULH (multiply MULLS, MULLU): the high halves of the products of all lanes. */
ir_ref simd_mulh(struct tr *t, enum ir_op multiply, enum ir_type lane, ir_ref n, ir_ref m);
/* A long multiplication SQDMULL, SQDMLAL, SQDMLSL (accumulate 0, 1, -1) of the low (or, high: upper) halves; sets QC by the low bytes. */
ir_ref simd_qdmull(struct tr *t, int accumulate, enum ir_type lane, ir_ref d, ir_ref n, ir_ref m,
		   unsigned high, unsigned bytes);

/*
 * Structures of n members (2 to 4), of 1 << size bytes each, that lie in memory one behind the other: from the 16 * n bytes of memory in src to the members'
 * vectors, and back. src is overwritten.
 */
void simd_split(struct tr *t, ir_ref *src, unsigned n, unsigned size, ir_ref *ret);
void simd_join(struct tr *t, const ir_ref *v, unsigned n, unsigned size, unsigned bytes, ir_ref *ret);
/*
 * A scalar register = the low bytes of v reduced: neighbours first, then neighbours of the results, the lower operand first (Reduce). op: VFPADD, VFPMIN,
 * VFPMAX with its imm.
 */
void simd_fp_across(struct tr *t, unsigned rd, enum ir_op op, unsigned size, ir_ref v, u64 imm, unsigned bytes);

/* Formatters: simd_text.c. */
void arm64_text_v2(struct text *o, unsigned d, unsigned n, unsigned size, unsigned q);
void arm64_text_v3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size, unsigned q);
void arm64_text_s2(struct text *o, unsigned d, unsigned n, unsigned size);
void arm64_text_s3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size);
void arm64_text_vh(struct text *o, unsigned n, unsigned size, unsigned q);
void arm64_text_element(struct text *o, unsigned size, unsigned L, unsigned M, unsigned Rm, unsigned H);
void arm64_text_quad(struct text *o, unsigned n, unsigned index);
void arm64_text_twin(struct text *o, unsigned n, unsigned index);
void arm64_text_vi(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q);
void arm64_text_si(struct text *o, unsigned d, unsigned n, unsigned imm);
void arm64_text_vin(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q);
void arm64_text_sin(struct text *o, unsigned d, unsigned n, unsigned imm);
void arm64_text_viw(struct text *o, unsigned d, unsigned n, unsigned imm, unsigned q);
void arm64_text_right(struct text *o, unsigned imm);
void arm64_text_left(struct text *o, unsigned imm);
void arm64_text_lslimm(struct text *o, unsigned bytes);
void arm64_text_fpimm(struct text *o, unsigned imm);
void arm64_text_list(struct text *o, unsigned n, unsigned count, unsigned size, unsigned q);
void arm64_text_elements(struct text *o, unsigned n, unsigned count, unsigned size, unsigned index);
void arm64_text_t(struct text *o, unsigned n, unsigned ftype);
void arm64_text_t2(struct text *o, unsigned d, unsigned n, unsigned ftype);
void arm64_text_t3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned ftype);
void arm64_text_postreg(struct text *o, unsigned n, unsigned m, unsigned bytes);
