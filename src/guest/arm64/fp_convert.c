/*
 * A64: scalar floating point from and to integers, fixed point, general registers.
 * Manual: Arm A-profile architecture, C4.1 "Conversion between floating-point and integer", "and fixed-point".
 */
#include "guest/arm64/simd.h"
#include "arm64_fp_convert.decode.h"

#define TYPE fp_type(a->ftype)
#define FRACTION (u64)(64 - a->scale) << 16
#define TO_INT(op, imm) set_x(t, a->Rd, v_op(t, IR_##op, int_type(a->sf), fp_get(t, a->Rn, TYPE), 0, 0, imm))
#define FROM_INT(op, imm) fp_set(t, a->Rd, fp_op(t, IR_##op, TYPE, r(t, a->sf, a->Rn), 0, 0, imm))
/* The integer of the floating-point operand's size. */
#define BITS_TYPE lane_int(TYPE - TY_F16 + 1)

/* clang-format off */

/* To integers. */

INSN(fcvtns_f, "sf:1 0011110 ftype:2 1 00 000 000000 Rn:5 Rd:5", "fcvtns {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOI, FP_NEAREST_EVEN); }
INSN(fcvtnu_f, "sf:1 0011110 ftype:2 1 00 001 000000 Rn:5 Rd:5", "fcvtnu {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOU, FP_NEAREST_EVEN); }
INSN(fcvtps_f, "sf:1 0011110 ftype:2 1 01 000 000000 Rn:5 Rd:5", "fcvtps {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOI, FP_UP); }
INSN(fcvtpu_f, "sf:1 0011110 ftype:2 1 01 001 000000 Rn:5 Rd:5", "fcvtpu {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOU, FP_UP); }
INSN(fcvtms_f, "sf:1 0011110 ftype:2 1 10 000 000000 Rn:5 Rd:5", "fcvtms {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOI, FP_DOWN); }
INSN(fcvtmu_f, "sf:1 0011110 ftype:2 1 10 001 000000 Rn:5 Rd:5", "fcvtmu {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOU, FP_DOWN); }
INSN(fcvtzs_f, "sf:1 0011110 ftype:2 1 11 000 000000 Rn:5 Rd:5", "fcvtzs {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOI, FP_TO_ZERO); }
INSN(fcvtzu_f, "sf:1 0011110 ftype:2 1 11 001 000000 Rn:5 Rd:5", "fcvtzu {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOU, FP_TO_ZERO); }
INSN(fcvtas_f, "sf:1 0011110 ftype:2 1 00 100 000000 Rn:5 Rd:5", "fcvtas {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOI, FP_NEAREST_AWAY); }
INSN(fcvtau_f, "sf:1 0011110 ftype:2 1 00 101 000000 Rn:5 Rd:5", "fcvtau {r(sf, Rd)}, {t(Rn, ftype)}", "fp_ok(t, ftype)") { TO_INT(FTOU, FP_NEAREST_AWAY); }
INSN(fjcvtzs, "0 0011110 01 1 11 110 000000 Rn:5 Rd:5", "fjcvtzs {r(0, Rd)}, {t(Rn, 1)}", JSCVT)
{
	ir_ref v = v_op(t, IR_FJCVT, TY_I64, fp_get(t, a->Rn, TY_F64), 0, 0, 0);
	ir_ref exact = v_bin(t, IR_AND, v_bin(t, IR_SHR, v, konst(t, 2)), konst(t, FL_Z)); /* bit 32 to the place of Z */
	set_x(t, a->Rd, v_trunc(t, TY_I32, v));
	set_nzcv(t, v_op(t, IR_FLPACK, TY_FLAGS, v_trunc(t, TY_I32, exact), 0, 0, 0));
}

/* From integers. */

INSN(scvtf_f, "sf:1 0011110 ftype:2 1 00 010 000000 Rn:5 Rd:5", "scvtf {t(Rd, ftype)}, {r(sf, Rn)}", "fp_ok(t, ftype)") { FROM_INT(ITOF, 0); }
INSN(ucvtf_f, "sf:1 0011110 ftype:2 1 00 011 000000 Rn:5 Rd:5", "ucvtf {t(Rd, ftype)}, {r(sf, Rn)}", "fp_ok(t, ftype)") { FROM_INT(UTOF, 0); }

/* Fixed point: 64 - scale fraction bits. */

INSN(fcvtzs_x, "sf:1 0011110 ftype:2 0 11 000 scale:6 Rn:5 Rd:5", "fcvtzs {r(sf, Rd)}, {t(Rn, ftype)}, {dec(64 - scale)}", "fp_ok(t, ftype)", "sf || scale >= 32") { TO_INT(FTOI, FP_TO_ZERO | FRACTION); }
INSN(fcvtzu_x, "sf:1 0011110 ftype:2 0 11 001 scale:6 Rn:5 Rd:5", "fcvtzu {r(sf, Rd)}, {t(Rn, ftype)}, {dec(64 - scale)}", "fp_ok(t, ftype)", "sf || scale >= 32") { TO_INT(FTOU, FP_TO_ZERO | FRACTION); }
INSN(scvtf_x, "sf:1 0011110 ftype:2 0 00 010 scale:6 Rn:5 Rd:5", "scvtf {t(Rd, ftype)}, {r(sf, Rn)}, {dec(64 - scale)}", "fp_ok(t, ftype)", "sf || scale >= 32") { FROM_INT(ITOF, FRACTION); }
INSN(ucvtf_x, "sf:1 0011110 ftype:2 0 00 011 scale:6 Rn:5 Rd:5", "ucvtf {t(Rd, ftype)}, {r(sf, Rn)}, {dec(64 - scale)}", "fp_ok(t, ftype)", "sf || scale >= 32") { FROM_INT(UTOF, FRACTION); }

/* The bits, between register files. */

INSN(fmov_to,   "sf:1 0011110 ftype:2 1 00 110 000000 Rn:5 Rd:5", "fmov {r(sf, Rd)}, {t(Rn, ftype)}", "ftype == 3 ? INSN_HAS(t, FP16) : ftype == sf") { set_x(t, a->Rd, fp_get(t, a->Rn, BITS_TYPE)); }
INSN(fmov_from, "sf:1 0011110 ftype:2 1 00 111 000000 Rn:5 Rd:5", "fmov {t(Rd, ftype)}, {r(sf, Rn)}", "ftype == 3 ? INSN_HAS(t, FP16) : ftype == sf") { fp_set(t, a->Rd, v_trunc(t, BITS_TYPE, x(t, a->Rn))); }
INSN(fmov_to_high,   "1 0011110 10 1 01 110 000000 Rn:5 Rd:5", "fmov {r(1, Rd)}, {elem(Rn, 3, 1)}") { set_x(t, a->Rd, simd_scalar(t, IR_VGET, TY_I64, TY_I64, simd_get(t, a->Rn), 1)); }
INSN(fmov_from_high, "1 0011110 10 1 01 111 000000 Rn:5 Rd:5", "fmov {elem(Rd, 3, 1)}, {r(1, Rn)}") { v_set(t, A64_V0 + a->Rd, v_lanes(t, IR_VSET, TY_I64, simd_get(t, a->Rd), x(t, a->Rn), 0, 1)); }

/* clang-format on */
#include "arm64_fp_convert.decode.inc"
