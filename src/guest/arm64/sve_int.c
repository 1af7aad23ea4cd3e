/*
 * A64: SVE: integers, active elements of two vectors or three, or of one.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Binary Arithmetic - Predicated", "SVE Integer Multiply-Add - Predicated", "SVE Integer
 * Unary Arithmetic - Predicated".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_int.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define A simd_get(t, a->Ra)
#define MERGE(v) sve_merge(t, a->Rd, a->Pg, a->size, v)
#define BINARY(op) MERGE(simd_op2(t, IR_##op, LANE, D, M))
#define REVERSED(op) MERGE(simd_op2(t, IR_##op, LANE, M, D))
#define ACCUMULATE(op, sum, left, right) \
	MERGE(simd_op2(t, IR_##op, LANE, sum, simd_op2(t, IR_MUL, LANE, left, right)))
#define QUOTIENT(sign, n, m) MERGE(quotients(t, IR_DIV##sign, a->size, n, m))
#define UNARY(op) MERGE(simd_op1(t, IR_##op, LANE, N))
#define SIGN(op) MERGE(simd_op1(t, IR_##op, lane_fp(a->size), N))
#define EXTEND(op, bits) MERGE(extend(t, IR_##op, LANE, N, bits))

/* Lanes = their low bits, by SAR with the sign, by SHR with zeros. */
static ir_ref extend(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref v, unsigned bits)
{
	unsigned lost = ir_bits(lane) - bits;
	return simd_shift(t, op, lane, simd_shift(t, IR_SHL, lane, v, lost), lost);
}

/* Of bytes, whose neighbours are added until they are as wide as the lanes. */
static ir_ref count_ones(struct tr *t, unsigned size, ir_ref v)
{
	v = simd_op1(t, IR_POPCNT, TY_I8, v);
	for (unsigned s = 0; s < size; s++)
		v = simd_op1(t, IR_PADDWU, lane_int(s), v);
	return v;
}

/* Hosts have no division of vectors, so it is done lane by lane. */
static ir_ref quotients(struct tr *t, enum ir_op op, unsigned size, ir_ref n, ir_ref m)
{
	enum ir_type lane = lane_int(size);
	ir_ref v = n;
	for (unsigned i = 0; i < sve_elements(size); i++) {
		ir_ref q = v_bin(t, op, simd_scalar(t, IR_VGET, lane, lane, n, i),
				 simd_scalar(t, IR_VGET, lane, lane, m, i));
		v = v_lanes(t, IR_VSET, lane, v, q, 0, i);
	}
	return v;
}

/* 1 in lanes that are 0, else 0. */
static ir_ref is_zero(struct tr *t, enum ir_type lane, ir_ref v)
{
	return simd_and(t, simd_op2(t, IR_VEQ, lane, v, simd_zero(t)), simd_const(t, lane, 1));
}

/* clang-format off */

/* Zdn, Pg/m, Zdn, Zm: sums, extremes, differences. */
INSN(add_zpzz,  "00000100 size:2 000 000 000 Pg:3 Rm:5 Rd:5", "add {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(ADD); }
INSN(sub_zpzz,  "00000100 size:2 000 001 000 Pg:3 Rm:5 Rd:5", "sub {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(SUB); }
INSN(subr_zpzz, "00000100 size:2 000 011 000 Pg:3 Rm:5 Rd:5", "subr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { REVERSED(SUB); }
INSN(smax_zpzz, "00000100 size:2 001 000 000 Pg:3 Rm:5 Rd:5", "smax {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(MAXS); }
INSN(umax_zpzz, "00000100 size:2 001 001 000 Pg:3 Rm:5 Rd:5", "umax {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(MAXU); }
INSN(smin_zpzz, "00000100 size:2 001 010 000 Pg:3 Rm:5 Rd:5", "smin {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(MINS); }
INSN(umin_zpzz, "00000100 size:2 001 011 000 Pg:3 Rm:5 Rd:5", "umin {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(MINU); }
INSN(sabd_zpzz, "00000100 size:2 001 100 000 Pg:3 Rm:5 Rd:5", "sabd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(ABDS); }
INSN(uabd_zpzz, "00000100 size:2 001 101 000 Pg:3 Rm:5 Rd:5", "uabd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(ABDU); }

/* Products, quotients. */
INSN(mul_zpzz,   "00000100 size:2 010 000 000 Pg:3 Rm:5 Rd:5", "mul {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(MUL); }
INSN(smulh_zpzz, "00000100 size:2 010 010 000 Pg:3 Rm:5 Rd:5", "smulh {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(simd_mulh(t, IR_MULLS, LANE, D, M)); }
INSN(umulh_zpzz, "00000100 size:2 010 011 000 Pg:3 Rm:5 Rd:5", "umulh {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(simd_mulh(t, IR_MULLU, LANE, D, M)); }
INSN(sdiv_zpzz,  "00000100 size:2 010 100 000 Pg:3 Rm:5 Rd:5", "sdiv {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size >= 2") { QUOTIENT(S, D, M); }
INSN(udiv_zpzz,  "00000100 size:2 010 101 000 Pg:3 Rm:5 Rd:5", "udiv {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size >= 2") { QUOTIENT(U, D, M); }
INSN(sdivr_zpzz, "00000100 size:2 010 110 000 Pg:3 Rm:5 Rd:5", "sdivr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size >= 2") { QUOTIENT(S, M, D); }
INSN(udivr_zpzz, "00000100 size:2 010 111 000 Pg:3 Rm:5 Rd:5", "udivr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size >= 2") { QUOTIENT(U, M, D); }

/* Logic. */
INSN(orr_zpzz, "00000100 size:2 011 000 000 Pg:3 Rm:5 Rd:5", "orr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(OR); }
INSN(eor_zpzz, "00000100 size:2 011 001 000 Pg:3 Rm:5 Rd:5", "eor {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(XOR); }
INSN(and_zpzz, "00000100 size:2 011 010 000 Pg:3 Rm:5 Rd:5", "and {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(AND); }
INSN(bic_zpzz, "00000100 size:2 011 011 000 Pg:3 Rm:5 Rd:5", "bic {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(ANDN); }

/* Products added: to the destination, or to Za the product of the destination and Zm. */
INSN(mla_zpzzz, "00000100 size:2 0 Rm:5 010 Pg:3 Rn:5 Rd:5", "mla {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE) { ACCUMULATE(ADD, D, N, M); }
INSN(mls_zpzzz, "00000100 size:2 0 Rm:5 011 Pg:3 Rn:5 Rd:5", "mls {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE) { ACCUMULATE(SUB, D, N, M); }
INSN(mad_zpzzz, "00000100 size:2 0 Rm:5 110 Pg:3 Ra:5 Rd:5", "mad {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE) { ACCUMULATE(ADD, A, D, M); }
INSN(msb_zpzzz, "00000100 size:2 0 Rm:5 111 Pg:3 Ra:5 Rd:5", "msb {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE) { ACCUMULATE(SUB, A, D, M); }

/* Zd, Pg/m, Zn. */
INSN(sxtb_zpz, "00000100 size:2 010 000 101 Pg:3 Rn:5 Rd:5", "sxtb {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 1") { EXTEND(SAR, 8); }
INSN(uxtb_zpz, "00000100 size:2 010 001 101 Pg:3 Rn:5 Rd:5", "uxtb {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 1") { EXTEND(SHR, 8); }
INSN(sxth_zpz, "00000100 size:2 010 010 101 Pg:3 Rn:5 Rd:5", "sxth {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 2") { EXTEND(SAR, 16); }
INSN(uxth_zpz, "00000100 size:2 010 011 101 Pg:3 Rn:5 Rd:5", "uxth {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 2") { EXTEND(SHR, 16); }
INSN(sxtw_zpz, "00000100 size:2 010 100 101 Pg:3 Rn:5 Rd:5", "sxtw {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size == 3") { EXTEND(SAR, 32); }
INSN(uxtw_zpz, "00000100 size:2 010 101 101 Pg:3 Rn:5 Rd:5", "uxtw {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size == 3") { EXTEND(SHR, 32); }
INSN(abs_zpz,  "00000100 size:2 010 110 101 Pg:3 Rn:5 Rd:5", "abs {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { UNARY(ABS); }
INSN(neg_zpz,  "00000100 size:2 010 111 101 Pg:3 Rn:5 Rd:5", "neg {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { UNARY(NEG); }
INSN(cls_zpz,  "00000100 size:2 011 000 101 Pg:3 Rn:5 Rd:5", "cls {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { UNARY(CLS); }
INSN(clz_zpz,  "00000100 size:2 011 001 101 Pg:3 Rn:5 Rd:5", "clz {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { UNARY(CLZ); }
INSN(cnt_zpz,  "00000100 size:2 011 010 101 Pg:3 Rn:5 Rd:5", "cnt {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { MERGE(count_ones(t, a->size, N)); }
INSN(cnot_zpz, "00000100 size:2 011 011 101 Pg:3 Rn:5 Rd:5", "cnot {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { MERGE(is_zero(t, LANE, N)); }
INSN(fabs_zpz, "00000100 size:2 011 100 101 Pg:3 Rn:5 Rd:5", "fabs {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 1") { SIGN(FABS); }
INSN(fneg_zpz, "00000100 size:2 011 101 101 Pg:3 Rn:5 Rd:5", "fneg {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size >= 1") { SIGN(FNEG); }
INSN(not_zpz,  "00000100 size:2 011 110 101 Pg:3 Rn:5 Rd:5", "not {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { UNARY(NOT); }

/* clang-format on */
#include "arm64_sve_int.decode.inc"
