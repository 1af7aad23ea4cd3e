/*
 * A64: data processing with immediates (DDI 0487 C4.1.92): addition, logic, moves, bitfields, extract, addresses.
 */
#include "guest/arm64/arm64.h"
#include "arm64_dp_imm.decode.h"

bool arm64_bitmask(unsigned sf, unsigned n, unsigned imms, unsigned immr, u64 *ret_mask)
{
	u32 sizes = n << 6 | (~imms & 63);
	if (sizes < 2 || (!sf && n))
		return false;
	unsigned esize = 1u << (31 - __builtin_clz(sizes)), levels = esize - 1;
	if ((imms & levels) == levels)
		return false;
	unsigned ones = (imms & levels) + 1, rot = immr & levels;
	u64 all = esize == 64 ? ~0ull : BITS(esize), elem = BITS(ones);
	if (rot)
		elem = (elem >> rot | elem << (esize - rot)) & all;
	for (unsigned at = esize; at < 64; at *= 2)
		elem |= elem << at;
	*ret_mask = elem;
	return true;
}

static u64 bitmask(unsigned sf, unsigned n, unsigned imms, unsigned immr)
{
	u64 mask = 0;
	arm64_bitmask(sf, n, imms, immr, &mask);
	return mask;
}

/* True if MOVZ or MOVN can make the value, so that the assembler does not print ORR as MOV (MoveWidePreferred). */
static bool move_wide(unsigned sf, u64 v)
{
	for (unsigned i = 0; i < (sf ? 64u : 32u); i += 16) {
		u64 all = sf ? ~0ull : 0xffffffff;
		if (!(v & all & ~(0xffffull << i)) || !(~v & all & ~(0xffffull << i)))
			return true;
	}
	return false;
}

static bool bitmask_ok(unsigned sf, unsigned n, unsigned imms, unsigned immr)
{
	u64 mask;
	return arm64_bitmask(sf, n, imms, immr, &mask);
}

#define OP(op, x, y) v_bin(t, IR_##op, x, y)
#define K(v) k(t, a->sf, v)
#define RN r(t, a->sf, a->Rn)
#define RNSP rsp(t, a->sf, a->Rn)
#define IMM12 ((u64)a->imm << (a->sh ? 12 : 0))
#define MASK bitmask(a->sf, a->N, a->imms, a->immr)

static void arith_flags(struct tr *t, enum ir_op fl, enum ir_op op, unsigned rd, ir_ref left, ir_ref right)
{
	ir_ref flags = v_op(t, fl, TY_FLAGS, left, right, 0, 0);
	if (rd != 31)
		set_x(t, rd, v_bin(t, op, left, right));
	set_nzcv(t, flags);
}

/* SBFM, UBFM: the field of Rn brought to bit 0, or its low bits brought up. */
static ir_ref bitfield(struct tr *t, bool sign, unsigned sf, unsigned n, unsigned immr, unsigned imms)
{
	static const enum ir_type type[] = { [8] = TY_I8, [16] = TY_I16, [32] = TY_I32 };
	unsigned size = sf ? 64 : 32, low = imms < immr ? 0 : immr,
		 len = imms < immr ? imms + 1 : imms - immr + 1;
	ir_ref v;
	if (imms >= immr && imms == size - 1)
		return immr ? v_bin(t, sign ? IR_SAR : IR_SHR, r(t, sf, n), k(t, sf, immr)) : r(t, sf, n);
	if (imms + 1 == immr) /* LSL */
		return v_bin(t, IR_SHL, r(t, sf, n), k(t, sf, size - immr));
	if (!low && (len == 8 || len == 16 || len == 32)) {
		v = v_trunc(t, type[len], x(t, n));
		v = sign ? v_sext(t, int_type(sf), v) : v_zext(t, int_type(sf), v);
	} else {
		v = v_op(t, sign ? IR_EXTRACTS : IR_EXTRACTU, int_type(sf), r(t, sf, n), low, len, 0);
	}
	return imms < immr ? v_bin(t, IR_SHL, v, k(t, sf, size - immr)) : v;
}

static ir_ref insert(struct tr *t, unsigned sf, unsigned d, unsigned n, unsigned immr, unsigned imms)
{
	unsigned size = sf ? 64 : 32;
	ir_ref from = r(t, sf, n);
	if (imms < immr)
		return v_op(t, IR_DEPOSIT, int_type(sf), r(t, sf, d), from, 0,
			    (size - immr) | (imms + 1) << 8);
	if (immr)
		from = v_bin(t, IR_SHR, from, k(t, sf, immr));
	if (imms - immr + 1 == size)
		return from;
	return v_op(t, IR_DEPOSIT, int_type(sf), r(t, sf, d), from, 0, (u64)(imms - immr + 1) << 8);
}

/* clang-format off */

/* Addresses. */
INSN(adr,  "0 imm.0:2 10000 imm.2:19s Rd:5", "adr {x(Rd)}, {label(imm)}") { set_x(t, a->Rd, konst(t, t->pc + (i64)a->imm)); }
INSN(adrp, "1 imm.0:2 10000 imm.2:19s Rd:5", "adrp {x(Rd)}, {page((i64)imm * 4096)}") { set_x(t, a->Rd, konst(t, (t->pc & ~0xfffull) + (u64)((i64)a->imm * 4096))); }

/* Add and subtract. */
INSN(add_imm, "sf:1 0 0 100010 sh:1 imm:12 Rn:5 Rd:5",
     "[(Rd == 31 || Rn == 31) && !imm && !sh] mov {rsp(sf, Rd)}, {rsp(sf, Rn)}; add {rsp(sf, Rd)}, {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}")
{
	set_xsp(t, a->Rd, IMM12 ? OP(ADD, RNSP, K(IMM12)) : RNSP);
}
INSN(adds_imm, "sf:1 0 1 100010 sh:1 imm:12 Rn:5 Rd:5",
     "[Rd == 31] cmn {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}; adds {r(sf, Rd)}, {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}")
{
	arith_flags(t, IR_FLADD, IR_ADD, a->Rd, RNSP, K(IMM12));
}
INSN(sub_imm, "sf:1 1 0 100010 sh:1 imm:12 Rn:5 Rd:5", "sub {rsp(sf, Rd)}, {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}")
{
	set_xsp(t, a->Rd, IMM12 ? OP(SUB, RNSP, K(IMM12)) : RNSP);
}
INSN(subs_imm, "sf:1 1 1 100010 sh:1 imm:12 Rn:5 Rd:5",
     "[Rd == 31] cmp {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}; subs {r(sf, Rd)}, {rsp(sf, Rn)}, {hex(imm)}{?sh:, lsl #12}")
{
	arith_flags(t, IR_FLSUB, IR_SUB, a->Rd, RNSP, K(IMM12));
}

/* Logic. */
INSN(and_imm, "sf:1 00 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "and {rsp(sf, Rd)}, {r(sf, Rn)}, {bitmask(sf, N, imms, immr)}", "bitmask_ok(sf, N, imms, immr)")
{
	set_xsp(t, a->Rd, OP(AND, RN, K(MASK)));
}
INSN(orr_imm, "sf:1 01 100100 N:1 immr:6 imms:6 Rn:5 Rd:5",
     "[Rn == 31 && (Rd == 31 || !move_wide(sf, bitmask(sf, N, imms, immr)))] mov {rsp(sf, Rd)}, {bitmask(sf, N, imms, immr)}; orr {rsp(sf, Rd)}, {r(sf, Rn)}, {bitmask(sf, N, imms, immr)}",
     "bitmask_ok(sf, N, imms, immr)")
{
	set_xsp(t, a->Rd, a->Rn == 31 ? K(MASK) : OP(OR, RN, K(MASK)));
}
INSN(eor_imm, "sf:1 10 100100 N:1 immr:6 imms:6 Rn:5 Rd:5", "eor {rsp(sf, Rd)}, {r(sf, Rn)}, {bitmask(sf, N, imms, immr)}", "bitmask_ok(sf, N, imms, immr)")
{
	set_xsp(t, a->Rd, OP(XOR, RN, K(MASK)));
}
INSN(ands_imm, "sf:1 11 100100 N:1 immr:6 imms:6 Rn:5 Rd:5",
     "[Rd == 31] tst {r(sf, Rn)}, {bitmask(sf, N, imms, immr)}; ands {r(sf, Rd)}, {r(sf, Rn)}, {bitmask(sf, N, imms, immr)}", "bitmask_ok(sf, N, imms, immr)")
{
	ir_ref v = OP(AND, RN, K(MASK));
	set_x(t, a->Rd, v);
	set_nzcv(t, v_op(t, IR_FLLOGIC, TY_FLAGS, v, 0, 0, 0));
}

/* Moves. */
INSN(movn, "sf:1 00 100101 hw:2 imm:16 Rd:5",
     "[(imm || !hw) && (sf || imm != 0xffff)] mov {r(sf, Rd)}, {hex(sf ? ~((u64)imm << (16 * hw)) : (u32)~((u32)imm << (16 * hw)))}; movn {r(sf, Rd)}, {hex(imm)}{#hw:|, lsl #16|, lsl #32|, lsl #48}",
     "sf || hw < 2")
{
	set_x(t, a->Rd, konst(t, a->sf ? ~((u64)a->imm << (16 * a->hw)) : (u32)~((u32)a->imm << (16 * a->hw))));
}
INSN(movz, "sf:1 10 100101 hw:2 imm:16 Rd:5",
     "[imm || !hw] mov {r(sf, Rd)}, {hex((u64)imm << (16 * hw))}; movz {r(sf, Rd)}, {hex(imm)}{#hw:|, lsl #16|, lsl #32|, lsl #48}", "sf || hw < 2")
{
	set_x(t, a->Rd, konst(t, (u64)a->imm << (16 * a->hw)));
}
INSN(movk, "sf:1 11 100101 hw:2 imm:16 Rd:5", "movk {r(sf, Rd)}, {hex(imm)}{#hw:|, lsl #16|, lsl #32|, lsl #48}", "sf || hw < 2")
{
	set_x(t, a->Rd, v_op(t, IR_DEPOSIT, int_type(a->sf), r(t, a->sf, a->Rd), K(a->imm), 0, 16 * a->hw | 16 << 8));
}

/* Bitfields. */
INSN(sbfm, "sf:1 00 100110 N:1 immr:6 imms:6 Rn:5 Rd:5",
     "[imms == (sf ? 63 : 31)] asr {r(sf, Rd)}, {r(sf, Rn)}, {dec(immr)}; "
     "[imms < immr] sbfiz {r(sf, Rd)}, {r(sf, Rn)}, {dec((sf ? 64 : 32) - immr)}, {dec(imms + 1)}; "
     "[!immr && imms == 7] sxtb {r(sf, Rd)}, {w(Rn)}; [!immr && imms == 15] sxth {r(sf, Rd)}, {w(Rn)}; [!immr && imms == 31] sxtw {r(sf, Rd)}, {w(Rn)}; "
     "sbfx {r(sf, Rd)}, {r(sf, Rn)}, {dec(immr)}, {dec(imms - immr + 1)}",
     "N == sf && (sf || (immr < 32 && imms < 32))")
{
	set_x(t, a->Rd, bitfield(t, true, a->sf, a->Rn, a->immr, a->imms));
}
INSN(bfm, "sf:1 01 100110 N:1 immr:6 imms:6 Rn:5 Rd:5",
     "[imms < immr && Rn == 31] bfc {r(sf, Rd)}, {dec((sf ? 64 : 32) - immr)}, {dec(imms + 1)}; "
     "[imms < immr] bfi {r(sf, Rd)}, {r(sf, Rn)}, {dec((sf ? 64 : 32) - immr)}, {dec(imms + 1)}; "
     "bfxil {r(sf, Rd)}, {r(sf, Rn)}, {dec(immr)}, {dec(imms - immr + 1)}",
     "N == sf && (sf || (immr < 32 && imms < 32))")
{
	set_x(t, a->Rd, insert(t, a->sf, a->Rd, a->Rn, a->immr, a->imms));
}
INSN(ubfm, "sf:1 10 100110 N:1 immr:6 imms:6 Rn:5 Rd:5",
     "[imms == (sf ? 63 : 31)] lsr {r(sf, Rd)}, {r(sf, Rn)}, {dec(immr)}; "
     "[imms + 1 == immr] lsl {r(sf, Rd)}, {r(sf, Rn)}, {dec((sf ? 63 : 31) - imms)}; "
     "[imms < immr] ubfiz {r(sf, Rd)}, {r(sf, Rn)}, {dec((sf ? 64 : 32) - immr)}, {dec(imms + 1)}; "
     "[!sf && !immr && imms == 7] uxtb {r(sf, Rd)}, {w(Rn)}; [!sf && !immr && imms == 15] uxth {r(sf, Rd)}, {w(Rn)}; "
     "ubfx {r(sf, Rd)}, {r(sf, Rn)}, {dec(immr)}, {dec(imms - immr + 1)}",
     "N == sf && (sf || (immr < 32 && imms < 32))")
{
	set_x(t, a->Rd, bitfield(t, false, a->sf, a->Rn, a->immr, a->imms));
}
INSN(extr, "sf:1 00 100111 N:1 0 Rm:5 imms:6 Rn:5 Rd:5",
     "[Rn == Rm] ror {r(sf, Rd)}, {r(sf, Rn)}, {dec(imms)}; extr {r(sf, Rd)}, {r(sf, Rn)}, {r(sf, Rm)}, {dec(imms)}", "N == sf && (sf || imms < 32)")
{
	ir_ref v = RN;
	if (a->Rn == a->Rm)
		v = a->imms ? OP(ROTR, v, K(a->imms)) : v;
	else
		v = a->imms ? v_op(t, IR_FUNNEL, int_type(a->sf), v, r(t, a->sf, a->Rm), 0, a->imms) : r(t, a->sf, a->Rm);
	set_x(t, a->Rd, v);
}
/* clang-format on */
#include "arm64_dp_imm.decode.inc"
