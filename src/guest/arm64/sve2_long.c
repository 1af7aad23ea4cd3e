/*
 * A64: SVE2: integers, operands and result of different sizes or places: widening sums, differences, shifts and carry-less products;
 * carries; exclusive or of even and odd elements.
 * Manual: Arm A-profile architecture, C4.1 "SVE2 Widening Integer Arithmetic", "SVE Misc", "SVE2 Accumulate" (long).
 * U: unsigned; T: top (odd elements), else bottom (even ones); S: subtraction. size is the wider elements'.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve2_long.decode.h"

#define LANE lane_int(a->size)
#define HALF (a->size - 1)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) sve_set(t, a->Rd, v)
#define LONG(v, top) sve2_extend(t, v, HALF, a->U, top)
#define SIGNED(v, top) sve2_extend(t, v, HALF, false, top)
/* The differences of what lies at the bottom or the top, widened. */
#define DIFFERENCE \
	sve2_extend(t, simd_op2(t, a->U ? IR_ABDU : IR_ABDS, lane_int(HALF), N, M), HALF, true, a->T)
#define PMULL(lane, n, m, imm) v_lanes(t, IR_PMULL, lane, n, m, 0, imm)

/* By an immediate. */
#define SIZE simd_shift_size(a->imm)
#define LEFT_COUNT simd_shift_left(a->imm)

/* Products without carries of 8 bits, of 32, of 64. */
static ir_ref polynomial(struct tr *t, unsigned size, ir_ref n, ir_ref m, unsigned top)
{
	if (size == 0)
		return PMULL(TY_I64, n, m, top * 3);
	if (size == 1)
		return PMULL(TY_I8, sve2_half(t, n, 0, top), sve2_half(t, m, 0, top), 0);
	n = sve2_extend(t, n, 2, true, top);
	m = sve2_extend(t, m, 2, true, top);
	return simd_concat(t, PMULL(TY_I64, n, m, 0), PMULL(TY_I64, n, m, 3));
}

/* The sums of an even element of d and an element of n, with bit 0 of the odd element of m: sums in even elements, carries in odd ones. */
static ir_ref carry32(struct tr *t, ir_ref d, ir_ref n, ir_ref m, unsigned top)
{
	ir_ref one = simd_const(t, TY_I64, 1);
	ir_ref carry = simd_and(t, simd_shift(t, IR_SHR, TY_I64, m, 32), one);
	ir_ref sum =
	    simd_op2(t, IR_ADD, TY_I64, sve2_extend(t, d, 2, true, 0), sve2_extend(t, n, 2, true, top));
	return simd_op2(t, IR_ADD, TY_I64, sum, carry);
}

static ir_ref carry64(struct tr *t, ir_ref d, ir_ref n, ir_ref m, unsigned top)
{
	ir_ref left = simd_scalar(t, IR_VGET, TY_I64, TY_I64, d, 0);
	ir_ref right = simd_scalar(t, IR_VGET, TY_I64, TY_I64, n, top);
	ir_ref carry = v_trunc(t, TY_I1, simd_scalar(t, IR_VGET, TY_I64, TY_I64, m, 1));
	ir_ref sum = v_op(t, IR_ADC, TY_I64, left, right, carry, 0);
	ir_ref flags = v_op(t, IR_FLADC, TY_FLAGS, left, right, carry, 0);
	ir_ref both = v_op(t, IR_PAIR, TY_I128, sum, v_zext(t, TY_I64, v_cond(t, flags, CC_CS)), 0, 0);
	return v_cast(t, TY_V128, both);
}

/* clang-format off */

/* Widening sums and differences. */

INSN(addl_z, "01000101 size:2 0 Rm:5 000 0 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}addl{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_ADD, LANE, LONG(N, a->T), LONG(M, a->T))); }
INSN(subl_z, "01000101 size:2 0 Rm:5 000 1 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}subl{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_SUB, LANE, LONG(N, a->T), LONG(M, a->T))); }
INSN(addw_z, "01000101 size:2 0 Rm:5 010 0 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}addw{#T:b|t} {z2(Rd, Rn, size)}, {z(Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_ADD, LANE, N, LONG(M, a->T))); }
INSN(subw_z, "01000101 size:2 0 Rm:5 010 1 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}subw{#T:b|t} {z2(Rd, Rn, size)}, {z(Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_SUB, LANE, N, LONG(M, a->T))); }
INSN(abdl_z, "01000101 size:2 0 Rm:5 001 1 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}abdl{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(DIFFERENCE); }
INSN(abal_z, "01000101 size:2 0 Rm:5 110 0 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}abal{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_ADD, LANE, D, DIFFERENCE)); }
INSN(saddlbt_z, "01000101 size:2 0 Rm:5 100000 Rn:5 Rd:5", "saddlbt {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_ADD, LANE, SIGNED(N, 0), SIGNED(M, 1))); }
INSN(ssublbt_z, "01000101 size:2 0 Rm:5 10001 T:1 Rn:5 Rd:5", "ssubl{#T:bt|tb} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_SUB, LANE, SIGNED(N, a->T), SIGNED(M, !a->T))); }

/* Widening products without carries. */

INSN(pmull_z, "01000101 size:2 0 Rm:5 01101 T:1 Rn:5 Rd:5", "pmull{#T:b|t} {z(Rd, size ? size : 4)}, {z2(Rn, Rm, size ? size - 1 : 3)}", SVE2, "size != 2 && (size || INSN_HAS(t, SVEPMULL))") { OUT(polynomial(t, a->size, N, M, a->T)); }

/* Widening shifts. */

INSN(shll_z, "01000101 0 imm.5:1 0 imm:5 1010 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}shll{#T:b|t} {z(Rd, simd_shift_size(imm) + 1)}, {z(Rn, simd_shift_size(imm))}, #{left(imm)}", SVE2, "imm >= 8") { OUT(simd_shift(t, IR_SHL, lane_int(SIZE + 1), sve2_extend(t, N, SIZE, a->U, a->T), LEFT_COUNT)); }

/* Between even and odd elements. */

INSN(eorbt_z, "01000101 size:2 0 Rm:5 10010 T:1 Rn:5 Rd:5", "eor{#T:bt|tb} {z3(Rd, Rn, Rm, size)}", SVE2)
{
	ir_ref v = simd_xor(t, N, sve2_swap(t, M, a->size)), even = sve2_even(t, a->size);
	OUT(a->T ? sve_select(t, even, D, v) : sve_select(t, even, v, D));
}
INSN(adcl_z, "01000101 S:1 sz:1 0 Rm:5 11010 T:1 Rn:5 Rd:5", "{#S:ad|sb}cl{#T:b|t} {z3(Rd, Rn, Rm, sz + 2)}", SVE2)
{
	ir_ref n = a->S ? simd_op1(t, IR_NOT, TY_I64, N) : N;
	OUT((a->sz ? carry64 : carry32)(t, D, n, M, a->T));
}

/* clang-format on */
#include "arm64_sve2_long.decode.inc"
