/*
 * A64: SVE: contiguous loads and stores, structures, broadcasts, whole registers.
 * Manual: Arm A-profile architecture, C4.1 "SVE Memory - 32-bit Gather and Unsized Contiguous", "SVE Memory - Contiguous Load", "SVE Memory - Store".
 *
 * dtype says what a load makes of memory: the larger of its halves is the element's size, both as 3 - log2 where the first one is the greater, then signed.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_ldst.decode.h"

/* ---- dtype ---- */
static bool dtype_signed(unsigned dtype)
{
	unsigned high = dtype >> 2, low = dtype & 3;
	return high > low;
}
static unsigned dtype_mem(unsigned dtype)
{
	return dtype_signed(dtype) ? 3 - (dtype >> 2) : dtype >> 2;
}
static unsigned dtype_elem(unsigned dtype)
{
	return dtype_signed(dtype) ? 3 - (dtype & 3) : dtype & 3;
}

/* ---- addresses ---- */
/* base + (index << shift), the index a register. */
static ir_ref indexed(struct tr *t, unsigned rn, unsigned rm, unsigned shift)
{
	return v_bin(t, IR_ADD, xsp(t, rn), extend_reg(t, rm, 3, shift));
}
static ir_ref displaced(struct tr *t, unsigned rn, i32 disp)
{
	return v_addi(t, xsp(t, rn), disp);
}
/* Bytes of memory that an instruction on one register covers. */
static i32 covers(unsigned elem, unsigned mem)
{
	return SVE_BYTES >> (elem - mem);
}

/* ---- text ---- */
static void arm64_text_mnemonic(struct text *o, unsigned dtype)
{
	text_fmt(o, "%s%c", dtype_signed(dtype) ? "s" : "", "bhwd"[dtype_mem(dtype)]);
}
/* [x1, x2, lsl #3] */
static void arm64_text_scaled(struct text *o, unsigned n, unsigned m, unsigned shift)
{
	arm64_text_index(o, n, m, 3, shift, shift);
}

/* ---- meaning ---- */
static void load(struct tr *t, unsigned rd, unsigned pg, unsigned dtype, enum sve_faults faults, ir_ref base)
{
	struct sve_access how = { .elem = (u8)dtype_elem(dtype),
				  .mem = (u8)dtype_mem(dtype),
				  .sign = dtype_signed(dtype),
				  .faults = faults };
	sve_load(t, how, A64_V0 + rd, sve_pred(t, pg), base, IR_NONE);
}

static void store(struct tr *t, unsigned rd, unsigned pg, unsigned elem, unsigned mem, ir_ref base)
{
	struct sve_access how = { .elem = (u8)elem, .mem = (u8)mem };
	sve_store(t, how, simd_get(t, rd), sve_pred(t, pg), base, IR_NONE);
}

/* Structures of more + 1 elements; none more: an ordinary load, or store, that says it will not come again. */
static void load_structures(struct tr *t, unsigned rd, unsigned pg, unsigned size, unsigned more, ir_ref base)
{
	struct sve_access how = { .elem = (u8)size, .mem = (u8)size, .more = (u8)more, .reg = (u8)rd };
	if (more)
		sve_load_structures(t, how, sve_pred(t, pg), base);
	else
		sve_load(t, how, A64_V0 + rd, sve_pred(t, pg), base, IR_NONE);
}
static void store_structures(struct tr *t, unsigned rd, unsigned pg, unsigned size, unsigned more,
			     ir_ref base)
{
	struct sve_access how = { .elem = (u8)size, .mem = (u8)size, .more = (u8)more, .reg = (u8)rd };
	if (more)
		sve_store_structures(t, how, sve_pred(t, pg), base);
	else
		store(t, rd, pg, size, size, base);
}

/* One element to all active ones; memory is not touched when none is. */
static void broadcast(struct tr *t, unsigned rd, unsigned pg, unsigned dtype, ir_ref base)
{
	unsigned elem = dtype_elem(dtype);
	struct ir_mem mem = plain(size_type(dtype_mem(dtype)), 0);
	ir_ref mask = sve_governing(t, pg, elem);
	u32 some = inner_block(t, false), none = inner_block(t, true), on = inner_block(t, false);
	v_op(t, IR_BRC, TY_VOID, v_cmp(t, IR_NE, sve_bits(t, mask), konst32(t, 0)), some, none, 1);
	ir_block_start(t->ir, some);
	mem.sign = dtype_signed(dtype);
	ir_ref v = v_load(t, mem.sign ? size_type(elem) : mem.type, base, mem);
	sve_set(
	    t, rd,
	    simd_and(t, v_lanes(t, IR_DUP, lane_int(elem), v_zext(t, size_type(elem), v), 0, 0, 0), mask));
	v_op(t, IR_BR, TY_VOID, on, 0, 0, 0);
	ir_block_start(t->ir, none);
	sve_set(t, rd, simd_zero(t));
	v_op(t, IR_BR, TY_VOID, on, 0, 0, 0);
	ir_block_start(t->ir, on);
}

/* A predicate of 16 bits in memory to one of bytes. */
static ir_ref expand(struct tr *t, ir_ref bits)
{
	static const u8 from[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
	ir_ref low = v_op(t, IR_VZEXT, TY_V128, bits, 0, 0, 0);
	ir_ref each = simd_const(t, TY_I64, 0x8040201008040201);
	return simd_op2(t, IR_VTST, TY_I8, simd_shuffle(t, low, low, from), each);
}

/* clang-format off */

/* Contiguous loads: plain, first-fault, non-fault. */
INSN(ld1_br,   "1010010 dtype:4 Rm:5 010 Pg:3 Rn:5 Rd:5", "ld1{mnemonic(dtype)} {zlist(Rd, 1, dtype_elem(dtype))}, {pz(Pg)}, {scaled(Rn, Rm, dtype_mem(dtype))}", SVE, "Rm != 31") { load(t, a->Rd, a->Pg, a->dtype, SVE_FAULTS, indexed(t, a->Rn, a->Rm, dtype_mem(a->dtype))); }
INSN(ldff1_br, "1010010 dtype:4 Rm:5 011 Pg:3 Rn:5 Rd:5", "ldff1{mnemonic(dtype)} {zlist(Rd, 1, dtype_elem(dtype))}, {pz(Pg)}, {scaled(Rn, Rm, dtype_mem(dtype))}", SVE) { load(t, a->Rd, a->Pg, a->dtype, SVE_FIRST_FAULTS, indexed(t, a->Rn, a->Rm, dtype_mem(a->dtype))); }
INSN(ld1_bi,   "1010010 dtype:4 0 imm:4s 101 Pg:3 Rn:5 Rd:5", "ld1{mnemonic(dtype)} {zlist(Rd, 1, dtype_elem(dtype))}, {pz(Pg)}, {vl(Rn, imm)}", SVE) { load(t, a->Rd, a->Pg, a->dtype, SVE_FAULTS, displaced(t, a->Rn, a->imm * covers(dtype_elem(a->dtype), dtype_mem(a->dtype)))); }
INSN(ldnf1_bi, "1010010 dtype:4 1 imm:4s 101 Pg:3 Rn:5 Rd:5", "ldnf1{mnemonic(dtype)} {zlist(Rd, 1, dtype_elem(dtype))}, {pz(Pg)}, {vl(Rn, imm)}", SVE) { load(t, a->Rd, a->Pg, a->dtype, SVE_NO_FAULTS, displaced(t, a->Rn, a->imm * covers(dtype_elem(a->dtype), dtype_mem(a->dtype)))); }

/* Structures of two to four elements, and the loads and stores of one that are not expected to be asked for again. */
INSN(ldn_br, "1010010 size:2 more:2 Rm:5 110 Pg:3 Rn:5 Rd:5", "ld{#more:nt1|2|3|4}{#size:b|h|w|d} {zlist(Rd, more + 1, size)}, {pz(Pg)}, {scaled(Rn, Rm, size)}", SVE, "Rm != 31") { load_structures(t, a->Rd, a->Pg, a->size, a->more, indexed(t, a->Rn, a->Rm, a->size)); }
INSN(ldn_bi, "1010010 size:2 more:2 0 imm:4s 111 Pg:3 Rn:5 Rd:5", "ld{#more:nt1|2|3|4}{#size:b|h|w|d} {zlist(Rd, more + 1, size)}, {pz(Pg)}, {vl(Rn, imm * (more + 1))}", SVE) { load_structures(t, a->Rd, a->Pg, a->size, a->more, displaced(t, a->Rn, a->imm * (a->more + 1) * SVE_BYTES)); }
INSN(stn_br, "1110010 size:2 more:2 Rm:5 011 Pg:3 Rn:5 Rd:5", "st{#more:nt1|2|3|4}{#size:b|h|w|d} {zlist(Rd, more + 1, size)}, {p(Pg)}, {scaled(Rn, Rm, size)}", SVE, "Rm != 31") { store_structures(t, a->Rd, a->Pg, a->size, a->more, indexed(t, a->Rn, a->Rm, a->size)); }
INSN(stn_bi, "1110010 size:2 more:2 1 imm:4s 111 Pg:3 Rn:5 Rd:5", "st{#more:nt1|2|3|4}{#size:b|h|w|d} {zlist(Rd, more + 1, size)}, {p(Pg)}, {vl(Rn, imm * (more + 1))}", SVE) { store_structures(t, a->Rd, a->Pg, a->size, a->more, displaced(t, a->Rn, a->imm * (a->more + 1) * SVE_BYTES)); }

/* 16 bytes for every 16 of the vector, which are all here. */
INSN(ld1rq_br, "1010010 size:2 00 Rm:5 000 Pg:3 Rn:5 Rd:5", "ld1rq{#size:b|h|w|d} {zlist(Rd, 1, size)}, {pz(Pg)}, {scaled(Rn, Rm, size)}", SVE, "Rm != 31") { load_structures(t, a->Rd, a->Pg, a->size, 0, indexed(t, a->Rn, a->Rm, a->size)); }
INSN(ld1rq_bi, "1010010 size:2 00 0 imm:4s 001 Pg:3 Rn:5 Rd:5", "ld1rq{#size:b|h|w|d} {zlist(Rd, 1, size)}, {pz(Pg)}, {mem(Rn, imm * 16)}", SVE) { load_structures(t, a->Rd, a->Pg, a->size, 0, displaced(t, a->Rn, a->imm * 16)); }

/* Contiguous stores. */
INSN(st1_br, "1110010 msize:2 size:2 Rm:5 010 Pg:3 Rn:5 Rd:5", "st1{#msize:b|h|w|d} {zlist(Rd, 1, size)}, {p(Pg)}, {scaled(Rn, Rm, msize)}", SVE, "Rm != 31", "size >= msize") { store(t, a->Rd, a->Pg, a->size, a->msize, indexed(t, a->Rn, a->Rm, a->msize)); }
INSN(st1_bi, "1110010 msize:2 size:2 0 imm:4s 111 Pg:3 Rn:5 Rd:5", "st1{#msize:b|h|w|d} {zlist(Rd, 1, size)}, {p(Pg)}, {vl(Rn, imm)}", SVE, "size >= msize") { store(t, a->Rd, a->Pg, a->size, a->msize, displaced(t, a->Rn, a->imm * covers(a->size, a->msize))); }

/* One element, to all. */
INSN(ld1r, "1000010 dtype.2:2 1 imm:6 1 dtype.0:2 Pg:3 Rn:5 Rd:5", "ld1r{mnemonic(dtype)} {zlist(Rd, 1, dtype_elem(dtype))}, {pz(Pg)}, {mem(Rn, (i64)imm << dtype_mem(dtype))}", SVE) { broadcast(t, a->Rd, a->Pg, a->dtype, displaced(t, a->Rn, a->imm << dtype_mem(a->dtype))); }

/* Whole registers. */
INSN(ldr_z, "1000010110 imm.3:6s 010 imm.0:3 Rn:5 Rd:5", "ldr {zr(Rd)}, {vl(Rn, imm)}", SVE) { sve_set(t, a->Rd, v_load(t, TY_V128, displaced(t, a->Rn, a->imm * SVE_BYTES), plain(TY_V128, 0))); }
INSN(str_z, "1110010110 imm.3:6s 010 imm.0:3 Rn:5 Rd:5", "str {zr(Rd)}, {vl(Rn, imm)}", SVE, SPECIAL) { v_store(t, displaced(t, a->Rn, a->imm * SVE_BYTES), simd_get(t, a->Rd), plain(TY_V128, 0)); }
INSN(ldr_p, "1000010110 imm.3:6s 000 imm.0:3 Rn:5 0 Pd:4", "ldr {p(Pd)}, {vl(Rn, imm)}", SVE) { sve_set_pred(t, a->Pd, expand(t, v_load(t, TY_I32, displaced(t, a->Rn, a->imm * (SVE_BYTES / 8)), plain(TY_I16, 0)))); }
INSN(str_p, "1110010110 imm.3:6s 000 imm.0:3 Rn:5 0 Pd:4", "str {p(Pd)}, {vl(Rn, imm)}", SVE) { v_store(t, displaced(t, a->Rn, a->imm * (SVE_BYTES / 8)), sve_bits(t, sve_pred(t, a->Pd)), plain(TY_I16, 0)); }

/* clang-format on */
#include "arm64_sve_ldst.decode.inc"
