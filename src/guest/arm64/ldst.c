/*
 * A64: loads and stores of general registers (DDI 0487 C4.1.94): literal, pair, unscaled, indexed, unprivileged, register offset,
 * unsigned offset; prefetch. Atomic and exclusive ones are in atomic.c, vector ones in ldst_simd.c.
 *
 * Where the manual leaves writeback with overlapping registers open (Rt == Rn), a load's result wins.
 */
#include "guest/arm64/arm64.h"
#include "arm64_ldst.decode.h"

enum index { OFFSET, POST, PRE };

/* The base after the access; disp 0 and OFFSET change nothing. */
static void writeback(struct tr *t, unsigned rn, ir_ref base, i64 disp, enum index index)
{
	if (index != OFFSET)
		set_xsp(t, rn, v_addi(t, base, disp));
}

static void store(struct tr *t, unsigned size, unsigned rt, unsigned rn, i64 disp, enum index index)
{
	ir_ref base = xsp(t, rn);
	v_store(t, base, x(t, rt), plain(size_type(size), index == POST ? 0 : (i32)disp));
	writeback(t, rn, base, disp, index);
}

/* A load of size extended to 64 bits: sign 0 by zeros, 1 by the sign, 2 by the sign to 32 bits and zeros above. */
static ir_ref load_value(struct tr *t, unsigned size, unsigned sign, ir_ref addr, i32 disp)
{
	struct ir_mem mem = plain(size_type(size), disp);
	mem.sign = sign != 0;
	return v_load(t, sign == 2 ? TY_I32 : TY_I64, addr, mem);
}

static void load(struct tr *t, unsigned size, unsigned sign, unsigned rt, unsigned rn, i64 disp,
		 enum index index)
{
	ir_ref base = xsp(t, rn);
	ir_ref v = load_value(t, size, sign, base, index == POST ? 0 : (i32)disp);
	writeback(t, rn, base, disp, index);
	set_x(t, rt, v);
}

/* Two registers in one access: with FEAT_LSE2 nobody may see half of it, if it lies in 16 aligned bytes. */
static struct ir_mem both(unsigned size, i32 disp)
{
	struct ir_mem mem = plain(size == SIZE_W ? TY_I64 : TY_I128, disp);
	mem.single = 1;
	return mem;
}

static bool at_once(const struct tr *t)
{
	return t->key & KEY_SHARED && arm64_model_has(t->model, ARM64_LSE2);
}

static void store_pair(struct tr *t, unsigned size, unsigned rt, unsigned rt2, unsigned rn, i64 disp,
		       enum index index)
{
	ir_ref base = xsp(t, rn), low = x(t, rt), high = x(t, rt2);
	i32 at = index == POST ? 0 : (i32)disp;
	if (at_once(t)) {
		enum ir_type half = size_type(size);
		struct ir_mem mem = both(size, at);
		ir_ref v = v_op(t, IR_PAIR, mem.type, v_trunc(t, half, low), v_trunc(t, half, high), 0, 0);
		v_store(t, base, v, mem);
	} else {
		v_store(t, base, low, plain(size_type(size), at));
		v_store(t, base, high, plain(size_type(size), at + (1 << size)));
	}
	writeback(t, rn, base, disp, index);
}

static ir_ref widen(struct tr *t, ir_ref v, unsigned sign)
{
	return sign ? v_sext(t, TY_I64, v) : v_zext(t, TY_I64, v);
}

/* A fault of the second load may leave the first register changed, unless that is the base: the manual has loaded registers unknown then. */
static void load_pair(struct tr *t, unsigned size, unsigned sign, unsigned rt, unsigned rt2, unsigned rn,
		      i64 disp, enum index index)
{
	ir_ref base = xsp(t, rn);
	i32 at = index == POST ? 0 : (i32)disp;
	ir_ref low, high;
	bool early = !at_once(t) && rt != rn;
	if (at_once(t)) {
		enum ir_type half = size_type(size);
		struct ir_mem mem = both(size, at);
		ir_ref v = v_load(t, mem.type, base, mem);
		low = widen(t, v_op(t, IR_LO, half, v, 0, 0, 0), sign);
		high = widen(t, v_op(t, IR_HI, half, v, 0, 0, 0), sign);
	} else {
		low = load_value(t, size, sign, base, at);
		if (early)
			set_x(t, rt, low);
		high = load_value(t, size, sign, base, at + (1 << size));
	}
	writeback(t, rn, base, disp, index);
	if (!early)
		set_x(t, rt, low);
	set_x(t, rt2, high);
}

static ir_ref indexed(struct tr *t, unsigned rn, unsigned rm, unsigned option, unsigned shift)
{
	ir_ref base = xsp(t, rn);
	return v_bin(t, IR_ADD, base, extend_reg(t, rm, option, shift));
}

/* Prefetches are hints; those for code and the reserved kinds do nothing. */
static void prefetch(struct tr *t, unsigned op, ir_ref addr)
{
	if (op >> 3 == 0 || op >> 3 == 2)
		v_op(t, IR_PREFETCH, TY_VOID, addr, 0, 0, 0);
}

/* clang-format off */

/* Literal. */
INSN(ldr_lit, "0 sf:1 011 0 00 imm:19s Rt:5", "ldr {r(sf, Rt)}, {label((i64)imm * 4)}")
{
	set_x(t, a->Rt, load_value(t, a->sf ? SIZE_X : SIZE_W, 0, konst(t, t->pc + (u64)((i64)a->imm * 4)), 0));
}
INSN(ldrsw_lit, "10 011 0 00 imm:19s Rt:5", "ldrsw {x(Rt)}, {label((i64)imm * 4)}")
{
	set_x(t, a->Rt, load_value(t, SIZE_W, 1, konst(t, t->pc + (u64)((i64)a->imm * 4)), 0));
}
INSN(prfm_lit, "11 011 0 00 imm:19s Rt:5", "prfm {prfop(Rt)}, {label((i64)imm * 4)}")
{
	prefetch(t, a->Rt, konst(t, t->pc + (u64)((i64)a->imm * 4)));
}

/* Pairs. */
#define PAIR a->Rt, a->Rt2, a->Rn, (i64)a->imm * (a->sf ? 8 : 4)
#define PSIZE (a->sf ? SIZE_X : SIZE_W)
INSN(stnp,     "sf:1 0 101 0 000 0 imm:7s Rt2:5 Rn:5 Rt:5", "stnp {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, imm * (sf ? 8 : 4))}") { store_pair(t, PSIZE, PAIR, OFFSET); }
INSN(ldnp,     "sf:1 0 101 0 000 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldnp {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, imm * (sf ? 8 : 4))}") { load_pair(t, PSIZE, 0, PAIR, OFFSET); }
INSN(stp_post, "sf:1 0 101 0 001 0 imm:7s Rt2:5 Rn:5 Rt:5", "stp {r(sf, Rt)}, {r(sf, Rt2)}, {post(Rn, imm * (sf ? 8 : 4))}") { store_pair(t, PSIZE, PAIR, POST); }
INSN(ldp_post, "sf:1 0 101 0 001 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldp {r(sf, Rt)}, {r(sf, Rt2)}, {post(Rn, imm * (sf ? 8 : 4))}") { load_pair(t, PSIZE, 0, PAIR, POST); }
INSN(stp,      "sf:1 0 101 0 010 0 imm:7s Rt2:5 Rn:5 Rt:5", "stp {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, imm * (sf ? 8 : 4))}")  { store_pair(t, PSIZE, PAIR, OFFSET); }
INSN(ldp,      "sf:1 0 101 0 010 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldp {r(sf, Rt)}, {r(sf, Rt2)}, {mem(Rn, imm * (sf ? 8 : 4))}")  { load_pair(t, PSIZE, 0, PAIR, OFFSET); }
INSN(stp_pre,  "sf:1 0 101 0 011 0 imm:7s Rt2:5 Rn:5 Rt:5", "stp {r(sf, Rt)}, {r(sf, Rt2)}, {pre(Rn, imm * (sf ? 8 : 4))}")  { store_pair(t, PSIZE, PAIR, PRE); }
INSN(ldp_pre,  "sf:1 0 101 0 011 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldp {r(sf, Rt)}, {r(sf, Rt2)}, {pre(Rn, imm * (sf ? 8 : 4))}")  { load_pair(t, PSIZE, 0, PAIR, PRE); }
#define PAIRSW a->Rt, a->Rt2, a->Rn, (i64)a->imm * 4
INSN(ldpsw_post, "01 101 0 001 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldpsw {x(Rt)}, {x(Rt2)}, {post(Rn, imm * 4)}") { load_pair(t, SIZE_W, 1, PAIRSW, POST); }
INSN(ldpsw,      "01 101 0 010 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldpsw {x(Rt)}, {x(Rt2)}, {mem(Rn, imm * 4)}")  { load_pair(t, SIZE_W, 1, PAIRSW, OFFSET); }
INSN(ldpsw_pre,  "01 101 0 011 1 imm:7s Rt2:5 Rn:5 Rt:5", "ldpsw {x(Rt)}, {x(Rt2)}, {pre(Rn, imm * 4)}")  { load_pair(t, SIZE_W, 1, PAIRSW, PRE); }

/* Nine-bit offsets. o of the sign-extending loads: 0 to 64 bits, 1 to 32. */
#define AT9 a->Rt, a->Rn, a->imm
INSN(stur,      "size:2 111 0 00 00 0 imm:9s 00 Rn:5 Rt:5", "stur{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}")  { store(t, a->size, AT9, OFFSET); }
INSN(ldur,      "size:2 111 0 00 01 0 imm:9s 00 Rn:5 Rt:5", "ldur{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}")  { load(t, a->size, 0, AT9, OFFSET); }
INSN(ldurs,     "size:2 111 0 00 1 o:1 0 imm:9s 00 Rn:5 Rt:5", "ldurs{#size:b|h|w} {r(!o, Rt)}, {mem(Rn, imm)}", "size + o <= 2") { load(t, a->size, a->o + 1, AT9, OFFSET); }
INSN(prfum,     "11 111 0 00 10 0 imm:9s 00 Rn:5 Rt:5", "prfum {prfop(Rt)}, {mem(Rn, imm)}", SPECIAL) { prefetch(t, a->Rt, v_addi(t, xsp(t, a->Rn), a->imm)); }
INSN(str_post,  "size:2 111 0 00 00 0 imm:9s 01 Rn:5 Rt:5", "str{#size:b|h||} {r(size == 3, Rt)}, {post(Rn, imm)}")  { store(t, a->size, AT9, POST); }
INSN(ldr_post,  "size:2 111 0 00 01 0 imm:9s 01 Rn:5 Rt:5", "ldr{#size:b|h||} {r(size == 3, Rt)}, {post(Rn, imm)}")  { load(t, a->size, 0, AT9, POST); }
INSN(ldrs_post, "size:2 111 0 00 1 o:1 0 imm:9s 01 Rn:5 Rt:5", "ldrs{#size:b|h|w} {r(!o, Rt)}, {post(Rn, imm)}", "size + o <= 2") { load(t, a->size, a->o + 1, AT9, POST); }
INSN(sttr,      "size:2 111 0 00 00 0 imm:9s 10 Rn:5 Rt:5", "sttr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}")  { store(t, a->size, AT9, OFFSET); }
INSN(ldtr,      "size:2 111 0 00 01 0 imm:9s 10 Rn:5 Rt:5", "ldtr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm)}")  { load(t, a->size, 0, AT9, OFFSET); }
INSN(ldtrs,     "size:2 111 0 00 1 o:1 0 imm:9s 10 Rn:5 Rt:5", "ldtrs{#size:b|h|w} {r(!o, Rt)}, {mem(Rn, imm)}", "size + o <= 2") { load(t, a->size, a->o + 1, AT9, OFFSET); }
INSN(str_pre,   "size:2 111 0 00 00 0 imm:9s 11 Rn:5 Rt:5", "str{#size:b|h||} {r(size == 3, Rt)}, {pre(Rn, imm)}")   { store(t, a->size, AT9, PRE); }
INSN(ldr_pre,   "size:2 111 0 00 01 0 imm:9s 11 Rn:5 Rt:5", "ldr{#size:b|h||} {r(size == 3, Rt)}, {pre(Rn, imm)}")   { load(t, a->size, 0, AT9, PRE); }
INSN(ldrs_pre,  "size:2 111 0 00 1 o:1 0 imm:9s 11 Rn:5 Rt:5", "ldrs{#size:b|h|w} {r(!o, Rt)}, {pre(Rn, imm)}", "size + o <= 2") { load(t, a->size, a->o + 1, AT9, PRE); }

/* Unsigned scaled offset. */
#define AT12 a->Rt, a->Rn, (i64)a->imm << a->size
INSN(str,  "size:2 111 0 01 00 imm:12 Rn:5 Rt:5", "str{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm << size)}") { store(t, a->size, AT12, OFFSET); }
INSN(ldr,  "size:2 111 0 01 01 imm:12 Rn:5 Rt:5", "ldr{#size:b|h||} {r(size == 3, Rt)}, {mem(Rn, imm << size)}") { load(t, a->size, 0, AT12, OFFSET); }
INSN(ldrs, "size:2 111 0 01 1 o:1 imm:12 Rn:5 Rt:5", "ldrs{#size:b|h|w} {r(!o, Rt)}, {mem(Rn, imm << size)}", "size + o <= 2") { load(t, a->size, a->o + 1, AT12, OFFSET); }
INSN(prfm, "11 111 0 01 10 imm:12 Rn:5 Rt:5", "prfm {prfop(Rt)}, {mem(Rn, imm << 3)}", SPECIAL) { prefetch(t, a->Rt, v_addi(t, xsp(t, a->Rn), a->imm << 3)); }

/* Register offset. */
#define AT_REG indexed(t, a->Rn, a->Rm, a->option, a->S ? a->size : 0)
INSN(str_reg, "size:2 111 0 00 00 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5", "str{#size:b|h||} {r(size == 3, Rt)}, {index(Rn, Rm, option, S, size)}", "option & 2")
{
	v_store(t, AT_REG, x(t, a->Rt), plain(size_type(a->size), 0));
}
INSN(ldr_reg, "size:2 111 0 00 01 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5", "ldr{#size:b|h||} {r(size == 3, Rt)}, {index(Rn, Rm, option, S, size)}", "option & 2")
{
	set_x(t, a->Rt, load_value(t, a->size, 0, AT_REG, 0));
}
INSN(ldrs_reg, "size:2 111 0 00 1 o:1 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5", "ldrs{#size:b|h|w} {r(!o, Rt)}, {index(Rn, Rm, option, S, size)}", "(option & 2) && size + o <= 2")
{
	set_x(t, a->Rt, load_value(t, a->size, a->o + 1, AT_REG, 0));
}
INSN(prfm_reg, "11 111 0 00 10 1 Rm:5 option:3 S:1 10 Rn:5 Rt:5", "prfm {prfop(Rt)}, {index(Rn, Rm, option, S, 3)}", "option & 2", SPECIAL)
{
	prefetch(t, a->Rt, indexed(t, a->Rn, a->Rm, a->option, a->S ? 3 : 0));
}
/* clang-format on */
#include "arm64_ldst.decode.inc"
