/*
 * A64: Advanced SIMD, three registers of the same type: floating point; vectors and scalars.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD three same", "three same (FP16)", and the scalar classes of these names.
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_three_fp.decode.h"

#define D(bytes) simd_in(t, a->Rd, bytes)
#define N(bytes) simd_in(t, a->Rn, bytes)
#define M(bytes) simd_in(t, a->Rm, bytes)
#define ABS(size, v) simd_op1(t, IR_FABS, lane_fp(size), v)
#define TWICE(v, bytes) simd_twice(t, v, bytes)

/* Zeros above the operands raise no flag in any of these. */
#define OP2(size, bytes, op, imm) \
	simd_set(t, a->Rd, simd_fp(t, IR_##op, lane_fp(size), N(bytes), M(bytes), 0, imm), bytes)
#define COMPARE(size, bytes, op) \
	simd_set(t, a->Rd, simd_op2(t, IR_##op, lane_fp(size), N(bytes), M(bytes)), bytes)
#define COMPARE_ABS(size, bytes, op) \
	simd_set(t, a->Rd, simd_op2(t, IR_##op, lane_fp(size), ABS(size, N(bytes)), ABS(size, M(bytes))), \
		 bytes)
#define FMLA(size, bytes, imm) \
	simd_set(t, a->Rd, simd_fp(t, IR_FMA, lane_fp(size), N(bytes), M(bytes), D(bytes), imm), bytes)
#define DIFFERENCE(size, bytes) \
	simd_set(t, a->Rd, ABS(size, simd_fp(t, IR_FSUB, lane_fp(size), N(bytes), M(bytes), 0, 0)), bytes)
/* 0 / 0 would be invalid. */
#define DIVIDE(size, bytes) \
	simd_set(t, a->Rd, \
		 simd_fp(t, IR_FDIV, lane_fp(size), TWICE(N(16), bytes), TWICE(M(16), bytes), 0, 0), bytes)
#define PAIRS(size, bytes, op, imm) \
	simd_set(t, a->Rd, pairs(t, IR_##op, lane_fp(size), N(16), M(16), imm, bytes), bytes)

#define S(size, reg) fp_get(t, reg, lane_fp(size))
#define SCALAR2(size, op) \
	fp_set(t, a->Rd, fp_op(t, IR_##op, lane_fp(size), S(size, a->Rn), S(size, a->Rm), 0, 0))
#define SCALAR_DIFFERENCE(size) \
	fp_set(t, a->Rd, \
	       v_un(t, IR_FABS, fp_op(t, IR_FSUB, lane_fp(size), S(size, a->Rn), S(size, a->Rm), 0, 0)))

/* Neighbours of n, then of m; 64-bit vectors stand side by side, twice. */
static ir_ref pairs(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref n, ir_ref m, u64 imm,
		    unsigned bytes)
{
	if (bytes == 8)
		n = m = simd_concat(t, n, m);
	return simd_fp(t, op, lane, n, m, 0, imm);
}

/* clang-format off */

/* Vectors of single and double precision. */

INSN(fmaxnm_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11000 1 Rn:5 Rd:5", "fmaxnm {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMAX, FP_IMM_NUMBER); }
INSN(fmla_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11001 1 Rn:5 Rd:5", "fmla {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { FMLA(2 + a->sz, q_bytes(a->Q), 0); }
INSN(fadd_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11010 1 Rn:5 Rd:5", "fadd {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FADD, 0); }
INSN(fmulx_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11011 1 Rn:5 Rd:5", "fmulx {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMULX, 0); }
INSN(fcmeq_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmeq {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { COMPARE(2 + a->sz, q_bytes(a->Q), VFEQ); }
INSN(fmax_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11110 1 Rn:5 Rd:5", "fmax {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMAX, 0); }
INSN(frecps_v, "0 Q:1 0 01110 0 sz:1 1 Rm:5 11111 1 Rn:5 Rd:5", "frecps {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FRECPS, 0); }
INSN(fminnm_v, "0 Q:1 0 01110 1 sz:1 1 Rm:5 11000 1 Rn:5 Rd:5", "fminnm {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMIN, FP_IMM_NUMBER); }
INSN(fmls_v, "0 Q:1 0 01110 1 sz:1 1 Rm:5 11001 1 Rn:5 Rd:5", "fmls {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { FMLA(2 + a->sz, q_bytes(a->Q), FP_IMM_NEG_PRODUCT); }
INSN(fsub_v, "0 Q:1 0 01110 1 sz:1 1 Rm:5 11010 1 Rn:5 Rd:5", "fsub {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FSUB, 0); }
INSN(fmin_v, "0 Q:1 0 01110 1 sz:1 1 Rm:5 11110 1 Rn:5 Rd:5", "fmin {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMIN, 0); }
INSN(frsqrts_v, "0 Q:1 0 01110 1 sz:1 1 Rm:5 11111 1 Rn:5 Rd:5", "frsqrts {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FRSQRTS, 0); }
INSN(fmaxnmp_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11000 1 Rn:5 Rd:5", "fmaxnmp {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { PAIRS(2 + a->sz, q_bytes(a->Q), VFPMAX, FP_IMM_NUMBER); }
INSN(faddp_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11010 1 Rn:5 Rd:5", "faddp {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { PAIRS(2 + a->sz, q_bytes(a->Q), VFPADD, 0); }
INSN(fmul_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11011 1 Rn:5 Rd:5", "fmul {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { OP2(2 + a->sz, q_bytes(a->Q), FMUL, 0); }
INSN(fcmge_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmge {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { COMPARE(2 + a->sz, q_bytes(a->Q), VFGE); }
INSN(facge_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11101 1 Rn:5 Rd:5", "facge {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { COMPARE_ABS(2 + a->sz, q_bytes(a->Q), VFGE); }
INSN(fmaxp_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11110 1 Rn:5 Rd:5", "fmaxp {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { PAIRS(2 + a->sz, q_bytes(a->Q), VFPMAX, 0); }
INSN(fdiv_v, "0 Q:1 1 01110 0 sz:1 1 Rm:5 11111 1 Rn:5 Rd:5", "fdiv {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { DIVIDE(2 + a->sz, q_bytes(a->Q)); }
INSN(fminnmp_v, "0 Q:1 1 01110 1 sz:1 1 Rm:5 11000 1 Rn:5 Rd:5", "fminnmp {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { PAIRS(2 + a->sz, q_bytes(a->Q), VFPMIN, FP_IMM_NUMBER); }
INSN(fabd_v, "0 Q:1 1 01110 1 sz:1 1 Rm:5 11010 1 Rn:5 Rd:5", "fabd {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { DIFFERENCE(2 + a->sz, q_bytes(a->Q)); }
INSN(fcmgt_v, "0 Q:1 1 01110 1 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmgt {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { COMPARE(2 + a->sz, q_bytes(a->Q), VFGT); }
INSN(facgt_v, "0 Q:1 1 01110 1 sz:1 1 Rm:5 11101 1 Rn:5 Rd:5", "facgt {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { COMPARE_ABS(2 + a->sz, q_bytes(a->Q), VFGT); }
INSN(fminp_v, "0 Q:1 1 01110 1 sz:1 1 Rm:5 11110 1 Rn:5 Rd:5", "fminp {v3(Rd, Rn, Rm, 2 + sz, Q)}", "!sz || Q") { PAIRS(2 + a->sz, q_bytes(a->Q), VFPMIN, 0); }

/* Vectors of half precision. */

INSN(fmaxnm_h, "0 Q:1 0 01110 0 10 Rm:5 00000 1 Rn:5 Rd:5", "fmaxnm {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMAX, FP_IMM_NUMBER); }
INSN(fmla_h, "0 Q:1 0 01110 0 10 Rm:5 00001 1 Rn:5 Rd:5", "fmla {v3(Rd, Rn, Rm, 1, Q)}", FP16) { FMLA(1, q_bytes(a->Q), 0); }
INSN(fadd_h, "0 Q:1 0 01110 0 10 Rm:5 00010 1 Rn:5 Rd:5", "fadd {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FADD, 0); }
INSN(fmulx_h, "0 Q:1 0 01110 0 10 Rm:5 00011 1 Rn:5 Rd:5", "fmulx {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMULX, 0); }
INSN(fcmeq_h, "0 Q:1 0 01110 0 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmeq {v3(Rd, Rn, Rm, 1, Q)}", FP16) { COMPARE(1, q_bytes(a->Q), VFEQ); }
INSN(fmax_h, "0 Q:1 0 01110 0 10 Rm:5 00110 1 Rn:5 Rd:5", "fmax {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMAX, 0); }
INSN(frecps_h, "0 Q:1 0 01110 0 10 Rm:5 00111 1 Rn:5 Rd:5", "frecps {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FRECPS, 0); }
INSN(fminnm_h, "0 Q:1 0 01110 1 10 Rm:5 00000 1 Rn:5 Rd:5", "fminnm {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMIN, FP_IMM_NUMBER); }
INSN(fmls_h, "0 Q:1 0 01110 1 10 Rm:5 00001 1 Rn:5 Rd:5", "fmls {v3(Rd, Rn, Rm, 1, Q)}", FP16) { FMLA(1, q_bytes(a->Q), FP_IMM_NEG_PRODUCT); }
INSN(fsub_h, "0 Q:1 0 01110 1 10 Rm:5 00010 1 Rn:5 Rd:5", "fsub {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FSUB, 0); }
INSN(fmin_h, "0 Q:1 0 01110 1 10 Rm:5 00110 1 Rn:5 Rd:5", "fmin {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMIN, 0); }
INSN(frsqrts_h, "0 Q:1 0 01110 1 10 Rm:5 00111 1 Rn:5 Rd:5", "frsqrts {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FRSQRTS, 0); }
INSN(fmaxnmp_h, "0 Q:1 1 01110 0 10 Rm:5 00000 1 Rn:5 Rd:5", "fmaxnmp {v3(Rd, Rn, Rm, 1, Q)}", FP16) { PAIRS(1, q_bytes(a->Q), VFPMAX, FP_IMM_NUMBER); }
INSN(faddp_h, "0 Q:1 1 01110 0 10 Rm:5 00010 1 Rn:5 Rd:5", "faddp {v3(Rd, Rn, Rm, 1, Q)}", FP16) { PAIRS(1, q_bytes(a->Q), VFPADD, 0); }
INSN(fmul_h, "0 Q:1 1 01110 0 10 Rm:5 00011 1 Rn:5 Rd:5", "fmul {v3(Rd, Rn, Rm, 1, Q)}", FP16) { OP2(1, q_bytes(a->Q), FMUL, 0); }
INSN(fcmge_h, "0 Q:1 1 01110 0 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmge {v3(Rd, Rn, Rm, 1, Q)}", FP16) { COMPARE(1, q_bytes(a->Q), VFGE); }
INSN(facge_h, "0 Q:1 1 01110 0 10 Rm:5 00101 1 Rn:5 Rd:5", "facge {v3(Rd, Rn, Rm, 1, Q)}", FP16) { COMPARE_ABS(1, q_bytes(a->Q), VFGE); }
INSN(fmaxp_h, "0 Q:1 1 01110 0 10 Rm:5 00110 1 Rn:5 Rd:5", "fmaxp {v3(Rd, Rn, Rm, 1, Q)}", FP16) { PAIRS(1, q_bytes(a->Q), VFPMAX, 0); }
INSN(fdiv_h, "0 Q:1 1 01110 0 10 Rm:5 00111 1 Rn:5 Rd:5", "fdiv {v3(Rd, Rn, Rm, 1, Q)}", FP16) { DIVIDE(1, q_bytes(a->Q)); }
INSN(fminnmp_h, "0 Q:1 1 01110 1 10 Rm:5 00000 1 Rn:5 Rd:5", "fminnmp {v3(Rd, Rn, Rm, 1, Q)}", FP16) { PAIRS(1, q_bytes(a->Q), VFPMIN, FP_IMM_NUMBER); }
INSN(fabd_h, "0 Q:1 1 01110 1 10 Rm:5 00010 1 Rn:5 Rd:5", "fabd {v3(Rd, Rn, Rm, 1, Q)}", FP16) { DIFFERENCE(1, q_bytes(a->Q)); }
INSN(fcmgt_h, "0 Q:1 1 01110 1 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmgt {v3(Rd, Rn, Rm, 1, Q)}", FP16) { COMPARE(1, q_bytes(a->Q), VFGT); }
INSN(facgt_h, "0 Q:1 1 01110 1 10 Rm:5 00101 1 Rn:5 Rd:5", "facgt {v3(Rd, Rn, Rm, 1, Q)}", FP16) { COMPARE_ABS(1, q_bytes(a->Q), VFGT); }
INSN(fminp_h, "0 Q:1 1 01110 1 10 Rm:5 00110 1 Rn:5 Rd:5", "fminp {v3(Rd, Rn, Rm, 1, Q)}", FP16) { PAIRS(1, q_bytes(a->Q), VFPMIN, 0); }

/* Scalars. */

INSN(fmulx_s, "01 0 11110 0 sz:1 1 Rm:5 11011 1 Rn:5 Rd:5", "fmulx {s3(Rd, Rn, Rm, 2 + sz)}") { SCALAR2(2 + a->sz, FMULX); }
INSN(fcmeq_s, "01 0 11110 0 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmeq {s3(Rd, Rn, Rm, 2 + sz)}") { COMPARE(2 + a->sz, 1 << (2 + a->sz), VFEQ); }
INSN(frecps_s, "01 0 11110 0 sz:1 1 Rm:5 11111 1 Rn:5 Rd:5", "frecps {s3(Rd, Rn, Rm, 2 + sz)}") { SCALAR2(2 + a->sz, FRECPS); }
INSN(frsqrts_s, "01 0 11110 1 sz:1 1 Rm:5 11111 1 Rn:5 Rd:5", "frsqrts {s3(Rd, Rn, Rm, 2 + sz)}") { SCALAR2(2 + a->sz, FRSQRTS); }
INSN(fcmge_s, "01 1 11110 0 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmge {s3(Rd, Rn, Rm, 2 + sz)}") { COMPARE(2 + a->sz, 1 << (2 + a->sz), VFGE); }
INSN(facge_s, "01 1 11110 0 sz:1 1 Rm:5 11101 1 Rn:5 Rd:5", "facge {s3(Rd, Rn, Rm, 2 + sz)}") { COMPARE_ABS(2 + a->sz, 1 << (2 + a->sz), VFGE); }
INSN(fabd_s, "01 1 11110 1 sz:1 1 Rm:5 11010 1 Rn:5 Rd:5", "fabd {s3(Rd, Rn, Rm, 2 + sz)}") { SCALAR_DIFFERENCE(2 + a->sz); }
INSN(fcmgt_s, "01 1 11110 1 sz:1 1 Rm:5 11100 1 Rn:5 Rd:5", "fcmgt {s3(Rd, Rn, Rm, 2 + sz)}") { COMPARE(2 + a->sz, 1 << (2 + a->sz), VFGT); }
INSN(facgt_s, "01 1 11110 1 sz:1 1 Rm:5 11101 1 Rn:5 Rd:5", "facgt {s3(Rd, Rn, Rm, 2 + sz)}") { COMPARE_ABS(2 + a->sz, 1 << (2 + a->sz), VFGT); }
INSN(fmulx_sh, "01 0 11110 0 10 Rm:5 00011 1 Rn:5 Rd:5", "fmulx {s3(Rd, Rn, Rm, 1)}", FP16) { SCALAR2(1, FMULX); }
INSN(fcmeq_sh, "01 0 11110 0 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmeq {s3(Rd, Rn, Rm, 1)}", FP16) { COMPARE(1, 1 << 1, VFEQ); }
INSN(frecps_sh, "01 0 11110 0 10 Rm:5 00111 1 Rn:5 Rd:5", "frecps {s3(Rd, Rn, Rm, 1)}", FP16) { SCALAR2(1, FRECPS); }
INSN(frsqrts_sh, "01 0 11110 1 10 Rm:5 00111 1 Rn:5 Rd:5", "frsqrts {s3(Rd, Rn, Rm, 1)}", FP16) { SCALAR2(1, FRSQRTS); }
INSN(fcmge_sh, "01 1 11110 0 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmge {s3(Rd, Rn, Rm, 1)}", FP16) { COMPARE(1, 1 << 1, VFGE); }
INSN(facge_sh, "01 1 11110 0 10 Rm:5 00101 1 Rn:5 Rd:5", "facge {s3(Rd, Rn, Rm, 1)}", FP16) { COMPARE_ABS(1, 1 << 1, VFGE); }
INSN(fabd_sh, "01 1 11110 1 10 Rm:5 00010 1 Rn:5 Rd:5", "fabd {s3(Rd, Rn, Rm, 1)}", FP16) { SCALAR_DIFFERENCE(1); }
INSN(fcmgt_sh, "01 1 11110 1 10 Rm:5 00100 1 Rn:5 Rd:5", "fcmgt {s3(Rd, Rn, Rm, 1)}", FP16) { COMPARE(1, 1 << 1, VFGT); }
INSN(facgt_sh, "01 1 11110 1 10 Rm:5 00101 1 Rn:5 Rd:5", "facgt {s3(Rd, Rn, Rm, 1)}", FP16) { COMPARE_ABS(1, 1 << 1, VFGT); }

/* clang-format on */
#include "arm64_simd_three_fp.decode.inc"
