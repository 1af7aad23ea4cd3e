/*
 * A64: Advanced SIMD, shifts by an immediate; fixed-point conversions.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD shift by immediate", "Advanced SIMD scalar shift by immediate".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_shift.decode.h"

#define SIZE simd_shift_size(a->imm)
#define LANE lane_int(SIZE)
#define RIGHT_COUNT simd_shift_right(a->imm)
#define LEFT_COUNT simd_shift_left(a->imm)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define OUT(v) simd_set(t, a->Rd, v, q_bytes(a->Q))
#define SCALAR(v) simd_set(t, a->Rd, v, 1 << SIZE)
#define RIGHT(op) simd_shift(t, IR_##op, LANE, N, RIGHT_COUNT)
#define LEFT(op) simd_shift(t, IR_##op, LANE, N, LEFT_COUNT)
#define SUM(v) simd_op2(t, IR_ADD, LANE, D, v)
#define SATURATE(op, back, bytes) saturate(t, IR_##op, IR_##back, LANE, N, LEFT_COUNT, bytes)
#define WIDE_RIGHT(op) simd_shift(t, IR_##op, LANE + 1, N, RIGHT_COUNT)
#define NARROW(op) simd_set_half(t, a->Rd, simd_op1(t, IR_NARROW, LANE + 1, WIDE_RIGHT(op)), a->Q)
#define NARROW_SATURATE(op, kind, widen, bytes) \
	simd_narrow(t, IR_NARROW##kind, IR_##widen, LANE, WIDE_RIGHT(op), bytes)
#define WIDEN(op) \
	simd_set(t, a->Rd, \
		 simd_shift(t, IR_SHL, LANE + 1, v_lanes(t, IR_##op, LANE, N, 0, 0, a->Q), LEFT_COUNT), 16)

#define FRACTION ((u64)RIGHT_COUNT << 16)
#define IN simd_in(t, a->Rn, q_bytes(a->Q))
#define FROM_FIXED(op) OUT(simd_fp(t, IR_##op, LANE, IN, 0, 0, FRACTION))
#define TO_FIXED(op) OUT(v_lanes(t, IR_##op, LANE, IN, 0, 0, FRACTION | FP_TO_ZERO))
#define FROM_FIXED_S(op) \
	fp_set(t, a->Rd, fp_op(t, IR_##op, lane_fp(SIZE), fp_get(t, a->Rn, LANE), 0, 0, FRACTION))
#define TO_FIXED_S(op) \
	fp_set(t, a->Rd, v_op(t, IR_##op, LANE, fp_get(t, a->Rn, lane_fp(SIZE)), 0, 0, FRACTION | FP_TO_ZERO))

/* Saturated when shifting the wrapped result back does not give the operand, or when SQSHLU's is negative. */
static ir_ref saturate(struct tr *t, enum ir_op op, enum ir_op back, enum ir_type lane, ir_ref n,
		       unsigned count, unsigned bytes)
{
	ir_ref lost = simd_xor(t, n, simd_shift(t, back, lane, simd_shift(t, IR_SHL, lane, n, count), count));
	if (op == IR_QSHLVSU)
		lost = simd_or(t, lost, simd_op2(t, IR_VGTS, lane, simd_zero(t), n));
	simd_qc(t, lost, bytes);
	return simd_op2(t, op, lane, n, simd_const(t, lane, count));
}

/* clang-format off */

/* Right, and right with accumulation. */

INSN(sshr_i, "0 Q:1 0 011110 imm:7 00000 1 Rn:5 Rd:5", "sshr {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(RIGHT(SAR)); }
INSN(ssra_i, "0 Q:1 0 011110 imm:7 00010 1 Rn:5 Rd:5", "ssra {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SUM(RIGHT(SAR))); }
INSN(srshr_i, "0 Q:1 0 011110 imm:7 00100 1 Rn:5 Rd:5", "srshr {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(RIGHT(RSHRS)); }
INSN(srsra_i, "0 Q:1 0 011110 imm:7 00110 1 Rn:5 Rd:5", "srsra {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SUM(RIGHT(RSHRS))); }
INSN(ushr_i, "0 Q:1 1 011110 imm:7 00000 1 Rn:5 Rd:5", "ushr {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(RIGHT(SHR)); }
INSN(usra_i, "0 Q:1 1 011110 imm:7 00010 1 Rn:5 Rd:5", "usra {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SUM(RIGHT(SHR))); }
INSN(urshr_i, "0 Q:1 1 011110 imm:7 00100 1 Rn:5 Rd:5", "urshr {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(RIGHT(RSHRU)); }
INSN(ursra_i, "0 Q:1 1 011110 imm:7 00110 1 Rn:5 Rd:5", "ursra {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SUM(RIGHT(RSHRU))); }
INSN(sri_i, "0 Q:1 1 011110 imm:7 01000 1 Rn:5 Rd:5", "sri {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(v_lanes(t, IR_SRI, LANE, D, N, 0, RIGHT_COUNT)); }

/* Left. */

INSN(shl_i, "0 Q:1 0 011110 imm:7 01010 1 Rn:5 Rd:5", "shl {vi(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(LEFT(SHL)); }
INSN(sli_i, "0 Q:1 1 011110 imm:7 01010 1 Rn:5 Rd:5", "sli {vi(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(v_lanes(t, IR_SLI, LANE, D, N, 0, LEFT_COUNT)); }
INSN(sqshl_i, "0 Q:1 0 011110 imm:7 01110 1 Rn:5 Rd:5", "sqshl {vi(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SATURATE(QSHLVS, SAR, q_bytes(a->Q))); }
INSN(uqshl_i, "0 Q:1 1 011110 imm:7 01110 1 Rn:5 Rd:5", "uqshl {vi(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SATURATE(QSHLVU, SHR, q_bytes(a->Q))); }
INSN(sqshlu_i, "0 Q:1 1 011110 imm:7 01100 1 Rn:5 Rd:5", "sqshlu {vi(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && (imm < 64 || Q)") { OUT(SATURATE(QSHLVSU, SHR, q_bytes(a->Q))); }

/* Scalars. */

INSN(sshr_is, "01 0 111110 imm:7 00000 1 Rn:5 Rd:5", "sshr {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(RIGHT(SAR)); }
INSN(ssra_is, "01 0 111110 imm:7 00010 1 Rn:5 Rd:5", "ssra {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(SUM(RIGHT(SAR))); }
INSN(srshr_is, "01 0 111110 imm:7 00100 1 Rn:5 Rd:5", "srshr {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(RIGHT(RSHRS)); }
INSN(srsra_is, "01 0 111110 imm:7 00110 1 Rn:5 Rd:5", "srsra {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(SUM(RIGHT(RSHRS))); }
INSN(ushr_is, "01 1 111110 imm:7 00000 1 Rn:5 Rd:5", "ushr {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(RIGHT(SHR)); }
INSN(usra_is, "01 1 111110 imm:7 00010 1 Rn:5 Rd:5", "usra {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(SUM(RIGHT(SHR))); }
INSN(urshr_is, "01 1 111110 imm:7 00100 1 Rn:5 Rd:5", "urshr {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(RIGHT(RSHRU)); }
INSN(ursra_is, "01 1 111110 imm:7 00110 1 Rn:5 Rd:5", "ursra {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(SUM(RIGHT(RSHRU))); }
INSN(sri_is, "01 1 111110 imm:7 01000 1 Rn:5 Rd:5", "sri {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 64") { SCALAR(v_lanes(t, IR_SRI, LANE, D, N, 0, RIGHT_COUNT)); }
INSN(shl_is, "01 0 111110 imm:7 01010 1 Rn:5 Rd:5", "shl {si(Rd, Rn, imm)}, #{left(imm)}", "imm >= 64") { SCALAR(LEFT(SHL)); }
INSN(sli_is, "01 1 111110 imm:7 01010 1 Rn:5 Rd:5", "sli {si(Rd, Rn, imm)}, #{left(imm)}", "imm >= 64") { SCALAR(v_lanes(t, IR_SLI, LANE, D, N, 0, LEFT_COUNT)); }
INSN(sqshl_is, "01 0 111110 imm:7 01110 1 Rn:5 Rd:5", "sqshl {si(Rd, Rn, imm)}, #{left(imm)}", "imm >= 8") { SCALAR(SATURATE(QSHLVS, SAR, 1 << SIZE)); }
INSN(uqshl_is, "01 1 111110 imm:7 01110 1 Rn:5 Rd:5", "uqshl {si(Rd, Rn, imm)}, #{left(imm)}", "imm >= 8") { SCALAR(SATURATE(QSHLVU, SHR, 1 << SIZE)); }
INSN(sqshlu_is, "01 1 111110 imm:7 01100 1 Rn:5 Rd:5", "sqshlu {si(Rd, Rn, imm)}, #{left(imm)}", "imm >= 8") { SCALAR(SATURATE(QSHLVSU, SHR, 1 << SIZE)); }

/* Right and narrow. */

INSN(shrn_i, "0 Q:1 0 011110 imm:7 10000 1 Rn:5 Rd:5", "shrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { NARROW(SHR); }
INSN(rshrn_i, "0 Q:1 0 011110 imm:7 10001 1 Rn:5 Rd:5", "rshrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { NARROW(RSHRU); }
INSN(sqshrn_i, "0 Q:1 0 011110 imm:7 10010 1 Rn:5 Rd:5", "sqshrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(SAR, SS, WIDENS, 16), a->Q); }
INSN(sqrshrn_i, "0 Q:1 0 011110 imm:7 10011 1 Rn:5 Rd:5", "sqrshrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(RSHRS, SS, WIDENS, 16), a->Q); }
INSN(sqshrun_i, "0 Q:1 1 011110 imm:7 10000 1 Rn:5 Rd:5", "sqshrun{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(SAR, SU, WIDENU, 16), a->Q); }
INSN(sqrshrun_i, "0 Q:1 1 011110 imm:7 10001 1 Rn:5 Rd:5", "sqrshrun{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(RSHRS, SU, WIDENU, 16), a->Q); }
INSN(uqshrn_i, "0 Q:1 1 011110 imm:7 10010 1 Rn:5 Rd:5", "uqshrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(SHR, US, WIDENU, 16), a->Q); }
INSN(uqrshrn_i, "0 Q:1 1 011110 imm:7 10011 1 Rn:5 Rd:5", "uqrshrn{#Q:|2} {vin(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 8 && imm < 64") { simd_set_half(t, a->Rd, NARROW_SATURATE(RSHRU, US, WIDENU, 16), a->Q); }
INSN(sqshrn_is, "01 0 111110 imm:7 10010 1 Rn:5 Rd:5", "sqshrn {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(SAR, SS, WIDENS, 2 << SIZE)); }
INSN(sqrshrn_is, "01 0 111110 imm:7 10011 1 Rn:5 Rd:5", "sqrshrn {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(RSHRS, SS, WIDENS, 2 << SIZE)); }
INSN(sqshrun_is, "01 1 111110 imm:7 10000 1 Rn:5 Rd:5", "sqshrun {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(SAR, SU, WIDENU, 2 << SIZE)); }
INSN(sqrshrun_is, "01 1 111110 imm:7 10001 1 Rn:5 Rd:5", "sqrshrun {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(RSHRS, SU, WIDENU, 2 << SIZE)); }
INSN(uqshrn_is, "01 1 111110 imm:7 10010 1 Rn:5 Rd:5", "uqshrn {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(SHR, US, WIDENU, 2 << SIZE)); }
INSN(uqrshrn_is, "01 1 111110 imm:7 10011 1 Rn:5 Rd:5", "uqrshrn {sin(Rd, Rn, imm)}, #{right(imm)}", "imm >= 8 && imm < 64") { SCALAR(NARROW_SATURATE(RSHRU, US, WIDENU, 2 << SIZE)); }

/* Left and widen. */

INSN(sshll_i, "0 Q:1 0 011110 imm:7 10100 1 Rn:5 Rd:5", "[!(imm & (imm - 1))] sxtl{#Q:|2} {viw(Rd, Rn, imm, Q)}; sshll{#Q:|2} {viw(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && imm < 64") { WIDEN(WIDENS); }
INSN(ushll_i, "0 Q:1 1 011110 imm:7 10100 1 Rn:5 Rd:5", "[!(imm & (imm - 1))] uxtl{#Q:|2} {viw(Rd, Rn, imm, Q)}; ushll{#Q:|2} {viw(Rd, Rn, imm, Q)}, #{left(imm)}", "imm >= 8 && imm < 64") { WIDEN(WIDENU); }

/* Fixed point. */

INSN(scvtf_i, "0 Q:1 0 011110 imm:7 11100 1 Rn:5 Rd:5", "scvtf {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 16 && (imm < 64 || Q) && (imm >= 32 || INSN_HAS(t, FP16))") { FROM_FIXED(ITOF); }
INSN(scvtf_is, "01 0 111110 imm:7 11100 1 Rn:5 Rd:5", "scvtf {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 16 && (imm >= 32 || INSN_HAS(t, FP16))") { FROM_FIXED_S(ITOF); }
INSN(ucvtf_i, "0 Q:1 1 011110 imm:7 11100 1 Rn:5 Rd:5", "ucvtf {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 16 && (imm < 64 || Q) && (imm >= 32 || INSN_HAS(t, FP16))") { FROM_FIXED(UTOF); }
INSN(ucvtf_is, "01 1 111110 imm:7 11100 1 Rn:5 Rd:5", "ucvtf {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 16 && (imm >= 32 || INSN_HAS(t, FP16))") { FROM_FIXED_S(UTOF); }
INSN(fcvtzs_i, "0 Q:1 0 011110 imm:7 11111 1 Rn:5 Rd:5", "fcvtzs {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 16 && (imm < 64 || Q) && (imm >= 32 || INSN_HAS(t, FP16))") { TO_FIXED(FTOI); }
INSN(fcvtzs_is, "01 0 111110 imm:7 11111 1 Rn:5 Rd:5", "fcvtzs {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 16 && (imm >= 32 || INSN_HAS(t, FP16))") { TO_FIXED_S(FTOI); }
INSN(fcvtzu_i, "0 Q:1 1 011110 imm:7 11111 1 Rn:5 Rd:5", "fcvtzu {vi(Rd, Rn, imm, Q)}, #{right(imm)}", "imm >= 16 && (imm < 64 || Q) && (imm >= 32 || INSN_HAS(t, FP16))") { TO_FIXED(FTOU); }
INSN(fcvtzu_is, "01 1 111110 imm:7 11111 1 Rn:5 Rd:5", "fcvtzu {si(Rd, Rn, imm)}, #{right(imm)}", "imm >= 16 && (imm >= 32 || INSN_HAS(t, FP16))") { TO_FIXED_S(FTOU); }

/* clang-format on */
#include "arm64_simd_shift.decode.inc"
