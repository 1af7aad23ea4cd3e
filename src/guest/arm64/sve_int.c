/*
 * A64: SVE: integers, active elements of two vectors or one.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Binary Arithmetic - Predicated", "SVE Bitwise Logical - Unpredicated".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_int.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define MERGE(v) sve_merge(t, a->Rd, a->Pg, a->size, v)
#define BINARY(op) MERGE(simd_op2(t, IR_##op, LANE, D, M))
#define REVERSED(op) MERGE(simd_op2(t, IR_##op, LANE, M, D))

/* clang-format off */

/* Predicated binary operations: Zdn, Pg/m, Zdn, Zm. */
INSN(add_zpzz,  "00000100 size:2 000 000 000 Pg:3 Rm:5 Rd:5", "add {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(ADD); }
INSN(sub_zpzz,  "00000100 size:2 000 001 000 Pg:3 Rm:5 Rd:5", "sub {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { BINARY(SUB); }
INSN(subr_zpzz, "00000100 size:2 000 011 000 Pg:3 Rm:5 Rd:5", "subr {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE) { REVERSED(SUB); }

/* Logic of whole vectors. */
INSN(and_zzz, "00000100 00 1 Rm:5 001 100 Rn:5 Rd:5", "and {z3(Rd, Rn, Rm, 3)}", SVE) { sve_set(t, a->Rd, simd_and(t, N, M)); }
INSN(orr_zzz, "00000100 01 1 Rm:5 001 100 Rn:5 Rd:5", "[Rn == Rm] mov {z2(Rd, Rn, 3)}; orr {z3(Rd, Rn, Rm, 3)}", SVE) { sve_set(t, a->Rd, simd_or(t, N, M)); }

/* clang-format on */
#include "arm64_sve_int.decode.inc"
