/*
 * A64: SVE2: integers: narrowing; shifts by an immediate with accumulation or insertion; absolute differences with accumulation.
 * Manual: Arm A-profile architecture, C4.1 "SVE2 Narrowing", "SVE2 Accumulate".
 * U: unsigned; T: top (odd elements), else bottom (even ones); R: rounding; S: subtraction.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve2_narrow.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) sve_set(t, a->Rd, v)
#define SIZE simd_shift_size(a->imm)
#define SHIFT_LANE lane_int(SIZE)
#define RIGHT_COUNT simd_shift_right(a->imm)
#define LEFT_COUNT simd_shift_left(a->imm)
#define RIGHT(is_unsigned, lane) simd_shift(t, right_op(is_unsigned, a->R), lane, N, RIGHT_COUNT)
#define WIDE_RIGHT(is_unsigned) RIGHT(is_unsigned, SHIFT_LANE + 1)
#define NARROW(v) sve2_set_half(t, a->Rd, SIZE, a->T, v)

static enum ir_op right_op(bool is_unsigned, bool rounded)
{
	if (rounded)
		return is_unsigned ? IR_RSHRU : IR_RSHRS;
	return is_unsigned ? IR_SHR : IR_SAR;
}

/* Lanes of twice the size, within what narrower ones hold. */
static ir_ref fit_signed(struct tr *t, unsigned size, ir_ref v)
{
	enum ir_type wide = lane_int(size + 1);
	u64 most = BITS((8u << size) - 1);
	v = simd_op2(t, IR_MINS, wide, v, simd_const(t, wide, most));
	return simd_op2(t, IR_MAXS, wide, v, simd_const(t, wide, ~most));
}

static ir_ref fit_unsigned(struct tr *t, unsigned size, ir_ref v)
{
	return simd_op2(t, IR_MINU, lane_int(size + 1), v, sve2_even(t, size));
}

/* Signed to unsigned. */
static ir_ref fit_positive(struct tr *t, unsigned size, ir_ref v)
{
	enum ir_type wide = lane_int(size + 1);
	v = simd_op2(t, IR_MINS, wide, v, sve2_even(t, size));
	return simd_op2(t, IR_MAXS, wide, v, simd_zero(t));
}

/* The high halves of sums, in lanes of twice the size, in their low halves. */
static ir_ref high(struct tr *t, enum ir_op op, unsigned size, bool rounded, ir_ref n, ir_ref m)
{
	enum ir_type wide = lane_int(size + 1);
	unsigned bits = 8u << size;
	ir_ref sum = simd_op2(t, op, wide, n, m);
	if (rounded)
		sum = simd_op2(t, IR_ADD, wide, sum, simd_const(t, wide, BIT(bits - 1)));
	return simd_shift(t, IR_SHR, wide, sum, bits);
}

/* clang-format off */

/* Narrowing: right shifts, sums, saturation. */

INSN(shrn_z, "01000101 0 imm.5:1 1 imm:5 00 01 R:1 T:1 Rn:5 Rd:5", "{?R:r}shrn{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}, #{right(imm)}", SVE2, "imm >= 8") { NARROW(WIDE_RIGHT(true)); }
INSN(sqshrn_z, "01000101 0 imm.5:1 1 imm:5 00 10 R:1 T:1 Rn:5 Rd:5", "sq{?R:r}shrn{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}, #{right(imm)}", SVE2, "imm >= 8") { NARROW(fit_signed(t, SIZE, WIDE_RIGHT(false))); }
INSN(uqshrn_z, "01000101 0 imm.5:1 1 imm:5 00 11 R:1 T:1 Rn:5 Rd:5", "uq{?R:r}shrn{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}, #{right(imm)}", SVE2, "imm >= 8") { NARROW(fit_unsigned(t, SIZE, WIDE_RIGHT(true))); }
INSN(sqshrun_z, "01000101 0 imm.5:1 1 imm:5 00 00 R:1 T:1 Rn:5 Rd:5", "sq{?R:r}shrun{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}, #{right(imm)}", SVE2, "imm >= 8") { NARROW(fit_positive(t, SIZE, WIDE_RIGHT(false))); }
INSN(addhn_z, "01000101 size:2 1 Rm:5 011 S:1 R:1 T:1 Rn:5 Rd:5", "{?R:r}{#S:add|sub}hn{#T:b|t} {z(Rd, size - 1)}, {z2(Rn, Rm, size)}", SVE2, "size") { sve2_set_half(t, a->Rd, a->size - 1, a->T, high(t, a->S ? IR_SUB : IR_ADD, a->size - 1, a->R, N, M)); }
INSN(sqxtn_z, "01000101 0 imm.5:1 1 imm.3:2 000 010 00 T:1 Rn:5 Rd:5", "sqxtn{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}", SVE2, "imm && !(imm & (imm - 1))") { NARROW(fit_signed(t, SIZE, N)); }
INSN(uqxtn_z, "01000101 0 imm.5:1 1 imm.3:2 000 010 01 T:1 Rn:5 Rd:5", "uqxtn{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}", SVE2, "imm && !(imm & (imm - 1))") { NARROW(fit_unsigned(t, SIZE, N)); }
INSN(sqxtun_z, "01000101 0 imm.5:1 1 imm.3:2 000 010 10 T:1 Rn:5 Rd:5", "sqxtun{#T:b|t} {z(Rd, simd_shift_size(imm))}, {z(Rn, simd_shift_size(imm) + 1)}", SVE2, "imm && !(imm & (imm - 1))") { NARROW(fit_positive(t, SIZE, N)); }

/* Shifts with accumulation or insertion. */

INSN(sra_z, "01000101 imm.5:2 0 imm:5 1110 R:1 U:1 Rn:5 Rd:5", "{#U:s|u}{?R:r}sra {z2(Rd, Rn, simd_shift_size(imm))}, #{right(imm)}", SVE2, "imm >= 8") { OUT(simd_op2(t, IR_ADD, SHIFT_LANE, D, RIGHT(a->U, SHIFT_LANE))); }
INSN(sri_z, "01000101 imm.5:2 0 imm:5 111100 Rn:5 Rd:5", "sri {z2(Rd, Rn, simd_shift_size(imm))}, #{right(imm)}", SVE2, "imm >= 8") { OUT(v_lanes(t, IR_SRI, SHIFT_LANE, D, N, 0, RIGHT_COUNT)); }
INSN(sli_z, "01000101 imm.5:2 0 imm:5 111101 Rn:5 Rd:5", "sli {z2(Rd, Rn, simd_shift_size(imm))}, #{left(imm)}", SVE2, "imm >= 8") { OUT(v_lanes(t, IR_SLI, SHIFT_LANE, D, N, 0, LEFT_COUNT)); }

/* Absolute differences with accumulation. */

INSN(aba_z, "01000101 size:2 0 Rm:5 11111 U:1 Rn:5 Rd:5", "{#U:s|u}aba {z3(Rd, Rn, Rm, size)}", SVE2) { OUT(simd_op2(t, IR_ADD, LANE, D, simd_op2(t, a->U ? IR_ABDU : IR_ABDS, LANE, N, M))); }

/* clang-format on */
#include "arm64_sve2_narrow.decode.inc"
