/*
 * A64: SME: slices of ZA's tiles, and rows of ZA, from and to memory.
 * Manual: Arm A-profile architecture, C4.1 "SME Memory".
 */
#include "guest/arm64/sve.h"
#include "arm64_sme_ldst.decode.h"

/* [x1, x2, lsl #3]; bytes: [x1, x2] */
static void arm64_text_scaled(struct text *o, unsigned n, unsigned m, unsigned size)
{
	arm64_text_index(o, n, m, 3, size, size);
}

/* {za1h.s[w12, 2]} */
static void arm64_text_slices(struct text *o, unsigned vertical, unsigned rs, unsigned field, unsigned size)
{
	text_put(o, "{");
	arm64_text_slice(o, vertical, rs, field, size);
	text_put(o, "}");
}

/* za[w12, 2] */
static void arm64_text_row(struct text *o, unsigned rs, unsigned offset)
{
	text_fmt(o, "za[w%u, %u]", 12 + rs, offset);
}

static ir_ref address(struct tr *t, unsigned rn, unsigned rm, unsigned size)
{
	return v_bin(t, IR_ADD, xsp(t, rn), extend_reg(t, rm, 3, size));
}

static struct sve_access contiguous(unsigned size)
{
	return (struct sve_access){ .elem = (u8)size, .mem = (u8)size };
}

/* field: the tile and an offset; inactive elements become zero. */
static void load_slice(struct tr *t, bool vertical, unsigned rs, unsigned field, unsigned size, unsigned pg,
		       ir_ref base)
{
	u32 local = ir_local(t->ir, TY_V128);
	ir_ref slice = sme_slice(t, rs, field, size);
	sve_load(t, contiguous(size), local, sve_pred(t, pg), base, IR_NONE);
	sme_set_slice(t, vertical, SME_TILE(field, size), slice, size, IR_NONE, v_get(t, local));
}

static void store_slice(struct tr *t, bool vertical, unsigned rs, unsigned field, unsigned size, unsigned pg,
			ir_ref base)
{
	ir_ref slice = sme_slice(t, rs, field, size);
	ir_ref v = sme_get_slice(t, vertical, SME_TILE(field, size), slice, size);
	sve_store(t, contiguous(size), v, sve_pred(t, pg), base, IR_NONE);
}

#define LOAD(size) load_slice(t, a->V, a->Rs, a->za, size, a->Pg, address(t, a->Rn, a->Rm, size))
#define STORE(size) store_slice(t, a->V, a->Rs, a->za, size, a->Pg, address(t, a->Rn, a->Rm, size))
/* Rows of ZA are numbered like the slices of its one tile of bytes, and lie so far from the base. */
#define ROW sme_slice(t, a->Rs, a->off, 0)
#define ROW_MEM plain(TY_V128, a->off *SVE_BYTES)

/* clang-format off */

INSN(ld1_za,   "11100000 size:2 0 Rm:5 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "ld1{#size:b|h|w|d} {slices(V, Rs, za, size)}, {pz(Pg)}, {scaled(Rn, Rm, size)}", SME, "IN_SM_ZA") { LOAD(a->size); }
INSN(ld1_za_q, "11100001 11 0 Rm:5 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "ld1q {slices(V, Rs, za, 4)}, {pz(Pg)}, {scaled(Rn, Rm, 4)}", SME, "IN_SM_ZA") { LOAD(4); }
INSN(st1_za,   "11100000 size:2 1 Rm:5 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "st1{#size:b|h|w|d} {slices(V, Rs, za, size)}, {p(Pg)}, {scaled(Rn, Rm, size)}", SME, "IN_SM_ZA") { STORE(a->size); }
INSN(st1_za_q, "11100001 11 1 Rm:5 V:1 Rs:2 Pg:3 Rn:5 0 za:4", "st1q {slices(V, Rs, za, 4)}, {p(Pg)}, {scaled(Rn, Rm, 4)}", SME, "IN_SM_ZA") { STORE(4); }

INSN(ldr_za, "11100001 000 00000 0 Rs:2 000 Rn:5 0 off:4", "ldr {row(Rs, off)}, {vl(Rn, off)}", SME, "IN_ZA") { v_op(t, IR_SETX, TY_VOID, ROW, v_load(t, TY_V128, xsp(t, a->Rn), ROW_MEM), 0, A64_ZA); }
INSN(str_za, "11100001 001 00000 0 Rs:2 000 Rn:5 0 off:4", "str {row(Rs, off)}, {vl(Rn, off)}", SME, "IN_ZA") { v_store(t, xsp(t, a->Rn), v_op(t, IR_GETX, TY_V128, ROW, 0, 0, A64_ZA), ROW_MEM); }

/* clang-format on */
#include "arm64_sme_ldst.decode.inc"
