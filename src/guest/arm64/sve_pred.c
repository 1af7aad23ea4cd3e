/*
 * A64: SVE: predicates: logic, breaks, tests, first-fault register, permutations.
 * Manual: Arm A-profile architecture, C4.1 "SVE Predicate Logical Operations", "SVE Propagate Break", "SVE Partition Break", "SVE Predicate Misc",
 * "SVE permute predicate elements".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_pred.decode.h"

#define G sve_pred(t, a->Pg)
#define N sve_pred(t, a->Pn)
#define M sve_pred(t, a->Pm)
#define OUT(v) sve_set_pred(t, a->Pd, v)
#define LOGIC(v) result(t, a->Pd, G, simd_and(t, G, v), a->S)
#define NOT(v) simd_op1(t, IR_NOT, TY_I64, v)

/* Pd = v; with the flags of v where pred governs, if the instruction sets them. */
static void result(struct tr *t, unsigned pd, ir_ref pred, ir_ref v, unsigned flags)
{
	if (flags)
		sve_test(t, pred, v, 0);
	sve_set_pred(t, pd, v);
}

static ir_ref all(struct tr *t)
{
	return simd_const(t, TY_I64, ~0ull);
}

/* The predicate of 16 bits. */
static ir_ref from_bits(struct tr *t, ir_ref bits)
{
	static const u8 halves[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 };
	ir_ref v = v_op(t, IR_VZEXT, TY_V128, bits, 0, 0, 0);
	return simd_op2(t, IR_VTST, TY_I8, simd_shuffle(t, v, v, halves),
			simd_const(t, TY_I64, 0x8040201008040201));
}

/* The lowest of the bits alone. */
static ir_ref lowest(struct tr *t, ir_ref bits)
{
	return v_bin(t, IR_AND, bits, v_un(t, IR_NEG, bits));
}

/* What g governs up to the first true element of n that it governs, with it or (before) without; all of it where there is none. */
static ir_ref break_at(struct tr *t, ir_ref g, ir_ref n, bool before)
{
	ir_ref at = sve_bits(t, simd_and(t, g, n));
	ir_ref below = v_addi(t, at, -1);
	ir_ref bits = before ? v_bin(t, IR_ANDN, below, at) : v_bin(t, IR_XOR, below, at);
	return simd_and(t, g, from_bits(t, bits));
}

/* v if the last element that g governs is true in n, else nothing. */
static ir_ref if_last(struct tr *t, ir_ref g, ir_ref n, ir_ref v)
{
	ir_ref at = sve_bits(t, simd_and(t, g, n));
	ir_ref last = v_cmp(t, IR_LTU, sve_bits(t, g), v_bin(t, IR_ADD, at, at));
	return v_select(t, last, v, simd_zero(t));
}

/* The first element of pred, of this size, behind the last true one of p. */
static ir_ref next(struct tr *t, ir_ref p, ir_ref pred, unsigned size)
{
	ir_ref done = sve_bits(t, sve_active(t, p, size)), bits = sve_bits(t, sve_active(t, pred, size));
	ir_ref count = v_bin(t, IR_SUB, konst32(t, 32), v_un(t, IR_CLZ, done));
	ir_ref behind = v_bin(t, IR_SHL, konst32(t, ~0u), count);
	return from_bits(t, lowest(t, v_bin(t, IR_AND, bits, behind)));
}

/* Bits of half a predicate, each with a zero above. */
static ir_ref unpack(struct tr *t, ir_ref v, unsigned high)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = i & 1 ? 255 : 8 * high + i / 2;
	return simd_shuffle(t, v, v, from);
}

/* clang-format off */

/* Logic. */
INSN(and_ppp, "00100101 0 S:1 00 Pm:4 01 Pg:4 0 Pn:4 0 Pd:4", "[Pn == Pm] mov{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}; and{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(simd_and(t, N, M)); }
INSN(bic_ppp, "00100101 0 S:1 00 Pm:4 01 Pg:4 0 Pn:4 1 Pd:4", "bic{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(simd_op2(t, IR_ANDN, TY_I64, N, M)); }
INSN(eor_ppp, "00100101 0 S:1 00 Pm:4 01 Pg:4 1 Pn:4 0 Pd:4", "[Pm == Pg] not{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}; eor{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(simd_xor(t, N, M)); }
INSN(sel_ppp, "00100101 0 0 00 Pm:4 01 Pg:4 1 Pn:4 1 Pd:4", "[Pd == Pm] mov {ps(Pd, 0)}, {pm(Pg)}, {ps(Pn, 0)}; sel {ps(Pd, 0)}, {p(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { OUT(sve_select(t, G, N, M)); }
INSN(orr_ppp, "00100101 1 S:1 00 Pm:4 01 Pg:4 0 Pn:4 0 Pd:4", "[Pn == Pm && Pn == Pg] mov{?S:s} {ps(Pd, 0)}, {ps(Pn, 0)}; orr{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(simd_or(t, N, M)); }
INSN(orn_ppp, "00100101 1 S:1 00 Pm:4 01 Pg:4 0 Pn:4 1 Pd:4", "orn{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(simd_or(t, N, NOT(M))); }
INSN(nor_ppp, "00100101 1 S:1 00 Pm:4 01 Pg:4 1 Pn:4 0 Pd:4", "nor{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(NOT(simd_or(t, N, M))); }
INSN(nand_ppp, "00100101 1 S:1 00 Pm:4 01 Pg:4 1 Pn:4 1 Pd:4", "nand{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE) { LOGIC(NOT(simd_and(t, N, M))); }

/* Breaks. */
INSN(brkp, "00100101 0 S:1 00 Pm:4 11 Pg:4 0 Pn:4 B:1 Pd:4", "brkp{#B:a|b}{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pm, 0)}", SVE)
{
	result(t, a->Pd, G, if_last(t, G, N, break_at(t, G, M, a->B)), a->S);
}
INSN(brk, "00100101 B:1 S:1 010000 01 Pg:4 0 Pn:4 merge:1 Pd:4", "brk{#B:a|b}{?S:s} {ps(Pd, 0)}, {p(Pg)}/{#merge:z|m}, {ps(Pn, 0)}", SVE, "!S || !merge")
{
	ir_ref v = break_at(t, G, N, a->B);
	result(t, a->Pd, G, a->merge ? sve_select(t, G, v, sve_pred(t, a->Pd)) : v, a->S);
}
INSN(brkn, "00100101 0 S:1 011000 01 Pg:4 0 Pn:4 0 Pd:4", "brkn{?S:s} {ps(Pd, 0)}, {pz(Pg)}, {ps(Pn, 0)}, {ps(Pd, 0)}", SVE)
{
	result(t, a->Pd, all(t), if_last(t, G, N, sve_pred(t, a->Pd)), a->S);
}

/* Tests and constants. */
INSN(ptest, "00100101 01010000 11 Pg:4 0 Pn:4 0 0000", "ptest {p(Pg)}, {ps(Pn, 0)}", SVE) { sve_test(t, G, N, 0); }
INSN(pfirst, "00100101 01011000 11000 00 Pg:4 0 Pd:4", "pfirst {ps(Pd, 0)}, {p(Pg)}, {ps(Pd, 0)}", SVE)
{
	result(t, a->Pd, G, simd_or(t, sve_pred(t, a->Pd), from_bits(t, lowest(t, sve_bits(t, G)))), 1);
}
INSN(pnext, "00100101 size:2 011001 11000 10 Pg:4 0 Pd:4", "pnext {ps(Pd, size)}, {p(Pg)}, {ps(Pd, size)}", SVE)
{
	ir_ref v = next(t, sve_pred(t, a->Pd), G, a->size);
	sve_test(t, G, v, a->size);
	OUT(v);
}
INSN(ptrue, "00100101 size:2 01100 S:1 111000 pattern:5 0 Pd:4", "[pattern == 31] ptrue{?S:s} {ps(Pd, size)}; ptrue{?S:s} {ps(Pd, size)}, {pattern(pattern)}", SVE)
{
	unsigned n = sve_pattern_count(a->pattern, a->size);
	if (a->S) /* of the result where it is true itself */
		set_nzcv(t, flags_const(t, n ? 1 << 3 : 1 << 2 | 1 << 1));
	OUT(sve_first(t, n, a->size));
}
INSN(pfalse, "00100101 00 011000 111001 00000 0 Pd:4", "pfalse {ps(Pd, 0)}", SVE) { OUT(simd_zero(t)); }

/* The first-fault register. */
INSN(rdffr_z, "00100101 0 S:1 011000 1111000 Pg:4 0 Pd:4", "rdffr{?S:s} {ps(Pd, 0)}, {pz(Pg)}", SVE) { LOGIC(v_get(t, A64_FFR)); }
INSN(rdffr, "00100101 00 011001 1111000 0000 0 Pd:4", "rdffr {ps(Pd, 0)}", SVE) { OUT(v_get(t, A64_FFR)); }
INSN(wrffr, "00100101 00 101000 1001000 Pn:4 0 0000", "wrffr {ps(Pn, 0)}", SVE) { v_set(t, A64_FFR, N); }
INSN(setffr, "00100101 00 101100 1001000 0000 0 0000", "setffr", SVE) { v_set(t, A64_FFR, all(t)); }

/* Permutations: of all the bits that belong to elements. */
INSN(zip_pp, "00000101 size:2 10 Pm:4 010 00 second:1 0 Pn:4 0 Pd:4", "zip{#second:1|2} {ps(Pd, size)}, {ps(Pn, size)}, {ps(Pm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_ZIP, a->second, N, M, a->size, 16)); }
INSN(uzp_pp, "00000101 size:2 10 Pm:4 010 01 second:1 0 Pn:4 0 Pd:4", "uzp{#second:1|2} {ps(Pd, size)}, {ps(Pn, size)}, {ps(Pm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_UZP, a->second, N, M, a->size, 16)); }
INSN(trn_pp, "00000101 size:2 10 Pm:4 010 10 second:1 0 Pn:4 0 Pd:4", "trn{#second:1|2} {ps(Pd, size)}, {ps(Pn, size)}, {ps(Pm, size)}", SVE) { OUT(simd_permute(t, PERMUTE_TRN, a->second, N, M, a->size, 16)); }
INSN(rev_p, "00000101 size:2 110100 010000 0 Pn:4 0 Pd:4", "rev {ps(Pd, size)}, {ps(Pn, size)}", SVE) { OUT(simd_reverse(t, N, a->size, 4, 16)); }
INSN(punpk, "00000101 00 11000 high:1 010000 0 Pn:4 0 Pd:4", "punpk{#high:lo|hi} {ps(Pd, 1)}, {ps(Pn, 0)}", SVE) { OUT(unpack(t, N, a->high)); }

/* clang-format on */
#include "arm64_sve_pred.decode.inc"
