/*
 * A64: SVE: floating-point arithmetic on vectors: predicated and not, with immediates, one operand, estimates, trigonometry, pairs.
 * Manual: Arm A-profile architecture, C4.1 "SVE Floating Point Arithmetic - Predicated", "Unpredicated", "Unary Operations", "SVE2
 * floating-point pairwise operations"; shared pseudo-code FPTrigMAdd, FPTrigSMul, FPScale, FPLogB.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_fp.decode.h"

#define LANE lane_fp(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define BINARY(op, imm, x, y) merge2(t, IR_##op, imm, a->size, a->Rd, a->Pg, x, y)
#define UNARY(op, imm) merge1(t, IR_##op, imm, a->size, a->Rd, a->Pg, N)
#define PLAIN(op, x, y) sve_set(t, a->Rd, simd_fp(t, IR_##op, LANE, x, y, 0, 0))
#define PAIRS(op, imm) BINARY(op, imm, neighbours(t, D, M, a->size, 0), neighbours(t, D, M, a->size, 1))
/* With one of two constants: those of imm8 here, or zero. */
#define ZERO_POINT 0x100
#define IMMEDIATE(op, imm, zero, one) \
	merge_const(t, IR_##op, imm, a->size, a->Rd, a->Pg, a->i ? one : zero, false)
enum { HALF = 0x60, ONE = 0x70, TWO = 0x00 }; /* as FMOV's imm8 */

/* An operation of two operands in active elements. What is not active is 0 op 0, which raises no flag, or 0 / 1. */
static void merge2(struct tr *t, enum ir_op op, u64 imm, unsigned size, unsigned rd, unsigned pg, ir_ref n,
		   ir_ref m)
{
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	enum ir_type lane = lane_fp(size);
	m = op == IR_FDIV ? sve_fp_in(t, mask, m, lane) : simd_and(t, mask, m);
	ir_ref r = simd_fp(t, op, lane, simd_and(t, mask, n), m, 0, imm);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

static void merge1(struct tr *t, enum ir_op op, u64 imm, unsigned size, unsigned rd, unsigned pg, ir_ref n)
{
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	enum ir_type lane = lane_fp(size);
	ir_ref r = simd_fp(t, op, lane, simd_and(t, mask, n), 0, 0, imm);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

/* With a constant, on the left when reversed; 0 with any of these raises no flag. */
static void merge_const(struct tr *t, enum ir_op op, u64 imm, unsigned size, unsigned rd, unsigned pg,
			unsigned imm8, bool reversed)
{
	enum ir_type lane = lane_fp(size);
	u64 value = imm8 == ZERO_POINT ? 0 : fp_expand_imm(imm8, lane);
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	ir_ref n = simd_and(t, mask, old), m = simd_const(t, lane_int(size), value);
	ir_ref r = simd_fp(t, op, lane, reversed ? m : n, reversed ? n : m, 0, imm);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

/* |Zdn - Zm| */
static void difference(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref n, ir_ref m)
{
	ir_ref mask = sve_governing(t, pg, size);
	enum ir_type lane = lane_fp(size);
	ir_ref r = simd_fp(t, IR_FSUB, lane, simd_and(t, mask, n), simd_and(t, mask, m), 0, 0);
	sve_set(t, rd, sve_select(t, mask, simd_op1(t, IR_FABS, lane, r), n));
}

/* The first (odd 0) or second elements of pairs of n, in even places, and of m, in odd ones. */
static ir_ref neighbours(struct tr *t, ir_ref n, ir_ref m, unsigned size, unsigned odd)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned element = i >> size;
		unsigned from = ((element & ~1u) + odd) << size | (i & BITS(size));
		mask[i] = element & 1 ? 16 + from : from;
	}
	return simd_shuffle(t, n, m, mask);
}

/* FPTrigMAddCoefficient: those of the sine's series, then of the cosine's. */
static const u64 trig_coefficients[3][16] = {
	{ 0x3c00, 0xb155, 0x2030, 0, 0, 0, 0, 0, 0x3c00, 0xb800, 0x293a },
	{ 0x3f800000, 0xbe2aaaab, 0x3c088886, 0xb95008b9, 0x36369d6d, 0, 0, 0, 0x3f800000, 0xbf000000,
	  0x3d2aaaa6, 0xbab60705, 0x37cd37cc },
	{ 0x3ff0000000000000, 0xbfc5555555555543, 0x3f8111111110f30c, 0xbf2a01a019b92fc6, 0x3ec71de351f3d22b,
	  0xbe5ae5e2b60f7b91, 0x3de5d8408868552f, 0, 0x3ff0000000000000, 0xbfe0000000000000,
	  0x3fa5555555555536, 0xbf56c16c16c13a0b, 0x3efa01a019b1e8d8, 0xbe927e4f7282f468, 0x3e21ee96d2641b13,
	  0xbda8f76380fbb401 },
};

/* n * |m| + a coefficient by m's sign. */
static ir_ref trig_madd(struct tr *t, unsigned size, unsigned index, ir_ref n, ir_ref m)
{
	enum ir_type lane = lane_int(size);
	const u64 *c = trig_coefficients[size - 1];
	ir_ref negative = simd_shift(t, IR_SAR, lane, m, ir_bits(lane) - 1);
	ir_ref addend =
	    sve_select(t, negative, simd_const(t, lane, c[index + 8]), simd_const(t, lane, c[index]));
	ir_ref magnitude = simd_op1(t, IR_FABS, lane_fp(size), m);
	return simd_fp(t, IR_FMA, lane_fp(size), n, magnitude, addend, 0);
}

/* n * n with the lowest bit of m as its sign, unless it is a NaN. */
static ir_ref trig_square(struct tr *t, unsigned size, ir_ref n, ir_ref m)
{
	enum ir_type lane = lane_int(size);
	unsigned bits = ir_bits(lane);
	ir_ref square = simd_fp(t, IR_FMUL, lane_fp(size), n, n, 0, 0);
	ir_ref magnitude = simd_op1(t, IR_FABS, lane_fp(size), square);
	ir_ref infinity = simd_const(t, lane, sve_infinity[size]);
	ir_ref nan = simd_op2(t, IR_VGTS, lane, magnitude, infinity);
	ir_ref sign = simd_shift(t, IR_SHL, lane, m, bits - 1);
	return sve_select(t, nan, square, simd_or(t, magnitude, sign));
}

/* ---- what there is no operation for ---- */
static enum fp_format format_of(unsigned size)
{
	static const u8 format[] = { FP_F16, FP_F16, FP_F32, FP_F64 };
	return format[size];
}

static u64 element(const union ir_val *v, unsigned size, unsigned i)
{
	return size == 1 ? v->h[i] : size == 2 ? v->wl[i] : v->d[i];
}

static void set_element(union ir_val *v, unsigned size, unsigned i, u64 value)
{
	if (size == 1)
		v->h[i] = (u16)value;
	else if (size == 2)
		v->wl[i] = (u32)value;
	else
		v->d[i] = value;
}

/* arg: the vector, the scales (signed integers), the size. */
static void scale_elements(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	unsigned size = arg[2].w, bits = 8u << size;
	struct fp_ctl ctl;
	union ir_val out;
	u32 flags = 0;
	arm64_fp_ctl(cpu->key, &ctl);
	for (unsigned i = 0; i < sve_elements(size); i++) {
		i64 n = (i64)(element(&arg[1], size, i) << (64 - bits)) >> (64 - bits);
		u128 v = element(&arg[0], size, i);
		set_element(&out, size, i, (u64)fp_scale(format_of(size), v, n, &ctl, &flags));
	}
	memcpy(ret->b, out.b, SVE_BYTES);
	cpu->fp_flags |= fp_sticky(&ctl, flags);
}

/* FPLogB: the exponent of a number; the most negative integer of NaNs and zeros, the most positive one of infinities. */
static u64 log_element(unsigned size, u64 v, const struct fp_ctl *ctl, u32 *flags)
{
	static const u8 fraction[] = { 0, 10, 23, 52 };
	unsigned bits = 8u << size, f = fraction[size];
	i64 bias = (i64)BITS(bits - f - 2);
	u64 number = v & BITS(bits - 1), most = number >> f;
	bool flushed = !most && number && (size == 1 ? ctl->flush_in_f16 : ctl->flush_in);
	if (flushed && size != 1)
		*flags |= FP_INPUT_FLUSHED;
	if (!number || flushed || number > (u64)(2 * bias + 1) << f) {
		*flags |= FP_INVALID;
		return BIT(bits - 1);
	}
	if (number == (u64)(2 * bias + 1) << f)
		return BITS(bits - 1);
	if (most)
		return (u64)((i64)most - bias);
	return (u64)((i64)(63 - __builtin_clzll(number)) - (i64)f + 1 - bias);
}

/* arg: the vector, the size. */
static void log_elements(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	unsigned size = arg[1].w;
	struct fp_ctl ctl;
	union ir_val out;
	u32 flags = 0;
	arm64_fp_ctl(cpu->key, &ctl);
	for (unsigned i = 0; i < sve_elements(size); i++)
		set_element(&out, size, i, log_element(size, element(&arg[0], size, i), &ctl, &flags));
	memcpy(ret->b, out.b, SVE_BYTES);
	cpu->fp_flags |= fp_sticky(&ctl, flags);
}

static const u16 no_slots[] = { 0xffff };
HELPER(arm64_fscale) = {
	.name = "arm64_fscale", .fn = scale_elements, .effects = HELP_VOLATILE, .slots = no_slots
};
HELPER(arm64_flogb) = {
	.name = "arm64_flogb", .fn = log_elements, .effects = HELP_VOLATILE, .slots = no_slots
};

/* Inactive elements: 0 times 2 to the 0; the logarithm of 1.0. */
static void scale(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref n, ir_ref m)
{
	ir_ref mask = sve_governing(t, pg, size);
	ir_ref args[] = { simd_and(t, mask, n), simd_and(t, mask, m), konst32(t, size) };
	sve_set(t, rd, sve_select(t, mask, v_call(t, &ir_helper_arm64_fscale, TY_V128, args, 3), n));
}

static void logarithm(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref n)
{
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	ir_ref args[] = { sve_fp_in(t, mask, n, lane_fp(size)), konst32(t, size) };
	sve_set(t, rd, sve_select(t, mask, v_call(t, &ir_helper_arm64_flogb, TY_V128, args, 2), old));
}

/* clang-format off */

/* Predicated: Zdn, Pg/m, Zdn, Zm. */

INSN(fadd_zpzz,   "01100101 size:2 000 000 100 Pg:3 Rm:5 Rd:5", "fadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FADD, 0, D, M); }
INSN(fsub_zpzz,   "01100101 size:2 000 001 100 Pg:3 Rm:5 Rd:5", "fsub {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FSUB, 0, D, M); }
INSN(fmul_zpzz,   "01100101 size:2 000 010 100 Pg:3 Rm:5 Rd:5", "fmul {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMUL, 0, D, M); }
INSN(fsubr_zpzz,  "01100101 size:2 000 011 100 Pg:3 Rm:5 Rd:5", "fsubr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FSUB, 0, M, D); }
INSN(fmaxnm_zpzz, "01100101 size:2 000 100 100 Pg:3 Rm:5 Rd:5", "fmaxnm {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMAX, FP_IMM_NUMBER, D, M); }
INSN(fminnm_zpzz, "01100101 size:2 000 101 100 Pg:3 Rm:5 Rd:5", "fminnm {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMIN, FP_IMM_NUMBER, D, M); }
INSN(fmax_zpzz,   "01100101 size:2 000 110 100 Pg:3 Rm:5 Rd:5", "fmax {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMAX, 0, D, M); }
INSN(fmin_zpzz,   "01100101 size:2 000 111 100 Pg:3 Rm:5 Rd:5", "fmin {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMIN, 0, D, M); }
INSN(fabd_zpzz,   "01100101 size:2 001 000 100 Pg:3 Rm:5 Rd:5", "fabd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { difference(t, a->size, a->Rd, a->Pg, D, M); }
INSN(fscale_zpzz, "01100101 size:2 001 001 100 Pg:3 Rm:5 Rd:5", "fscale {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { scale(t, a->size, a->Rd, a->Pg, D, M); }
INSN(fmulx_zpzz,  "01100101 size:2 001 010 100 Pg:3 Rm:5 Rd:5", "fmulx {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FMULX, 0, D, M); }
INSN(fdivr_zpzz,  "01100101 size:2 001 100 100 Pg:3 Rm:5 Rd:5", "fdivr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FDIV, 0, M, D); }
INSN(fdiv_zpzz,   "01100101 size:2 001 101 100 Pg:3 Rm:5 Rd:5", "fdiv {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE, "size") { BINARY(FDIV, 0, D, M); }

/* With 0.5 or 1.0, 0.5 or 2.0, 0.0 or 1.0. */

INSN(fadd_zpi,   "01100101 size:2 011 000 100 Pg:3 0000 i:1 Rd:5", "fadd {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.5|1.0}", SVE, "size") { IMMEDIATE(FADD, 0, HALF, ONE); }
INSN(fsub_zpi,   "01100101 size:2 011 001 100 Pg:3 0000 i:1 Rd:5", "fsub {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.5|1.0}", SVE, "size") { IMMEDIATE(FSUB, 0, HALF, ONE); }
INSN(fmul_zpi,   "01100101 size:2 011 010 100 Pg:3 0000 i:1 Rd:5", "fmul {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.5|2.0}", SVE, "size") { IMMEDIATE(FMUL, 0, HALF, TWO); }
INSN(fsubr_zpi,  "01100101 size:2 011 011 100 Pg:3 0000 i:1 Rd:5", "fsubr {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.5|1.0}", SVE, "size") { merge_const(t, IR_FSUB, 0, a->size, a->Rd, a->Pg, a->i ? ONE : HALF, true); }
INSN(fmaxnm_zpi, "01100101 size:2 011 100 100 Pg:3 0000 i:1 Rd:5", "fmaxnm {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.0|1.0}", SVE, "size") { IMMEDIATE(FMAX, FP_IMM_NUMBER, ZERO_POINT, ONE); }
INSN(fminnm_zpi, "01100101 size:2 011 101 100 Pg:3 0000 i:1 Rd:5", "fminnm {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.0|1.0}", SVE, "size") { IMMEDIATE(FMIN, FP_IMM_NUMBER, ZERO_POINT, ONE); }
INSN(fmax_zpi,   "01100101 size:2 011 110 100 Pg:3 0000 i:1 Rd:5", "fmax {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.0|1.0}", SVE, "size") { IMMEDIATE(FMAX, 0, ZERO_POINT, ONE); }
INSN(fmin_zpi,   "01100101 size:2 011 111 100 Pg:3 0000 i:1 Rd:5", "fmin {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, #{#i:0.0|1.0}", SVE, "size") { IMMEDIATE(FMIN, 0, ZERO_POINT, ONE); }

/* One operand. */

INSN(frintn_zpz, "01100101 size:2 000 000 101 Pg:3 Rn:5 Rd:5", "frintn {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_NEAREST_EVEN); }
INSN(frintp_zpz, "01100101 size:2 000 001 101 Pg:3 Rn:5 Rd:5", "frintp {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_UP); }
INSN(frintm_zpz, "01100101 size:2 000 010 101 Pg:3 Rn:5 Rd:5", "frintm {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_DOWN); }
INSN(frintz_zpz, "01100101 size:2 000 011 101 Pg:3 Rn:5 Rd:5", "frintz {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_TO_ZERO); }
INSN(frinta_zpz, "01100101 size:2 000 100 101 Pg:3 Rn:5 Rd:5", "frinta {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_NEAREST_AWAY); }
INSN(frintx_zpz, "01100101 size:2 000 110 101 Pg:3 Rn:5 Rd:5", "frintx {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, FP_IMM_EXACT); }
INSN(frinti_zpz, "01100101 size:2 000 111 101 Pg:3 Rn:5 Rd:5", "frinti {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRINT, 0); }
INSN(frecpx_zpz, "01100101 size:2 001 100 101 Pg:3 Rn:5 Rd:5", "frecpx {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FRECPX, 0); }
INSN(fsqrt_zpz,  "01100101 size:2 001 101 101 Pg:3 Rn:5 Rd:5", "fsqrt {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "size") { UNARY(FSQRT, 0); }
INSN(flogb_zpz,  "01100101 00 011 size:2 0 101 Pg:3 Rn:5 Rd:5", "flogb {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE2, "size") { logarithm(t, a->size, a->Rd, a->Pg, N); }

/* Whole vectors. */

INSN(fadd_zzz,    "01100101 size:2 0 Rm:5 000 000 Rn:5 Rd:5", "fadd {z3(Rd, Rn, Rm, size)}", SVE, "size") { PLAIN(FADD, N, M); }
INSN(fsub_zzz,    "01100101 size:2 0 Rm:5 000 001 Rn:5 Rd:5", "fsub {z3(Rd, Rn, Rm, size)}", SVE, "size") { PLAIN(FSUB, N, M); }
INSN(fmul_zzz,    "01100101 size:2 0 Rm:5 000 010 Rn:5 Rd:5", "fmul {z3(Rd, Rn, Rm, size)}", SVE, "size") { PLAIN(FMUL, N, M); }
INSN(ftsmul,      "01100101 size:2 0 Rm:5 000 011 Rn:5 Rd:5", "ftsmul {z3(Rd, Rn, Rm, size)}", SVE, "size") { sve_set(t, a->Rd, trig_square(t, a->size, N, M)); }
INSN(frecps_zzz,  "01100101 size:2 0 Rm:5 000 110 Rn:5 Rd:5", "frecps {z3(Rd, Rn, Rm, size)}", SVE, "size") { PLAIN(FRECPS, N, M); }
INSN(frsqrts_zzz, "01100101 size:2 0 Rm:5 000 111 Rn:5 Rd:5", "frsqrts {z3(Rd, Rn, Rm, size)}", SVE, "size") { PLAIN(FRSQRTS, N, M); }
INSN(frecpe_zz,   "01100101 size:2 001 110 001 100 Rn:5 Rd:5", "frecpe {z2(Rd, Rn, size)}", SVE, "size") { PLAIN(FRECPE, N, 0); }
INSN(frsqrte_zz,  "01100101 size:2 001 111 001 100 Rn:5 Rd:5", "frsqrte {z2(Rd, Rn, size)}", SVE, "size") { PLAIN(FRSQRTE, N, 0); }
INSN(ftmad,       "01100101 size:2 010 imm:3 100 000 Rm:5 Rd:5", "ftmad {z3(Rd, Rd, Rm, size)}, #{imm}", SVE, "size") { sve_set(t, a->Rd, trig_madd(t, a->size, a->imm, D, M)); }

/* Pairs: even elements of the result are of Zdn, odd ones of Zm. */

INSN(faddp_zpzz,   "01100100 size:2 010 000 100 Pg:3 Rm:5 Rd:5", "faddp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2, "size") { PAIRS(FADD, 0); }
INSN(fmaxnmp_zpzz, "01100100 size:2 010 100 100 Pg:3 Rm:5 Rd:5", "fmaxnmp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2, "size") { PAIRS(FMAX, FP_IMM_NUMBER); }
INSN(fminnmp_zpzz, "01100100 size:2 010 101 100 Pg:3 Rm:5 Rd:5", "fminnmp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2, "size") { PAIRS(FMIN, FP_IMM_NUMBER); }
INSN(fmaxp_zpzz,   "01100100 size:2 010 110 100 Pg:3 Rm:5 Rd:5", "fmaxp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2, "size") { PAIRS(FMAX, 0); }
INSN(fminp_zpzz,   "01100100 size:2 010 111 100 Pg:3 Rm:5 Rd:5", "fminp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2, "size") { PAIRS(FMIN, 0); }

/* clang-format on */
#include "arm64_sve_fp.decode.inc"
