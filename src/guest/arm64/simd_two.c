/*
 * A64: Advanced SIMD, one register into another: integers; across lanes.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD two-register miscellaneous", "across lanes", "scalar pairwise" and the scalar
 * classes of these names.
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_two.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define ZERO simd_zero(t)
#define OUT(v) simd_set(t, a->Rd, v, q_bytes(a->Q))
#define SCALAR(v) simd_set(t, a->Rd, v, 1 << a->size)
#define ONE(op) OUT(simd_op1(t, IR_##op, LANE, N))
#define ONE_S(op) SCALAR(simd_op1(t, IR_##op, LANE, N))
#define TWO(op, left, right) OUT(simd_op2(t, IR_##op, LANE, left, right))
#define TWO_S(op, left, right) SCALAR(simd_op2(t, IR_##op, LANE, left, right))
#define SATURATE(op, plain, left, right, bytes) \
	simd_saturate(t, IR_##op, IR_##plain, LANE, left, right, bytes)
#define NARROW(kind, widen, bytes) simd_narrow(t, IR_NARROW##kind, IR_##widen, LANE, N, bytes)
#define ACROSS(op, v) simd_across(t, a->Rd, IR_##op, LANE, v)
#define REVERSE(log) OUT(simd_reverse(t, N, a->size, log, q_bytes(a->Q)))

/* The absolute value of the most negative number is itself: one less is the largest. */
static ir_ref sqabs(struct tr *t, enum ir_type lane, ir_ref n, unsigned bytes)
{
	ir_ref v = simd_op1(t, IR_ABS, lane, n);
	ir_ref over = simd_op2(t, IR_VGTS, lane, simd_zero(t), v);
	simd_qc(t, over, bytes);
	return simd_op2(t, IR_ADD, lane, v, over);
}

/* clang-format off */

/* Order of bytes and bits. */

INSN(rev64_v, "0 Q:1 0 01110 size:2 10000 00000 10 Rn:5 Rd:5", "rev64 {v2(Rd, Rn, size, Q)}", "size != 3") { REVERSE(3); }
INSN(rev32_v, "0 Q:1 1 01110 size:2 10000 00000 10 Rn:5 Rd:5", "rev32 {v2(Rd, Rn, size, Q)}", "size < 2") { REVERSE(2); }
INSN(rev16_v, "0 Q:1 0 01110 size:2 10000 00001 10 Rn:5 Rd:5", "rev16 {v2(Rd, Rn, size, Q)}", "size == 0") { REVERSE(1); }
INSN(cls_v, "0 Q:1 0 01110 size:2 10000 00100 10 Rn:5 Rd:5", "cls {v2(Rd, Rn, size, Q)}", "size != 3") { ONE(CLS); }
INSN(clz_v, "0 Q:1 1 01110 size:2 10000 00100 10 Rn:5 Rd:5", "clz {v2(Rd, Rn, size, Q)}", "size != 3") { ONE(CLZ); }
INSN(cnt_v, "0 Q:1 0 01110 00 10000 00101 10 Rn:5 Rd:5", "cnt {v2(Rd, Rn, 0, Q)}") { OUT(simd_op1(t, IR_POPCNT, TY_I8, N)); }
INSN(not_v, "0 Q:1 1 01110 00 10000 00101 10 Rn:5 Rd:5", "mvn {v2(Rd, Rn, 0, Q)}") { OUT(simd_op1(t, IR_NOT, TY_I64, N)); }
INSN(rbit_v, "0 Q:1 1 01110 01 10000 00101 10 Rn:5 Rd:5", "rbit {v2(Rd, Rn, 0, Q)}") { OUT(simd_op1(t, IR_BITREV, TY_I8, N)); }

/* Comparison with zero. */

INSN(cmgt0_v, "0 Q:1 0 01110 size:2 10000 01000 10 Rn:5 Rd:5", "cmgt {v2(Rd, Rn, size, Q)}, #0", "size != 3 || Q") { TWO(VGTS, N, ZERO); }
INSN(cmge0_v, "0 Q:1 1 01110 size:2 10000 01000 10 Rn:5 Rd:5", "cmge {v2(Rd, Rn, size, Q)}, #0", "size != 3 || Q") { TWO(VGES, N, ZERO); }
INSN(cmeq0_v, "0 Q:1 0 01110 size:2 10000 01001 10 Rn:5 Rd:5", "cmeq {v2(Rd, Rn, size, Q)}, #0", "size != 3 || Q") { TWO(VEQ, N, ZERO); }
INSN(cmle0_v, "0 Q:1 1 01110 size:2 10000 01001 10 Rn:5 Rd:5", "cmle {v2(Rd, Rn, size, Q)}, #0", "size != 3 || Q") { TWO(VGES, ZERO, N); }
INSN(cmlt0_v, "0 Q:1 0 01110 size:2 10000 01010 10 Rn:5 Rd:5", "cmlt {v2(Rd, Rn, size, Q)}, #0", "size != 3 || Q") { TWO(VGTS, ZERO, N); }
INSN(cmgt0_s, "01 0 11110 size:2 10000 01000 10 Rn:5 Rd:5", "cmgt {s2(Rd, Rn, size)}, #0", "size == 3") { TWO_S(VGTS, N, ZERO); }
INSN(cmge0_s, "01 1 11110 size:2 10000 01000 10 Rn:5 Rd:5", "cmge {s2(Rd, Rn, size)}, #0", "size == 3") { TWO_S(VGES, N, ZERO); }
INSN(cmeq0_s, "01 0 11110 size:2 10000 01001 10 Rn:5 Rd:5", "cmeq {s2(Rd, Rn, size)}, #0", "size == 3") { TWO_S(VEQ, N, ZERO); }
INSN(cmle0_s, "01 1 11110 size:2 10000 01001 10 Rn:5 Rd:5", "cmle {s2(Rd, Rn, size)}, #0", "size == 3") { TWO_S(VGES, ZERO, N); }
INSN(cmlt0_s, "01 0 11110 size:2 10000 01010 10 Rn:5 Rd:5", "cmlt {s2(Rd, Rn, size)}, #0", "size == 3") { TWO_S(VGTS, ZERO, N); }

/* Absolute value, negation, sums with the other signedness. */

INSN(abs_v, "0 Q:1 0 01110 size:2 10000 01011 10 Rn:5 Rd:5", "abs {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { ONE(ABS); }
INSN(neg_v, "0 Q:1 1 01110 size:2 10000 01011 10 Rn:5 Rd:5", "neg {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { ONE(NEG); }
INSN(abs_s, "01 0 11110 size:2 10000 01011 10 Rn:5 Rd:5", "abs {s2(Rd, Rn, size)}", "size == 3") { ONE_S(ABS); }
INSN(neg_s, "01 1 11110 size:2 10000 01011 10 Rn:5 Rd:5", "neg {s2(Rd, Rn, size)}", "size == 3") { ONE_S(NEG); }
INSN(sqabs_v, "0 Q:1 0 01110 size:2 10000 00111 10 Rn:5 Rd:5", "sqabs {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { OUT(sqabs(t, LANE, N, q_bytes(a->Q))); }
INSN(sqneg_v, "0 Q:1 1 01110 size:2 10000 00111 10 Rn:5 Rd:5", "sqneg {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { OUT(SATURATE(QSUBS, SUB, ZERO, N, q_bytes(a->Q))); }
INSN(sqabs_s, "01 0 11110 size:2 10000 00111 10 Rn:5 Rd:5", "sqabs {s2(Rd, Rn, size)}") { SCALAR(sqabs(t, LANE, N, 1 << a->size)); }
INSN(sqneg_s, "01 1 11110 size:2 10000 00111 10 Rn:5 Rd:5", "sqneg {s2(Rd, Rn, size)}") { SCALAR(SATURATE(QSUBS, SUB, ZERO, N, 1 << a->size)); }
INSN(suqadd_v, "0 Q:1 0 01110 size:2 10000 00011 10 Rn:5 Rd:5", "suqadd {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { OUT(SATURATE(QADDSU, ADD, D, N, q_bytes(a->Q))); }
INSN(usqadd_v, "0 Q:1 1 01110 size:2 10000 00011 10 Rn:5 Rd:5", "usqadd {v2(Rd, Rn, size, Q)}", "size != 3 || Q") { OUT(SATURATE(QADDUS, ADD, D, N, q_bytes(a->Q))); }
INSN(suqadd_s, "01 0 11110 size:2 10000 00011 10 Rn:5 Rd:5", "suqadd {s2(Rd, Rn, size)}") { SCALAR(SATURATE(QADDSU, ADD, D, N, 1 << a->size)); }
INSN(usqadd_s, "01 1 11110 size:2 10000 00011 10 Rn:5 Rd:5", "usqadd {s2(Rd, Rn, size)}") { SCALAR(SATURATE(QADDUS, ADD, D, N, 1 << a->size)); }

/* Long pairwise sums. */

INSN(saddlp_v, "0 Q:1 0 01110 size:2 10000 00010 10 Rn:5 Rd:5", "saddlp {v(Rd, size + 1, Q)}, {v(Rn, size, Q)}", "size != 3") { ONE(PADDWS); }
INSN(sadalp_v, "0 Q:1 0 01110 size:2 10000 00110 10 Rn:5 Rd:5", "sadalp {v(Rd, size + 1, Q)}, {v(Rn, size, Q)}", "size != 3") { OUT(simd_op2(t, IR_ADD, LANE + 1, D, simd_op1(t, IR_PADDWS, LANE, N))); }
INSN(uaddlp_v, "0 Q:1 1 01110 size:2 10000 00010 10 Rn:5 Rd:5", "uaddlp {v(Rd, size + 1, Q)}, {v(Rn, size, Q)}", "size != 3") { ONE(PADDWU); }
INSN(uadalp_v, "0 Q:1 1 01110 size:2 10000 00110 10 Rn:5 Rd:5", "uadalp {v(Rd, size + 1, Q)}, {v(Rn, size, Q)}", "size != 3") { OUT(simd_op2(t, IR_ADD, LANE + 1, D, simd_op1(t, IR_PADDWU, LANE, N))); }

/* Narrowing, widening. */

INSN(xtn_v, "0 Q:1 0 01110 size:2 10000 10010 10 Rn:5 Rd:5", "xtn{#Q:|2} {v(Rd, size, Q)}, {v(Rn, size + 1, 1)}", "size != 3") { simd_set_half(t, a->Rd, simd_op1(t, IR_NARROW, LANE + 1, N), a->Q); }
INSN(sqxtn_v, "0 Q:1 0 01110 size:2 10000 10100 10 Rn:5 Rd:5", "sqxtn{#Q:|2} {v(Rd, size, Q)}, {v(Rn, size + 1, 1)}", "size != 3") { simd_set_half(t, a->Rd, NARROW(SS, WIDENS, 16), a->Q); }
INSN(uqxtn_v, "0 Q:1 1 01110 size:2 10000 10100 10 Rn:5 Rd:5", "uqxtn{#Q:|2} {v(Rd, size, Q)}, {v(Rn, size + 1, 1)}", "size != 3") { simd_set_half(t, a->Rd, NARROW(US, WIDENU, 16), a->Q); }
INSN(sqxtun_v, "0 Q:1 1 01110 size:2 10000 10010 10 Rn:5 Rd:5", "sqxtun{#Q:|2} {v(Rd, size, Q)}, {v(Rn, size + 1, 1)}", "size != 3") { simd_set_half(t, a->Rd, NARROW(SU, WIDENU, 16), a->Q); }
INSN(sqxtn_s, "01 0 11110 size:2 10000 10100 10 Rn:5 Rd:5", "sqxtn {f(Rd, size)}, {f(Rn, size + 1)}", "size != 3") { SCALAR(NARROW(SS, WIDENS, 2 << a->size)); }
INSN(uqxtn_s, "01 1 11110 size:2 10000 10100 10 Rn:5 Rd:5", "uqxtn {f(Rd, size)}, {f(Rn, size + 1)}", "size != 3") { SCALAR(NARROW(US, WIDENU, 2 << a->size)); }
INSN(sqxtun_s, "01 1 11110 size:2 10000 10010 10 Rn:5 Rd:5", "sqxtun {f(Rd, size)}, {f(Rn, size + 1)}", "size != 3") { SCALAR(NARROW(SU, WIDENU, 2 << a->size)); }
INSN(shll_v, "0 Q:1 1 01110 size:2 10000 10011 10 Rn:5 Rd:5", "shll{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, #{#size:8|16|32}", "size != 3") { simd_set(t, a->Rd, simd_shift(t, IR_SHL, LANE + 1, v_lanes(t, IR_WIDENU, LANE, N, 0, 0, a->Q), 8 << a->size), 16); }

/* Estimates. */

INSN(urecpe_v, "0 Q:1 0 01110 10 10000 11100 10 Rn:5 Rd:5", "urecpe {v2(Rd, Rn, 2, Q)}") { OUT(simd_op1(t, IR_URECPE, TY_I32, N)); }
INSN(ursqrte_v, "0 Q:1 1 01110 10 10000 11100 10 Rn:5 Rd:5", "ursqrte {v2(Rd, Rn, 2, Q)}") { OUT(simd_op1(t, IR_URSQRTE, TY_I32, N)); }

/* Across lanes. */

INSN(addv, "0 Q:1 0 01110 size:2 11000 11011 10 Rn:5 Rd:5", "addv {f(Rd, size)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { ACROSS(REDADD, simd_low(t, N, q_bytes(a->Q))); }
INSN(smaxv, "0 Q:1 0 01110 size:2 11000 01010 10 Rn:5 Rd:5", "smaxv {f(Rd, size)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { ACROSS(REDMAXS, simd_twice(t, N, q_bytes(a->Q))); }
INSN(sminv, "0 Q:1 0 01110 size:2 11000 11010 10 Rn:5 Rd:5", "sminv {f(Rd, size)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { ACROSS(REDMINS, simd_twice(t, N, q_bytes(a->Q))); }
INSN(saddlv, "0 Q:1 0 01110 size:2 11000 00011 10 Rn:5 Rd:5", "saddlv {f(Rd, size + 1)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { simd_across(t, a->Rd, IR_REDADD, LANE + 1, simd_op1(t, IR_PADDWS, LANE, simd_low(t, N, q_bytes(a->Q)))); }
INSN(umaxv, "0 Q:1 1 01110 size:2 11000 01010 10 Rn:5 Rd:5", "umaxv {f(Rd, size)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { ACROSS(REDMAXU, simd_twice(t, N, q_bytes(a->Q))); }
INSN(uminv, "0 Q:1 1 01110 size:2 11000 11010 10 Rn:5 Rd:5", "uminv {f(Rd, size)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { ACROSS(REDMINU, simd_twice(t, N, q_bytes(a->Q))); }
INSN(uaddlv, "0 Q:1 1 01110 size:2 11000 00011 10 Rn:5 Rd:5", "uaddlv {f(Rd, size + 1)}, {v(Rn, size, Q)}", "size < 2 || (size == 2 && Q)") { simd_across(t, a->Rd, IR_REDADD, LANE + 1, simd_op1(t, IR_PADDWU, LANE, simd_low(t, N, q_bytes(a->Q)))); }
INSN(addp_d, "01 0 11110 11 11000 11011 10 Rn:5 Rd:5", "addp {f(Rd, 3)}, {v(Rn, 3, 1)}") { simd_set(t, a->Rd, simd_op2(t, IR_PADD, TY_I64, N, N), 8); }

/* clang-format on */
#include "arm64_simd_two.decode.inc"
