/*
 * A64: SVE2: integers: products with one element (or one complex number) of the second vector.
 * Manual: Arm A-profile architecture, C4.1 "SVE Multiply - Indexed".
 * U: unsigned; T: top (odd elements), else bottom (even ones); S: subtraction; R: rounding. _h, _s, _d: the size of the result's elements.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve2_element.decode.h"

#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define OUT(v) sve_set(t, a->Rd, v)
/* Element index, of 1 << size bytes, in every place. */
#define EL(size) simd_dup(t, simd_get(t, a->Rm), size, a->index, 16)
#define MUL(size) simd_op2(t, IR_MUL, lane_int(size), N, EL(size))
#define MLA(size) OUT(simd_op2(t, a->S ? IR_SUB : IR_ADD, lane_int(size), D, MUL(size)))
#define DOUBLE(size) OUT(simd_op2(t, a->R ? IR_QRDMULH : IR_QDMULH, lane_int(size), N, EL(size)))
#define RDMLA(size) OUT(sve2_qrdmla(t, a->S, size, D, N, EL(size)))
/* size: the result's. */
#define PACKED(size) sve2_half(t, N, (size)-1, a->T)
#define MULL(size) simd_op2(t, a->U ? IR_MULLU : IR_MULLS, lane_int((size)-1), PACKED(size), EL((size)-1))
#define MLAL(size) OUT(simd_op2(t, a->S ? IR_SUB : IR_ADD, lane_int(size), D, MULL(size)))
#define QDMULL(size) OUT(sve2_qdmull(t, 0, (size)-1, D, PACKED(size), EL((size)-1)))
#define QDMLAL(size) OUT(sve2_qdmull(t, a->S ? -1 : 1, (size)-1, D, PACKED(size), EL((size)-1)))
#define CMLA(size) OUT(sve2_cmla(t, false, size, a->rot, D, N, EL((size) + 1)))
#define RDCMLA(size) OUT(sve2_cmla(t, true, size, a->rot, D, N, EL((size) + 1)))
#define CDOT(size) OUT(sve2_cdot(t, size, a->rot, D, N, EL(size)))

/* clang-format off */

/* Elements of the same size. */

INSN(mla_eh, "01000100 0 index.2:1 1 index:2 Rm:3 00001 S:1 Rn:5 Rd:5", "ml{#S:a|s} {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { MLA(1); }
INSN(mla_es, "01000100 101 index:2 Rm:3 00001 S:1 Rn:5 Rd:5", "ml{#S:a|s} {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { MLA(2); }
INSN(mla_ed, "01000100 111 index:1 Rm:4 00001 S:1 Rn:5 Rd:5", "ml{#S:a|s} {z2(Rd, Rn, 3)}, {ze(Rm, 3, index)}", SVE2) { MLA(3); }
INSN(sqrdmlah_eh, "01000100 0 index.2:1 1 index:2 Rm:3 00010 S:1 Rn:5 Rd:5", "sqrdml{#S:a|s}h {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { RDMLA(1); }
INSN(sqrdmlah_es, "01000100 101 index:2 Rm:3 00010 S:1 Rn:5 Rd:5", "sqrdml{#S:a|s}h {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { RDMLA(2); }
INSN(sqrdmlah_ed, "01000100 111 index:1 Rm:4 00010 S:1 Rn:5 Rd:5", "sqrdml{#S:a|s}h {z2(Rd, Rn, 3)}, {ze(Rm, 3, index)}", SVE2) { RDMLA(3); }
INSN(mul_eh, "01000100 0 index.2:1 1 index:2 Rm:3 111110 Rn:5 Rd:5", "mul {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { OUT(MUL(1)); }
INSN(mul_es, "01000100 101 index:2 Rm:3 111110 Rn:5 Rd:5", "mul {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { OUT(MUL(2)); }
INSN(mul_ed, "01000100 111 index:1 Rm:4 111110 Rn:5 Rd:5", "mul {z2(Rd, Rn, 3)}, {ze(Rm, 3, index)}", SVE2) { OUT(MUL(3)); }
INSN(sqdmulh_eh, "01000100 0 index.2:1 1 index:2 Rm:3 11110 R:1 Rn:5 Rd:5", "sq{?R:r}dmulh {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { DOUBLE(1); }
INSN(sqdmulh_es, "01000100 101 index:2 Rm:3 11110 R:1 Rn:5 Rd:5", "sq{?R:r}dmulh {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { DOUBLE(2); }
INSN(sqdmulh_ed, "01000100 111 index:1 Rm:4 11110 R:1 Rn:5 Rd:5", "sq{?R:r}dmulh {z2(Rd, Rn, 3)}, {ze(Rm, 3, index)}", SVE2) { DOUBLE(3); }

/* Widening. */

INSN(mull_es, "01000100 101 index.1:2 Rm:3 110 U:1 index:1 T:1 Rn:5 Rd:5", "{#U:s|u}mull{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { OUT(MULL(2)); }
INSN(mull_ed, "01000100 111 index.1:1 Rm:4 110 U:1 index:1 T:1 Rn:5 Rd:5", "{#U:s|u}mull{#T:b|t} {z(Rd, 3)}, {z(Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { OUT(MULL(3)); }
INSN(mlal_es, "01000100 101 index.1:2 Rm:3 10 S:1 U:1 index:1 T:1 Rn:5 Rd:5", "{#U:s|u}ml{#S:a|s}l{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { MLAL(2); }
INSN(mlal_ed, "01000100 111 index.1:1 Rm:4 10 S:1 U:1 index:1 T:1 Rn:5 Rd:5", "{#U:s|u}ml{#S:a|s}l{#T:b|t} {z(Rd, 3)}, {z(Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { MLAL(3); }
INSN(sqdmull_es, "01000100 101 index.1:2 Rm:3 1110 index:1 T:1 Rn:5 Rd:5", "sqdmull{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { QDMULL(2); }
INSN(sqdmull_ed, "01000100 111 index.1:1 Rm:4 1110 index:1 T:1 Rn:5 Rd:5", "sqdmull{#T:b|t} {z(Rd, 3)}, {z(Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { QDMULL(3); }
INSN(sqdmlal_es, "01000100 101 index.1:2 Rm:3 001 S:1 index:1 T:1 Rn:5 Rd:5", "sqdml{#S:a|s}l{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE2) { QDMLAL(2); }
INSN(sqdmlal_ed, "01000100 111 index.1:1 Rm:4 001 S:1 index:1 T:1 Rn:5 Rd:5", "sqdml{#S:a|s}l{#T:b|t} {z(Rd, 3)}, {z(Rn, 2)}, {ze(Rm, 2, index)}", SVE2) { QDMLAL(3); }

/* Complex numbers. */

INSN(cmla_eh, "01000100 101 index:2 Rm:3 0110 rot:2 Rn:5 Rd:5", "cmla {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}, #{#rot:0|90|180|270}", SVE2) { CMLA(1); }
INSN(cmla_es, "01000100 111 index:1 Rm:4 0110 rot:2 Rn:5 Rd:5", "cmla {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}, #{#rot:0|90|180|270}", SVE2) { CMLA(2); }
INSN(sqrdcmlah_eh, "01000100 101 index:2 Rm:3 0111 rot:2 Rn:5 Rd:5", "sqrdcmlah {z2(Rd, Rn, 1)}, {ze(Rm, 1, index)}, #{#rot:0|90|180|270}", SVE2) { RDCMLA(1); }
INSN(sqrdcmlah_es, "01000100 111 index:1 Rm:4 0111 rot:2 Rn:5 Rd:5", "sqrdcmlah {z2(Rd, Rn, 2)}, {ze(Rm, 2, index)}, #{#rot:0|90|180|270}", SVE2) { RDCMLA(2); }
INSN(cdot_es, "01000100 101 index:2 Rm:3 0100 rot:2 Rn:5 Rd:5", "cdot {z(Rd, 2)}, {z(Rn, 0)}, {ze(Rm, 0, index)}, #{#rot:0|90|180|270}", SVE2) { CDOT(2); }
INSN(cdot_ed, "01000100 111 index:1 Rm:4 0100 rot:2 Rn:5 Rd:5", "cdot {z(Rd, 3)}, {z(Rn, 1)}, {ze(Rm, 1, index)}, #{#rot:0|90|180|270}", SVE2) { CDOT(3); }

/* clang-format on */
#include "arm64_sve2_element.decode.inc"
