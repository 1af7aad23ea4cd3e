/*
 * A64: Advanced SIMD, one register into another: floating point; pairs and across lanes.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD two-register miscellaneous", "(FP16)", "across lanes", "scalar pairwise" and
 * the scalar classes of these names.
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_two_fp.decode.h"

#define N(bytes) simd_in(t, a->Rn, bytes)
#define LANE(size) lane_fp(size)
#define SCALAR(size) fp_get(t, a->Rn, lane_fp(size))

#define ZERO(size, bytes, op, swap) compare_zero(t, IR_##op, size, a->Rd, N(bytes), swap, bytes)
#define BITS1(size, bytes, op) simd_set(t, a->Rd, simd_op1(t, IR_##op, LANE(size), N(16)), bytes)
#define OP1(size, bytes, op) simd_set(t, a->Rd, simd_fp(t, IR_##op, LANE(size), N(bytes), 0, 0, 0), bytes)
#define ROUND(size, bytes, imm) \
	simd_set(t, a->Rd, v_lanes(t, IR_FRINT, LANE(size), N(bytes), 0, 0, imm), bytes)
#define TO_INT(size, bytes, op, imm) \
	simd_set(t, a->Rd, v_lanes(t, IR_##op, lane_int(size), N(bytes), 0, 0, imm), bytes)
#define FROM_INT(size, bytes, op) \
	simd_set(t, a->Rd, simd_fp(t, IR_##op, lane_int(size), N(bytes), 0, 0, 0), bytes)
/* Of zero these raise a flag. */
#define ESTIMATE(size, bytes, op) \
	simd_set(t, a->Rd, simd_fp(t, IR_##op, LANE(size), simd_twice(t, N(16), bytes), 0, 0, 0), bytes)

#define TO_INT_S(size, op, imm) fp_set(t, a->Rd, v_op(t, IR_##op, lane_int(size), SCALAR(size), 0, 0, imm))
#define FROM_INT_S(size, op) \
	fp_set(t, a->Rd, fp_op(t, IR_##op, LANE(size), fp_get(t, a->Rn, lane_int(size)), 0, 0, 0))
#define ESTIMATE_S(size, op) fp_set(t, a->Rd, fp_op(t, IR_##op, LANE(size), SCALAR(size), 0, 0, 0))

static void compare_zero(struct tr *t, enum ir_op op, unsigned size, unsigned rd, ir_ref n, bool swap,
			 unsigned bytes)
{
	ir_ref zero = simd_zero(t);
	simd_set(t, rd, simd_op2(t, op, lane_fp(size), swap ? zero : n, swap ? n : zero), bytes);
}

/* Neighbours first, then neighbours of the results, lower operand first (Reduce). */
void simd_fp_across(struct tr *t, unsigned rd, enum ir_op op, unsigned size, ir_ref v, u64 imm, unsigned bytes)
{
	v = simd_twice(t, v, bytes);
	for (unsigned n = bytes >> size; n > 1; n /= 2)
		v = simd_fp(t, op, lane_fp(size), v, v, 0, imm);
	simd_set(t, rd, v, 1 << size);
}
#define ACROSS(size, bytes, op, imm) simd_fp_across(t, a->Rd, IR_##op, size, N(16), imm, bytes)

/* Lane 0 with lane 1. */
static void pair(struct tr *t, unsigned rd, unsigned rn, enum ir_op op, unsigned size, u64 imm)
{
	enum ir_type type = lane_fp(size);
	ir_ref low = fp_get(t, rn, type);
	ir_ref high = v_op(t, IR_VTRUNC, type, simd_lane(t, simd_get(t, rn), size, 1), 0, 0, 0);
	fp_set(t, rd, fp_op(t, op, type, low, high, 0, imm));
}
#define PAIR(size, op, imm) pair(t, a->Rd, a->Rn, IR_##op, size, imm)

/* f32 or f64 (sz) lanes to the next smaller type, from register rn; a narrowed type of its own for BFCVTN. */
static void narrow(struct tr *t, unsigned rd, unsigned rn, enum ir_type from, enum ir_type to, unsigned round,
		   unsigned q)
{
	simd_set_half(t, rd, v_lanes(t, IR_FCVT, from, simd_get(t, rn), 0, 0, round | (u64)to << 16), q);
}
static void widen(struct tr *t, unsigned rd, unsigned rn, unsigned sz, unsigned q)
{
	enum ir_type from = sz ? TY_F32 : TY_F16, to = from + 1;
	simd_set(t, rd, simd_fp(t, IR_FCVT, from, simd_get(t, rn), 0, 0, (u64)to << 16 | q << 8), 16);
}

/* clang-format off */

/* Vectors of single and double precision. */

INSN(fcmgt0_v, "0 Q:1 0 01110 1 sz:1 10000 01100 10 Rn:5 Rd:5", "fcmgt {v2(Rd, Rn, 2 + sz, Q)}, #0.0", "!sz || Q") { ZERO(2 + a->sz, q_bytes(a->Q), VFGT, false); }
INSN(fcmge0_v, "0 Q:1 1 01110 1 sz:1 10000 01100 10 Rn:5 Rd:5", "fcmge {v2(Rd, Rn, 2 + sz, Q)}, #0.0", "!sz || Q") { ZERO(2 + a->sz, q_bytes(a->Q), VFGE, false); }
INSN(fcmeq0_v, "0 Q:1 0 01110 1 sz:1 10000 01101 10 Rn:5 Rd:5", "fcmeq {v2(Rd, Rn, 2 + sz, Q)}, #0.0", "!sz || Q") { ZERO(2 + a->sz, q_bytes(a->Q), VFEQ, false); }
INSN(fcmle0_v, "0 Q:1 1 01110 1 sz:1 10000 01101 10 Rn:5 Rd:5", "fcmle {v2(Rd, Rn, 2 + sz, Q)}, #0.0", "!sz || Q") { ZERO(2 + a->sz, q_bytes(a->Q), VFGE, true); }
INSN(fcmlt0_v, "0 Q:1 0 01110 1 sz:1 10000 01110 10 Rn:5 Rd:5", "fcmlt {v2(Rd, Rn, 2 + sz, Q)}, #0.0", "!sz || Q") { ZERO(2 + a->sz, q_bytes(a->Q), VFGT, true); }
INSN(fabs_v, "0 Q:1 0 01110 1 sz:1 10000 01111 10 Rn:5 Rd:5", "fabs {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { BITS1(2 + a->sz, q_bytes(a->Q), FABS); }
INSN(fneg_v, "0 Q:1 1 01110 1 sz:1 10000 01111 10 Rn:5 Rd:5", "fneg {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { BITS1(2 + a->sz, q_bytes(a->Q), FNEG); }
INSN(fsqrt_v, "0 Q:1 1 01110 1 sz:1 10000 11111 10 Rn:5 Rd:5", "fsqrt {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { OP1(2 + a->sz, q_bytes(a->Q), FSQRT); }
INSN(frintn_v, "0 Q:1 0 01110 0 sz:1 10000 11000 10 Rn:5 Rd:5", "frintn {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_NEAREST_EVEN); }
INSN(frintm_v, "0 Q:1 0 01110 0 sz:1 10000 11001 10 Rn:5 Rd:5", "frintm {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_DOWN); }
INSN(frintp_v, "0 Q:1 0 01110 1 sz:1 10000 11000 10 Rn:5 Rd:5", "frintp {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_UP); }
INSN(frintz_v, "0 Q:1 0 01110 1 sz:1 10000 11001 10 Rn:5 Rd:5", "frintz {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_TO_ZERO); }
INSN(frinta_v, "0 Q:1 1 01110 0 sz:1 10000 11000 10 Rn:5 Rd:5", "frinta {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_NEAREST_AWAY); }
INSN(frintx_v, "0 Q:1 1 01110 0 sz:1 10000 11001 10 Rn:5 Rd:5", "frintx {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_ROUND_CTL | FP_IMM_EXACT); }
INSN(frinti_v, "0 Q:1 1 01110 1 sz:1 10000 11001 10 Rn:5 Rd:5", "frinti {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_ROUND_CTL); }
INSN(frint32z_v, "0 Q:1 0 01110 0 sz:1 10000 11110 10 Rn:5 Rd:5", "frint32z {v2(Rd, Rn, 2 + sz, Q)}", FRINTTS, "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_TO_ZERO | FP_IMM_INT32); }
INSN(frint32x_v, "0 Q:1 1 01110 0 sz:1 10000 11110 10 Rn:5 Rd:5", "frint32x {v2(Rd, Rn, 2 + sz, Q)}", FRINTTS, "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_ROUND_CTL | FP_IMM_INT32); }
INSN(frint64z_v, "0 Q:1 0 01110 0 sz:1 10000 11111 10 Rn:5 Rd:5", "frint64z {v2(Rd, Rn, 2 + sz, Q)}", FRINTTS, "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_TO_ZERO | FP_IMM_INT64); }
INSN(frint64x_v, "0 Q:1 1 01110 0 sz:1 10000 11111 10 Rn:5 Rd:5", "frint64x {v2(Rd, Rn, 2 + sz, Q)}", FRINTTS, "!sz || Q") { ROUND(2 + a->sz, q_bytes(a->Q), FP_ROUND_CTL | FP_IMM_INT64); }
INSN(fcvtns_v, "0 Q:1 0 01110 0 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtns {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOI, FP_NEAREST_EVEN); }
INSN(fcvtnu_v, "0 Q:1 1 01110 0 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtnu {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOU, FP_NEAREST_EVEN); }
INSN(fcvtms_v, "0 Q:1 0 01110 0 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtms {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOI, FP_DOWN); }
INSN(fcvtmu_v, "0 Q:1 1 01110 0 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtmu {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOU, FP_DOWN); }
INSN(fcvtas_v, "0 Q:1 0 01110 0 sz:1 10000 11100 10 Rn:5 Rd:5", "fcvtas {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOI, FP_NEAREST_AWAY); }
INSN(fcvtau_v, "0 Q:1 1 01110 0 sz:1 10000 11100 10 Rn:5 Rd:5", "fcvtau {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOU, FP_NEAREST_AWAY); }
INSN(fcvtps_v, "0 Q:1 0 01110 1 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtps {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOI, FP_UP); }
INSN(fcvtpu_v, "0 Q:1 1 01110 1 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtpu {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOU, FP_UP); }
INSN(fcvtzs_v, "0 Q:1 0 01110 1 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtzs {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOI, FP_TO_ZERO); }
INSN(fcvtzu_v, "0 Q:1 1 01110 1 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtzu {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { TO_INT(2 + a->sz, q_bytes(a->Q), FTOU, FP_TO_ZERO); }
INSN(scvtf_v, "0 Q:1 0 01110 0 sz:1 10000 11101 10 Rn:5 Rd:5", "scvtf {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { FROM_INT(2 + a->sz, q_bytes(a->Q), ITOF); }
INSN(ucvtf_v, "0 Q:1 1 01110 0 sz:1 10000 11101 10 Rn:5 Rd:5", "ucvtf {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { FROM_INT(2 + a->sz, q_bytes(a->Q), UTOF); }
INSN(frecpe_v, "0 Q:1 0 01110 1 sz:1 10000 11101 10 Rn:5 Rd:5", "frecpe {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ESTIMATE(2 + a->sz, q_bytes(a->Q), FRECPE); }
INSN(frsqrte_v, "0 Q:1 1 01110 1 sz:1 10000 11101 10 Rn:5 Rd:5", "frsqrte {v2(Rd, Rn, 2 + sz, Q)}", "!sz || Q") { ESTIMATE(2 + a->sz, q_bytes(a->Q), FRSQRTE); }

/* Vectors of half precision. */

INSN(fcmgt0_h, "0 Q:1 0 01110 1 111100 01100 10 Rn:5 Rd:5", "fcmgt {v2(Rd, Rn, 1, Q)}, #0.0", FP16) { ZERO(1, q_bytes(a->Q), VFGT, false); }
INSN(fcmge0_h, "0 Q:1 1 01110 1 111100 01100 10 Rn:5 Rd:5", "fcmge {v2(Rd, Rn, 1, Q)}, #0.0", FP16) { ZERO(1, q_bytes(a->Q), VFGE, false); }
INSN(fcmeq0_h, "0 Q:1 0 01110 1 111100 01101 10 Rn:5 Rd:5", "fcmeq {v2(Rd, Rn, 1, Q)}, #0.0", FP16) { ZERO(1, q_bytes(a->Q), VFEQ, false); }
INSN(fcmle0_h, "0 Q:1 1 01110 1 111100 01101 10 Rn:5 Rd:5", "fcmle {v2(Rd, Rn, 1, Q)}, #0.0", FP16) { ZERO(1, q_bytes(a->Q), VFGE, true); }
INSN(fcmlt0_h, "0 Q:1 0 01110 1 111100 01110 10 Rn:5 Rd:5", "fcmlt {v2(Rd, Rn, 1, Q)}, #0.0", FP16) { ZERO(1, q_bytes(a->Q), VFGT, true); }
INSN(fabs_h, "0 Q:1 0 01110 1 111100 01111 10 Rn:5 Rd:5", "fabs {v2(Rd, Rn, 1, Q)}", FP16) { BITS1(1, q_bytes(a->Q), FABS); }
INSN(fneg_h, "0 Q:1 1 01110 1 111100 01111 10 Rn:5 Rd:5", "fneg {v2(Rd, Rn, 1, Q)}", FP16) { BITS1(1, q_bytes(a->Q), FNEG); }
INSN(fsqrt_h, "0 Q:1 1 01110 1 111100 11111 10 Rn:5 Rd:5", "fsqrt {v2(Rd, Rn, 1, Q)}", FP16) { OP1(1, q_bytes(a->Q), FSQRT); }
INSN(frintn_h, "0 Q:1 0 01110 0 111100 11000 10 Rn:5 Rd:5", "frintn {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_NEAREST_EVEN); }
INSN(frintm_h, "0 Q:1 0 01110 0 111100 11001 10 Rn:5 Rd:5", "frintm {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_DOWN); }
INSN(frintp_h, "0 Q:1 0 01110 1 111100 11000 10 Rn:5 Rd:5", "frintp {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_UP); }
INSN(frintz_h, "0 Q:1 0 01110 1 111100 11001 10 Rn:5 Rd:5", "frintz {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_TO_ZERO); }
INSN(frinta_h, "0 Q:1 1 01110 0 111100 11000 10 Rn:5 Rd:5", "frinta {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_NEAREST_AWAY); }
INSN(frintx_h, "0 Q:1 1 01110 0 111100 11001 10 Rn:5 Rd:5", "frintx {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_ROUND_CTL | FP_IMM_EXACT); }
INSN(frinti_h, "0 Q:1 1 01110 1 111100 11001 10 Rn:5 Rd:5", "frinti {v2(Rd, Rn, 1, Q)}", FP16) { ROUND(1, q_bytes(a->Q), FP_ROUND_CTL); }
INSN(fcvtns_h, "0 Q:1 0 01110 0 111100 11010 10 Rn:5 Rd:5", "fcvtns {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOI, FP_NEAREST_EVEN); }
INSN(fcvtnu_h, "0 Q:1 1 01110 0 111100 11010 10 Rn:5 Rd:5", "fcvtnu {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOU, FP_NEAREST_EVEN); }
INSN(fcvtms_h, "0 Q:1 0 01110 0 111100 11011 10 Rn:5 Rd:5", "fcvtms {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOI, FP_DOWN); }
INSN(fcvtmu_h, "0 Q:1 1 01110 0 111100 11011 10 Rn:5 Rd:5", "fcvtmu {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOU, FP_DOWN); }
INSN(fcvtas_h, "0 Q:1 0 01110 0 111100 11100 10 Rn:5 Rd:5", "fcvtas {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOI, FP_NEAREST_AWAY); }
INSN(fcvtau_h, "0 Q:1 1 01110 0 111100 11100 10 Rn:5 Rd:5", "fcvtau {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOU, FP_NEAREST_AWAY); }
INSN(fcvtps_h, "0 Q:1 0 01110 1 111100 11010 10 Rn:5 Rd:5", "fcvtps {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOI, FP_UP); }
INSN(fcvtpu_h, "0 Q:1 1 01110 1 111100 11010 10 Rn:5 Rd:5", "fcvtpu {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOU, FP_UP); }
INSN(fcvtzs_h, "0 Q:1 0 01110 1 111100 11011 10 Rn:5 Rd:5", "fcvtzs {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOI, FP_TO_ZERO); }
INSN(fcvtzu_h, "0 Q:1 1 01110 1 111100 11011 10 Rn:5 Rd:5", "fcvtzu {v2(Rd, Rn, 1, Q)}", FP16) { TO_INT(1, q_bytes(a->Q), FTOU, FP_TO_ZERO); }
INSN(scvtf_h, "0 Q:1 0 01110 0 111100 11101 10 Rn:5 Rd:5", "scvtf {v2(Rd, Rn, 1, Q)}", FP16) { FROM_INT(1, q_bytes(a->Q), ITOF); }
INSN(ucvtf_h, "0 Q:1 1 01110 0 111100 11101 10 Rn:5 Rd:5", "ucvtf {v2(Rd, Rn, 1, Q)}", FP16) { FROM_INT(1, q_bytes(a->Q), UTOF); }
INSN(frecpe_h, "0 Q:1 0 01110 1 111100 11101 10 Rn:5 Rd:5", "frecpe {v2(Rd, Rn, 1, Q)}", FP16) { ESTIMATE(1, q_bytes(a->Q), FRECPE); }
INSN(frsqrte_h, "0 Q:1 1 01110 1 111100 11101 10 Rn:5 Rd:5", "frsqrte {v2(Rd, Rn, 1, Q)}", FP16) { ESTIMATE(1, q_bytes(a->Q), FRSQRTE); }

/* Scalars of single and double precision. */

INSN(fcmgt0_s, "01 0 11110 1 sz:1 10000 01100 10 Rn:5 Rd:5", "fcmgt {s2(Rd, Rn, 2 + sz)}, #0.0") { ZERO(2 + a->sz, 1 << (2 + a->sz), VFGT, false); }
INSN(fcmge0_s, "01 1 11110 1 sz:1 10000 01100 10 Rn:5 Rd:5", "fcmge {s2(Rd, Rn, 2 + sz)}, #0.0") { ZERO(2 + a->sz, 1 << (2 + a->sz), VFGE, false); }
INSN(fcmeq0_s, "01 0 11110 1 sz:1 10000 01101 10 Rn:5 Rd:5", "fcmeq {s2(Rd, Rn, 2 + sz)}, #0.0") { ZERO(2 + a->sz, 1 << (2 + a->sz), VFEQ, false); }
INSN(fcmle0_s, "01 1 11110 1 sz:1 10000 01101 10 Rn:5 Rd:5", "fcmle {s2(Rd, Rn, 2 + sz)}, #0.0") { ZERO(2 + a->sz, 1 << (2 + a->sz), VFGE, true); }
INSN(fcmlt0_s, "01 0 11110 1 sz:1 10000 01110 10 Rn:5 Rd:5", "fcmlt {s2(Rd, Rn, 2 + sz)}, #0.0") { ZERO(2 + a->sz, 1 << (2 + a->sz), VFGT, true); }
INSN(fcvtns_s, "01 0 11110 0 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtns {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOI, FP_NEAREST_EVEN); }
INSN(fcvtnu_s, "01 1 11110 0 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtnu {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOU, FP_NEAREST_EVEN); }
INSN(fcvtms_s, "01 0 11110 0 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtms {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOI, FP_DOWN); }
INSN(fcvtmu_s, "01 1 11110 0 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtmu {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOU, FP_DOWN); }
INSN(fcvtas_s, "01 0 11110 0 sz:1 10000 11100 10 Rn:5 Rd:5", "fcvtas {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOI, FP_NEAREST_AWAY); }
INSN(fcvtau_s, "01 1 11110 0 sz:1 10000 11100 10 Rn:5 Rd:5", "fcvtau {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOU, FP_NEAREST_AWAY); }
INSN(fcvtps_s, "01 0 11110 1 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtps {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOI, FP_UP); }
INSN(fcvtpu_s, "01 1 11110 1 sz:1 10000 11010 10 Rn:5 Rd:5", "fcvtpu {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOU, FP_UP); }
INSN(fcvtzs_s, "01 0 11110 1 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtzs {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOI, FP_TO_ZERO); }
INSN(fcvtzu_s, "01 1 11110 1 sz:1 10000 11011 10 Rn:5 Rd:5", "fcvtzu {s2(Rd, Rn, 2 + sz)}") { TO_INT_S(2 + a->sz, FTOU, FP_TO_ZERO); }
INSN(scvtf_s, "01 0 11110 0 sz:1 10000 11101 10 Rn:5 Rd:5", "scvtf {s2(Rd, Rn, 2 + sz)}") { FROM_INT_S(2 + a->sz, ITOF); }
INSN(ucvtf_s, "01 1 11110 0 sz:1 10000 11101 10 Rn:5 Rd:5", "ucvtf {s2(Rd, Rn, 2 + sz)}") { FROM_INT_S(2 + a->sz, UTOF); }
INSN(frecpe_s, "01 0 11110 1 sz:1 10000 11101 10 Rn:5 Rd:5", "frecpe {s2(Rd, Rn, 2 + sz)}") { ESTIMATE_S(2 + a->sz, FRECPE); }
INSN(frsqrte_s, "01 1 11110 1 sz:1 10000 11101 10 Rn:5 Rd:5", "frsqrte {s2(Rd, Rn, 2 + sz)}") { ESTIMATE_S(2 + a->sz, FRSQRTE); }
INSN(frecpx_s, "01 0 11110 1 sz:1 10000 11111 10 Rn:5 Rd:5", "frecpx {s2(Rd, Rn, 2 + sz)}") { ESTIMATE_S(2 + a->sz, FRECPX); }

/* Scalars of half precision. */

INSN(fcmgt0_sh, "01 0 11110 1 111100 01100 10 Rn:5 Rd:5", "fcmgt {s2(Rd, Rn, 1)}, #0.0", FP16) { ZERO(1, 1 << 1, VFGT, false); }
INSN(fcmge0_sh, "01 1 11110 1 111100 01100 10 Rn:5 Rd:5", "fcmge {s2(Rd, Rn, 1)}, #0.0", FP16) { ZERO(1, 1 << 1, VFGE, false); }
INSN(fcmeq0_sh, "01 0 11110 1 111100 01101 10 Rn:5 Rd:5", "fcmeq {s2(Rd, Rn, 1)}, #0.0", FP16) { ZERO(1, 1 << 1, VFEQ, false); }
INSN(fcmle0_sh, "01 1 11110 1 111100 01101 10 Rn:5 Rd:5", "fcmle {s2(Rd, Rn, 1)}, #0.0", FP16) { ZERO(1, 1 << 1, VFGE, true); }
INSN(fcmlt0_sh, "01 0 11110 1 111100 01110 10 Rn:5 Rd:5", "fcmlt {s2(Rd, Rn, 1)}, #0.0", FP16) { ZERO(1, 1 << 1, VFGT, true); }
INSN(fcvtns_sh, "01 0 11110 0 111100 11010 10 Rn:5 Rd:5", "fcvtns {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOI, FP_NEAREST_EVEN); }
INSN(fcvtnu_sh, "01 1 11110 0 111100 11010 10 Rn:5 Rd:5", "fcvtnu {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOU, FP_NEAREST_EVEN); }
INSN(fcvtms_sh, "01 0 11110 0 111100 11011 10 Rn:5 Rd:5", "fcvtms {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOI, FP_DOWN); }
INSN(fcvtmu_sh, "01 1 11110 0 111100 11011 10 Rn:5 Rd:5", "fcvtmu {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOU, FP_DOWN); }
INSN(fcvtas_sh, "01 0 11110 0 111100 11100 10 Rn:5 Rd:5", "fcvtas {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOI, FP_NEAREST_AWAY); }
INSN(fcvtau_sh, "01 1 11110 0 111100 11100 10 Rn:5 Rd:5", "fcvtau {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOU, FP_NEAREST_AWAY); }
INSN(fcvtps_sh, "01 0 11110 1 111100 11010 10 Rn:5 Rd:5", "fcvtps {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOI, FP_UP); }
INSN(fcvtpu_sh, "01 1 11110 1 111100 11010 10 Rn:5 Rd:5", "fcvtpu {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOU, FP_UP); }
INSN(fcvtzs_sh, "01 0 11110 1 111100 11011 10 Rn:5 Rd:5", "fcvtzs {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOI, FP_TO_ZERO); }
INSN(fcvtzu_sh, "01 1 11110 1 111100 11011 10 Rn:5 Rd:5", "fcvtzu {s2(Rd, Rn, 1)}", FP16) { TO_INT_S(1, FTOU, FP_TO_ZERO); }
INSN(scvtf_sh, "01 0 11110 0 111100 11101 10 Rn:5 Rd:5", "scvtf {s2(Rd, Rn, 1)}", FP16) { FROM_INT_S(1, ITOF); }
INSN(ucvtf_sh, "01 1 11110 0 111100 11101 10 Rn:5 Rd:5", "ucvtf {s2(Rd, Rn, 1)}", FP16) { FROM_INT_S(1, UTOF); }
INSN(frecpe_sh, "01 0 11110 1 111100 11101 10 Rn:5 Rd:5", "frecpe {s2(Rd, Rn, 1)}", FP16) { ESTIMATE_S(1, FRECPE); }
INSN(frsqrte_sh, "01 1 11110 1 111100 11101 10 Rn:5 Rd:5", "frsqrte {s2(Rd, Rn, 1)}", FP16) { ESTIMATE_S(1, FRSQRTE); }
INSN(frecpx_sh, "01 0 11110 1 111100 11111 10 Rn:5 Rd:5", "frecpx {s2(Rd, Rn, 1)}", FP16) { ESTIMATE_S(1, FRECPX); }

/* To another precision. */

INSN(fcvtn_v,  "0 Q:1 0 01110 0 sz:1 10000 10110 10 Rn:5 Rd:5", "fcvtn{#Q:|2} {v(Rd, 1 + sz, Q)}, {v(Rn, 2 + sz, 1)}") { narrow(t, a->Rd, a->Rn, lane_fp(2 + a->sz), lane_fp(1 + a->sz), FP_ROUND_CTL, a->Q); }
INSN(fcvtxn_v, "0 Q:1 1 01110 0 1 10000 10110 10 Rn:5 Rd:5", "fcvtxn{#Q:|2} {v(Rd, 2, Q)}, {v(Rn, 3, 1)}") { narrow(t, a->Rd, a->Rn, TY_F64, TY_F32, FP_TO_ODD, a->Q); }
INSN(fcvtxn_s, "01 1 11110 0 1 10000 10110 10 Rn:5 Rd:5", "fcvtxn {f(Rd, 2)}, {f(Rn, 3)}") { fp_set(t, a->Rd, v_op(t, IR_FCVT, TY_F32, SCALAR(3), 0, 0, FP_TO_ODD)); }
INSN(fcvtl_v,  "0 Q:1 0 01110 0 sz:1 10000 10111 10 Rn:5 Rd:5", "fcvtl{#Q:|2} {v(Rd, 2 + sz, 1)}, {v(Rn, 1 + sz, Q)}") { widen(t, a->Rd, a->Rn, a->sz, a->Q); }
INSN(bfcvtn_v, "0 Q:1 0 01110 1 0 10000 10110 10 Rn:5 Rd:5", "bfcvtn{#Q:|2} {v(Rd, 1, Q)}, {v(Rn, 2, 1)}", BF16) { narrow(t, a->Rd, a->Rn, TY_F32, TY_BF16, FP_ROUND_CTL, a->Q); }

/* Across lanes. */

INSN(fmaxnmv, "0 1 1 01110 0 0 11000 01100 10 Rn:5 Rd:5", "fmaxnmv {f(Rd, 2)}, {v(Rn, 2, 1)}") { ACROSS(2, 16, VFPMAX, FP_IMM_NUMBER); }
INSN(fmaxnmv_h, "0 Q:1 0 01110 0 0 11000 01100 10 Rn:5 Rd:5", "fmaxnmv {f(Rd, 1)}, {v(Rn, 1, Q)}", FP16) { ACROSS(1, q_bytes(a->Q), VFPMAX, FP_IMM_NUMBER); }
INSN(fminnmv, "0 1 1 01110 1 0 11000 01100 10 Rn:5 Rd:5", "fminnmv {f(Rd, 2)}, {v(Rn, 2, 1)}") { ACROSS(2, 16, VFPMIN, FP_IMM_NUMBER); }
INSN(fminnmv_h, "0 Q:1 0 01110 1 0 11000 01100 10 Rn:5 Rd:5", "fminnmv {f(Rd, 1)}, {v(Rn, 1, Q)}", FP16) { ACROSS(1, q_bytes(a->Q), VFPMIN, FP_IMM_NUMBER); }
INSN(fmaxv, "0 1 1 01110 0 0 11000 01111 10 Rn:5 Rd:5", "fmaxv {f(Rd, 2)}, {v(Rn, 2, 1)}") { ACROSS(2, 16, VFPMAX, 0); }
INSN(fmaxv_h, "0 Q:1 0 01110 0 0 11000 01111 10 Rn:5 Rd:5", "fmaxv {f(Rd, 1)}, {v(Rn, 1, Q)}", FP16) { ACROSS(1, q_bytes(a->Q), VFPMAX, 0); }
INSN(fminv, "0 1 1 01110 1 0 11000 01111 10 Rn:5 Rd:5", "fminv {f(Rd, 2)}, {v(Rn, 2, 1)}") { ACROSS(2, 16, VFPMIN, 0); }
INSN(fminv_h, "0 Q:1 0 01110 1 0 11000 01111 10 Rn:5 Rd:5", "fminv {f(Rd, 1)}, {v(Rn, 1, Q)}", FP16) { ACROSS(1, q_bytes(a->Q), VFPMIN, 0); }

/* Pairs. */

INSN(fmaxnmp_p, "01 1 11110 0 sz:1 11000 01100 10 Rn:5 Rd:5", "fmaxnmp {f(Rd, 2 + sz)}, {v(Rn, 2 + sz, sz)}") { PAIR(2 + a->sz, FMAX, FP_IMM_NUMBER); }
INSN(fmaxnmp_ph, "01 0 11110 0 0 11000 01100 10 Rn:5 Rd:5", "fmaxnmp {f(Rd, 1)}, {vh(Rn, 1, 0)}", FP16) { PAIR(1, FMAX, FP_IMM_NUMBER); }
INSN(fminnmp_p, "01 1 11110 1 sz:1 11000 01100 10 Rn:5 Rd:5", "fminnmp {f(Rd, 2 + sz)}, {v(Rn, 2 + sz, sz)}") { PAIR(2 + a->sz, FMIN, FP_IMM_NUMBER); }
INSN(fminnmp_ph, "01 0 11110 1 0 11000 01100 10 Rn:5 Rd:5", "fminnmp {f(Rd, 1)}, {vh(Rn, 1, 0)}", FP16) { PAIR(1, FMIN, FP_IMM_NUMBER); }
INSN(faddp_p, "01 1 11110 0 sz:1 11000 01101 10 Rn:5 Rd:5", "faddp {f(Rd, 2 + sz)}, {v(Rn, 2 + sz, sz)}") { PAIR(2 + a->sz, FADD, 0); }
INSN(faddp_ph, "01 0 11110 0 0 11000 01101 10 Rn:5 Rd:5", "faddp {f(Rd, 1)}, {vh(Rn, 1, 0)}", FP16) { PAIR(1, FADD, 0); }
INSN(fmaxp_p, "01 1 11110 0 sz:1 11000 01111 10 Rn:5 Rd:5", "fmaxp {f(Rd, 2 + sz)}, {v(Rn, 2 + sz, sz)}") { PAIR(2 + a->sz, FMAX, 0); }
INSN(fmaxp_ph, "01 0 11110 0 0 11000 01111 10 Rn:5 Rd:5", "fmaxp {f(Rd, 1)}, {vh(Rn, 1, 0)}", FP16) { PAIR(1, FMAX, 0); }
INSN(fminp_p, "01 1 11110 1 sz:1 11000 01111 10 Rn:5 Rd:5", "fminp {f(Rd, 2 + sz)}, {v(Rn, 2 + sz, sz)}") { PAIR(2 + a->sz, FMIN, 0); }
INSN(fminp_ph, "01 0 11110 1 0 11000 01111 10 Rn:5 Rd:5", "fminp {f(Rd, 1)}, {vh(Rn, 1, 0)}", FP16) { PAIR(1, FMIN, 0); }

/* clang-format on */
#include "arm64_simd_two_fp.decode.inc"
