/*
 * A64: Advanced SIMD, operands and result of different sizes.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD three different", "Advanced SIMD scalar three different".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_diff.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) simd_set(t, a->Rd, v, 16)
/* The half that Q chooses, in lanes of twice the size. */
#define LONG(op, v) v_lanes(t, IR_##op, LANE, v, 0, 0, a->Q)
#define PRODUCT(op) v_lanes(t, IR_##op, LANE, N, M, 0, a->Q)
#define WIDE(op, left, right) OUT(simd_op2(t, IR_##op, LANE + 1, left, right))
#define SAME(op) simd_op2(t, IR_##op, LANE, N, M)
#define HIGH(op, rounded) simd_set_half(t, a->Rd, high(t, IR_##op, LANE, N, M, rounded), a->Q)

/* The high halves of the lanes of n + m or n - m, narrowed. */
static ir_ref high(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref n, ir_ref m, bool rounded)
{
	enum ir_type wide = lane + 1;
	ir_ref sum = simd_op2(t, op, wide, n, m);
	if (rounded)
		sum = simd_op2(t, IR_ADD, wide, sum, simd_const(t, wide, BIT(ir_bits(lane) - 1)));
	return simd_op1(t, IR_NARROW, wide, simd_shift(t, IR_SHR, wide, sum, ir_bits(lane)));
}

/* clang-format off */

/* Long and wide sums. */

INSN(saddl_v, "0 Q:1 0 01110 size:2 1 Rm:5 0000 00 Rn:5 Rd:5", "saddl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, LONG(WIDENS, N), LONG(WIDENS, M)); }
INSN(saddw_v, "0 Q:1 0 01110 size:2 1 Rm:5 0001 00 Rn:5 Rd:5", "saddw{#Q:|2} {v2(Rd, Rn, size + 1, 1)}, {v(Rm, size, Q)}", "size != 3") { WIDE(ADD, N, LONG(WIDENS, M)); }
INSN(ssubl_v, "0 Q:1 0 01110 size:2 1 Rm:5 0010 00 Rn:5 Rd:5", "ssubl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(SUB, LONG(WIDENS, N), LONG(WIDENS, M)); }
INSN(ssubw_v, "0 Q:1 0 01110 size:2 1 Rm:5 0011 00 Rn:5 Rd:5", "ssubw{#Q:|2} {v2(Rd, Rn, size + 1, 1)}, {v(Rm, size, Q)}", "size != 3") { WIDE(SUB, N, LONG(WIDENS, M)); }
INSN(sabal_v, "0 Q:1 0 01110 size:2 1 Rm:5 0101 00 Rn:5 Rd:5", "sabal{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, D, LONG(WIDENU, SAME(ABDS))); }
INSN(sabdl_v, "0 Q:1 0 01110 size:2 1 Rm:5 0111 00 Rn:5 Rd:5", "sabdl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { OUT(LONG(WIDENU, SAME(ABDS))); }
INSN(uaddl_v, "0 Q:1 1 01110 size:2 1 Rm:5 0000 00 Rn:5 Rd:5", "uaddl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, LONG(WIDENU, N), LONG(WIDENU, M)); }
INSN(uaddw_v, "0 Q:1 1 01110 size:2 1 Rm:5 0001 00 Rn:5 Rd:5", "uaddw{#Q:|2} {v2(Rd, Rn, size + 1, 1)}, {v(Rm, size, Q)}", "size != 3") { WIDE(ADD, N, LONG(WIDENU, M)); }
INSN(usubl_v, "0 Q:1 1 01110 size:2 1 Rm:5 0010 00 Rn:5 Rd:5", "usubl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(SUB, LONG(WIDENU, N), LONG(WIDENU, M)); }
INSN(usubw_v, "0 Q:1 1 01110 size:2 1 Rm:5 0011 00 Rn:5 Rd:5", "usubw{#Q:|2} {v2(Rd, Rn, size + 1, 1)}, {v(Rm, size, Q)}", "size != 3") { WIDE(SUB, N, LONG(WIDENU, M)); }
INSN(uabal_v, "0 Q:1 1 01110 size:2 1 Rm:5 0101 00 Rn:5 Rd:5", "uabal{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, D, LONG(WIDENU, SAME(ABDU))); }
INSN(uabdl_v, "0 Q:1 1 01110 size:2 1 Rm:5 0111 00 Rn:5 Rd:5", "uabdl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { OUT(LONG(WIDENU, SAME(ABDU))); }

/* The high halves of sums. */

INSN(addhn_v, "0 Q:1 0 01110 size:2 1 Rm:5 0100 00 Rn:5 Rd:5", "addhn{#Q:|2} {v(Rd, size, Q)}, {v2(Rn, Rm, size + 1, 1)}", "size != 3") { HIGH(ADD, false); }
INSN(raddhn_v, "0 Q:1 1 01110 size:2 1 Rm:5 0100 00 Rn:5 Rd:5", "raddhn{#Q:|2} {v(Rd, size, Q)}, {v2(Rn, Rm, size + 1, 1)}", "size != 3") { HIGH(ADD, true); }
INSN(subhn_v, "0 Q:1 0 01110 size:2 1 Rm:5 0110 00 Rn:5 Rd:5", "subhn{#Q:|2} {v(Rd, size, Q)}, {v2(Rn, Rm, size + 1, 1)}", "size != 3") { HIGH(SUB, false); }
INSN(rsubhn_v, "0 Q:1 1 01110 size:2 1 Rm:5 0110 00 Rn:5 Rd:5", "rsubhn{#Q:|2} {v(Rd, size, Q)}, {v2(Rn, Rm, size + 1, 1)}", "size != 3") { HIGH(SUB, true); }

/* Long products. */

INSN(smlal_v, "0 Q:1 0 01110 size:2 1 Rm:5 1000 00 Rn:5 Rd:5", "smlal{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, D, PRODUCT(MULLS)); }
INSN(smlsl_v, "0 Q:1 0 01110 size:2 1 Rm:5 1010 00 Rn:5 Rd:5", "smlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(SUB, D, PRODUCT(MULLS)); }
INSN(smull_v, "0 Q:1 0 01110 size:2 1 Rm:5 1100 00 Rn:5 Rd:5", "smull{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { OUT(PRODUCT(MULLS)); }
INSN(umlal_v, "0 Q:1 1 01110 size:2 1 Rm:5 1000 00 Rn:5 Rd:5", "umlal{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(ADD, D, PRODUCT(MULLU)); }
INSN(umlsl_v, "0 Q:1 1 01110 size:2 1 Rm:5 1010 00 Rn:5 Rd:5", "umlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { WIDE(SUB, D, PRODUCT(MULLU)); }
INSN(umull_v, "0 Q:1 1 01110 size:2 1 Rm:5 1100 00 Rn:5 Rd:5", "umull{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size != 3") { OUT(PRODUCT(MULLU)); }
INSN(sqdmlal_v, "0 Q:1 0 01110 size:2 1 Rm:5 1001 00 Rn:5 Rd:5", "sqdmlal{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size == 1 || size == 2") { OUT(simd_qdmull(t, 1, LANE, D, N, M, a->Q, 16)); }
INSN(sqdmlsl_v, "0 Q:1 0 01110 size:2 1 Rm:5 1011 00 Rn:5 Rd:5", "sqdmlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size == 1 || size == 2") { OUT(simd_qdmull(t, -1, LANE, D, N, M, a->Q, 16)); }
INSN(sqdmull_v, "0 Q:1 0 01110 size:2 1 Rm:5 1101 00 Rn:5 Rd:5", "sqdmull{#Q:|2} {v(Rd, size + 1, 1)}, {v2(Rn, Rm, size, Q)}", "size == 1 || size == 2") { OUT(simd_qdmull(t, 0, LANE, D, N, M, a->Q, 16)); }
INSN(sqdmlal_s, "01 0 11110 size:2 1 Rm:5 1001 00 Rn:5 Rd:5", "sqdmlal {f(Rd, size + 1)}, {s2(Rn, Rm, size)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, 1, LANE, D, N, M, 0, 2 << a->size), 2 << a->size); }
INSN(sqdmlsl_s, "01 0 11110 size:2 1 Rm:5 1011 00 Rn:5 Rd:5", "sqdmlsl {f(Rd, size + 1)}, {s2(Rn, Rm, size)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, -1, LANE, D, N, M, 0, 2 << a->size), 2 << a->size); }
INSN(sqdmull_s, "01 0 11110 size:2 1 Rm:5 1101 00 Rn:5 Rd:5", "sqdmull {f(Rd, size + 1)}, {s2(Rn, Rm, size)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, 0, LANE, D, N, M, 0, 2 << a->size), 2 << a->size); }
INSN(pmull_v, "0 Q:1 0 01110 00 1 Rm:5 1110 00 Rn:5 Rd:5", "pmull{#Q:|2} {v(Rd, 1, 1)}, {v2(Rn, Rm, 0, Q)}") { OUT(v_lanes(t, IR_PMULL, TY_I8, N, M, 0, a->Q * 3)); }
INSN(pmull_d, "0 Q:1 0 01110 11 1 Rm:5 1110 00 Rn:5 Rd:5", "pmull{#Q:|2} {v(Rd, 4, 1)}, {v2(Rn, Rm, 3, Q)}", PMULL) { OUT(v_lanes(t, IR_PMULL, TY_I64, N, M, 0, a->Q * 3)); }

/* clang-format on */
#include "arm64_simd_diff.decode.inc"
