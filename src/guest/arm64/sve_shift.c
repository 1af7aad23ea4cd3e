/*
 * A64: SVE: shifts: by a vector's elements, by 64-bit elements of a vector, by an immediate; of active elements or of all.
 * Manual: Arm A-profile architecture, C4.1 "SVE Bitwise Shift - Predicated", "SVE Bitwise Shift - Unpredicated".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_shift.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define MERGE(v) sve_merge(t, a->Rd, a->Pg, a->size, v)
#define OUT(v) sve_set(t, a->Rd, v)
/* To the left by elements of M; to the right, arithmetically or logically. */
#define BY(way, v, counts) way(t, LANE, v, counts)
#define COUNTS(m) counts(t, LANE, m)
#define WIDE wide_counts(t, M)

/* By an immediate. */
#define IMM_SIZE simd_shift_size(a->imm)
#define IMM_LANE lane_int(IMM_SIZE)
#define RIGHT_COUNT simd_shift_right(a->imm)
#define LEFT_COUNT simd_shift_left(a->imm)
#define RIGHT(op, v) simd_shift(t, IR_##op, IMM_LANE, v, RIGHT_COUNT)
#define LEFT(v) simd_shift(t, IR_SHL, IMM_LANE, v, LEFT_COUNT)
#define MERGE_IMM(v) sve_merge(t, a->Rd, a->Pg, IMM_SIZE, v)
#define SATURATE(op) MERGE_IMM(simd_op2(t, IR_##op, IMM_LANE, D, simd_const(t, IMM_LANE, LEFT_COUNT)))

/* Counts for SHLV*, which look at a lane's low byte as a signed number: no greater than the width. */
static ir_ref counts(struct tr *t, enum ir_type lane, ir_ref m)
{
	return simd_op2(t, IR_MINU, lane, m, simd_const(t, lane, ir_bits(lane)));
}

/* The same of 64-bit elements that count for all narrower lanes in them, in every byte. */
static ir_ref wide_counts(struct tr *t, ir_ref m)
{
	static const u8 low_bytes[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8 };
	m = counts(t, TY_I64, m);
	return simd_shuffle(t, m, m, low_bytes);
}

static ir_ref left(struct tr *t, enum ir_type lane, ir_ref v, ir_ref by)
{
	return simd_op2(t, IR_SHLVU, lane, v, by);
}

static ir_ref right(struct tr *t, enum ir_type lane, ir_ref v, ir_ref by)
{
	return simd_op2(t, IR_SHLVU, lane, v, simd_op1(t, IR_NEG, TY_I8, by));
}

static ir_ref right_signed(struct tr *t, enum ir_type lane, ir_ref v, ir_ref by)
{
	return simd_op2(t, IR_SHLVS, lane, v, simd_op1(t, IR_NEG, TY_I8, by));
}

/* A quotient by a power of two, rounded to zero: a negative number is first made greater by what is shifted out. */
static ir_ref divide(struct tr *t, enum ir_type lane, ir_ref v, unsigned count)
{
	unsigned width = ir_bits(lane);
	if (count == width)
		return simd_zero(t);
	ir_ref bias = simd_shift(t, IR_SHR, lane, simd_shift(t, IR_SAR, lane, v, width - 1), width - count);
	return simd_shift(t, IR_SAR, lane, simd_op2(t, IR_ADD, lane, v, bias), count);
}

/* clang-format off */

/* Zdn, Pg/m, Zdn, Zm; the R forms shift Zm by Zdn; Zm.d counts for all elements in its 64 bits. */
INSN(asr_zpzz,  "00000100 size:2 010 000 100 Pg:3 Rm:5 Rd:5", "asr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(right_signed, D, COUNTS(M))); }
INSN(lsr_zpzz,  "00000100 size:2 010 001 100 Pg:3 Rm:5 Rd:5", "lsr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(right, D, COUNTS(M))); }
INSN(lsl_zpzz,  "00000100 size:2 010 011 100 Pg:3 Rm:5 Rd:5", "lsl {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(left, D, COUNTS(M))); }
INSN(asrr_zpzz, "00000100 size:2 010 100 100 Pg:3 Rm:5 Rd:5", "asrr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(right_signed, M, COUNTS(D))); }
INSN(lsrr_zpzz, "00000100 size:2 010 101 100 Pg:3 Rm:5 Rd:5", "lsrr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(right, M, COUNTS(D))); }
INSN(lslr_zpzz, "00000100 size:2 010 111 100 Pg:3 Rm:5 Rd:5", "lslr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { MERGE(BY(left, M, COUNTS(D))); }
INSN(asr_zpzw,  "00000100 size:2 011 000 100 Pg:3 Rm:5 Rd:5", "asr {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, {z(Rm, 3)}", SVE, "size != 3") { MERGE(BY(right_signed, D, WIDE)); }
INSN(lsr_zpzw,  "00000100 size:2 011 001 100 Pg:3 Rm:5 Rd:5", "lsr {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, {z(Rm, 3)}", SVE, "size != 3") { MERGE(BY(right, D, WIDE)); }
INSN(lsl_zpzw,  "00000100 size:2 011 011 100 Pg:3 Rm:5 Rd:5", "lsl {z(Rd, size)}, {pm(Pg)}, {z(Rd, size)}, {z(Rm, 3)}", SVE, "size != 3") { MERGE(BY(left, D, WIDE)); }

/* Zdn, Pg/m, Zdn, #count. */
INSN(asr_zpzi,    "00000100 imm.5:2 000 000 100 Pg:3 imm.0:5 Rd:5", "asr {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{right(imm)}", SVE, "imm >= 8") { MERGE_IMM(RIGHT(SAR, D)); }
INSN(lsr_zpzi,    "00000100 imm.5:2 000 001 100 Pg:3 imm.0:5 Rd:5", "lsr {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{right(imm)}", SVE, "imm >= 8") { MERGE_IMM(RIGHT(SHR, D)); }
INSN(lsl_zpzi,    "00000100 imm.5:2 000 011 100 Pg:3 imm.0:5 Rd:5", "lsl {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{left(imm)}", SVE, "imm >= 8") { MERGE_IMM(LEFT(D)); }
INSN(asrd_zpzi,   "00000100 imm.5:2 000 100 100 Pg:3 imm.0:5 Rd:5", "asrd {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{right(imm)}", SVE, "imm >= 8") { MERGE_IMM(divide(t, IMM_LANE, D, RIGHT_COUNT)); }
INSN(sqshl_zpzi,  "00000100 imm.5:2 000 110 100 Pg:3 imm.0:5 Rd:5", "sqshl {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{left(imm)}", SVE2, "imm >= 8") { SATURATE(QSHLVS); }
INSN(uqshl_zpzi,  "00000100 imm.5:2 000 111 100 Pg:3 imm.0:5 Rd:5", "uqshl {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{left(imm)}", SVE2, "imm >= 8") { SATURATE(QSHLVU); }
INSN(srshr_zpzi,  "00000100 imm.5:2 001 100 100 Pg:3 imm.0:5 Rd:5", "srshr {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{right(imm)}", SVE2, "imm >= 8") { MERGE_IMM(RIGHT(RSHRS, D)); }
INSN(urshr_zpzi,  "00000100 imm.5:2 001 101 100 Pg:3 imm.0:5 Rd:5", "urshr {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{right(imm)}", SVE2, "imm >= 8") { MERGE_IMM(RIGHT(RSHRU, D)); }
INSN(sqshlu_zpzi, "00000100 imm.5:2 001 111 100 Pg:3 imm.0:5 Rd:5", "sqshlu {z(Rd, simd_shift_size(imm))}, {pm(Pg)}, {z(Rd, simd_shift_size(imm))}, #{left(imm)}", SVE2, "imm >= 8") { SATURATE(QSHLVSU); }

/* All elements: Zd, Zn, Zm.d; Zd, Zn, #count. */
INSN(asr_zzw, "00000100 size:2 1 Rm:5 100 000 Rn:5 Rd:5", "asr {z2(Rd, Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { OUT(BY(right_signed, N, WIDE)); }
INSN(lsr_zzw, "00000100 size:2 1 Rm:5 100 001 Rn:5 Rd:5", "lsr {z2(Rd, Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { OUT(BY(right, N, WIDE)); }
INSN(lsl_zzw, "00000100 size:2 1 Rm:5 100 011 Rn:5 Rd:5", "lsl {z2(Rd, Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { OUT(BY(left, N, WIDE)); }
INSN(asr_zzi, "00000100 imm.5:2 1 imm.0:5 100 100 Rn:5 Rd:5", "asr {z2(Rd, Rn, simd_shift_size(imm))}, #{right(imm)}", SVE, "imm >= 8") { OUT(RIGHT(SAR, N)); }
INSN(lsr_zzi, "00000100 imm.5:2 1 imm.0:5 100 101 Rn:5 Rd:5", "lsr {z2(Rd, Rn, simd_shift_size(imm))}, #{right(imm)}", SVE, "imm >= 8") { OUT(RIGHT(SHR, N)); }
INSN(lsl_zzi, "00000100 imm.5:2 1 imm.0:5 100 111 Rn:5 Rd:5", "lsl {z2(Rd, Rn, simd_shift_size(imm))}, #{left(imm)}", SVE, "imm >= 8") { OUT(LEFT(N)); }

/* clang-format on */
#include "arm64_sve_shift.decode.inc"
