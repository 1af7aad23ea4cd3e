/*
 * A64: Advanced SIMD, vector by element.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD vector x indexed element", "Advanced SIMD scalar x indexed element".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_element.decode.h"

#define LANE lane_int(a->size)
#define BYTES q_bytes(a->Q)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define IN(reg) simd_in(t, reg, BYTES)
#define ELEMENT(size, bytes) simd_element(t, size, a->L, a->M, a->Rm, a->H, bytes)
#define EL ELEMENT(a->size, 16)
#define OUT(v) simd_set(t, a->Rd, v, BYTES)
#define WIDE(v) simd_set(t, a->Rd, v, 16)
#define SCALAR(v) simd_set(t, a->Rd, v, 1 << a->size)
#define PRODUCT(op) v_lanes(t, IR_##op, LANE, N, EL, 0, a->Q)
/* 32 bits of the register: four bytes or two halves. */
#define QUAD simd_dup(t, simd_get(t, a->M << 4 | a->Rm), 2, a->H << 1 | a->L, BYTES)
#define DOT(op, n, m) OUT(v_lanes(t, IR_##op, TY_I32, D, n, m, 0))
#define FP2(op, size) OUT(simd_fp(t, IR_##op, lane_fp(size), IN(a->Rn), ELEMENT(size, BYTES), 0, 0))
#define FMLA(size, imm) \
	OUT(simd_fp(t, IR_FMA, lane_fp(size), IN(a->Rn), ELEMENT(size, BYTES), IN(a->Rd), imm))

/* Scalars: lane 0 of the element's vector. */
#define S(reg, size) fp_get(t, reg, lane_fp(size))
#define S_ELEMENT(size) v_op(t, IR_VTRUNC, lane_fp(size), ELEMENT(size, 1 << (size)), 0, 0, 0)
#define FP2_S(op, size) \
	fp_set(t, a->Rd, fp_op(t, IR_##op, lane_fp(size), S(a->Rn, size), S_ELEMENT(size), 0, 0))
#define FMLA_S(size, imm) \
	fp_set(t, a->Rd, \
	       fp_op(t, IR_FMA, lane_fp(size), S(a->Rn, size), S_ELEMENT(size), S(a->Rd, size), imm))

/* The low or (upper) next half of the source's lanes; the source's other lanes are zero. */
#define FMLAL(upper, subtract) \
	OUT(simd_fp(t, IR_FMLAL, TY_F32, IN(a->Rd), fmlal_lanes(t, a->Rn, upper, a->Q), \
		    ELEMENT(1, BYTES / 2), (subtract) << 9))
static ir_ref fmlal_lanes(struct tr *t, unsigned reg, bool upper, unsigned q)
{
	return simd_lane(t, simd_get(t, reg), 2 + q, upper);
}

/* clang-format off */

/* Integers. */

INSN(mul_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 1000 H:1 0 Rn:5 Rd:5", "mul {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { OUT(simd_op2(t, IR_MUL, LANE, N, EL)); }
INSN(mla_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 0000 H:1 0 Rn:5 Rd:5", "mla {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { OUT(simd_op2(t, IR_ADD, LANE, D, simd_op2(t, IR_MUL, LANE, N, EL))); }
INSN(mls_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 0100 H:1 0 Rn:5 Rd:5", "mls {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { OUT(simd_op2(t, IR_SUB, LANE, D, simd_op2(t, IR_MUL, LANE, N, EL))); }
INSN(smlal_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 0010 H:1 0 Rn:5 Rd:5", "smlal{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_op2(t, IR_ADD, LANE + 1, D, PRODUCT(MULLS))); }
INSN(smlsl_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 0110 H:1 0 Rn:5 Rd:5", "smlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_op2(t, IR_SUB, LANE + 1, D, PRODUCT(MULLS))); }
INSN(smull_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 1010 H:1 0 Rn:5 Rd:5", "smull{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(PRODUCT(MULLS)); }
INSN(umlal_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 0010 H:1 0 Rn:5 Rd:5", "umlal{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_op2(t, IR_ADD, LANE + 1, D, PRODUCT(MULLU))); }
INSN(umlsl_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 0110 H:1 0 Rn:5 Rd:5", "umlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_op2(t, IR_SUB, LANE + 1, D, PRODUCT(MULLU))); }
INSN(umull_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 1010 H:1 0 Rn:5 Rd:5", "umull{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(PRODUCT(MULLU)); }
INSN(sqdmlal_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 0011 H:1 0 Rn:5 Rd:5", "sqdmlal{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_qdmull(t, 1, LANE, D, N, EL, a->Q, 16)); }
INSN(sqdmlsl_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 0111 H:1 0 Rn:5 Rd:5", "sqdmlsl{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_qdmull(t, -1, LANE, D, N, EL, a->Q, 16)); }
INSN(sqdmull_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 1011 H:1 0 Rn:5 Rd:5", "sqdmull{#Q:|2} {v(Rd, size + 1, 1)}, {v(Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { WIDE(simd_qdmull(t, 0, LANE, D, N, EL, a->Q, 16)); }
INSN(sqdmulh_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 1100 H:1 0 Rn:5 Rd:5", "sqdmulh {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { OUT(simd_qdmulh(t, IR_QDMULH, LANE, N, EL, BYTES)); }
INSN(sqrdmulh_e, "0 Q:1 0 01111 size:2 L:1 M:1 Rm:4 1101 H:1 0 Rn:5 Rd:5", "sqrdmulh {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { OUT(simd_qdmulh(t, IR_QRDMULH, LANE, N, EL, BYTES)); }
INSN(sqrdmlah_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 1101 H:1 0 Rn:5 Rd:5", "sqrdmlah {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", RDM, "size == 1 || size == 2") { OUT(simd_qrdmla(t, false, LANE, D, N, EL, BYTES)); }
INSN(sqrdmlsh_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "sqrdmlsh {v2(Rd, Rn, size, Q)}, {element(size, L, M, Rm, H)}", RDM, "size == 1 || size == 2") { OUT(simd_qrdmla(t, true, LANE, D, N, EL, BYTES)); }

INSN(sqdmlal_es, "01 0 11111 size:2 L:1 M:1 Rm:4 0011 H:1 0 Rn:5 Rd:5", "sqdmlal {f(Rd, size + 1)}, {f(Rn, size)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, 1, LANE, D, N, EL, 0, 2 << a->size), 2 << a->size); }
INSN(sqdmlsl_es, "01 0 11111 size:2 L:1 M:1 Rm:4 0111 H:1 0 Rn:5 Rd:5", "sqdmlsl {f(Rd, size + 1)}, {f(Rn, size)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, -1, LANE, D, N, EL, 0, 2 << a->size), 2 << a->size); }
INSN(sqdmull_es, "01 0 11111 size:2 L:1 M:1 Rm:4 1011 H:1 0 Rn:5 Rd:5", "sqdmull {f(Rd, size + 1)}, {f(Rn, size)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { simd_set(t, a->Rd, simd_qdmull(t, 0, LANE, D, N, EL, 0, 2 << a->size), 2 << a->size); }
INSN(sqdmulh_es, "01 0 11111 size:2 L:1 M:1 Rm:4 1100 H:1 0 Rn:5 Rd:5", "sqdmulh {s2(Rd, Rn, size)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { SCALAR(simd_qdmulh(t, IR_QDMULH, LANE, N, EL, 1 << a->size)); }
INSN(sqrdmulh_es, "01 0 11111 size:2 L:1 M:1 Rm:4 1101 H:1 0 Rn:5 Rd:5", "sqrdmulh {s2(Rd, Rn, size)}, {element(size, L, M, Rm, H)}", "size == 1 || size == 2") { SCALAR(simd_qdmulh(t, IR_QRDMULH, LANE, N, EL, 1 << a->size)); }
INSN(sqrdmlah_es, "01 1 11111 size:2 L:1 M:1 Rm:4 1101 H:1 0 Rn:5 Rd:5", "sqrdmlah {s2(Rd, Rn, size)}, {element(size, L, M, Rm, H)}", RDM, "size == 1 || size == 2") { SCALAR(simd_qrdmla(t, false, LANE, D, N, EL, 1 << a->size)); }
INSN(sqrdmlsh_es, "01 1 11111 size:2 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "sqrdmlsh {s2(Rd, Rn, size)}, {element(size, L, M, Rm, H)}", RDM, "size == 1 || size == 2") { SCALAR(simd_qrdmla(t, true, LANE, D, N, EL, 1 << a->size)); }

/* Dot products of four bytes or two bfloat16 numbers. */

INSN(sdot_e, "0 Q:1 0 01111 10 L:1 M:1 Rm:4 1110 H:1 0 Rn:5 Rd:5", "sdot {v(Rd, 2, Q)}, {v(Rn, 0, Q)}, {quad(M << 4 | Rm, H << 1 | L)}", DOTPROD) { DOT(DOTS, N, QUAD); }
INSN(udot_e, "0 Q:1 1 01111 10 L:1 M:1 Rm:4 1110 H:1 0 Rn:5 Rd:5", "udot {v(Rd, 2, Q)}, {v(Rn, 0, Q)}, {quad(M << 4 | Rm, H << 1 | L)}", DOTPROD) { DOT(DOTU, N, QUAD); }
INSN(usdot_e, "0 Q:1 0 01111 10 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "usdot {v(Rd, 2, Q)}, {v(Rn, 0, Q)}, {quad(M << 4 | Rm, H << 1 | L)}", I8MM) { DOT(DOTUS, N, QUAD); }
INSN(sudot_e, "0 Q:1 0 01111 00 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "sudot {v(Rd, 2, Q)}, {v(Rn, 0, Q)}, {quad(M << 4 | Rm, H << 1 | L)}", I8MM) { DOT(DOTUS, QUAD, N); }
INSN(bfdot_e, "0 Q:1 0 01111 01 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "bfdot {v(Rd, 2, Q)}, {v(Rn, 1, Q)}, {twin(M << 4 | Rm, H << 1 | L)}", BF16) { OUT(simd_fp(t, IR_BFDOT, TY_F32, IN(a->Rd), IN(a->Rn), QUAD, 0)); }
INSN(bfmlal_e, "0 T:1 0 01111 11 L:1 M:1 Rm:4 1111 H:1 0 Rn:5 Rd:5", "bfmlal{#T:b|t} {v(Rd, 2, 1)}, {v(Rn, 1, 1)}, {element(1, L, M, Rm, H)}", BF16) { WIDE(simd_fp(t, IR_BFMLAL, TY_F32, D, N, ELEMENT(1, 16), a->T << 8)); }

/* Floating point. */

INSN(fmla_e, "0 Q:1 0 01111 1 sz:1 L:1 M:1 Rm:4 0001 H:1 0 Rn:5 Rd:5", "fmla {v2(Rd, Rn, 2 + sz, Q)}, {element(2 + sz, L, M, Rm, H)}", "!sz || (Q && !L)") { FMLA(2 + a->sz, 0); }
INSN(fmla_eh, "0 Q:1 0 01111 00 L:1 M:1 Rm:4 0001 H:1 0 Rn:5 Rd:5", "fmla {v2(Rd, Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FP16) { FMLA(1, 0); }
INSN(fmla_es, "01 0 11111 1 sz:1 L:1 M:1 Rm:4 0001 H:1 0 Rn:5 Rd:5", "fmla {s2(Rd, Rn, 2 + sz)}, {element(2 + sz, L, M, Rm, H)}", "!sz || !L") { FMLA_S(2 + a->sz, 0); }
INSN(fmla_esh, "01 0 11111 00 L:1 M:1 Rm:4 0001 H:1 0 Rn:5 Rd:5", "fmla {s2(Rd, Rn, 1)}, {element(1, L, M, Rm, H)}", FP16) { FMLA_S(1, 0); }
INSN(fmls_e, "0 Q:1 0 01111 1 sz:1 L:1 M:1 Rm:4 0101 H:1 0 Rn:5 Rd:5", "fmls {v2(Rd, Rn, 2 + sz, Q)}, {element(2 + sz, L, M, Rm, H)}", "!sz || (Q && !L)") { FMLA(2 + a->sz, FP_IMM_NEG_PRODUCT); }
INSN(fmls_eh, "0 Q:1 0 01111 00 L:1 M:1 Rm:4 0101 H:1 0 Rn:5 Rd:5", "fmls {v2(Rd, Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FP16) { FMLA(1, FP_IMM_NEG_PRODUCT); }
INSN(fmls_es, "01 0 11111 1 sz:1 L:1 M:1 Rm:4 0101 H:1 0 Rn:5 Rd:5", "fmls {s2(Rd, Rn, 2 + sz)}, {element(2 + sz, L, M, Rm, H)}", "!sz || !L") { FMLA_S(2 + a->sz, FP_IMM_NEG_PRODUCT); }
INSN(fmls_esh, "01 0 11111 00 L:1 M:1 Rm:4 0101 H:1 0 Rn:5 Rd:5", "fmls {s2(Rd, Rn, 1)}, {element(1, L, M, Rm, H)}", FP16) { FMLA_S(1, FP_IMM_NEG_PRODUCT); }
INSN(fmul_e, "0 Q:1 0 01111 1 sz:1 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmul {v2(Rd, Rn, 2 + sz, Q)}, {element(2 + sz, L, M, Rm, H)}", "!sz || (Q && !L)") { FP2(FMUL, 2 + a->sz); }
INSN(fmul_eh, "0 Q:1 0 01111 00 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmul {v2(Rd, Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FP16) { FP2(FMUL, 1); }
INSN(fmul_es, "01 0 11111 1 sz:1 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmul {s2(Rd, Rn, 2 + sz)}, {element(2 + sz, L, M, Rm, H)}", "!sz || !L") { FP2_S(FMUL, 2 + a->sz); }
INSN(fmul_esh, "01 0 11111 00 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmul {s2(Rd, Rn, 1)}, {element(1, L, M, Rm, H)}", FP16) { FP2_S(FMUL, 1); }
INSN(fmulx_e, "0 Q:1 1 01111 1 sz:1 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmulx {v2(Rd, Rn, 2 + sz, Q)}, {element(2 + sz, L, M, Rm, H)}", "!sz || (Q && !L)") { FP2(FMULX, 2 + a->sz); }
INSN(fmulx_eh, "0 Q:1 1 01111 00 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmulx {v2(Rd, Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FP16) { FP2(FMULX, 1); }
INSN(fmulx_es, "01 1 11111 1 sz:1 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmulx {s2(Rd, Rn, 2 + sz)}, {element(2 + sz, L, M, Rm, H)}", "!sz || !L") { FP2_S(FMULX, 2 + a->sz); }
INSN(fmulx_esh, "01 1 11111 00 L:1 M:1 Rm:4 1001 H:1 0 Rn:5 Rd:5", "fmulx {s2(Rd, Rn, 1)}, {element(1, L, M, Rm, H)}", FP16) { FP2_S(FMULX, 1); }
INSN(fcmla_e, "0 Q:1 1 01111 size:2 L:1 M:1 Rm:4 0 rot:2 1 H:1 0 Rn:5 Rd:5", "fcmla {v2(Rd, Rn, size, Q)}, {elem(M << 4 | Rm, size, size == 1 ? H << 1 | L : H)}, #{#rot:0|90|180|270}", FCMA,
     "(size == 1 && (Q || !H)) || (size == 2 && Q && !L)")
{
	ir_ref m = simd_dup(t, simd_get(t, a->M << 4 | a->Rm), a->size + 1, a->size == 1 ? a->H << 1 | a->L : a->H, BYTES);
	OUT(simd_fp(t, IR_FCMLA, lane_fp(a->size), IN(a->Rd), IN(a->Rn), m, a->rot << 8));
}

/* FEAT_FHM */

INSN(fmlal_e, "0 Q:1 0 01111 10 L:1 M:1 Rm:4 0000 H:1 0 Rn:5 Rd:5", "fmlal {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FHM) { FMLAL(false, false); }
INSN(fmlsl_e, "0 Q:1 0 01111 10 L:1 M:1 Rm:4 0100 H:1 0 Rn:5 Rd:5", "fmlsl {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FHM) { FMLAL(false, true); }
INSN(fmlal2_e, "0 Q:1 1 01111 10 L:1 M:1 Rm:4 1000 H:1 0 Rn:5 Rd:5", "fmlal2 {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FHM) { FMLAL(true, false); }
INSN(fmlsl2_e, "0 Q:1 1 01111 10 L:1 M:1 Rm:4 1100 H:1 0 Rn:5 Rd:5", "fmlsl2 {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {element(1, L, M, Rm, H)}", FHM) { FMLAL(true, true); }

/* clang-format on */
#include "arm64_simd_element.decode.inc"
