/*
 * A64: SVE: integers and logic, all elements of two vectors or three.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Arithmetic - Unpredicated", "SVE Bitwise Logical - Unpredicated", "SVE2 Integer
 * Multiply - Unpredicated".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_int_plain.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define A simd_get(t, a->Ra)
#define OUT(v) sve_set(t, a->Rd, v)
#define THREE(op) OUT(simd_op2(t, IR_##op, LANE, N, M))
#define NOT(v) simd_op1(t, IR_NOT, TY_I64, v)
#define ANDN(x, y) simd_op2(t, IR_ANDN, TY_I64, x, y)
#define XAR_LANE lane_int(simd_shift_size(a->imm))

/* clang-format off */

/* Sums and differences. Saturation does not set FPSR.QC. */
INSN(add_zzz,   "00000100 size:2 1 Rm:5 000 000 Rn:5 Rd:5", "add {z3(Rd, Rn, Rm, size)}", SVE) { THREE(ADD); }
INSN(sub_zzz,   "00000100 size:2 1 Rm:5 000 001 Rn:5 Rd:5", "sub {z3(Rd, Rn, Rm, size)}", SVE) { THREE(SUB); }
INSN(sqadd_zzz, "00000100 size:2 1 Rm:5 000 100 Rn:5 Rd:5", "sqadd {z3(Rd, Rn, Rm, size)}", SVE) { THREE(QADDS); }
INSN(uqadd_zzz, "00000100 size:2 1 Rm:5 000 101 Rn:5 Rd:5", "uqadd {z3(Rd, Rn, Rm, size)}", SVE) { THREE(QADDU); }
INSN(sqsub_zzz, "00000100 size:2 1 Rm:5 000 110 Rn:5 Rd:5", "sqsub {z3(Rd, Rn, Rm, size)}", SVE) { THREE(QSUBS); }
INSN(uqsub_zzz, "00000100 size:2 1 Rm:5 000 111 Rn:5 Rd:5", "uqsub {z3(Rd, Rn, Rm, size)}", SVE) { THREE(QSUBU); }

/* Products. */
INSN(mul_zzz,      "00000100 size:2 1 Rm:5 011 000 Rn:5 Rd:5", "mul {z3(Rd, Rn, Rm, size)}", SVE2) { THREE(MUL); }
INSN(pmul_zzz,     "00000100 00 1 Rm:5 011 001 Rn:5 Rd:5", "pmul {z3(Rd, Rn, Rm, 0)}", SVE2) { OUT(simd_op2(t, IR_PMUL, TY_I8, N, M)); }
INSN(smulh_zzz,    "00000100 size:2 1 Rm:5 011 010 Rn:5 Rd:5", "smulh {z3(Rd, Rn, Rm, size)}", SVE2) { OUT(simd_mulh(t, IR_MULLS, LANE, N, M)); }
INSN(umulh_zzz,    "00000100 size:2 1 Rm:5 011 011 Rn:5 Rd:5", "umulh {z3(Rd, Rn, Rm, size)}", SVE2) { OUT(simd_mulh(t, IR_MULLU, LANE, N, M)); }
INSN(sqdmulh_zzz,  "00000100 size:2 1 Rm:5 011 100 Rn:5 Rd:5", "sqdmulh {z3(Rd, Rn, Rm, size)}", SVE2) { THREE(QDMULH); }
INSN(sqrdmulh_zzz, "00000100 size:2 1 Rm:5 011 101 Rn:5 Rd:5", "sqrdmulh {z3(Rd, Rn, Rm, size)}", SVE2) { THREE(QRDMULH); }

/* Logic. */
INSN(and_zzz, "00000100 00 1 Rm:5 001 100 Rn:5 Rd:5", "and {z3(Rd, Rn, Rm, 3)}", SVE) { OUT(simd_and(t, N, M)); }
INSN(orr_zzz, "00000100 01 1 Rm:5 001 100 Rn:5 Rd:5", "[Rn == Rm] mov {z2(Rd, Rn, 3)}; orr {z3(Rd, Rn, Rm, 3)}", SVE) { OUT(simd_or(t, N, M)); }
INSN(eor_zzz, "00000100 10 1 Rm:5 001 100 Rn:5 Rd:5", "eor {z3(Rd, Rn, Rm, 3)}", SVE) { OUT(simd_xor(t, N, M)); }
INSN(bic_zzz, "00000100 11 1 Rm:5 001 100 Rn:5 Rd:5", "bic {z3(Rd, Rn, Rm, 3)}", SVE) { OUT(ANDN(N, M)); }

/* Logic of three; the BSLs choose by the third. */
INSN(eor3_zzzz,  "00000100 00 1 Rm:5 001 110 Ra:5 Rd:5", "eor3 {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(simd_xor(t, simd_xor(t, D, M), A)); }
INSN(bcax_zzzz,  "00000100 01 1 Rm:5 001 110 Ra:5 Rd:5", "bcax {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(simd_xor(t, D, ANDN(M, A))); }
INSN(bsl_zzzz,   "00000100 00 1 Rm:5 001 111 Ra:5 Rd:5", "bsl {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(sve_select(t, A, D, M)); }
INSN(bsl1n_zzzz, "00000100 01 1 Rm:5 001 111 Ra:5 Rd:5", "bsl1n {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(sve_select(t, A, NOT(D), M)); }
INSN(bsl2n_zzzz, "00000100 10 1 Rm:5 001 111 Ra:5 Rd:5", "bsl2n {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(sve_select(t, A, D, NOT(M))); }
INSN(nbsl_zzzz,  "00000100 11 1 Rm:5 001 111 Ra:5 Rd:5", "nbsl {z2(Rd, Rd, 3)}, {z2(Rm, Ra, 3)}", SVE2) { OUT(NOT(sve_select(t, A, D, M))); }
INSN(xar_zzi,    "00000100 imm.5:2 1 imm.0:5 001 101 Rm:5 Rd:5", "xar {z3(Rd, Rd, Rm, simd_shift_size(imm))}, #{right(imm)}", SVE2, "imm >= 8") { OUT(simd_rotate_right(t, XAR_LANE, simd_xor(t, D, M), simd_shift_right(a->imm) % ir_bits(XAR_LANE))); }

/* clang-format on */
#include "arm64_sve_int_plain.decode.inc"
