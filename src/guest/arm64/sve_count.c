/*
 * A64: SVE: how many elements vectors, patterns and predicates have, and what counts with it; addresses of vectors and of elements.
 * Manual: Arm A-profile architecture, C4.1 "SVE Element Count", "SVE Inc/Dec by Predicate Count", "SVE Predicate Count", "SVE Stack Allocation",
 * "SVE address generation".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_count.decode.h"

enum { SVE_PREDICATE_BYTES = SVE_BYTES / 8 };
#define LANE lane_int(a->size)
#define COUNT (sve_pattern_count(a->pattern, a->size) * ((unsigned)a->imm + 1))
#define ACTIVE active(t, a->Pn, a->size)
/* Zd +- the i64 n in each element. */
#define EACH(op, n) \
	sve_set(t, a->Rd, simd_op2(t, op, LANE, simd_get(t, a->Rd), v_lanes(t, IR_DUP, LANE, n, 0, 0, 0)))
#define PLAIN (a->D ? IR_SUB : IR_ADD)
#define SATURATING saturating(a->D, a->U)

static enum ir_op saturating(unsigned down, unsigned is_unsigned)
{
	static const u16 op[2][2] = { { IR_QADDS, IR_QADDU }, { IR_QSUBS, IR_QSUBU } };
	return op[down][is_unsigned];
}

/* How many elements of register pn are true: i64. */
static ir_ref active(struct tr *t, unsigned pn, unsigned size)
{
	ir_ref bits = sve_bits(t, sve_active(t, sve_pred(t, pn), size));
	return v_zext(t, TY_I64, v_un(t, IR_POPCNT, bits));
}

static void change(struct tr *t, unsigned rd, enum ir_op op, ir_ref n)
{
	set_x(t, rd, v_bin(t, op, x(t, rd), n));
}

/* Register rd, 64 bits or (sf 0) 32 bits that are extended, changed by the i64 n: op saturates and is one of vectors. */
static void saturate(struct tr *t, unsigned rd, enum ir_op op, unsigned sf, unsigned is_unsigned, ir_ref n)
{
	enum ir_type type = int_type(sf);
	ir_ref v = v_op(t, IR_VZEXT, TY_V128, r(t, sf, rd), 0, 0, 0);
	ir_ref by = v_op(t, IR_VZEXT, TY_V128, v_trunc(t, type, n), 0, 0, 0);
	v = simd_op2(t, op, type, v, by);
	set_x(t, rd, simd_scalar(t, is_unsigned ? IR_VGET : IR_VGETS, TY_I64, type, v, 0));
}

/* Base addresses and offsets of elements. */
static void addresses(struct tr *t, unsigned rd, unsigned rn, unsigned size, ir_ref offset, unsigned shift)
{
	enum ir_type lane = lane_int(size);
	sve_set(t, rd,
		simd_op2(t, IR_ADD, lane, simd_get(t, rn), simd_shift(t, IR_SHL, lane, offset, shift)));
}

/* "x1, w1" of the signed forms on 32 bits, else the register that counts. */
static void arm64_text_counter(struct text *o, unsigned n, unsigned sf, unsigned is_unsigned)
{
	arm64_text_r(o, sf || !is_unsigned, n);
	if (!sf && !is_unsigned) {
		text_put(o, ", ");
		arm64_text_w(o, n);
	}
}

/* ", vl8, mul #3"; nothing for all, once. */
static void arm64_text_times(struct text *o, unsigned pattern, unsigned imm)
{
	if (pattern == 31 && !imm)
		return;
	text_put(o, ", ");
	arm64_text_pattern(o, pattern);
	if (imm)
		text_fmt(o, ", mul #%u", imm + 1);
}

/* "[z1.d, z2.d, lsl #3]" */
enum { ADR_LSL, ADR_UXTW, ADR_SXTW };
static void arm64_text_adr(struct text *o, unsigned n, unsigned m, unsigned size, unsigned kind,
			   unsigned shift)
{
	static const char *const name[] = { "lsl", "uxtw", "sxtw" };
	text_put(o, "[");
	arm64_text_z2(o, n, m, size);
	if (shift || kind != ADR_LSL)
		text_fmt(o, ", %s", name[kind]);
	if (shift)
		text_fmt(o, " #%u", shift);
	text_put(o, "]");
}

/* clang-format off */

/* Of a pattern. */
INSN(cnt, "00000100 size:2 10 imm:4 111000 pattern:5 Rd:5", "cnt{#size:b|h|w|d} {x(Rd)}{times(pattern, imm)}", SVE) { set_x(t, a->Rd, konst(t, COUNT)); }
INSN(inc_x, "00000100 size:2 11 imm:4 11100 D:1 pattern:5 Rd:5", "{#D:inc|dec}{#size:b|h|w|d} {x(Rd)}{times(pattern, imm)}", SVE) { change(t, a->Rd, PLAIN, konst(t, COUNT)); }
INSN(inc_v, "00000100 size:2 11 imm:4 11000 D:1 pattern:5 Rd:5", "{#D:inc|dec}{#size:b|h|w|d} {z(Rd, size)}{times(pattern, imm)}", SVE, "size != 0") { EACH(PLAIN, konst(t, COUNT)); }
INSN(qinc_x, "00000100 size:2 1 sf:1 imm:4 1111 D:1 U:1 pattern:5 Rd:5", "{#U:sq|uq}{#D:inc|dec}{#size:b|h|w|d} {counter(Rd, sf, U)}{times(pattern, imm)}", SVE) { saturate(t, a->Rd, SATURATING, a->sf, a->U, konst(t, COUNT)); }
INSN(qinc_v, "00000100 size:2 10 imm:4 1100 D:1 U:1 pattern:5 Rd:5", "{#U:sq|uq}{#D:inc|dec}{#size:b|h|w|d} {z(Rd, size)}{times(pattern, imm)}", SVE, "size != 0") { EACH(SATURATING, konst(t, COUNT)); }

/* Of a predicate. */
INSN(cntp, "00100101 size:2 100000 10 Pg:4 0 Pn:4 Rd:5", "cntp {x(Rd)}, {p(Pg)}, {ps(Pn, size)}", SVE)
{
	ir_ref bits = sve_bits(t, sve_active(t, simd_and(t, sve_pred(t, a->Pg), sve_pred(t, a->Pn)), a->size));
	set_x(t, a->Rd, v_un(t, IR_POPCNT, bits));
}
INSN(incp_x, "00100101 size:2 10110 D:1 10001 00 Pn:4 Rd:5", "{#D:inc|dec}p {x(Rd)}, {ps(Pn, size)}", SVE) { change(t, a->Rd, PLAIN, ACTIVE); }
INSN(incp_v, "00100101 size:2 10110 D:1 10000 00 Pn:4 Rd:5", "{#D:inc|dec}p {z(Rd, size)}, {ps(Pn, size)}", SVE, "size != 0") { EACH(PLAIN, ACTIVE); }
INSN(qincp_x, "00100101 size:2 1010 D:1 U:1 10001 sf:1 0 Pn:4 Rd:5", "[!sf && !U] sq{#D:inc|dec}p {x(Rd)}, {ps(Pn, size)}, {w(Rd)}; {#U:sq|uq}{#D:inc|dec}p {r(sf, Rd)}, {ps(Pn, size)}", SVE) { saturate(t, a->Rd, SATURATING, a->sf, a->U, ACTIVE); }
INSN(qincp_v, "00100101 size:2 1010 D:1 U:1 10000 00 Pn:4 Rd:5", "{#U:sq|uq}{#D:inc|dec}p {z(Rd, size)}, {ps(Pn, size)}", SVE, "size != 0") { EACH(SATURATING, ACTIVE); }

/* Of vectors and predicates in memory. */
INSN(addvl, "00000100 001 Rn:5 01010 imm:6s Rd:5", "addvl {xsp(Rd)}, {xsp(Rn)}, {dec(imm)}", SVE) { set_xsp(t, a->Rd, v_addi(t, xsp(t, a->Rn), a->imm * SVE_BYTES)); }
INSN(addpl, "00000100 011 Rn:5 01010 imm:6s Rd:5", "addpl {xsp(Rd)}, {xsp(Rn)}, {dec(imm)}", SVE) { set_xsp(t, a->Rd, v_addi(t, xsp(t, a->Rn), a->imm * SVE_PREDICATE_BYTES)); }
INSN(rdvl, "00000100 101 11111 01010 imm:6s Rd:5", "rdvl {x(Rd)}, {dec(imm)}", SVE) { set_x(t, a->Rd, konst(t, (u64)(i64)(a->imm * SVE_BYTES))); }
INSN(addsvl, "00000100 001 Rn:5 01011 imm:6s Rd:5", "addsvl {xsp(Rd)}, {xsp(Rn)}, {dec(imm)}", SME) { set_xsp(t, a->Rd, v_addi(t, xsp(t, a->Rn), a->imm * SVE_BYTES)); }
INSN(addspl, "00000100 011 Rn:5 01011 imm:6s Rd:5", "addspl {xsp(Rd)}, {xsp(Rn)}, {dec(imm)}", SME) { set_xsp(t, a->Rd, v_addi(t, xsp(t, a->Rn), a->imm * SVE_PREDICATE_BYTES)); }
INSN(rdsvl, "00000100 101 11111 01011 imm:6s Rd:5", "rdsvl {x(Rd)}, {dec(imm)}", SME) { set_x(t, a->Rd, konst(t, (u64)(i64)(a->imm * SVE_BYTES))); }

/* Of elements. */
INSN(adr_same, "00000100 1 size:1 1 Rm:5 1010 shift:2 Rn:5 Rd:5", "adr {z(Rd, size + 2)}, {adr(Rn, Rm, size + 2, ADR_LSL, shift)}", SVE) { addresses(t, a->Rd, a->Rn, 2 + a->size, simd_get(t, a->Rm), a->shift); }
INSN(adr_sxtw, "00000100 00 1 Rm:5 1010 shift:2 Rn:5 Rd:5", "adr {z(Rd, 3)}, {adr(Rn, Rm, 3, ADR_SXTW, shift)}", SVE)
{
	ir_ref up = simd_shift(t, IR_SHL, TY_I64, simd_get(t, a->Rm), 32);
	addresses(t, a->Rd, a->Rn, 3, simd_shift(t, IR_SAR, TY_I64, up, 32), a->shift);
}
INSN(adr_uxtw, "00000100 01 1 Rm:5 1010 shift:2 Rn:5 Rd:5", "adr {z(Rd, 3)}, {adr(Rn, Rm, 3, ADR_UXTW, shift)}", SVE)
{
	ir_ref low = simd_and(t, simd_get(t, a->Rm), simd_const(t, TY_I64, 0xffffffff));
	addresses(t, a->Rd, a->Rn, 3, low, a->shift);
}

/* clang-format on */
#include "arm64_sve_count.decode.inc"
