/*
 * A64: SVE: conversions of active elements: to another precision, to and from integers.
 * Manual: Arm A-profile architecture, C4.1 "SVE Floating Point Convert", "SVE floating-point convert to integer", "SVE integer convert to
 * floating-point"; shared pseudo-code FPConvertSVE: FPCR.AHP does not count here.
 *
 * An element of the smaller size lies in the low part of one of the larger size; the rest of a narrower result is zero, of a signed integer
 * its sign.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_fp_convert.decode.h"

#define N simd_get(t, a->Rn)
#define CONVERT(from, to) merge_fp(t, a->Rd, a->Pg, N, from, to, lane_fp(to), 0)
#define TO_INT(from, to, op) merge_to_int(t, a->Rd, a->Pg, N, from, to, IR_##op)
#define FROM_INT(from, to, op) merge_from_int(t, a->Rd, a->Pg, N, from, to, IR_##op)

/* ---- with numbers of half precision while FPCR.AHP is set ---- */
/* arg: the vector, the source's type | the result's << 8; as the operation FCVT. */
static void convert_ieee(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	enum ir_type from = arg[1].w & 0xff, to = arg[1].w >> 8;
	struct ir_region rules = { 0 };
	const struct ir_insn in = {
		.op = IR_FCVT, .type = TY_V128, .lane = (u8)from, .a = 0, .imm = (u64)to << 16
	};
	arm64_fp_ctl(cpu->key & ~(u64)FPCR_AHP, &rules.fp);
	ir_eval_fp(&rules, &in, &arg[0], NULL, NULL, ret, &cpu->fp_flags);
}

static const u16 no_slots[] = { 0xffff };
HELPER(arm64_convert_ieee) = {
	.name = "arm64_convert_ieee", .fn = convert_ieee, .effects = HELP_VOLATILE, .slots = no_slots
};

ir_ref sve_convert(struct tr *t, ir_ref v, enum ir_type from, enum ir_type to, unsigned round)
{
	if (t->key & FPCR_AHP && (from == TY_F16 || to == TY_F16)) {
		ir_ref args[] = { v, konst32(t, from | to << 8) };
		return v_call(t, &ir_helper_arm64_convert_ieee, TY_V128, args, 2);
	}
	return v_lanes(t, IR_FCVT, from, v, 0, 0, round | (u64)to << 16);
}

/* ---- elements of one size in those of a larger one ---- */
/* The low (top: high) parts of large elements, side by side. */
ir_ref sve_gather_parts(struct tr *t, ir_ref v, unsigned part, unsigned whole, bool top)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned element = i >> part, from = element << whole | (i & BITS(part));
		mask[i] = element >= sve_elements(whole) ? 255 : from + (top ? 1 << part : 0);
	}
	return simd_shuffle(t, v, v, mask);
}

/* The inverse; zeros in the other parts. */
static ir_ref spread_parts(struct tr *t, ir_ref v, unsigned part, unsigned whole, bool top)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned at = (i & BITS(whole)) - (top ? 1 << part : 0);
		mask[i] = at < 1u << part ? (i >> whole) << part | at : 255;
	}
	return simd_shuffle(t, v, v, mask);
}

/* to: the size of `type`, the result's. round 0: FPCR's. */
static void merge_fp(struct tr *t, unsigned rd, unsigned pg, ir_ref n, unsigned from, unsigned to,
		     enum ir_type type, unsigned round)
{
	unsigned size = MAX(from, to);
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	n = simd_and(t, mask, n);
	if (from < to)
		n = sve_gather_parts(t, n, from, to, false);
	ir_ref r = sve_convert(t, n, lane_fp(from), type, round);
	if (to < from)
		r = spread_parts(t, r, to, from, false);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

/* FCVTNT and relatives: results in odd elements, even ones as they were. */
static void merge_top(struct tr *t, unsigned rd, unsigned pg, ir_ref n, unsigned from, enum ir_type type,
		      unsigned round)
{
	unsigned to = from - 1;
	ir_ref mask = sve_governing(t, pg, from), old = simd_get(t, rd);
	n = simd_and(t, mask, n);
	ir_ref r = spread_parts(t, sve_convert(t, n, lane_fp(from), type, round), to, from, true);
	ir_ref odd = simd_const(t, lane_int(from), BITS(8 << to) << (8 << to));
	sve_set(t, rd, sve_select(t, simd_and(t, mask, odd), r, old));
}

/* FCVTLT: odd elements widened. */
static void merge_long_top(struct tr *t, unsigned rd, unsigned pg, ir_ref n, unsigned from)
{
	unsigned to = from + 1;
	ir_ref mask = sve_governing(t, pg, to), old = simd_get(t, rd);
	n = sve_gather_parts(t, simd_and(t, mask, n), from, to, true);
	sve_set(t, rd, sve_select(t, mask, sve_convert(t, n, lane_fp(from), lane_fp(to), 0), old));
}

/* Between sizes: elements one by one; op: FTOI, FTOU, ITOF or UTOF. */
static ir_ref one_by_one(struct tr *t, ir_ref v, unsigned from, unsigned to, enum ir_op op, unsigned round)
{
	bool to_int = op == IR_FTOI || op == IR_FTOU;
	unsigned size = MAX(from, to);
	enum ir_type source = to_int ? lane_fp(from) : lane_int(from), whole = lane_int(size);
	ir_ref r = simd_zero(t);
	for (unsigned i = 0; i < sve_elements(size); i++) {
		ir_ref n = simd_scalar(t, IR_VGET, source, source, v, i << (size - from));
		n = v_op(t, op, to_int ? lane_int(to) : lane_fp(to), n, 0, 0, round);
		n = v_cast(t, lane_int(to), n);
		n = op == IR_FTOI ? v_sext(t, whole, n) : v_zext(t, whole, n);
		r = v_lanes(t, IR_VSET, whole, r, n, 0, i);
	}
	return r;
}

static void merge_to_int(struct tr *t, unsigned rd, unsigned pg, ir_ref n, unsigned from, unsigned to,
			 enum ir_op op)
{
	unsigned size = MAX(from, to);
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd), r;
	n = simd_and(t, mask, n);
	if (from == to)
		r = v_lanes(t, op, lane_int(to), n, 0, 0, FP_TO_ZERO);
	else
		r = one_by_one(t, n, from, to, op, FP_TO_ZERO);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

static void merge_from_int(struct tr *t, unsigned rd, unsigned pg, ir_ref n, unsigned from, unsigned to,
			   enum ir_op op)
{
	unsigned size = MAX(from, to);
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd), r;
	n = simd_and(t, mask, n);
	if (from <= to) {
		if (from < to) { /* 32 bits to double precision */
			n = sve_gather_parts(t, n, from, to, false);
			n = simd_op1(t, op == IR_ITOF ? IR_WIDENS : IR_WIDENU, lane_int(from), n);
		}
		r = simd_fp(t, op, lane_int(to), n, 0, 0, 0);
	} else {
		r = one_by_one(t, n, from, to, op, FP_ROUND_CTL);
	}
	sve_set(t, rd, sve_select(t, mask, r, old));
}

/* clang-format off */

INSN(fcvt_s_h,  "01100101 10 0010 00 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { CONVERT(2, 1); }
INSN(fcvt_h_s,  "01100101 10 0010 01 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { CONVERT(1, 2); }
INSN(fcvt_d_h,  "01100101 11 0010 00 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { CONVERT(3, 1); }
INSN(fcvt_h_d,  "01100101 11 0010 01 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { CONVERT(1, 3); }
INSN(fcvt_d_s,  "01100101 11 0010 10 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { CONVERT(3, 2); }
INSN(fcvt_s_d,  "01100101 11 0010 11 101 Pg:3 Rn:5 Rd:5", "fcvt {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { CONVERT(2, 3); }
INSN(bfcvt_zpz, "01100101 10 0010 10 101 Pg:3 Rn:5 Rd:5", "bfcvt {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVEBF16) { merge_fp(t, a->Rd, a->Pg, N, 2, 1, TY_BF16, 0); }
INSN(fcvtx_zpz, "01100101 00 0010 10 101 Pg:3 Rn:5 Rd:5", "fcvtx {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE2) { merge_fp(t, a->Rd, a->Pg, N, 3, 2, TY_F32, FP_TO_ODD); }

INSN(fcvtnt_s_h,   "01100100 10 0010 00 101 Pg:3 Rn:5 Rd:5", "fcvtnt {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVE2) { merge_top(t, a->Rd, a->Pg, N, 2, TY_F16, 0); }
INSN(fcvtnt_d_s,   "01100100 11 0010 10 101 Pg:3 Rn:5 Rd:5", "fcvtnt {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE2) { merge_top(t, a->Rd, a->Pg, N, 3, TY_F32, 0); }
INSN(fcvtxnt_zpz,  "01100100 00 0010 10 101 Pg:3 Rn:5 Rd:5", "fcvtxnt {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE2) { merge_top(t, a->Rd, a->Pg, N, 3, TY_F32, FP_TO_ODD); }
INSN(bfcvtnt_zpz,  "01100100 10 0010 10 101 Pg:3 Rn:5 Rd:5", "bfcvtnt {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVEBF16) { merge_top(t, a->Rd, a->Pg, N, 2, TY_BF16, 0); }
INSN(fcvtlt_h_s,   "01100100 10 0010 01 101 Pg:3 Rn:5 Rd:5", "fcvtlt {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 1)}", SVE2) { merge_long_top(t, a->Rd, a->Pg, N, 1); }
INSN(fcvtlt_s_d,   "01100100 11 0010 11 101 Pg:3 Rn:5 Rd:5", "fcvtlt {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE2) { merge_long_top(t, a->Rd, a->Pg, N, 2); }

INSN(scvtf_h_h, "01100101 01 010 01 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { FROM_INT(1, 1, ITOF); }
INSN(ucvtf_h_h, "01100101 01 010 01 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { FROM_INT(1, 1, UTOF); }
INSN(scvtf_s_h, "01100101 01 010 10 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 1, ITOF); }
INSN(ucvtf_s_h, "01100101 01 010 10 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 1, UTOF); }
INSN(scvtf_d_h, "01100101 01 010 11 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 1, ITOF); }
INSN(ucvtf_d_h, "01100101 01 010 11 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 1, UTOF); }
INSN(scvtf_s_s, "01100101 10 010 10 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 2, ITOF); }
INSN(ucvtf_s_s, "01100101 10 010 10 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 2, UTOF); }
INSN(scvtf_s_d, "01100101 11 010 00 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 3, ITOF); }
INSN(ucvtf_s_d, "01100101 11 010 00 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { FROM_INT(2, 3, UTOF); }
INSN(scvtf_d_s, "01100101 11 010 10 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 2, ITOF); }
INSN(ucvtf_d_s, "01100101 11 010 10 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 2, UTOF); }
INSN(scvtf_d_d, "01100101 11 010 11 0 101 Pg:3 Rn:5 Rd:5", "scvtf {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 3, ITOF); }
INSN(ucvtf_d_d, "01100101 11 010 11 1 101 Pg:3 Rn:5 Rd:5", "ucvtf {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { FROM_INT(3, 3, UTOF); }

INSN(fcvtzs_h_h, "01100101 01 011 01 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 1, FTOI); }
INSN(fcvtzu_h_h, "01100101 01 011 01 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 1)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 1, FTOU); }
INSN(fcvtzs_h_s, "01100101 01 011 10 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 2, FTOI); }
INSN(fcvtzu_h_s, "01100101 01 011 10 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 2, FTOU); }
INSN(fcvtzs_h_d, "01100101 01 011 11 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 3, FTOI); }
INSN(fcvtzu_h_d, "01100101 01 011 11 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 1)}", SVE) { TO_INT(1, 3, FTOU); }
INSN(fcvtzs_s_s, "01100101 10 011 10 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { TO_INT(2, 2, FTOI); }
INSN(fcvtzu_s_s, "01100101 10 011 10 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { TO_INT(2, 2, FTOU); }
INSN(fcvtzs_d_s, "01100101 11 011 00 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { TO_INT(3, 2, FTOI); }
INSN(fcvtzu_d_s, "01100101 11 011 00 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { TO_INT(3, 2, FTOU); }
INSN(fcvtzs_s_d, "01100101 11 011 10 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { TO_INT(2, 3, FTOI); }
INSN(fcvtzu_s_d, "01100101 11 011 10 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 2)}", SVE) { TO_INT(2, 3, FTOU); }
INSN(fcvtzs_d_d, "01100101 11 011 11 0 101 Pg:3 Rn:5 Rd:5", "fcvtzs {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { TO_INT(3, 3, FTOI); }
INSN(fcvtzu_d_d, "01100101 11 011 11 1 101 Pg:3 Rn:5 Rd:5", "fcvtzu {z(Rd, 3)}, {pm(Pg)}, {z(Rn, 3)}", SVE) { TO_INT(3, 3, FTOU); }

/* clang-format on */
#include "arm64_sve_fp_convert.decode.inc"
