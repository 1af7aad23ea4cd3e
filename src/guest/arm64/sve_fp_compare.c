/*
 * A64: SVE: floating-point comparisons into predicates; reductions of the active elements to a scalar.
 * Manual: Arm A-profile architecture, C4.1 "SVE Floating Point Compare - Vectors", "Compare - with Zero", "Fast Reduction", "Accumulating
 * Reduction"; shared pseudo-code ReducePredicated.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_fp_compare.decode.h"

#define LANE lane_fp(a->size)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define ZERO simd_zero(t)
#define ABS(v) simd_op1(t, IR_FABS, LANE, v)
#define COMPARE(op, x, y) compare(t, IR_##op, a->size, a->Pd, a->Pg, x, y, false)
#define UNEQUAL(x, y) compare(t, IR_VFEQ, a->size, a->Pd, a->Pg, x, y, true)
#define REDUCE(op, imm, identity) reduce(t, IR_##op, a->size, a->Rd, a->Pg, N, imm, identity)
/* The numbers that change nothing in a sum, a maximum, a minimum. */
enum identity { IDENTITY_ZERO, IDENTITY_NAN, IDENTITY_LEAST, IDENTITY_MOST };

/* Active elements for which the comparison holds, or (negate) does not. */
static void compare(struct tr *t, enum ir_op op, unsigned size, unsigned pd, unsigned pg, ir_ref n, ir_ref m,
		    bool negate)
{
	ir_ref mask = sve_governing(t, pg, size);
	enum ir_type lane = lane_fp(size);
	ir_ref r = simd_op2(t, op, lane, simd_and(t, mask, n), simd_and(t, mask, m));
	r = simd_op2(t, negate ? IR_ANDN : IR_AND, TY_I64, mask, r);
	sve_set_pred(t, pd, sve_active(t, r, size));
}

/* Those with a NaN on either side: it does not equal itself. */
static void unordered(struct tr *t, unsigned size, unsigned pd, unsigned pg, ir_ref n, ir_ref m)
{
	ir_ref mask = sve_governing(t, pg, size);
	enum ir_type lane = lane_fp(size);
	n = simd_and(t, mask, n);
	m = simd_and(t, mask, m);
	ir_ref numbers = simd_and(t, simd_op2(t, IR_VFEQ, lane, n, n), simd_op2(t, IR_VFEQ, lane, m, m));
	sve_set_pred(t, pd, sve_active(t, simd_op2(t, IR_ANDN, TY_I64, mask, numbers), size));
}

static void reduce(struct tr *t, enum ir_op op, unsigned size, unsigned rd, unsigned pg, ir_ref v, u64 imm,
		   enum identity identity)
{
	enum ir_type lane = lane_int(size);
	u64 value = identity == IDENTITY_ZERO	 ? 0
		    : identity == IDENTITY_NAN	 ? sve_default_nan[size]
		    : identity == IDENTITY_LEAST ? sve_infinity[size] | BIT(ir_bits(lane) - 1)
						 : sve_infinity[size];
	v = sve_select(t, sve_governing(t, pg, size), v, simd_const(t, lane, value));
	simd_fp_across(t, rd, op, size, v, imm, SVE_BYTES);
}

/* The scalar plus the active elements, one after the other. What is not added is 0 + 0, which raises no flag. */
static void add_in_order(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref v)
{
	ir_ref mask = sve_governing(t, pg, size), sum = simd_in(t, rd, 1 << size);
	for (unsigned i = 0; i < sve_elements(size); i++) {
		ir_ref active = simd_lane(t, mask, size, i);
		ir_ref element = simd_and(t, active, simd_lane(t, v, size, i));
		ir_ref r = simd_fp(t, IR_FADD, lane_fp(size), simd_and(t, active, sum), element, 0, 0);
		sum = sve_select(t, active, r, sum);
	}
	simd_set(t, rd, sum, 1 << size);
}

/* clang-format off */

INSN(fcmge_ppzz, "01100101 size:2 0 Rm:5 010 Pg:3 Rn:5 0 Pd:4", "fcmge {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { COMPARE(VFGE, N, M); }
INSN(fcmgt_ppzz, "01100101 size:2 0 Rm:5 010 Pg:3 Rn:5 1 Pd:4", "fcmgt {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { COMPARE(VFGT, N, M); }
INSN(fcmeq_ppzz, "01100101 size:2 0 Rm:5 011 Pg:3 Rn:5 0 Pd:4", "fcmeq {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { COMPARE(VFEQ, N, M); }
INSN(fcmne_ppzz, "01100101 size:2 0 Rm:5 011 Pg:3 Rn:5 1 Pd:4", "fcmne {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { UNEQUAL(N, M); }
INSN(fcmuo_ppzz, "01100101 size:2 0 Rm:5 110 Pg:3 Rn:5 0 Pd:4", "fcmuo {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { unordered(t, a->size, a->Pd, a->Pg, N, M); }
INSN(facge_ppzz, "01100101 size:2 0 Rm:5 110 Pg:3 Rn:5 1 Pd:4", "facge {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { COMPARE(VFGE, ABS(N), ABS(M)); }
INSN(facgt_ppzz, "01100101 size:2 0 Rm:5 111 Pg:3 Rn:5 1 Pd:4", "facgt {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { COMPARE(VFGT, ABS(N), ABS(M)); }

INSN(fcmge_ppz0, "01100101 size:2 010 000 001 Pg:3 Rn:5 0 Pd:4", "fcmge {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { COMPARE(VFGE, N, ZERO); }
INSN(fcmgt_ppz0, "01100101 size:2 010 000 001 Pg:3 Rn:5 1 Pd:4", "fcmgt {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { COMPARE(VFGT, N, ZERO); }
INSN(fcmlt_ppz0, "01100101 size:2 010 001 001 Pg:3 Rn:5 0 Pd:4", "fcmlt {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { COMPARE(VFGT, ZERO, N); }
INSN(fcmle_ppz0, "01100101 size:2 010 001 001 Pg:3 Rn:5 1 Pd:4", "fcmle {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { COMPARE(VFGE, ZERO, N); }
INSN(fcmeq_ppz0, "01100101 size:2 010 010 001 Pg:3 Rn:5 0 Pd:4", "fcmeq {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { COMPARE(VFEQ, N, ZERO); }
INSN(fcmne_ppz0, "01100101 size:2 010 011 001 Pg:3 Rn:5 0 Pd:4", "fcmne {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, #0.0", SVE, "size") { UNEQUAL(N, ZERO); }

INSN(faddv_vpz,   "01100101 size:2 000 000 001 Pg:3 Rn:5 Rd:5", "faddv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size") { REDUCE(VFPADD, 0, IDENTITY_ZERO); }
INSN(fmaxnmv_vpz, "01100101 size:2 000 100 001 Pg:3 Rn:5 Rd:5", "fmaxnmv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size") { REDUCE(VFPMAX, FP_IMM_NUMBER, IDENTITY_NAN); }
INSN(fminnmv_vpz, "01100101 size:2 000 101 001 Pg:3 Rn:5 Rd:5", "fminnmv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size") { REDUCE(VFPMIN, FP_IMM_NUMBER, IDENTITY_NAN); }
INSN(fmaxv_vpz,   "01100101 size:2 000 110 001 Pg:3 Rn:5 Rd:5", "fmaxv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size") { REDUCE(VFPMAX, 0, IDENTITY_LEAST); }
INSN(fminv_vpz,   "01100101 size:2 000 111 001 Pg:3 Rn:5 Rd:5", "fminv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size") { REDUCE(VFPMIN, 0, IDENTITY_MOST); }
INSN(fadda_vpz,   "01100101 size:2 011 000 001 Pg:3 Rm:5 Rd:5", "fadda {f(Rd, size)}, {p(Pg)}, {f(Rd, size)}, {z(Rm, size)}", SVE, "size") { add_in_order(t, a->size, a->Rd, a->Pg, M); }

/* clang-format on */
#include "arm64_sve_fp_compare.decode.inc"
