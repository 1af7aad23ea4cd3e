/*
 * A64: scalar floating point: arithmetic, comparison, selection, immediates.
 * Manual: Arm A-profile architecture, C4.1 "Floating-point data-processing (1, 2, 3 source)", "compare", "conditional compare",
 * "conditional select", "immediate".
 */
#include "guest/arm64/simd.h"
#include "arm64_fp.decode.h"

#define TYPE fp_type(a->ftype)
#define D(v) fp_set(t, a->Rd, v)
#define N fp_get(t, a->Rn, TYPE)
#define M fp_get(t, a->Rm, TYPE)
#define OP1(op) D(fp_op(t, IR_##op, TYPE, N, 0, 0, 0))
#define OP2(op, imm) D(fp_op(t, IR_##op, TYPE, N, M, 0, imm))
#define FMA(imm) D(fp_op(t, IR_FMA, TYPE, N, M, fp_get(t, a->Ra, TYPE), imm))
#define ROUND(imm) D(v_op(t, IR_FRINT, TYPE, N, 0, 0, imm))
#define ZERO v_const(t, TYPE, 0)
#define COMPARE(right, signalling) set_nzcv(t, v_op(t, IR_FLFCMP, TY_FLAGS, N, right, 0, signalling))

/* When the condition fails nothing is compared: zero with zero raises no flag. */
static void compare_if(struct tr *t, unsigned cond, ir_ref n, ir_ref m, bool signalling, unsigned otherwise)
{
	if (cond >= 14) {
		set_nzcv(t, v_op(t, IR_FLFCMP, TY_FLAGS, n, m, 0, signalling));
		return;
	}
	ir_ref holds = cond_holds(t, cond), zero = v_const(t, v_type(t, n), 0);
	ir_ref flags = v_op(t, IR_FLFCMP, TY_FLAGS, v_select(t, holds, n, zero), v_select(t, holds, m, zero),
			    0, signalling);
	set_nzcv(t, v_select(t, holds, flags, flags_const(t, otherwise)));
}

/* clang-format off */

/* One source. */
INSN(fmov_f,   "00011110 ftype:2 1 000000 10000 Rn:5 Rd:5", "fmov {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { D(N); }
INSN(fabs_f,   "00011110 ftype:2 1 000001 10000 Rn:5 Rd:5", "fabs {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { D(v_un(t, IR_FABS, N)); }
INSN(fneg_f,   "00011110 ftype:2 1 000010 10000 Rn:5 Rd:5", "fneg {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { D(v_un(t, IR_FNEG, N)); }
INSN(fsqrt_f,  "00011110 ftype:2 1 000011 10000 Rn:5 Rd:5", "fsqrt {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { OP1(FSQRT); }
INSN(frintn_f, "00011110 ftype:2 1 001000 10000 Rn:5 Rd:5", "frintn {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_NEAREST_EVEN); }
INSN(frintp_f, "00011110 ftype:2 1 001001 10000 Rn:5 Rd:5", "frintp {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_UP); }
INSN(frintm_f, "00011110 ftype:2 1 001010 10000 Rn:5 Rd:5", "frintm {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_DOWN); }
INSN(frintz_f, "00011110 ftype:2 1 001011 10000 Rn:5 Rd:5", "frintz {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_TO_ZERO); }
INSN(frinta_f, "00011110 ftype:2 1 001100 10000 Rn:5 Rd:5", "frinta {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_NEAREST_AWAY); }
INSN(frintx_f, "00011110 ftype:2 1 001110 10000 Rn:5 Rd:5", "frintx {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_ROUND_CTL | FP_IMM_EXACT); }
INSN(frinti_f, "00011110 ftype:2 1 001111 10000 Rn:5 Rd:5", "frinti {t2(Rd, Rn, ftype)}", "fp_ok(t, ftype)") { ROUND(FP_ROUND_CTL); }
INSN(frint32z_f, "00011110 ftype=0x 1 010000 10000 Rn:5 Rd:5", "frint32z {t2(Rd, Rn, ftype)}", FRINTTS) { ROUND(FP_TO_ZERO | FP_IMM_INT32); }
INSN(frint32x_f, "00011110 ftype=0x 1 010001 10000 Rn:5 Rd:5", "frint32x {t2(Rd, Rn, ftype)}", FRINTTS) { ROUND(FP_ROUND_CTL | FP_IMM_INT32); }
INSN(frint64z_f, "00011110 ftype=0x 1 010010 10000 Rn:5 Rd:5", "frint64z {t2(Rd, Rn, ftype)}", FRINTTS) { ROUND(FP_TO_ZERO | FP_IMM_INT64); }
INSN(frint64x_f, "00011110 ftype=0x 1 010011 10000 Rn:5 Rd:5", "frint64x {t2(Rd, Rn, ftype)}", FRINTTS) { ROUND(FP_ROUND_CTL | FP_IMM_INT64); }
INSN(fcvt_f,   "00011110 ftype:2 1 0001 opc:2 10000 Rn:5 Rd:5", "fcvt {t(Rd, opc)}, {t(Rn, ftype)}", "ftype != 2 && opc != 2 && opc != ftype") { D(fp_op(t, IR_FCVT, fp_type(a->opc), N, 0, 0, 0)); }
INSN(bfcvt,    "00011110 01 1 000110 10000 Rn:5 Rd:5", "bfcvt {f(Rd, 1)}, {f(Rn, 2)}", BF16, SPECIAL) { D(fp_op(t, IR_FCVT, TY_BF16, fp_get(t, a->Rn, TY_F32), 0, 0, 0)); }

/* Two sources. */
INSN(fmul_f,   "00011110 ftype:2 1 Rm:5 0000 10 Rn:5 Rd:5", "fmul {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FMUL, 0); }
INSN(fdiv_f,   "00011110 ftype:2 1 Rm:5 0001 10 Rn:5 Rd:5", "fdiv {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FDIV, 0); }
INSN(fadd_f,   "00011110 ftype:2 1 Rm:5 0010 10 Rn:5 Rd:5", "fadd {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FADD, 0); }
INSN(fsub_f,   "00011110 ftype:2 1 Rm:5 0011 10 Rn:5 Rd:5", "fsub {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FSUB, 0); }
INSN(fmax_f,   "00011110 ftype:2 1 Rm:5 0100 10 Rn:5 Rd:5", "fmax {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FMAX, 0); }
INSN(fmin_f,   "00011110 ftype:2 1 Rm:5 0101 10 Rn:5 Rd:5", "fmin {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FMIN, 0); }
INSN(fmaxnm_f, "00011110 ftype:2 1 Rm:5 0110 10 Rn:5 Rd:5", "fmaxnm {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FMAX, FP_IMM_NUMBER); }
INSN(fminnm_f, "00011110 ftype:2 1 Rm:5 0111 10 Rn:5 Rd:5", "fminnm {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { OP2(FMIN, FP_IMM_NUMBER); }
INSN(fnmul_f,  "00011110 ftype:2 1 Rm:5 1000 10 Rn:5 Rd:5", "fnmul {t3(Rd, Rn, Rm, ftype)}", "fp_ok(t, ftype)") { D(v_un(t, IR_FNEG, fp_op(t, IR_FMUL, TYPE, N, M, 0, 0))); }

/* Three sources. */
INSN(fmadd,  "00011111 ftype:2 0 Rm:5 0 Ra:5 Rn:5 Rd:5", "fmadd {t3(Rd, Rn, Rm, ftype)}, {t(Ra, ftype)}", "fp_ok(t, ftype)") { FMA(0); }
INSN(fmsub,  "00011111 ftype:2 0 Rm:5 1 Ra:5 Rn:5 Rd:5", "fmsub {t3(Rd, Rn, Rm, ftype)}, {t(Ra, ftype)}", "fp_ok(t, ftype)") { FMA(FP_IMM_NEG_PRODUCT); }
INSN(fnmadd, "00011111 ftype:2 1 Rm:5 0 Ra:5 Rn:5 Rd:5", "fnmadd {t3(Rd, Rn, Rm, ftype)}, {t(Ra, ftype)}", "fp_ok(t, ftype)") { FMA(FP_IMM_NEG_PRODUCT | FP_IMM_NEG_ADDEND); }
INSN(fnmsub, "00011111 ftype:2 1 Rm:5 1 Ra:5 Rn:5 Rd:5", "fnmsub {t3(Rd, Rn, Rm, ftype)}, {t(Ra, ftype)}", "fp_ok(t, ftype)") { FMA(FP_IMM_NEG_ADDEND); }

/* Comparison and selection. */
INSN(fcmp,    "00011110 ftype:2 1 Rm:5 00 1000 Rn:5 00000", "fcmp {t2(Rn, Rm, ftype)}", "fp_ok(t, ftype)") { COMPARE(M, 0); }
INSN(fcmpe,   "00011110 ftype:2 1 Rm:5 00 1000 Rn:5 10000", "fcmpe {t2(Rn, Rm, ftype)}", "fp_ok(t, ftype)") { COMPARE(M, 1); }
INSN(fcmp_z,  "00011110 ftype:2 1 xxxxx 00 1000 Rn:5 01000", "fcmp {t(Rn, ftype)}, #0.0", "fp_ok(t, ftype)") { COMPARE(ZERO, 0); }
INSN(fcmpe_z, "00011110 ftype:2 1 xxxxx 00 1000 Rn:5 11000", "fcmpe {t(Rn, ftype)}, #0.0", "fp_ok(t, ftype)") { COMPARE(ZERO, 1); }
INSN(fccmp,   "00011110 ftype:2 1 Rm:5 cond:4 01 Rn:5 0 nzcv:4", "fccmp {t2(Rn, Rm, ftype)}, {hex(nzcv)}, {cond(cond)}", "fp_ok(t, ftype)") { compare_if(t, a->cond, N, M, 0, a->nzcv); }
INSN(fccmpe,  "00011110 ftype:2 1 Rm:5 cond:4 01 Rn:5 1 nzcv:4", "fccmpe {t2(Rn, Rm, ftype)}, {hex(nzcv)}, {cond(cond)}", "fp_ok(t, ftype)") { compare_if(t, a->cond, N, M, 1, a->nzcv); }
INSN(fcsel,   "00011110 ftype:2 1 Rm:5 cond:4 11 Rn:5 Rd:5", "fcsel {t3(Rd, Rn, Rm, ftype)}, {cond(cond)}", "fp_ok(t, ftype)") { D(v_select(t, cond_holds(t, a->cond), N, M)); }

INSN(fmov_imm, "00011110 ftype:2 1 imm:8 100 00000 Rd:5", "fmov {t(Rd, ftype)}, {fpimm(imm)}", "fp_ok(t, ftype)") { v_set(t, A64_V0 + a->Rd, simd_const64(t, fp_expand_imm(a->imm, TYPE), 0)); }

/* clang-format on */
#include "arm64_fp.decode.inc"
