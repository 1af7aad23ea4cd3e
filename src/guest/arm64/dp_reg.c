/*
 * A64: data processing on registers (DDI 0487 C4.1.95): logic, addition, conditional forms, one to three sources, CRC32, FlagM.
 */
#include "guest/arm64/arm64.h"
#include "arm64_dp_reg.decode.h"

#define OP(op, x, y) v_bin(t, IR_##op, x, y)
#define UN(op, x) v_un(t, IR_##op, x)
#define K(v) k(t, a->sf, v)
#define RN r(t, a->sf, a->Rn)
#define RM r(t, a->sf, a->Rm)
#define RD(v) set_x(t, a->Rd, v)

static ir_ref shifted(struct tr *t, unsigned sf, unsigned n, unsigned kind, unsigned amount)
{
	static const enum ir_op op[4] = { IR_SHL, IR_SHR, IR_SAR, IR_ROTR };
	ir_ref v = r(t, sf, n);
	return amount && n != 31 ? v_bin(t, op[kind], v, k(t, sf, amount)) : v;
}

/* The extended operand of ADD and SUB: of the operation's width. */
static ir_ref extended(struct tr *t, unsigned sf, unsigned n, unsigned option, unsigned amount)
{
	static const enum ir_type from[4] = { TY_I8, TY_I16, TY_I32, TY_I64 };
	enum ir_type to = int_type(sf), type = from[option & 3];
	ir_ref v;
	if (type >= to)
		v = r(t, sf, n);
	else
		v = v_op(t, option & 4 ? IR_SEXT : IR_ZEXT, to, v_trunc(t, type, x(t, n)), 0, 0, 0);
	return amount ? v_bin(t, IR_SHL, v, k(t, sf, amount)) : v;
}

/* Sets Rd (unless it is the zero register) and the flags of an addition or subtraction. */
static void arith_flags(struct tr *t, enum ir_op fl, enum ir_op op, unsigned rd, ir_ref left, ir_ref right)
{
	ir_ref flags = v_op(t, fl, TY_FLAGS, left, right, 0, 0);
	if (rd != 31)
		set_x(t, rd, v_bin(t, op, left, right));
	set_nzcv(t, flags);
}

static void logic_flags(struct tr *t, unsigned rd, ir_ref v)
{
	set_x(t, rd, v);
	set_nzcv(t, v_op(t, IR_FLLOGIC, TY_FLAGS, v, 0, 0, 0));
}

/* left + right + C, left - right - !C. */
static void add_carry(struct tr *t, unsigned sf, unsigned rd, ir_ref left, ir_ref right, bool flags)
{
	ir_ref c = v_cond(t, nzcv(t), CC_CS);
	ir_ref fl = flags ? v_op(t, IR_FLADC, TY_FLAGS, left, right, c, 0) : 0;
	if (rd != 31)
		set_x(t, rd, v_op(t, IR_ADC, int_type(sf), left, right, c, 0));
	if (flags)
		set_nzcv(t, fl);
}

static void sub_carry(struct tr *t, unsigned sf, unsigned rd, ir_ref left, ir_ref right, bool flags)
{
	ir_ref c = v_cond(t, nzcv(t), CC_CS);
	ir_ref fl = flags ? v_op(t, IR_FLSBC, TY_FLAGS, left, right, c, 0) : 0;
	if (rd != 31)
		set_x(t, rd, v_op(t, IR_SBC, int_type(sf), left, right, c, 0));
	if (flags)
		set_nzcv(t, fl);
}

static void cond_compare(struct tr *t, enum ir_op fl, ir_ref left, ir_ref right, unsigned cond,
			 unsigned otherwise)
{
	ir_ref flags = v_op(t, fl, TY_FLAGS, left, right, 0, 0);
	set_nzcv(t, cond >= 14 ? flags : v_select(t, cond_holds(t, cond), flags, flags_const(t, otherwise)));
}

/* FLMERGE's imm: which flags come from the second operand. */
static ir_ref merge(struct tr *t, ir_ref old, ir_ref new, u32 which)
{
	return v_op(t, IR_FLMERGE, TY_FLAGS, old, new, 0, which);
}

static void setf(struct tr *t, unsigned n, unsigned bits)
{
	ir_ref v = w(t, n), carry = v_bin(t, IR_XOR, v, v_bin(t, IR_SHR, v, konst32(t, 1)));
	ir_ref nz = v_op(t, IR_FLLOGIC, TY_FLAGS, v_trunc(t, bits == 8 ? TY_I8 : TY_I16, v), 0, 0, 0);
	ir_ref over =
	    v_bin(t, IR_SHL, carry, konst32(t, 28 - (bits - 1))); /* bit BITS xor bit BITS-1, to V's place */
	ir_ref flags = merge(t, nzcv(t), nz, FL_N | FL_Z);
	set_nzcv(t, merge(t, flags,
			  v_op(t, IR_FLPACK, TY_FLAGS, v_bin(t, IR_AND, over, konst32(t, FL_V)), 0, 0, 0),
			  FL_V));
}

/* clang-format off */

/* Logic, second operand shifted. */
#define SH2 shifted(t, a->sf, a->Rm, a->shift, a->imm)
INSN(and_reg, "sf:1 00 01010 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5", "and {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32") { RD(OP(AND, RN, SH2)); }
INSN(bic_reg, "sf:1 00 01010 shift:2 1 Rm:5 imm:6 Rn:5 Rd:5", "bic {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32") { RD(OP(ANDN, RN, SH2)); }
INSN(orr_reg, "sf:1 01 01010 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rn == 31 && !shift && !imm] mov {r(sf, Rd)}, {r(sf, Rm)}; orr {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32")
{
	RD(a->Rn == 31 ? SH2 : OP(OR, RN, SH2));
}
INSN(orn_reg, "sf:1 01 01010 shift:2 1 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rn == 31] mvn {r(sf, Rd)}, {shifted(sf, Rm, shift, imm)}; orn {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32")
{
	ir_ref v = UN(NOT, SH2);
	RD(a->Rn == 31 ? v : OP(OR, RN, v));
}
INSN(eor_reg, "sf:1 10 01010 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5", "eor {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32") { RD(OP(XOR, RN, SH2)); }
INSN(eon_reg, "sf:1 10 01010 shift:2 1 Rm:5 imm:6 Rn:5 Rd:5", "eon {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32") { RD(UN(NOT, OP(XOR, RN, SH2))); }
INSN(ands_reg, "sf:1 11 01010 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rd == 31] tst {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}; ands {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32")
{
	logic_flags(t, a->Rd, a->Rn == a->Rm && !a->imm ? RN : OP(AND, RN, SH2));
}
INSN(bics_reg, "sf:1 11 01010 shift:2 1 Rm:5 imm:6 Rn:5 Rd:5", "bics {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "sf || imm < 32")
{
	logic_flags(t, a->Rd, OP(ANDN, RN, SH2));
}

/* Addition, second operand shifted. */
INSN(add_reg, "sf:1 0 0 01011 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5", "add {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "shift != 3 && (sf || imm < 32)")
{
	RD(OP(ADD, RN, SH2));
}
INSN(adds_reg, "sf:1 0 1 01011 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rd == 31] cmn {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}; adds {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "shift != 3 && (sf || imm < 32)")
{
	arith_flags(t, IR_FLADD, IR_ADD, a->Rd, RN, SH2);
}
INSN(sub_reg, "sf:1 1 0 01011 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rn == 31] neg {r(sf, Rd)}, {shifted(sf, Rm, shift, imm)}; sub {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}", "shift != 3 && (sf || imm < 32)")
{
	RD(a->Rn == 31 ? UN(NEG, SH2) : OP(SUB, RN, SH2));
}
INSN(subs_reg, "sf:1 1 1 01011 shift:2 0 Rm:5 imm:6 Rn:5 Rd:5",
     "[Rd == 31] cmp {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}; [Rn == 31] negs {r(sf, Rd)}, {shifted(sf, Rm, shift, imm)}; subs {r(sf, Rd)}, {r(sf, Rn)}, {shifted(sf, Rm, shift, imm)}",
     "shift != 3 && (sf || imm < 32)")
{
	arith_flags(t, IR_FLSUB, IR_SUB, a->Rd, RN, SH2);
}

/* Addition, second operand extended. */
#define EXT2 extended(t, a->sf, a->Rm, a->option, a->imm)
#define RNSP rsp(t, a->sf, a->Rn)
INSN(add_ext, "sf:1 0 0 01011 00 1 Rm:5 option:3 imm:3 Rn:5 Rd:5",
     "add {rsp(sf, Rd)}, {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, (Rd == 31 || Rn == 31) && option == (sf ? 3 : 2))}", "imm <= 4")
{
	set_xsp(t, a->Rd, OP(ADD, RNSP, EXT2));
}
INSN(adds_ext, "sf:1 0 1 01011 00 1 Rm:5 option:3 imm:3 Rn:5 Rd:5",
     "[Rd == 31] cmn {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, Rn == 31 && option == (sf ? 3 : 2))}; adds {r(sf, Rd)}, {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, Rn == 31 && option == (sf ? 3 : 2))}",
     "imm <= 4")
{
	arith_flags(t, IR_FLADD, IR_ADD, a->Rd, RNSP, EXT2);
}
INSN(sub_ext, "sf:1 1 0 01011 00 1 Rm:5 option:3 imm:3 Rn:5 Rd:5",
     "sub {rsp(sf, Rd)}, {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, (Rd == 31 || Rn == 31) && option == (sf ? 3 : 2))}", "imm <= 4")
{
	set_xsp(t, a->Rd, OP(SUB, RNSP, EXT2));
}
INSN(subs_ext, "sf:1 1 1 01011 00 1 Rm:5 option:3 imm:3 Rn:5 Rd:5",
     "[Rd == 31] cmp {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, Rn == 31 && option == (sf ? 3 : 2))}; subs {r(sf, Rd)}, {rsp(sf, Rn)}, {extended(sf, Rm, option, imm, Rn == 31 && option == (sf ? 3 : 2))}",
     "imm <= 4")
{
	arith_flags(t, IR_FLSUB, IR_SUB, a->Rd, RNSP, EXT2);
}

/* Addition with carry. */
INSN(adc,  "sf:1 0 0 11010000 Rm:5 000000 Rn:5 Rd:5", "adc {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")  { add_carry(t, a->sf, a->Rd, RN, RM, false); }
INSN(adcs, "sf:1 0 1 11010000 Rm:5 000000 Rn:5 Rd:5", "adcs {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}") { add_carry(t, a->sf, a->Rd, RN, RM, true); }
INSN(sbc,  "sf:1 1 0 11010000 Rm:5 000000 Rn:5 Rd:5", "[Rn == 31] ngc {r(sf, Rd)}, {r(sf, Rm)}; sbc {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")
{
	sub_carry(t, a->sf, a->Rd, RN, RM, false);
}
INSN(sbcs, "sf:1 1 1 11010000 Rm:5 000000 Rn:5 Rd:5", "[Rn == 31] ngcs {r(sf, Rd)}, {r(sf, Rm)}; sbcs {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")
{
	sub_carry(t, a->sf, a->Rd, RN, RM, true);
}

/* Flag manipulation (FEAT_FlagM; CFINV, AXFLAG and XAFLAG are with MSR). */
INSN(rmif, "1 0 1 11010000 imm:6 00001 Rn:5 0 mask:4", "rmif {x(Rn)}, {dec(imm)}, {dec(mask)}", FLAGM)
{
	ir_ref v = x(t, a->Rn);
	v = v_trunc(t, TY_I32, a->imm ? OP(ROTR, v, konst(t, a->imm)) : v);
	v = v_op(t, IR_FLPACK, TY_FLAGS, OP(SHL, v, konst32(t, 28)), 0, 0, 0);
	if (a->mask)
		set_nzcv(t, merge(t, nzcv(t), v, (u32)a->mask << 28));
}
INSN(setf8,  "0 0 1 11010000 000000 0 0010 Rn:5 0 1101", "setf8 {w(Rn)}", FLAGM)  { setf(t, a->Rn, 8); }
INSN(setf16, "0 0 1 11010000 000000 1 0010 Rn:5 0 1101", "setf16 {w(Rn)}", FLAGM) { setf(t, a->Rn, 16); }

/* Conditional comparison. */
INSN(ccmn_reg, "sf:1 0 1 11010010 Rm:5 cond:4 00 Rn:5 0 nzcv:4", "ccmn {r(sf, Rn)}, {r(sf, Rm)}, {hex(nzcv)}, {cond(cond)}")
{
	cond_compare(t, IR_FLADD, RN, RM, a->cond, a->nzcv);
}
INSN(ccmp_reg, "sf:1 1 1 11010010 Rm:5 cond:4 00 Rn:5 0 nzcv:4", "ccmp {r(sf, Rn)}, {r(sf, Rm)}, {hex(nzcv)}, {cond(cond)}")
{
	cond_compare(t, IR_FLSUB, RN, RM, a->cond, a->nzcv);
}
INSN(ccmn_imm, "sf:1 0 1 11010010 imm:5 cond:4 10 Rn:5 0 nzcv:4", "ccmn {r(sf, Rn)}, {hex(imm)}, {hex(nzcv)}, {cond(cond)}")
{
	cond_compare(t, IR_FLADD, RN, K(a->imm), a->cond, a->nzcv);
}
INSN(ccmp_imm, "sf:1 1 1 11010010 imm:5 cond:4 10 Rn:5 0 nzcv:4", "ccmp {r(sf, Rn)}, {hex(imm)}, {hex(nzcv)}, {cond(cond)}")
{
	cond_compare(t, IR_FLSUB, RN, K(a->imm), a->cond, a->nzcv);
}

/* Conditional selection. */
INSN(csel, "sf:1 0 0 11010100 Rm:5 cond:4 0 0 Rn:5 Rd:5", "csel {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {cond(cond)}")
{
	RD(a->cond >= 14 ? RN : v_select(t, cond_holds(t, a->cond), RN, RM));
}
INSN(csinc, "sf:1 0 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5",
     "[Rn == 31 && Rm == 31 && cond < 14] cset {r(sf, Rd)}, {notcond(cond)}; [Rn == Rm && cond < 14] cinc {r(sf, Rd)}, {r(sf, Rn)}, {notcond(cond)}; "
     "csinc {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {cond(cond)}")
{
	if (a->cond >= 14)
		RD(RN);
	else if (a->Rn == 31 && a->Rm == 31)
		RD(v_zext(t, int_type(a->sf), cond_holds(t, a->cond ^ 1)));
	else
		RD(v_select(t, cond_holds(t, a->cond), RN, OP(ADD, RM, K(1))));
}
INSN(csinv, "sf:1 1 0 11010100 Rm:5 cond:4 0 0 Rn:5 Rd:5",
     "[Rn == 31 && Rm == 31 && cond < 14] csetm {r(sf, Rd)}, {notcond(cond)}; [Rn == Rm && cond < 14] cinv {r(sf, Rd)}, {r(sf, Rn)}, {notcond(cond)}; "
     "csinv {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {cond(cond)}")
{
	if (a->cond >= 14)
		RD(RN);
	else if (a->Rn == 31 && a->Rm == 31)
		RD(UN(NEG, v_zext(t, int_type(a->sf), cond_holds(t, a->cond ^ 1))));
	else
		RD(v_select(t, cond_holds(t, a->cond), RN, UN(NOT, RM)));
}
INSN(csneg, "sf:1 1 0 11010100 Rm:5 cond:4 0 1 Rn:5 Rd:5",
     "[Rn == Rm && cond < 14] cneg {r(sf, Rd)}, {r(sf, Rn)}, {notcond(cond)}; csneg {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {cond(cond)}")
{
	RD(a->cond >= 14 ? RN : v_select(t, cond_holds(t, a->cond), RN, UN(NEG, RM)));
}

/* Two sources. */
INSN(udiv, "sf:1 0 0 11010110 Rm:5 000010 Rn:5 Rd:5", "udiv {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}") { RD(OP(DIVU, RN, RM)); }
INSN(sdiv, "sf:1 0 0 11010110 Rm:5 000011 Rn:5 Rd:5", "sdiv {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}") { RD(OP(DIVS, RN, RM)); }
INSN(lslv, "sf:1 0 0 11010110 Rm:5 001000 Rn:5 Rd:5", "lsl {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")  { RD(OP(SHL, RN, RM)); }
INSN(lsrv, "sf:1 0 0 11010110 Rm:5 001001 Rn:5 Rd:5", "lsr {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")  { RD(OP(SHR, RN, RM)); }
INSN(asrv, "sf:1 0 0 11010110 Rm:5 001010 Rn:5 Rd:5", "asr {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")  { RD(OP(SAR, RN, RM)); }
INSN(rorv, "sf:1 0 0 11010110 Rm:5 001011 Rn:5 Rd:5", "ror {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}")  { RD(OP(ROTR, RN, RM)); }
INSN(crc32, "sf:1 0 0 11010110 Rm:5 010 C:1 sz:2 Rn:5 Rd:5",
     "crc32{?C:c}{#sz:b|h|w|x} {w(Rd)}, {w(Rn)}, {r(sf, Rm)}", CRC32, "sf == (sz == 3)")
{
	RD(v_op(t, IR_CRC32, TY_I32, w(t, a->Rn), v_trunc(t, size_type(a->sz), x(t, a->Rm)), 0, a->C));
}

/* One source. */
INSN(rbit,  "sf:1 1 0 11010110 00000 000000 Rn:5 Rd:5", "rbit {r(sf, Rd)}, {r(sf, Rn)}")   { RD(UN(BITREV, RN)); }
INSN(rev16, "sf:1 1 0 11010110 00000 000001 Rn:5 Rd:5", "rev16 {r(sf, Rd)}, {r(sf, Rn)}")
{
	u64 even = 0x00ff00ff00ff00ff;
	if (a->sf)
		RD(OP(OR, OP(SHL, OP(AND, RN, K(even)), K(8)), OP(AND, OP(SHR, RN, K(8)), K(even))));
	else
		RD(OP(ROTR, UN(BSWAP, RN), K(16)));
}
INSN(rev_w, "0 1 0 11010110 00000 000010 Rn:5 Rd:5", "rev {w(Rd)}, {w(Rn)}")   { RD(UN(BSWAP, w(t, a->Rn))); }
INSN(rev32, "1 1 0 11010110 00000 000010 Rn:5 Rd:5", "rev32 {x(Rd)}, {x(Rn)}") { RD(OP(ROTR, UN(BSWAP, x(t, a->Rn)), konst(t, 32))); }
INSN(rev_x, "1 1 0 11010110 00000 000011 Rn:5 Rd:5", "rev {x(Rd)}, {x(Rn)}")   { RD(UN(BSWAP, x(t, a->Rn))); }
INSN(clz,   "sf:1 1 0 11010110 00000 000100 Rn:5 Rd:5", "clz {r(sf, Rd)}, {r(sf, Rn)}") { RD(UN(CLZ, RN)); }
INSN(cls,   "sf:1 1 0 11010110 00000 000101 Rn:5 Rd:5", "cls {r(sf, Rd)}, {r(sf, Rn)}") { RD(UN(CLS, RN)); }

/* Three sources. */
INSN(madd, "sf:1 00 11011 000 Rm:5 0 Ra:5 Rn:5 Rd:5", "[Ra == 31] mul {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}; madd {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {r(sf, Ra)}")
{
	ir_ref v = OP(MUL, RN, RM);
	RD(a->Ra == 31 ? v : OP(ADD, r(t, a->sf, a->Ra), v));
}
INSN(msub, "sf:1 00 11011 000 Rm:5 1 Ra:5 Rn:5 Rd:5", "[Ra == 31] mneg {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}; msub {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {r(sf, Ra)}")
{
	ir_ref v = OP(MUL, RN, RM);
	RD(a->Ra == 31 ? UN(NEG, v) : OP(SUB, r(t, a->sf, a->Ra), v));
}
INSN(maddl, "1 00 11011 U:1 01 Rm:5 0 Ra:5 Rn:5 Rd:5", "[Ra == 31] {#U:s|u}mull {x(Rd)}, {w(Rn)}, {w(Rm)}; {#U:s|u}maddl {x(Rd)}, {w(Rn)}, {w(Rm)}, {x(Ra)}")
{
	ir_ref v = v_op(t, a->U ? IR_MULWU : IR_MULWS, TY_I64, w(t, a->Rn), w(t, a->Rm), 0, 0);
	RD(a->Ra == 31 ? v : OP(ADD, x(t, a->Ra), v));
}
INSN(msubl, "1 00 11011 U:1 01 Rm:5 1 Ra:5 Rn:5 Rd:5", "[Ra == 31] {#U:s|u}mnegl {x(Rd)}, {w(Rn)}, {w(Rm)}; {#U:s|u}msubl {x(Rd)}, {w(Rn)}, {w(Rm)}, {x(Ra)}")
{
	ir_ref v = v_op(t, a->U ? IR_MULWU : IR_MULWS, TY_I64, w(t, a->Rn), w(t, a->Rm), 0, 0);
	RD(a->Ra == 31 ? UN(NEG, v) : OP(SUB, x(t, a->Ra), v));
}
INSN(mulh, "1 00 11011 U:1 10 Rm:5 0 xxxxx Rn:5 Rd:5", "{#U:s|u}mulh {x(Rd)}, {x(Rn)}, {x(Rm)}")
{
	RD(v_bin(t, a->U ? IR_MULHU : IR_MULHS, x(t, a->Rn), x(t, a->Rm)));
}
/* clang-format on */
#include "arm64_dp_reg.decode.inc"
