/*
 * A64: Advanced SIMD, three registers of the same type: integers and logic; vectors and scalars.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD three same", "Advanced SIMD scalar three same".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_three.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) simd_set(t, a->Rd, v, q_bytes(a->Q))
#define SCALAR(v) simd_set(t, a->Rd, v, 1 << a->size)
#define BSL(select, ones, zeros) v_lanes(t, IR_BSL, TY_I64, select, ones, zeros, 0)

#define THREE(op) OUT(simd_op2(t, IR_##op, LANE, N, M))
#define THREE_S(op) SCALAR(simd_op2(t, IR_##op, LANE, N, M))
#define ACCUMULATE(op, product) OUT(simd_op2(t, IR_##op, LANE, D, simd_op2(t, IR_##product, LANE, N, M)))
#define PAIRS(op) OUT(pairs(t, IR_##op, LANE, N, M, q_bytes(a->Q)))
#define SATURATE(op, plain) OUT(simd_saturate(t, IR_##op, IR_##plain, LANE, N, M, q_bytes(a->Q)))
#define SATURATE_S(op, plain) SCALAR(simd_saturate(t, IR_##op, IR_##plain, LANE, N, M, 1 << a->size))
#define SHIFT(op, plain) OUT(shift(t, IR_##op, IR_##plain, LANE, N, M, q_bytes(a->Q)))
#define SHIFT_S(op, plain) SCALAR(shift(t, IR_##op, IR_##plain, LANE, N, M, 1 << a->size))
#define DOUBLE(op) OUT(simd_qdmulh(t, IR_##op, LANE, N, M, q_bytes(a->Q)))
#define DOUBLE_S(op) SCALAR(simd_qdmulh(t, IR_##op, LANE, N, M, 1 << a->size))

/* Neighbours of n, then of m; 64-bit vectors stand side by side for it. */
static ir_ref pairs(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref n, ir_ref m, unsigned bytes)
{
	if (bytes == 8)
		n = m = simd_concat(t, n, m);
	return simd_op2(t, op, lane, n, m);
}

/*
 * Only a left shift can saturate, and does when the bits lost are not copies of the sign (zeros when unsigned): then shifting the
 * wrapped result back does not give the operand.
 */
static ir_ref shift(struct tr *t, enum ir_op op, enum ir_op plain, enum ir_type lane, ir_ref n, ir_ref count,
		    unsigned bytes)
{
	ir_ref r = simd_op2(t, op, lane, n, count);
	ir_ref wrapped = simd_op2(t, plain, lane, n, count);
	ir_ref back = simd_op2(t, plain, lane, wrapped, simd_op1(t, IR_NEG, lane, count));
	ir_ref sign = simd_shift(t, IR_SHL, lane, count, ir_bits(lane) - 8);
	ir_ref left = simd_op2(t, IR_VGTS, lane, sign, simd_zero(t));
	simd_qc(t, simd_and(t, simd_xor(t, back, n), left), bytes);
	return r;
}

/* clang-format off */

/* Halving, saturating. */

INSN(shadd_v, "0 Q:1 0 01110 size:2 1 Rm:5 00000 1 Rn:5 Rd:5", "shadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(HADDS); }
INSN(srhadd_v, "0 Q:1 0 01110 size:2 1 Rm:5 00010 1 Rn:5 Rd:5", "srhadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(RHADDS); }
INSN(shsub_v, "0 Q:1 0 01110 size:2 1 Rm:5 00100 1 Rn:5 Rd:5", "shsub {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(HSUBS); }
INSN(sqadd_v, "0 Q:1 0 01110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", "sqadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SATURATE(QADDS, ADD); }
INSN(sqsub_v, "0 Q:1 0 01110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", "sqsub {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SATURATE(QSUBS, SUB); }
INSN(uhadd_v, "0 Q:1 1 01110 size:2 1 Rm:5 00000 1 Rn:5 Rd:5", "uhadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(HADDU); }
INSN(urhadd_v, "0 Q:1 1 01110 size:2 1 Rm:5 00010 1 Rn:5 Rd:5", "urhadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(RHADDU); }
INSN(uhsub_v, "0 Q:1 1 01110 size:2 1 Rm:5 00100 1 Rn:5 Rd:5", "uhsub {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(HSUBU); }
INSN(uqadd_v, "0 Q:1 1 01110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", "uqadd {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SATURATE(QADDU, ADD); }
INSN(uqsub_v, "0 Q:1 1 01110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", "uqsub {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SATURATE(QSUBU, SUB); }

/* Comparison. */

INSN(cmgt_v, "0 Q:1 0 01110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", "cmgt {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VGTS); }
INSN(cmge_v, "0 Q:1 0 01110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", "cmge {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VGES); }
INSN(cmhi_v, "0 Q:1 1 01110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", "cmhi {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VGTU); }
INSN(cmhs_v, "0 Q:1 1 01110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", "cmhs {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VGEU); }
INSN(cmtst_v, "0 Q:1 0 01110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", "cmtst {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VTST); }
INSN(cmeq_v, "0 Q:1 1 01110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", "cmeq {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(VEQ); }

/* Shifts by register. */

INSN(sshl_v, "0 Q:1 0 01110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", "sshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(SHLVS); }
INSN(sqshl_v, "0 Q:1 0 01110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", "sqshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SHIFT(QSHLVS, SHLVS); }
INSN(srshl_v, "0 Q:1 0 01110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", "srshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(RSHLVS); }
INSN(sqrshl_v, "0 Q:1 0 01110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", "sqrshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SHIFT(QRSHLVS, SHLVS); }
INSN(ushl_v, "0 Q:1 1 01110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", "ushl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(SHLVU); }
INSN(uqshl_v, "0 Q:1 1 01110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", "uqshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SHIFT(QSHLVU, SHLVU); }
INSN(urshl_v, "0 Q:1 1 01110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", "urshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(RSHLVU); }
INSN(uqrshl_v, "0 Q:1 1 01110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", "uqrshl {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { SHIFT(QRSHLVU, SHLVU); }

/* Minimum, maximum, difference. */

INSN(smax_v, "0 Q:1 0 01110 size:2 1 Rm:5 01100 1 Rn:5 Rd:5", "smax {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(MAXS); }
INSN(smin_v, "0 Q:1 0 01110 size:2 1 Rm:5 01101 1 Rn:5 Rd:5", "smin {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(MINS); }
INSN(sabd_v, "0 Q:1 0 01110 size:2 1 Rm:5 01110 1 Rn:5 Rd:5", "sabd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(ABDS); }
INSN(saba_v, "0 Q:1 0 01110 size:2 1 Rm:5 01111 1 Rn:5 Rd:5", "saba {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { ACCUMULATE(ADD, ABDS); }
INSN(smaxp_v, "0 Q:1 0 01110 size:2 1 Rm:5 10100 1 Rn:5 Rd:5", "smaxp {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { PAIRS(PMAXS); }
INSN(sminp_v, "0 Q:1 0 01110 size:2 1 Rm:5 10101 1 Rn:5 Rd:5", "sminp {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { PAIRS(PMINS); }
INSN(umax_v, "0 Q:1 1 01110 size:2 1 Rm:5 01100 1 Rn:5 Rd:5", "umax {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(MAXU); }
INSN(umin_v, "0 Q:1 1 01110 size:2 1 Rm:5 01101 1 Rn:5 Rd:5", "umin {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(MINU); }
INSN(uabd_v, "0 Q:1 1 01110 size:2 1 Rm:5 01110 1 Rn:5 Rd:5", "uabd {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(ABDU); }
INSN(uaba_v, "0 Q:1 1 01110 size:2 1 Rm:5 01111 1 Rn:5 Rd:5", "uaba {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { ACCUMULATE(ADD, ABDU); }
INSN(umaxp_v, "0 Q:1 1 01110 size:2 1 Rm:5 10100 1 Rn:5 Rd:5", "umaxp {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { PAIRS(PMAXU); }
INSN(uminp_v, "0 Q:1 1 01110 size:2 1 Rm:5 10101 1 Rn:5 Rd:5", "uminp {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { PAIRS(PMINU); }

/* Addition, multiplication. */

INSN(add_v, "0 Q:1 0 01110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", "add {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(ADD); }
INSN(sub_v, "0 Q:1 1 01110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", "sub {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { THREE(SUB); }
INSN(addp_v, "0 Q:1 0 01110 size:2 1 Rm:5 10111 1 Rn:5 Rd:5", "addp {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PAIRS(PADD); }
INSN(mla_v, "0 Q:1 0 01110 size:2 1 Rm:5 10010 1 Rn:5 Rd:5", "mla {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { ACCUMULATE(ADD, MUL); }
INSN(mls_v, "0 Q:1 1 01110 size:2 1 Rm:5 10010 1 Rn:5 Rd:5", "mls {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { ACCUMULATE(SUB, MUL); }
INSN(mul_v, "0 Q:1 0 01110 size:2 1 Rm:5 10011 1 Rn:5 Rd:5", "mul {v3(Rd, Rn, Rm, size, Q)}", "size != 3") { THREE(MUL); }
INSN(pmul_v, "0 Q:1 1 01110 size:2 1 Rm:5 10011 1 Rn:5 Rd:5", "pmul {v3(Rd, Rn, Rm, size, Q)}", "size == 0") { THREE(PMUL); }
INSN(sqdmulh_v, "0 Q:1 0 01110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", "sqdmulh {v3(Rd, Rn, Rm, size, Q)}", "size == 1 || size == 2") { DOUBLE(QDMULH); }
INSN(sqrdmulh_v, "0 Q:1 1 01110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", "sqrdmulh {v3(Rd, Rn, Rm, size, Q)}", "size == 1 || size == 2") { DOUBLE(QRDMULH); }

/* Scalars. */

INSN(sqadd_s, "01 0 11110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", "sqadd {s3(Rd, Rn, Rm, size)}") { SATURATE_S(QADDS, ADD); }
INSN(sqsub_s, "01 0 11110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", "sqsub {s3(Rd, Rn, Rm, size)}") { SATURATE_S(QSUBS, SUB); }
INSN(sshl_s, "01 0 11110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", "sshl {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(SHLVS); }
INSN(sqshl_s, "01 0 11110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", "sqshl {s3(Rd, Rn, Rm, size)}") { SHIFT_S(QSHLVS, SHLVS); }
INSN(srshl_s, "01 0 11110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", "srshl {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(RSHLVS); }
INSN(sqrshl_s, "01 0 11110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", "sqrshl {s3(Rd, Rn, Rm, size)}") { SHIFT_S(QRSHLVS, SHLVS); }
INSN(uqadd_s, "01 1 11110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", "uqadd {s3(Rd, Rn, Rm, size)}") { SATURATE_S(QADDU, ADD); }
INSN(uqsub_s, "01 1 11110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", "uqsub {s3(Rd, Rn, Rm, size)}") { SATURATE_S(QSUBU, SUB); }
INSN(ushl_s, "01 1 11110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", "ushl {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(SHLVU); }
INSN(uqshl_s, "01 1 11110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", "uqshl {s3(Rd, Rn, Rm, size)}") { SHIFT_S(QSHLVU, SHLVU); }
INSN(urshl_s, "01 1 11110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", "urshl {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(RSHLVU); }
INSN(uqrshl_s, "01 1 11110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", "uqrshl {s3(Rd, Rn, Rm, size)}") { SHIFT_S(QRSHLVU, SHLVU); }
INSN(cmgt_s, "01 0 11110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", "cmgt {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VGTS); }
INSN(cmge_s, "01 0 11110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", "cmge {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VGES); }
INSN(cmhi_s, "01 1 11110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", "cmhi {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VGTU); }
INSN(cmhs_s, "01 1 11110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", "cmhs {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VGEU); }
INSN(cmtst_s, "01 0 11110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", "cmtst {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VTST); }
INSN(cmeq_s, "01 1 11110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", "cmeq {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(VEQ); }
INSN(add_s, "01 0 11110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", "add {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(ADD); }
INSN(sub_s, "01 1 11110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", "sub {s3(Rd, Rn, Rm, size)}", "size == 3") { THREE_S(SUB); }
INSN(sqdmulh_s, "01 0 11110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", "sqdmulh {s3(Rd, Rn, Rm, size)}", "size == 1 || size == 2") { DOUBLE_S(QDMULH); }
INSN(sqrdmulh_s, "01 1 11110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", "sqrdmulh {s3(Rd, Rn, Rm, size)}", "size == 1 || size == 2") { DOUBLE_S(QRDMULH); }

/* Logic: the size field selects. */

INSN(and_v, "0 Q:1 0 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", "and {v3(Rd, Rn, Rm, 0, Q)}") { OUT(simd_and(t, N, M)); }
INSN(bic_v, "0 Q:1 0 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", "bic {v3(Rd, Rn, Rm, 0, Q)}") { OUT(simd_op2(t, IR_ANDN, TY_I64, N, M)); }
INSN(orn_v, "0 Q:1 0 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", "orn {v3(Rd, Rn, Rm, 0, Q)}") { OUT(simd_or(t, N, simd_op1(t, IR_NOT, TY_I64, M))); }
INSN(eor_v, "0 Q:1 1 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", "eor {v3(Rd, Rn, Rm, 0, Q)}") { OUT(simd_xor(t, N, M)); }
INSN(bsl_v, "0 Q:1 1 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", "bsl {v3(Rd, Rn, Rm, 0, Q)}") { OUT(BSL(D, N, M)); }
INSN(bit_v, "0 Q:1 1 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", "bit {v3(Rd, Rn, Rm, 0, Q)}") { OUT(BSL(M, N, D)); }
INSN(bif_v, "0 Q:1 1 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", "bif {v3(Rd, Rn, Rm, 0, Q)}") { OUT(BSL(M, D, N)); }
INSN(orr_v, "0 Q:1 0 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5",
     "[Rn == Rm] mov {v2(Rd, Rn, 0, Q)}; orr {v3(Rd, Rn, Rm, 0, Q)}") { OUT(a->Rn == a->Rm ? N : simd_or(t, N, M)); }

/* clang-format on */
#include "arm64_simd_three.decode.inc"
