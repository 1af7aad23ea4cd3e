/*
 * A64: SME: outer products and sums into the tiles of ZA.
 * Manual: Arm A-profile architecture, C4.1 "SME Outer Product - 64 bit", "SME FP Outer Product - 32 bit", "SME Integer Outer Product - 32
 * bit", "SME Add Vector to Array"; shared pseudo-code FPMulAdd_ZA, FPDotAdd_ZA: NaNs are the default NaN, no flag is raised.
 *
 * Row i of a tile gets something of element i of Zn, governed by Pn, and of every element of Zm, governed by Pm. Elements may be groups of
 * two or four, each governed by itself.
 */
#include "guest/arm64/sve.h"
#include "arm64_sme_outer.decode.h"

/* What the instructions have in common; size: that of the tile's elements. */
struct outer {
	unsigned size, tile;
	ir_ref n, m, pn, pm; /* the vectors, and the masks at the size of what is governed */
	bool subtract;
};
#define OUTER(tile_size, part_size) \
	&(struct outer) \
	{ \
		.size = tile_size, .tile = a->tile, .n = simd_get(t, a->Rn), .m = simd_get(t, a->Rm), \
		.pn = sve_governing(t, a->Pn, part_size), .pm = sve_governing(t, a->Pm, part_size), \
		.subtract = a->S, \
	}

/* Element i everywhere. */
static ir_ref all(struct tr *t, const struct outer *o, ir_ref v, unsigned i)
{
	return simd_dup(t, v, o->size, i, SVE_BYTES);
}

/* Row i = v where the mask is set. */
static void set_row(struct tr *t, const struct outer *o, unsigned i, ir_ref mask, ir_ref v)
{
	unsigned slot = SME_ROW(o->tile, o->size, i);
	v_set(t, slot, sve_select(t, mask, v, v_get(t, slot)));
}
static ir_ref row(struct tr *t, const struct outer *o, unsigned i)
{
	return v_get(t, SME_ROW(o->tile, o->size, i));
}

/* ---- floating point ---- */
static ir_ref flags_kept(struct tr *t)
{
	return v_op(t, IR_FPFLAGS, TY_I32, 0, 0, 0, 0);
}
static void flags_back(struct tr *t, ir_ref flags)
{
	v_op(t, IR_SETFPFLAGS, TY_VOID, flags, 0, 0, 0);
}

/* Every NaN made the default one. */
static ir_ref default_nans(struct tr *t, ir_ref v, unsigned size)
{
	if (t->key & FPCR_DN)
		return v;
	ir_ref numbers = simd_op2(t, IR_VFEQ, lane_fp(size), v, v);
	return sve_select(t, numbers, v, simd_const(t, lane_int(size), sve_default_nan[size]));
}

static void fmopa(struct tr *t, const struct outer *o)
{
	ir_ref flags = flags_kept(t);
	for (unsigned i = 0; i < sve_elements(o->size); i++) {
		ir_ref r = simd_fp(t, IR_FMA, lane_fp(o->size), all(t, o, o->n, i), o->m, row(t, o, i),
				   o->subtract ? FP_IMM_NEG_PRODUCT : 0);
		r = default_nans(t, r, o->size);
		set_row(t, o, i, simd_and(t, all(t, o, o->pn, i), o->pm), r);
	}
	flags_back(t, flags);
}

/* Vectors of halves for two-way products: inactive ones are zero; Zn's signs turned for a subtraction. */
static void active_halves(struct tr *t, struct outer *o)
{
	o->n = simd_and(t, o->pn, o->n);
	o->m = simd_and(t, o->pm, o->m);
	if (o->subtract)
		o->n = simd_xor(t, o->n, simd_and(t, o->pn, simd_const(t, TY_I16, 0x8000)));
}
/* The elements of row i for which one of the two products, or both, are active. */
static ir_ref either_active(struct tr *t, const struct outer *o, unsigned i)
{
	return simd_op2(t, IR_VTST, TY_I32, all(t, o, o->pn, i), o->pm);
}

static void bfmopa(struct tr *t, struct outer *o)
{
	active_halves(t, o);
	for (unsigned i = 0; i < sve_elements(o->size); i++) {
		ir_ref r = simd_fp(t, IR_BFDOT, TY_F32, row(t, o, i), all(t, o, o->n, i), o->m, 0);
		set_row(t, o, i, either_active(t, o, i), r);
	}
}

/* Even (top: odd) elements of half precision in single precision; a denormal is zero with FPCR.FZ16. */
static ir_ref widened(struct tr *t, ir_ref v, bool top)
{
	if (t->key & FPCR_FZ16) {
		ir_ref normal = simd_op2(t, IR_VTST, TY_I16, v, simd_const(t, TY_I16, 0x7c00));
		v = sve_select(t, normal, v, simd_and(t, v, simd_const(t, TY_I16, 0x8000)));
	}
	return sve_convert(t, sve_gather_parts(t, v, 1, 2, top), TY_F16, TY_F32, 0);
}

/* FPDot: products of half precision are exact in single precision, so that their sum is rounded once; then FPAdd. */
static void fmopa_widening(struct tr *t, struct outer *o)
{
	ir_ref flags = flags_kept(t), n[2], m[2];
	active_halves(t, o);
	for (unsigned k = 0; k < 2; k++) {
		n[k] = widened(t, o->n, k);
		m[k] = widened(t, o->m, k);
	}
	for (unsigned i = 0; i < sve_elements(o->size); i++) {
		ir_ref p0 = simd_fp(t, IR_FMUL, TY_F32, all(t, o, n[0], i), m[0], 0, 0);
		ir_ref p1 = simd_fp(t, IR_FMUL, TY_F32, all(t, o, n[1], i), m[1], 0, 0);
		ir_ref r = simd_fp(t, IR_FADD, TY_F32, p0, p1, 0, 0);
		r = simd_fp(t, IR_FADD, TY_F32, row(t, o, i), r, 0, 0);
		set_row(t, o, i, either_active(t, o, i), default_nans(t, r, o->size));
	}
	flags_back(t, flags);
}

/* ---- integers: products of inactive elements are zero ---- */
static ir_ref accumulate(struct tr *t, const struct outer *o, unsigned i, ir_ref v)
{
	return simd_op2(t, o->subtract ? IR_SUB : IR_ADD, lane_int(o->size), row(t, o, i), v);
}

/* Sums of four products of bytes; n_unsigned, m_unsigned: whose. */
static void mopa_bytes(struct tr *t, const struct outer *o, bool n_unsigned, bool m_unsigned)
{
	ir_ref n = simd_and(t, o->pn, o->n), m = simd_and(t, o->pm, o->m), zero = simd_zero(t);
	for (unsigned i = 0; i < sve_elements(o->size); i++) {
		ir_ref factor = all(t, o, n, i);
		bool swap = !n_unsigned && m_unsigned; /* DOTUS wants the unsigned one first */
		enum ir_op op = n_unsigned != m_unsigned ? IR_DOTUS : n_unsigned ? IR_DOTU : IR_DOTS;
		ir_ref sum = v_lanes(t, op, TY_I32, zero, swap ? m : factor, swap ? factor : m, 0);
		v_set(t, SME_ROW(o->tile, o->size, i), accumulate(t, o, i, sum));
	}
}

/* Of four products of 16 bits, of which each fits 32 bits. */
static void mopa_halves(struct tr *t, const struct outer *o, bool n_unsigned, bool m_unsigned)
{
	ir_ref n = simd_and(t, o->pn, o->n), m = simd_and(t, o->pm, o->m);
	enum ir_op widen_n = n_unsigned ? IR_WIDENU : IR_WIDENS, widen_m = m_unsigned ? IR_WIDENU : IR_WIDENS;
	enum ir_op pairs = n_unsigned && m_unsigned ? IR_PADDWU : IR_PADDWS;
	ir_ref column[2];
	for (unsigned k = 0; k < 2; k++)
		column[k] = v_lanes(t, widen_m, TY_I16, m, 0, 0, k);
	for (unsigned i = 0; i < 2; i++) {
		ir_ref factor = v_lanes(t, widen_n, TY_I16, n, 0, 0, i), sum[2];
		for (unsigned k = 0; k < 2; k++) {
			ir_ref products = simd_op2(t, IR_MUL, TY_I32, factor, column[k]);
			sum[k] = simd_op1(t, pairs, TY_I32, products);
		}
		ir_ref r = simd_op2(t, IR_PADD, TY_I64, sum[0], sum[1]);
		v_set(t, SME_ROW(o->tile, o->size, i), accumulate(t, o, i, r));
	}
}

/* ---- sums: element j of Zn to column j of every row; element i to all of row i ---- */
static void addha(struct tr *t, const struct outer *o)
{
	ir_ref n = simd_and(t, o->pm, o->n);
	for (unsigned i = 0; i < sve_elements(o->size); i++)
		v_set(t, SME_ROW(o->tile, o->size, i),
		      accumulate(t, o, i, simd_and(t, all(t, o, o->pn, i), n)));
}

static void addva(struct tr *t, const struct outer *o)
{
	ir_ref n = simd_and(t, o->pn, o->n);
	for (unsigned i = 0; i < sve_elements(o->size); i++)
		v_set(t, SME_ROW(o->tile, o->size, i),
		      accumulate(t, o, i, simd_and(t, all(t, o, n, i), o->pm)));
}
#define SUM(tile_size) \
	&(struct outer) \
	{ \
		.size = tile_size, .tile = a->tile, .n = simd_get(t, a->Rn), \
		.pn = sve_governing(t, a->Pn, tile_size), .pm = sve_governing(t, a->Pm, tile_size), \
	}

/* clang-format off */

INSN(fmopa_s,  "10000000 100 Rm:5 Pm:3 Pn:3 Rn:5 S:1 00 tile:2", "fmop{#S:a|s} {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 2)}", SME, "IN_SM_ZA") { fmopa(t, OUTER(2, 2)); }
INSN(fmopa_d,  "10000000 110 Rm:5 Pm:3 Pn:3 Rn:5 S:1 0 tile:3", "fmop{#S:a|s} {tile(tile, 3)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 3)}", SMEF64, "IN_SM_ZA") { fmopa(t, OUTER(3, 3)); }
INSN(fmopa_h,  "10000001 101 Rm:5 Pm:3 Pn:3 Rn:5 S:1 00 tile:2", "fmop{#S:a|s} {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 1)}", SME, "IN_SM_ZA") { fmopa_widening(t, OUTER(2, 1)); }
INSN(bfmopa_h, "10000001 100 Rm:5 Pm:3 Pn:3 Rn:5 S:1 00 tile:2", "bfmop{#S:a|s} {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 1)}", SME, "IN_SM_ZA") { bfmopa(t, OUTER(2, 1)); }

INSN(mopa_b, "1010000 U:1 10 u:1 Rm:5 Pm:3 Pn:3 Rn:5 S:1 00 tile:2", "{#2 * U + u:s|su|us|u}mop{#S:a|s} {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 0)}", SME, "IN_SM_ZA") { mopa_bytes(t, OUTER(2, 0), a->U, a->u); }
INSN(mopa_h, "1010000 U:1 11 u:1 Rm:5 Pm:3 Pn:3 Rn:5 S:1 0 tile:3", "{#2 * U + u:s|su|us|u}mop{#S:a|s} {tile(tile, 3)}, {pm(Pn)}, {pm(Pm)}, {z2(Rn, Rm, 1)}", SMEI16, "IN_SM_ZA") { mopa_halves(t, OUTER(3, 1), a->U, a->u); }

INSN(addha_s, "11000000 10 010000 Pm:3 Pn:3 Rn:5 000 tile:2", "addha {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z(Rn, 2)}", SME, "IN_SM_ZA") { addha(t, SUM(2)); }
INSN(addva_s, "11000000 10 010001 Pm:3 Pn:3 Rn:5 000 tile:2", "addva {tile(tile, 2)}, {pm(Pn)}, {pm(Pm)}, {z(Rn, 2)}", SME, "IN_SM_ZA") { addva(t, SUM(2)); }
INSN(addha_d, "11000000 11 010000 Pm:3 Pn:3 Rn:5 00 tile:3", "addha {tile(tile, 3)}, {pm(Pn)}, {pm(Pm)}, {z(Rn, 3)}", SMEI16, "IN_SM_ZA") { addha(t, SUM(3)); }
INSN(addva_d, "11000000 11 010001 Pm:3 Pn:3 Rn:5 00 tile:3", "addva {tile(tile, 3)}, {pm(Pn)}, {pm(Pm)}, {z(Rn, 3)}", SMEI16, "IN_SM_ZA") { addva(t, SUM(3)); }

/* clang-format on */
#include "arm64_sme_outer.decode.inc"
