/*
 * A64: SVE: elements of vectors put elsewhere.
 * Manual: Arm A-profile architecture, C4.1 "SVE Permute Vector - Unpredicated", "- Predicated", "- Extract", "- Interleaving", "SVE Vector Select",
 * "SVE permute vector - predicated".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_permute.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) sve_set(t, a->Rd, v)
#define MERGE(v) sve_merge(t, a->Rd, a->Pg, a->size, v)
#define LAST last(t, a->Pg, a->size, a->B)
/* DUP (indexed): the lowest set bit of the immediate tells the size, the bits above it the index. */
#define SIZE (unsigned)__builtin_ctz(a->imm)
#define INDEX ((unsigned)a->imm >> (SIZE + 1))

enum { BEYOND = 0x80 }; /* TBL: this index and the next ones give 0 */

/*
 * Of elements as indices (1 << size bytes) the ones of all their bytes, for a table of so many elements; those beyond become something that is
 * beyond the table's bytes, too.
 */
static ir_ref byte_indices(struct tr *t, ir_ref index, unsigned size, unsigned entries)
{
	u8 lowest[16], inside[16];
	if (size == 0)
		return index;
	for (unsigned i = 0; i < 16; i++) {
		inside[i] = i & ((1 << size) - 1);
		lowest[i] = i - inside[i];
	}
	index = simd_op2(t, IR_MINU, lane_int(size), index, simd_const(t, lane_int(size), entries));
	index = simd_shift(t, IR_SHL, lane_int(size), index, size);
	return simd_op2(t, IR_ADD, TY_I8, simd_shuffle(t, index, index, lowest), v_const128(t, inside));
}

/* Zd = elements of count vectors from rn on by the indices in Zm. */
static ir_ref table(struct tr *t, unsigned rn, unsigned count, ir_ref index, unsigned size)
{
	return simd_table(t, rn, count, byte_indices(t, index, size, count * sve_elements(size)));
}

/* ---- the last active element ---- */
struct last {
	ir_ref any; /* i1: there is one */
	ir_ref
	    offset; /* i32, in bytes: of it (LASTB), or of the next (LASTA, round the end); with none active LASTB has the last of all, LASTA the first */
};

static struct last last(struct tr *t, unsigned pg, unsigned size, unsigned b)
{
	ir_ref bits = sve_bits(t, sve_active(t, sve_pred(t, pg), size));
	ir_ref at = v_bin(t, IR_SUB, konst32(t, b ? 31 : 31 + (1 << size)), v_un(t, IR_CLZ, bits));
	return (struct last){ .any = v_cmp(t, IR_NE, bits, konst32(t, 0)),
			      .offset = v_bin(t, IR_AND, at, konst32(t, 16 - (1 << size))) };
}

/* The element at this offset: alone at the bottom, zeros above, or (everywhere) as each element. */
static ir_ref element(struct tr *t, ir_ref v, ir_ref offset, unsigned size, bool everywhere)
{
	u8 byte[16];
	for (unsigned i = 0; i < 16; i++)
		byte[i] = everywhere ? i & ((1 << size) - 1) : i < 1u << size ? i : BEYOND;
	ir_ref at = v_lanes(t, IR_DUP, TY_I8, offset, 0, 0, 0);
	return simd_op2(t, IR_TBL, TY_I8, v, simd_op2(t, IR_ADD, TY_I8, at, v_const128(t, byte)));
}

/* The low 64 bits. */
static ir_ref low64(struct tr *t, ir_ref v)
{
	return v_op(t, IR_VTRUNC, TY_I64, v, 0, 0, 0);
}

/* ---- active elements side by side ---- */
/* For elements of 4 and 8 bytes: their offsets, a byte each, are packed by the bytes of the predicate that govern them. */
static ir_ref compact(struct tr *t, ir_ref pred, ir_ref v, unsigned size)
{
	u8 governing[16], spread[16], inside[16];
	u64 beyond = 0, offsets = 0;
	for (unsigned i = 0; i < 16; i++) {
		bool element = i < sve_elements(size);
		governing[i] = element ? i << size : 255;
		spread[i] = i >> size;
		inside[i] = i & ((1 << size) - 1);
		beyond |= element ? (u64)BEYOND << 8 * i : 0;
		offsets |= element ? (u64)(i << size) << 8 * i : 0;
	}
	ir_ref which = v_op(t, IR_VTRUNC, TY_I32, simd_shuffle(t, pred, pred, governing), 0, 0, 0);
	ir_ref packed = v_bin(t, IR_PEXT, konst32(t, (u32)(offsets ^ beyond)), which);
	packed = v_bin(t, IR_XOR, packed, konst32(t, (u32)beyond));
	ir_ref from = v_op(t, IR_VZEXT, TY_V128, packed, 0, 0, 0);
	from = simd_op2(t, IR_ADD, TY_I8, simd_shuffle(t, from, from, spread), v_const128(t, inside));
	return simd_op2(t, IR_TBL, TY_I8, v, from);
}

/* n from the first active element to the last one, then m. */
static ir_ref splice(struct tr *t, ir_ref pred, ir_ref n, ir_ref m, unsigned size)
{
	u8 number[16];
	for (unsigned i = 0; i < 16; i++)
		number[i] = i;
	ir_ref at = v_const128(t, number), bits = sve_bits(t, sve_active(t, pred, size));
	ir_ref first = v_un(t, IR_CTZ, bits);
	ir_ref end = v_bin(t, IR_SUB, konst32(t, 31 + (1 << size)), v_un(t, IR_CLZ, bits));
	ir_ref any = v_cmp(t, IR_NE, bits, konst32(t, 0));
	ir_ref length = v_select(t, any, v_bin(t, IR_SUB, end, first), konst32(t, 0));
	first = v_lanes(t, IR_DUP, TY_I8, first, 0, 0, 0);
	length = v_lanes(t, IR_DUP, TY_I8, length, 0, 0, 0);
	ir_ref head = simd_op2(t, IR_TBL, TY_I8, n, simd_op2(t, IR_ADD, TY_I8, at, first));
	ir_ref tail = simd_op2(t, IR_TBL, TY_I8, m, simd_op2(t, IR_SUB, TY_I8, at, length));
	return simd_or(t, simd_and(t, head, simd_op2(t, IR_VGTU, TY_I8, length, at)), tail);
}

/* The bottom of m below the elements of d but the last. */
static ir_ref insert(struct tr *t, ir_ref d, ir_ref m, unsigned size)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = i < 1u << size ? 16 + i : i - (1 << size);
	return simd_shuffle(t, d, m, from);
}

static ir_ref scalar_or_sp(struct tr *t, unsigned n, unsigned size)
{
	return rsp(t, size == 3, n);
}

/* clang-format off */

/* One element to all, or to active ones. */
INSN(dup_elem, "00000101 imm.5:2 1 imm:5 001000 Rn:5 Rd:5", "[INDEX == 0] mov {z(Rd, SIZE)}, {f(Rn, SIZE)}; mov {z(Rd, SIZE)}, {ze(Rn, SIZE, INDEX)}", SVE, "imm & 31")
{
	unsigned size = SIZE, index = INDEX;
	OUT(index << size >= SVE_BYTES ? simd_zero(t) : simd_dup(t, N, size, index, 16));
}
INSN(dup_gen, "00000101 size:2 100000001110 Rn:5 Rd:5", "mov {z(Rd, size)}, {rsp(size == 3, Rn)}", SVE) { OUT(v_lanes(t, IR_DUP, LANE, scalar_or_sp(t, a->Rn, a->size), 0, 0, 0)); }
INSN(cpy_gen, "00000101 size:2 101000101 Pg:3 Rn:5 Rd:5", "mov {z(Rd, size)}, {pm(Pg)}, {rsp(size == 3, Rn)}", SVE) { MERGE(v_lanes(t, IR_DUP, LANE, scalar_or_sp(t, a->Rn, a->size), 0, 0, 0)); }
INSN(cpy_v, "00000101 size:2 100000100 Pg:3 Rn:5 Rd:5", "mov {z(Rd, size)}, {pm(Pg)}, {f(Rn, size)}", SVE) { MERGE(simd_dup(t, N, a->size, 0, 16)); }
INSN(insr_gen, "00000101 size:2 100100001110 Rm:5 Rd:5", "insr {z(Rd, size)}, {r(size == 3, Rm)}", SVE) { OUT(insert(t, D, v_op(t, IR_VZEXT, TY_V128, x(t, a->Rm), 0, 0, 0), a->size)); }
INSN(insr_v, "00000101 size:2 110100001110 Rm:5 Rd:5", "insr {z(Rd, size)}, {f(Rm, size)}", SVE) { OUT(insert(t, D, M, a->size)); }

/* The last active element. */
INSN(last_x, "00000101 size:2 10000 B:1 101 Pg:3 Rn:5 Rd:5", "last{#B:a|b} {r(size == 3, Rd)}, {p(Pg)}, {z(Rn, size)}", SVE) { set_x(t, a->Rd, low64(t, element(t, N, LAST.offset, a->size, false))); }
INSN(last_v, "00000101 size:2 10001 B:1 100 Pg:3 Rn:5 Rd:5", "last{#B:a|b} {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { OUT(element(t, N, LAST.offset, a->size, false)); }
INSN(clast_x, "00000101 size:2 11000 B:1 101 Pg:3 Rm:5 Rd:5", "clast{#B:a|b} {r(size == 3, Rd)}, {p(Pg)}, {r(size == 3, Rd)}, {z(Rm, size)}", SVE)
{
	struct last l = LAST;
	ir_ref old = x(t, a->Rd);
	if (a->size < 3)
		old = v_bin(t, IR_AND, old, konst(t, BITS(8u << a->size)));
	set_x(t, a->Rd, v_select(t, l.any, low64(t, element(t, M, l.offset, a->size, false)), old));
}
INSN(clast_v, "00000101 size:2 10101 B:1 100 Pg:3 Rm:5 Rd:5", "clast{#B:a|b} {f(Rd, size)}, {p(Pg)}, {f(Rd, size)}, {z(Rm, size)}", SVE)
{
	struct last l = LAST;
	OUT(v_select(t, l.any, element(t, M, l.offset, a->size, false), simd_low(t, D, 1 << a->size)));
}
INSN(clast_z, "00000101 size:2 10100 B:1 100 Pg:3 Rm:5 Rd:5", "clast{#B:a|b} {z(Rd, size)}, {p(Pg)}, {z2(Rd, Rm, size)}", SVE)
{
	struct last l = LAST;
	OUT(v_select(t, l.any, element(t, M, l.offset, a->size, true), D));
}

/* Tables. */
INSN(tbl_z, "00000101 size:2 1 Rm:5 001100 Rn:5 Rd:5", "tbl {z(Rd, size)}, {zlist(Rn, 1, size)}, {z(Rm, size)}", SVE) { OUT(table(t, a->Rn, 1, M, a->size)); }
INSN(tbl_z2, "00000101 size:2 1 Rm:5 001010 Rn:5 Rd:5", "tbl {z(Rd, size)}, {zlist(Rn, 2, size)}, {z(Rm, size)}", SVE2) { OUT(table(t, a->Rn, 2, M, a->size)); }
INSN(tbx_z, "00000101 size:2 1 Rm:5 001011 Rn:5 Rd:5", "tbx {z3(Rd, Rn, Rm, size)}", SVE2)
{
	ir_ref inside = simd_op2(t, IR_VGTU, LANE, simd_const(t, LANE, sve_elements(a->size)), M);
	OUT(sve_select(t, inside, table(t, a->Rn, 1, M, a->size), D));
}

/* All elements. */
INSN(zip_z, "00000101 size:2 1 Rm:5 011 00 second:1 Rn:5 Rd:5", "zip{#second:1|2} {z3(Rd, Rn, Rm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_ZIP, a->second, N, M, a->size, 16)); }
INSN(uzp_z, "00000101 size:2 1 Rm:5 011 01 second:1 Rn:5 Rd:5", "uzp{#second:1|2} {z3(Rd, Rn, Rm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_UZP, a->second, N, M, a->size, 16)); }
INSN(trn_z, "00000101 size:2 1 Rm:5 011 10 second:1 Rn:5 Rd:5", "trn{#second:1|2} {z3(Rd, Rn, Rm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_TRN, a->second, N, M, a->size, 16)); }
INSN(rev_z, "00000101 size:2 111000 001110 Rn:5 Rd:5", "rev {z2(Rd, Rn, size)}", SVE) { OUT(simd_reverse(t, N, a->size, 4, 16)); }
INSN(unpk, "00000101 size:2 1100 U:1 high:1 001110 Rn:5 Rd:5", "{#U:s|u}unpk{#high:lo|hi} {z(Rd, size)}, {z(Rn, size - 1)}", SVE, "size != 0") { OUT(v_lanes(t, a->U ? IR_WIDENU : IR_WIDENS, lane_int(a->size - 1), N, 0, 0, a->high)); }
/* Beyond the vector the position is 0. */
INSN(ext_des, "00000101 001 imm.3:5 000 imm:3 Rm:5 Rd:5", "ext {z2(Rd, Rd, 0)}, {z(Rm, 0)}, {dec(imm)}", SVE) { OUT(simd_extract(t, D, M, a->imm < SVE_BYTES ? a->imm : 0, 16)); }
INSN(ext_con, "00000101 011 imm.3:5 000 imm:3 Rn:5 Rd:5", "ext {z(Rd, 0)}, {zlist(Rn, 2, 0)}, {dec(imm)}", SVE2) { OUT(simd_extract(t, N, simd_get(t, (a->Rn + 1) & 31), a->imm < SVE_BYTES ? a->imm : 0, 16)); }

/* Active elements. */
INSN(sel_z, "00000101 size:2 1 Rm:5 11 Pg:4 Rn:5 Rd:5", "[Rd == Rm] mov {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}; sel {z(Rd, size)}, {p(Pg)}, {z2(Rn, Rm, size)}", SVE) { OUT(sve_select(t, sve_governing(t, a->Pg, a->size), N, M)); }
INSN(compact, "00000101 size:2 100001100 Pg:3 Rn:5 Rd:5", "compact {z(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE, "size >= 2") { OUT(compact(t, sve_pred(t, a->Pg), N, a->size)); }
INSN(splice_des, "00000101 size:2 101100100 Pg:3 Rm:5 Rd:5", "splice {z(Rd, size)}, {p(Pg)}, {z2(Rd, Rm, size)}", SVE) { OUT(splice(t, sve_pred(t, a->Pg), D, M, a->size)); }
INSN(splice_con, "00000101 size:2 101101100 Pg:3 Rn:5 Rd:5", "splice {z(Rd, size)}, {p(Pg)}, {zlist(Rn, 2, size)}", SVE2) { OUT(splice(t, sve_pred(t, a->Pg), N, simd_get(t, (a->Rn + 1) & 31), a->size)); }
INSN(rev_in, "00000101 size:2 1001 part:2 100 Pg:3 Rn:5 Rd:5", "rev{#part:b|h|w} {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, "part < size") { MERGE(simd_reverse(t, N, a->part, a->size, 16)); }
INSN(rbit_z, "00000101 size:2 1001 11 100 Pg:3 Rn:5 Rd:5", "rbit {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE, SPECIAL) { MERGE(simd_op1(t, IR_BITREV, LANE, N)); }
INSN(movprfx, "00000100 00 1 00000 101111 Rn:5 Rd:5", "movprfx {zr(Rd)}, {zr(Rn)}", SVE) { OUT(N); }
INSN(movprfx_m, "00000100 size:2 01000 1 001 Pg:3 Rn:5 Rd:5", "movprfx {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE) { MERGE(N); }
INSN(movprfx_z, "00000100 size:2 01000 0 001 Pg:3 Rn:5 Rd:5", "movprfx {z(Rd, size)}, {pz(Pg)}, {z(Rn, size)}", SVE) { sve_zeroing(t, a->Rd, a->Pg, a->size, N); }

/* clang-format on */
#include "arm64_sve_permute.decode.inc"
