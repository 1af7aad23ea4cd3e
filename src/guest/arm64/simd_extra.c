/*
 * A64: Advanced SIMD, the extensions of "three same": RDM, DotProd, I8MM, BF16, FCMA, FHM.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD three same extra", "Advanced SIMD scalar three same extra"; FMLAL of
 * "Advanced SIMD three same".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_extra.decode.h"

#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define IN(reg) simd_in(t, reg, q_bytes(a->Q))
#define OUT(v) simd_set(t, a->Rd, v, q_bytes(a->Q))
#define SCALAR(v) simd_set(t, a->Rd, v, 1 << a->size)
#define ADD3(op, n, m) v_lanes(t, IR_##op, TY_I32, D, n, m, 0)
#define FP3(op, lane, imm) simd_fp(t, IR_##op, lane, IN(a->Rd), IN(a->Rn), IN(a->Rm), imm)
#define RDM(subtract, bytes) simd_qrdmla(t, subtract, lane_int(a->size), D, N, M, bytes)

/* Four or two products of half precision from the bottom of n and m, or (upper) from the half above. */
static ir_ref fmlal(struct tr *t, unsigned d, unsigned n, unsigned m, bool upper, bool subtract, unsigned q)
{
	u64 imm = subtract << 9;
	ir_ref vn = simd_get(t, n), vm = simd_get(t, m);
	if (q)
		imm |= upper << 8;
	else {
		vn = simd_lane(t, vn, 2, upper);
		vm = simd_lane(t, vm, 2, upper);
	}
	return simd_fp(t, IR_FMLAL, TY_F32, simd_in(t, d, q_bytes(q)), vn, vm, imm);
}
#define FMLAL(upper, subtract) OUT(fmlal(t, a->Rd, a->Rn, a->Rm, upper, subtract, a->Q))

/* clang-format off */

/* FEAT_RDM */
INSN(sqrdmlah_v, "0 Q:1 1 01110 size:2 0 Rm:5 1 0000 1 Rn:5 Rd:5", "sqrdmlah {v3(Rd, Rn, Rm, size, Q)}", RDM, "size == 1 || size == 2") { OUT(RDM(false, q_bytes(a->Q))); }
INSN(sqrdmlsh_v, "0 Q:1 1 01110 size:2 0 Rm:5 1 0001 1 Rn:5 Rd:5", "sqrdmlsh {v3(Rd, Rn, Rm, size, Q)}", RDM, "size == 1 || size == 2") { OUT(RDM(true, q_bytes(a->Q))); }
INSN(sqrdmlah_s, "01 1 11110 size:2 0 Rm:5 1 0000 1 Rn:5 Rd:5", "sqrdmlah {s3(Rd, Rn, Rm, size)}", RDM, "size == 1 || size == 2") { SCALAR(RDM(false, 1 << a->size)); }
INSN(sqrdmlsh_s, "01 1 11110 size:2 0 Rm:5 1 0001 1 Rn:5 Rd:5", "sqrdmlsh {s3(Rd, Rn, Rm, size)}", RDM, "size == 1 || size == 2") { SCALAR(RDM(true, 1 << a->size)); }

/* FEAT_DotProd, FEAT_I8MM */
INSN(sdot_v,   "0 Q:1 0 01110 10 0 Rm:5 1 0010 1 Rn:5 Rd:5", "sdot {v(Rd, 2, Q)}, {v2(Rn, Rm, 0, Q)}", DOTPROD) { OUT(ADD3(DOTS, N, M)); }
INSN(udot_v,   "0 Q:1 1 01110 10 0 Rm:5 1 0010 1 Rn:5 Rd:5", "udot {v(Rd, 2, Q)}, {v2(Rn, Rm, 0, Q)}", DOTPROD) { OUT(ADD3(DOTU, N, M)); }
INSN(usdot_v,  "0 Q:1 0 01110 10 0 Rm:5 1 0011 1 Rn:5 Rd:5", "usdot {v(Rd, 2, Q)}, {v2(Rn, Rm, 0, Q)}", I8MM) { OUT(ADD3(DOTUS, N, M)); }
INSN(smmla_v,  "0 1 0 01110 10 0 Rm:5 1 0100 1 Rn:5 Rd:5", "smmla {v(Rd, 2, 1)}, {v2(Rn, Rm, 0, 1)}", I8MM) { simd_set(t, a->Rd, ADD3(MMLAS, N, M), 16); }
INSN(ummla_v,  "0 1 1 01110 10 0 Rm:5 1 0100 1 Rn:5 Rd:5", "ummla {v(Rd, 2, 1)}, {v2(Rn, Rm, 0, 1)}", I8MM) { simd_set(t, a->Rd, ADD3(MMLAU, N, M), 16); }
INSN(usmmla_v, "0 1 0 01110 10 0 Rm:5 1 0101 1 Rn:5 Rd:5", "usmmla {v(Rd, 2, 1)}, {v2(Rn, Rm, 0, 1)}", I8MM) { simd_set(t, a->Rd, ADD3(MMLAUS, N, M), 16); }

/* FEAT_BF16 */
INSN(bfdot_v,   "0 Q:1 1 01110 01 0 Rm:5 1 1111 1 Rn:5 Rd:5", "bfdot {v(Rd, 2, Q)}, {v2(Rn, Rm, 1, Q)}", BF16) { OUT(FP3(BFDOT, TY_F32, 0)); }
INSN(bfmmla_v,  "0 1 1 01110 01 0 Rm:5 1 1101 1 Rn:5 Rd:5", "bfmmla {v(Rd, 2, 1)}, {v2(Rn, Rm, 1, 1)}", BF16) { simd_set(t, a->Rd, simd_fp(t, IR_BFMMLA, TY_F32, D, N, M, 0), 16); }
INSN(bfmlal_v,  "0 T:1 1 01110 11 0 Rm:5 1 1111 1 Rn:5 Rd:5", "bfmlal{#T:b|t} {v(Rd, 2, 1)}, {v2(Rn, Rm, 1, 1)}", BF16) { simd_set(t, a->Rd, simd_fp(t, IR_BFMLAL, TY_F32, D, N, M, a->T << 8), 16); }

/* FEAT_FCMA; size 1 is FEAT_FP16. */
INSN(fcmla_v, "0 Q:1 1 01110 size:2 0 Rm:5 1 10 rot:2 1 Rn:5 Rd:5", "fcmla {v3(Rd, Rn, Rm, size, Q)}, #{#rot:0|90|180|270}", FCMA, "size && (size != 3 || Q)") { OUT(FP3(FCMLA, lane_fp(a->size), a->rot << 8)); }
INSN(fcadd_v, "0 Q:1 1 01110 size:2 0 Rm:5 1 11 rot:1 0 1 Rn:5 Rd:5", "fcadd {v3(Rd, Rn, Rm, size, Q)}, #{#rot:90|270}", FCMA, "size && (size != 3 || Q)") { OUT(simd_fp(t, IR_FCADD, lane_fp(a->size), IN(a->Rn), IN(a->Rm), 0, a->rot << 8)); }

/* FEAT_FHM */
INSN(fmlal_v,  "0 Q:1 0 01110 0 01 Rm:5 11101 1 Rn:5 Rd:5", "fmlal {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {vh(Rm, 1, Q)}", FHM) { FMLAL(false, false); }
INSN(fmlsl_v,  "0 Q:1 0 01110 1 01 Rm:5 11101 1 Rn:5 Rd:5", "fmlsl {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {vh(Rm, 1, Q)}", FHM) { FMLAL(false, true); }
INSN(fmlal2_v, "0 Q:1 1 01110 0 01 Rm:5 11001 1 Rn:5 Rd:5", "fmlal2 {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {vh(Rm, 1, Q)}", FHM) { FMLAL(true, false); }
INSN(fmlsl2_v, "0 Q:1 1 01110 1 01 Rm:5 11001 1 Rn:5 Rd:5", "fmlsl2 {v(Rd, 2, Q)}, {vh(Rn, 1, Q)}, {vh(Rm, 1, Q)}", FHM) { FMLAL(true, true); }

/* clang-format on */
#include "arm64_simd_extra.decode.inc"
