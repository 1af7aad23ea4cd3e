/*
 * A64: SVE2: integers: widening and saturating products of vectors, complex arithmetic.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Multiply-Add - Unpredicated", "SVE2 integer multiply long", "SVE2 complex integer add".
 * U: unsigned; T: top (odd elements), else bottom (even ones); S: subtraction. size is the result's.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve2_multiply.decode.h"

#define LANE lane_int(a->size)
#define HALF (a->size - 1)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) sve_set(t, a->Rd, v)
#define PACKED(v, top) sve2_half(t, v, HALF, top)
#define PRODUCT simd_op2(t, a->U ? IR_MULLU : IR_MULLS, lane_int(HALF), PACKED(N, a->T), PACKED(M, a->T))
/* accumulate: 1, -1, 0 (the product alone); of elements of n and of m. */
#define SATURATING(accumulate, top_n, top_m) \
	OUT(sve2_qdmull(t, accumulate, HALF, D, PACKED(N, top_n), PACKED(M, top_m)))

/* d + m rotated by 90 or 270 degrees: its parts change places, and the real (else the imaginary) one its sign. */
static ir_ref add_rotated(struct tr *t, enum ir_op add, enum ir_op sub, unsigned size, unsigned rot, ir_ref d,
			  ir_ref m)
{
	m = sve2_swap(t, m, size);
	ir_ref sum = simd_op2(t, add, lane_int(size), d, m),
	       difference = simd_op2(t, sub, lane_int(size), d, m);
	return sve_select(t, sve2_even(t, size), rot ? sum : difference, rot ? difference : sum);
}

/* clang-format off */

/* Widening products. */

INSN(mull_z, "01000101 size:2 0 Rm:5 0111 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}mull{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(PRODUCT); }
INSN(mlal_z, "01000100 size:2 0 Rm:5 0100 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}mlal{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_ADD, LANE, D, PRODUCT)); }
INSN(mlsl_z, "01000100 size:2 0 Rm:5 0101 U:1 T:1 Rn:5 Rd:5", "{#U:s|u}mlsl{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { OUT(simd_op2(t, IR_SUB, LANE, D, PRODUCT)); }

/* Saturating products. */

INSN(sqdmull_z, "01000101 size:2 0 Rm:5 01100 T:1 Rn:5 Rd:5", "sqdmull{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { SATURATING(0, a->T, a->T); }
INSN(sqdmlal_z, "01000100 size:2 0 Rm:5 01100 T:1 Rn:5 Rd:5", "sqdmlal{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { SATURATING(1, a->T, a->T); }
INSN(sqdmlsl_z, "01000100 size:2 0 Rm:5 01101 T:1 Rn:5 Rd:5", "sqdmlsl{#T:b|t} {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { SATURATING(-1, a->T, a->T); }
INSN(sqdmlalbt_z, "01000100 size:2 0 Rm:5 000010 Rn:5 Rd:5", "sqdmlalbt {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { SATURATING(1, 0, 1); }
INSN(sqdmlslbt_z, "01000100 size:2 0 Rm:5 000011 Rn:5 Rd:5", "sqdmlslbt {z(Rd, size)}, {z2(Rn, Rm, size - 1)}", SVE2, "size") { SATURATING(-1, 0, 1); }
INSN(sqrdmlah_z, "01000100 size:2 0 Rm:5 01110 S:1 Rn:5 Rd:5", "sqrdml{#S:a|s}h {z3(Rd, Rn, Rm, size)}", SVE2) { OUT(sve2_qrdmla(t, a->S, a->size, D, N, M)); }

/* Complex arithmetic. */

INSN(cadd_z, "01000101 size:2 00000 0 11011 rot:1 Rm:5 Rd:5", "cadd {z3(Rd, Rd, Rm, size)}, #{#rot:90|270}", SVE2) { OUT(add_rotated(t, IR_ADD, IR_SUB, a->size, a->rot, D, M)); }
INSN(sqcadd_z, "01000101 size:2 00000 1 11011 rot:1 Rm:5 Rd:5", "sqcadd {z3(Rd, Rd, Rm, size)}, #{#rot:90|270}", SVE2) { OUT(add_rotated(t, IR_QADDS, IR_QSUBS, a->size, a->rot, D, M)); }
INSN(cdot_z, "01000100 size=1x 0 Rm:5 0001 rot:2 Rn:5 Rd:5", "cdot {z(Rd, size)}, {z2(Rn, Rm, size - 2)}, #{#rot:0|90|180|270}", SVE2) { OUT(sve2_cdot(t, a->size, a->rot, D, N, M)); }
INSN(cmla_z, "01000100 size:2 0 Rm:5 0010 rot:2 Rn:5 Rd:5", "cmla {z3(Rd, Rn, Rm, size)}, #{#rot:0|90|180|270}", SVE2) { OUT(sve2_cmla(t, false, a->size, a->rot, D, N, M)); }
INSN(sqrdcmlah_z, "01000100 size:2 0 Rm:5 0011 rot:2 Rn:5 Rd:5", "sqrdcmlah {z3(Rd, Rn, Rm, size)}, #{#rot:0|90|180|270}", SVE2) { OUT(sve2_cmla(t, true, a->size, a->rot, D, N, M)); }

/* clang-format on */
#include "arm64_sve2_multiply.decode.inc"
