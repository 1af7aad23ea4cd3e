/*
 * RISC-V: floating point: F, D, Zfhmin, Zfh, Zfa.
 * Manual: volume I, chapters "F", "D", "Zfh and Zfhmin", "Zfa".
 *
 * An f register holds 64 bits; a narrower value has all ones above it, and what has not reads as the canonical NaN. Boxing is IR, so that
 * passes cancel it inside a region. fmt: 0 S, 1 D, 2 H; Q does not exist.
 */
#include "guest/riscv/riscv.h"
#include "riscv_fp.decode.h"

enum { FMT_S, FMT_D, FMT_H, FMT_Q };
enum { RM_DYN = 7 };

static bool fp_ok(const struct tr *t, int fmt)
{
	return fmt == FMT_S   ? riscv_has(t, RISCV_F)
	       : fmt == FMT_D ? riscv_has(t, RISCV_D)
			      : fmt == FMT_H && riscv_has(t, RISCV_ZFH);
}

/* Moves, loads, stores and conversions of H. */
static bool half_ok(const struct tr *t, int fmt)
{
	return fmt == FMT_H ? riscv_has(t, RISCV_ZFHMIN) : fp_ok(t, fmt);
}

/* 5 and 6 are reserved, and dynamic rounding by a reserved frm. Without a translation in progress there is no frm. */
static bool rm_ok(const struct tr *t, int rm)
{
	return rm < 5 || (rm == RM_DYN && (!t || (t->key & KEY_FRM) < 5));
}

/* The rounding of an operation's imm: what the mode says anyway is left to it. */
static u64 rounding(const struct tr *t, int rm)
{
	static const u8 round[5] = { FP_NEAREST_EVEN, FP_TO_ZERO, FP_DOWN, FP_UP, FP_NEAREST_AWAY };
	return rm == RM_DYN || (t->key & KEY_FRM) == (unsigned)rm ? FP_ROUND_CTL : round[rm];
}

static enum ir_type fp_type(int fmt)
{
	static const u8 type[4] = { TY_F32, TY_F64, TY_F16, TY_F128 };
	return (enum ir_type)type[fmt];
}

static ir_ref bits_of(struct tr *t, unsigned n) /* an f register as i64 */
{
	return v_cast(t, TY_I64, v_get(t, RV_F0 + n));
}

static ir_ref get(struct tr *t, unsigned n, int fmt)
{
	ir_ref v = v_get(t, RV_F0 + n);
	return fmt == FMT_D ? v : v_op(t, IR_FUNBOX, fp_type(fmt), v, 0, 0, 0);
}

static void set(struct tr *t, unsigned n, int fmt, ir_ref v)
{
	v_set(t, RV_F0 + n, fmt == FMT_D ? v : v_op(t, IR_FBOX, TY_F64, v, 0, 0, 0));
}

static enum ir_type bits_type(int fmt)
{
	return fmt == FMT_S ? TY_I32 : fmt == FMT_H ? TY_I16 : TY_I64;
}

static struct ir_mem access(int fmt, unsigned rs1, i32 disp)
{
	return plain(fp_type(fmt), rs1 ? disp : 0, false);
}

static ir_ref address(struct tr *t, unsigned rs1, i32 disp)
{
	return rs1 ? x(t, rs1) : konst(t, (u64)(i64)disp);
}

static void load(struct tr *t, int fmt, unsigned rd, unsigned rs1, i32 disp)
{
	set(t, rd, fmt, v_load(t, fp_type(fmt), address(t, rs1, disp), access(fmt, rs1, disp)));
}

static void store(struct tr *t, int fmt, unsigned rs2, unsigned rs1,
		  i32 disp) /* the low bits, boxed or not */
{
	v_store(t, address(t, rs1, disp), v_get(t, RV_F0 + rs2), access(fmt, rs1, disp));
}

/* fclass: bits 0 to 9 are -inf, -normal, -subnormal, -0, +0, +subnormal, +normal, +inf, signalling NaN, quiet NaN. */
static ir_ref classify(struct tr *t, ir_ref value, int fmt)
{
	unsigned frac = fmt == FMT_S   ? 23
			: fmt == FMT_D ? 52
				       : 10,
		 exp = fmt == FMT_S   ? 8
		       : fmt == FMT_D ? 11
				      : 5;
	enum ir_type type = fmt == FMT_D ? TY_I64 : TY_I32;
	ir_ref v = v_zext(t, type, v_cast(t, bits_type(fmt), value)), zero = v_const(t, type, 0);
	ir_ref e = v_op(t, IR_EXTRACTU, type, v, frac, exp, 0), f = v_op(t, IR_EXTRACTU, type, v, 0, frac, 0);
	ir_ref negative = v_cmp(t, IR_NE, v_op(t, IR_EXTRACTU, type, v, frac + exp, 1, 0), zero);
	ir_ref no_frac = v_cmp(t, IR_EQ, f, zero);
	ir_ref top = v_cmp(t, IR_EQ, e, v_const(t, type, BITS(exp)));
	ir_ref at = v_select(t, v_cmp(t, IR_EQ, e, zero), v_select(t, no_frac, konst32(t, 3), konst32(t, 2)),
			     v_select(t, top, konst32(t, 0), konst32(t, 1)));
	at = v_select(t, negative, at, v_bin(t, IR_SUB, konst32(t, 7), at));
	ir_ref number = v_bin(t, IR_SHL, konst32(t, 1), at);
	ir_ref quiet = v_cmp(t, IR_LEU, v_const(t, type, BIT(frac - 1)), f);
	ir_ref nan = v_select(t, quiet, konst32(t, 1 << 9), konst32(t, 1 << 8));
	return v_select(t, v_select(t, no_frac, v_const(t, TY_I1, 0), top), nan, number);
}

/* Zfa's constants: the bits of a double, of which the others follow. NaN and the smallest normal are each format's own. */
static u64 constant(unsigned n, int fmt)
{
	static const u16 top[32] = { 0xbff0, 0x0010, 0x3ef0, 0x3f00, 0x3f70, 0x3f80, 0x3fb0, 0x3fc0,
				     0x3fd0, 0x3fd4, 0x3fd8, 0x3fdc, 0x3fe0, 0x3fe4, 0x3fe8, 0x3fec,
				     0x3ff0, 0x3ff4, 0x3ff8, 0x3ffc, 0x4000, 0x4004, 0x4008, 0x4010,
				     0x4020, 0x4030, 0x4060, 0x4070, 0x40e0, 0x40f0, 0x7ff0, 0x7ff8 };
	struct fp_ctl ctl = fp_riscv;
	u32 flags = 0;
	u64 d = (u64)top[n] << 48;
	if (fmt == FMT_D)
		return d;
	if (n == 1)
		return fmt == FMT_S ? 0x00800000 : 0x0400;
	return (u64)fp_convert(fmt == FMT_S ? FP_F32 : FP_F16, FP_F64, d, &ctl, &flags);
}

/* Zfa's quiet comparisons, by flags as Arm has them: less N, equal ZC, greater C, unordered CV. */
static ir_ref quiet_compare(struct tr *t, ir_ref a, ir_ref b, enum ir_cc cc)
{
	return v_cond(t, v_op(t, IR_FLFCMP, TY_FLAGS, a, b, 0, 0), cc);
}

static void to_int(struct tr *t, enum ir_op op, enum ir_type type, unsigned rd, ir_ref v, u64 imm)
{
	ir_ref n = v_op(t, op, type, v, 0, 0, imm);
	set_x(t, rd, n);
}

#define ROUND rounding(t, a->rm)
#define F1 get(t, a->rs1, a->fmt)
#define F2 get(t, a->rs2, a->fmt)
#define F3 get(t, a->rs3, a->fmt)
#define FD(v) set(t, a->rd, a->fmt, v)
#define OP(op, y, imm) FD(v_op(t, IR_##op, fp_type(a->fmt), F1, y, 0, imm))
#define FMA(imm) FD(v_op(t, IR_FMA, fp_type(a->fmt), F1, F2, F3, ROUND | (imm)))
#define NEG_PRODUCT (1 << 8)
#define NEG_ADDEND (1 << 9)
#define EXACT (1 << 8)
#define COMPARE(op) set_x(t, a->rd, v_cmp(t, IR_##op, F1, F2))

/* clang-format off */

/* Loads and stores. */
INSN(flw, "imm:12s rs1:5 010 rd:5 0000111", "flw {f(rd)},{mem(rs1, imm)}", F)      { load(t, FMT_S, a->rd, a->rs1, a->imm); }
INSN(fld, "imm:12s rs1:5 011 rd:5 0000111", "fld {f(rd)},{mem(rs1, imm)}", D)      { load(t, FMT_D, a->rd, a->rs1, a->imm); }
INSN(flh, "imm:12s rs1:5 001 rd:5 0000111", "flh {f(rd)},{mem(rs1, imm)}", ZFHMIN) { load(t, FMT_H, a->rd, a->rs1, a->imm); }
INSN(fsw, "imm.5:7s rs2:5 rs1:5 010 imm.0:5 0100111", "fsw {f(rs2)},{mem(rs1, imm)}", F)      { store(t, FMT_S, a->rs2, a->rs1, a->imm); }
INSN(fsd, "imm.5:7s rs2:5 rs1:5 011 imm.0:5 0100111", "fsd {f(rs2)},{mem(rs1, imm)}", D)      { store(t, FMT_D, a->rs2, a->rs1, a->imm); }
INSN(fsh, "imm.5:7s rs2:5 rs1:5 001 imm.0:5 0100111", "fsh {f(rs2)},{mem(rs1, imm)}", ZFHMIN) { store(t, FMT_H, a->rs2, a->rs1, a->imm); }

/* Arithmetic. */
INSN(fmadd,  "rs3:5 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1000011", "fmadd.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)},{f(rs3)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)")  { FMA(0); }
INSN(fmsub,  "rs3:5 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1000111", "fmsub.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)},{f(rs3)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)")  { FMA(NEG_ADDEND); }
INSN(fnmsub, "rs3:5 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1001011", "fnmsub.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)},{f(rs3)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { FMA(NEG_PRODUCT); }
INSN(fnmadd, "rs3:5 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1001111", "fnmadd.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)},{f(rs3)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { FMA(NEG_PRODUCT | NEG_ADDEND); }
INSN(fadd,  "00000 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1010011", "fadd.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FADD, F2, ROUND); }
INSN(fsub,  "00001 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1010011", "fsub.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FSUB, F2, ROUND); }
INSN(fmul,  "00010 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1010011", "fmul.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FMUL, F2, ROUND); }
INSN(fdiv,  "00011 fmt:2 rs2:5 rs1:5 rm:3 rd:5 1010011", "fdiv.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FDIV, F2, ROUND); }
INSN(fsqrt, "01011 fmt:2 00000 rs1:5 rm:3 rd:5 1010011", "fsqrt.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FSQRT, 0, ROUND); }
INSN(fsgnj,  "00100 fmt:2 rs2:5 rs1:5 000 rd:5 1010011", "[rs1 == rs2] fmv.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}; fsgnj.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)")  { if (a->rs1 == a->rs2) FD(F1); else OP(FCOPYSIGN, F2, 0); }
INSN(fsgnjn, "00100 fmt:2 rs2:5 rs1:5 001 rd:5 1010011", "[rs1 == rs2] fneg.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}; fsgnjn.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { if (a->rs1 == a->rs2) OP(FNEG, 0, 0); else OP(FCOPYSIGN, F2, 1); }
INSN(fsgnjx, "00100 fmt:2 rs2:5 rs1:5 010 rd:5 1010011", "[rs1 == rs2] fabs.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}; fsgnjx.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { if (a->rs1 == a->rs2) OP(FABS, 0, 0); else OP(FCOPYSIGN, F2, 2); }
INSN(fmin,  "00101 fmt:2 rs2:5 rs1:5 000 rd:5 1010011", "fmin.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { OP(FMIN, F2, FP_MM_NUMBER_2019 << 8); }
INSN(fmax,  "00101 fmt:2 rs2:5 rs1:5 001 rd:5 1010011", "fmax.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { OP(FMAX, F2, FP_MM_NUMBER_2019 << 8); }
INSN(fminm, "00101 fmt:2 rs2:5 rs1:5 010 rd:5 1010011", "fminm.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", ZFA, "fp_ok(t, fmt)") { OP(FMIN, F2, FP_MM_PROPAGATE << 8); }
INSN(fmaxm, "00101 fmt:2 rs2:5 rs1:5 011 rd:5 1010011", "fmaxm.{#fmt:s|d|h|q} {f(rd)},{f(rs1)},{f(rs2)}", ZFA, "fp_ok(t, fmt)") { OP(FMAX, F2, FP_MM_PROPAGATE << 8); }
INSN(fround,   "01000 fmt:2 00100 rs1:5 rm:3 rd:5 1010011", "fround.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}{rm(rm)}", ZFA, "fp_ok(t, fmt) && rm_ok(t, rm)")   { OP(FRINT, 0, ROUND); }
INSN(froundnx, "01000 fmt:2 00101 rs1:5 rm:3 rd:5 1010011", "froundnx.{#fmt:s|d|h|q} {f(rd)},{f(rs1)}{rm(rm)}", ZFA, "fp_ok(t, fmt) && rm_ok(t, rm)") { OP(FRINT, 0, ROUND | EXACT); }

/* Comparison and classification. */
INSN(feq, "10100 fmt:2 rs2:5 rs1:5 010 rd:5 1010011", "feq.{#fmt:s|d|h|q} {x(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { COMPARE(FEQ); }
INSN(flt, "10100 fmt:2 rs2:5 rs1:5 001 rd:5 1010011", "flt.{#fmt:s|d|h|q} {x(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { COMPARE(FLT); }
INSN(fle, "10100 fmt:2 rs2:5 rs1:5 000 rd:5 1010011", "fle.{#fmt:s|d|h|q} {x(rd)},{f(rs1)},{f(rs2)}", "fp_ok(t, fmt)") { COMPARE(FLE); }
INSN(fltq, "10100 fmt:2 rs2:5 rs1:5 101 rd:5 1010011", "fltq.{#fmt:s|d|h|q} {x(rd)},{f(rs1)},{f(rs2)}", ZFA, "fp_ok(t, fmt)") { set_x(t, a->rd, quiet_compare(t, F1, F2, CC_MI)); }
INSN(fleq, "10100 fmt:2 rs2:5 rs1:5 100 rd:5 1010011", "fleq.{#fmt:s|d|h|q} {x(rd)},{f(rs1)},{f(rs2)}", ZFA, "fp_ok(t, fmt)") { set_x(t, a->rd, quiet_compare(t, F1, F2, CC_LS)); }
INSN(fclass, "11100 fmt:2 00000 rs1:5 001 rd:5 1010011", "fclass.{#fmt:s|d|h|q} {x(rd)},{f(rs1)}", "fp_ok(t, fmt)") { set_x(t, a->rd, classify(t, F1, a->fmt)); }

/* Conversions. */
INSN(fcvt_w,  "11000 fmt:2 00000 rs1:5 rm:3 rd:5 1010011", "fcvt.w.{#fmt:s|d|h|q} {x(rd)},{f(rs1)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)")  { to_int(t, IR_FTOI, TY_I32, a->rd, F1, ROUND); }
INSN(fcvt_wu, "11000 fmt:2 00001 rs1:5 rm:3 rd:5 1010011", "fcvt.wu.{#fmt:s|d|h|q} {x(rd)},{f(rs1)}{rm(rm)}", "fp_ok(t, fmt) && rm_ok(t, rm)") { to_int(t, IR_FTOU, TY_I32, a->rd, F1, ROUND); }
INSN(fcvt_l,  "11000 fmt:2 00010 rs1:5 rm:3 rd:5 1010011", "fcvt.l.{#fmt:s|d|h|q} {x(rd)},{f(rs1)}{rm(rm)}", RV64, "fp_ok(t, fmt) && rm_ok(t, rm)")  { to_int(t, IR_FTOI, TY_I64, a->rd, F1, ROUND); }
INSN(fcvt_lu, "11000 fmt:2 00011 rs1:5 rm:3 rd:5 1010011", "fcvt.lu.{#fmt:s|d|h|q} {x(rd)},{f(rs1)}{rm(rm)}", RV64, "fp_ok(t, fmt) && rm_ok(t, rm)") { to_int(t, IR_FTOU, TY_I64, a->rd, F1, ROUND); }
INSN(fcvtmod_w_d, "11000 01 01000 rs1:5 001 rd:5 1010011", "fcvtmod.w.d {x(rd)},{f(rs1)},rtz", ZFA, D) { set_x(t, a->rd, v_trunc(t, TY_I32, v_op(t, IR_FJCVT, TY_I64, get(t, a->rs1, FMT_D), 0, 0, 0))); }
INSN(fcvt_from_w,  "11010 fmt:2 00000 rs1:5 rm:3 rd:5 1010011", "fcvt.{#fmt:s|d|h|q}.w {f(rd)},{x(rs1)}{?fmt != 1 && rm == 0:,rne}{?fmt != 1 && rm == 1:,rtz}{?rm == 2:,rdn}{?rm == 3:,rup}{?rm == 4:,rmm}", "fp_ok(t, fmt) && rm_ok(t, rm)")  { FD(v_op(t, IR_ITOF, fp_type(a->fmt), w(t, a->rs1), 0, 0, ROUND)); }
INSN(fcvt_from_wu, "11010 fmt:2 00001 rs1:5 rm:3 rd:5 1010011", "fcvt.{#fmt:s|d|h|q}.wu {f(rd)},{x(rs1)}{?fmt != 1 && rm == 0:,rne}{?fmt != 1 && rm == 1:,rtz}{?rm == 2:,rdn}{?rm == 3:,rup}{?rm == 4:,rmm}", "fp_ok(t, fmt) && rm_ok(t, rm)") { FD(v_op(t, IR_UTOF, fp_type(a->fmt), w(t, a->rs1), 0, 0, ROUND)); }
INSN(fcvt_from_l,  "11010 fmt:2 00010 rs1:5 rm:3 rd:5 1010011", "fcvt.{#fmt:s|d|h|q}.l {f(rd)},{x(rs1)}{rm(rm)}", RV64, "fp_ok(t, fmt) && rm_ok(t, rm)")  { FD(v_op(t, IR_ITOF, fp_type(a->fmt), x(t, a->rs1), 0, 0, ROUND)); }
INSN(fcvt_from_lu, "11010 fmt:2 00011 rs1:5 rm:3 rd:5 1010011", "fcvt.{#fmt:s|d|h|q}.lu {f(rd)},{x(rs1)}{rm(rm)}", RV64, "fp_ok(t, fmt) && rm_ok(t, rm)") { FD(v_op(t, IR_UTOF, fp_type(a->fmt), x(t, a->rs1), 0, 0, ROUND)); }
INSN(fcvt, "01000 fmt:2 000 from:2 rs1:5 rm:3 rd:5 1010011", "fcvt.{#fmt:s|d|h|q}.{#from:s|d|h|q} {f(rd)},{f(rs1)}{?rm == 1:,rtz}{?rm == 2:,rdn}{?rm == 3:,rup}{?rm == 4:,rmm}{?rm == 0 && fmt != 1 && !(fmt == 0 && from == 2):,rne}", "from != fmt && half_ok(t, fmt) && half_ok(t, from) && rm_ok(t, rm)")
{
	FD(v_op(t, IR_FCVT, fp_type(a->fmt), get(t, a->rs1, a->from), 0, 0, ROUND));
}

/* Bits, and constants. */
INSN(fmv_x, "11100 fmt:2 00000 rs1:5 000 rd:5 1010011", "fmv.x.{#fmt:w|d|h|q} {x(rd)},{f(rs1)}", "half_ok(t, fmt) && (fmt != 1 || INSN_HAS(t, RV64))") { set_x(t, a->rd, v_trunc(t, bits_type(a->fmt), bits_of(t, a->rs1))); }
INSN(fmv_f, "11110 fmt:2 00000 rs1:5 000 rd:5 1010011", "fmv.{#fmt:w|d|h|q}.x {f(rd)},{x(rs1)}", "half_ok(t, fmt) && (fmt != 1 || INSN_HAS(t, RV64))") { FD(v_cast(t, fp_type(a->fmt), v_trunc(t, bits_type(a->fmt), x(t, a->rs1)))); }
INSN(fli, "11110 fmt:2 00001 rs1:5 000 rd:5 1010011", "fli.{#fmt:s|d|h|q} {f(rd)},{#rs1:-1.0|min|1.52587890625e-05|3.0517578125e-05|0.00390625|0.0078125|0.0625|0.125|0.25|0.3125|0.375|0.4375|0.5|0.625|0.75|0.875|1.0|1.25|1.5|1.75|2.0|2.5|3|4|8|16|128|256|32768|65536|inf|nan}", ZFA, "half_ok(t, fmt)") { FD(v_const(t, fp_type(a->fmt), constant((unsigned)a->rs1, a->fmt))); }
INSN(fmvh_x_d, "11100 01 00001 rs1:5 000 rd:5 1010011", "fmvh.x.d {x(rd)},{f(rs1)}", ZFA, D, RV32) { set_x(t, a->rd, v_op(t, IR_HI, TY_I32, bits_of(t, a->rs1), 0, 0, 0)); }
INSN(fmvp_d_x, "10110 01 rs2:5 rs1:5 000 rd:5 1010011", "fmvp.d.x {f(rd)},{x(rs1)},{x(rs2)}", ZFA, D, RV32) { set(t, a->rd, FMT_D, v_cast(t, TY_F64, v_op(t, IR_PAIR, TY_I64, x(t, a->rs1), x(t, a->rs2), 0, 0))); }
/* clang-format on */
#include "riscv_fp.decode.inc"
