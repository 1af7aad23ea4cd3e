/*
 * A64: SVE: predicates of loops from their counters, and comparisons that end loops.
 * Manual: Arm A-profile architecture, C4.1 "SVE integer compare scalar count and limit", "SVE conditionally terminate scalars", "SVE pointer
 * conflict compare".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_while.decode.h"

/*
 * How many elements are true, an i32: how often lo < hi (or_equal: lo <= hi) holds when the first operand goes one towards the second
 * for each element. With or_equal it holds for ever if the second operand is the last number of its kind: the first one wraps.
 */
static ir_ref count(struct tr *t, ir_ref lo, ir_ref hi, bool down, bool or_equal, bool is_unsigned,
		    unsigned elements)
{
	enum ir_type type = v_type(t, lo);
	ir_ref steps = v_bin(t, IR_SUB, hi, lo);
	const struct ir_insn *from = &t->ir->insn[lo];
	if (from->op == IR_CONST && !from->imm && is_unsigned && !or_equal)
		return v_trunc(t, TY_I32, v_bin(t, IR_MINU, hi, v_const(t, type, elements)));
	if (!or_equal) {
		ir_ref n = v_trunc(t, TY_I32, v_bin(t, IR_MINU, steps, v_const(t, type, elements)));
		return v_select(t, v_cmp(t, is_unsigned ? IR_LTU : IR_LTS, lo, hi), n, konst32(t, 0));
	}
	u64 all = ~0ull >> (64 - ir_bits(type)), last = is_unsigned ? all : all >> 1; /* the largest number */
	ir_ref n = v_trunc(t, TY_I32, v_bin(t, IR_MINU, steps, v_const(t, type, elements - 1)));
	n = v_select(t, v_cmp(t, is_unsigned ? IR_LEU : IR_LES, lo, hi), v_addi(t, n, 1), konst32(t, 0));
	ir_ref ever = down ? v_cmp(t, IR_EQ, lo, v_const(t, type, all & ~last))
			   : v_cmp(t, IR_EQ, hi, v_const(t, type, last));
	return v_select(t, ever, konst32(t, elements), n);
}

/*
 * The flags of PredTest for the first (down: the last) n of so many elements: N Z C, three bits for each n from 0 on, looked up. C tells that
 * the last element is false.
 */
static ir_ref count_flags(struct tr *t, ir_ref n, unsigned elements, bool down)
{
	enum { FIRST = 4, NONE = 2, NOT_LAST = 1 };
	u64 table = NONE | NOT_LAST;
	for (unsigned i = 1; i <= elements; i++)
		table |= (u64)(i == elements ? FIRST : down ? 0 : FIRST | NOT_LAST) << 3 * i;
	ir_ref at = v_bin(t, IR_MUL, n, konst32(t, 3));
	ir_ref bits = v_trunc(t, TY_I32, v_bin(t, IR_SHR, konst(t, table), at));
	return v_op(t, IR_FLPACK, TY_FLAGS, v_bin(t, IR_SHL, bits, konst32(t, 29)), 0, 0, 0);
}

/* The first (down: the last) n elements true, and the flags of PredTest. */
static void set_count(struct tr *t, unsigned pd, unsigned size, ir_ref n, bool down)
{
	unsigned elements = sve_elements(size);
	u8 rank[16];
	for (unsigned i = 0; i < 16; i++)
		rank[i] = i & ((1 << size) - 1) ? 127 : down ? elements - 1 - (i >> size) : i >> size;
	ir_ref most = v_lanes(t, IR_DUP, TY_I8, n, 0, 0, 0);
	ir_ref v = simd_op2(t, IR_VGTS, TY_I8, most, v_const128(t, rank));
	set_nzcv(t, count_flags(t, n, elements, down));
	sve_set_pred(t, pd, v);
}

/* So many elements as there are between two addresses that far apart; all where that is none. */
static void set_distance(struct tr *t, unsigned pd, unsigned size, ir_ref bytes)
{
	ir_ref n = v_bin(t, IR_SHR, bytes, konst(t, size));
	n = v_bin(t, IR_MINU, v_addi(t, n, -1), konst(t, sve_elements(size) - 1));
	set_count(t, pd, size, v_addi(t, v_trunc(t, TY_I32, n), 1), false);
}

/* clang-format off */

INSN(while_up, "00100101 size:2 1 Rm:5 000 sf:1 U:1 1 Rn:5 equal:1 Pd:4", "while{#U * 2 + equal:lt|le|lo|ls} {ps(Pd, size)}, {r(sf, Rn)}, {r(sf, Rm)}", SVE)
{
	set_count(t, a->Pd, a->size, count(t, r(t, a->sf, a->Rn), r(t, a->sf, a->Rm), false, a->equal, a->U, sve_elements(a->size)), false);
}
INSN(while_down, "00100101 size:2 1 Rm:5 000 sf:1 U:1 0 Rn:5 strict:1 Pd:4", "while{#U * 2 + strict:ge|gt|hs|hi} {ps(Pd, size)}, {r(sf, Rn)}, {r(sf, Rm)}", SVE2)
{
	set_count(t, a->Pd, a->size, count(t, r(t, a->sf, a->Rm), r(t, a->sf, a->Rn), true, !a->strict, a->U, sve_elements(a->size)), true);
}
INSN(whilewr, "00100101 size:2 1 Rm:5 001100 Rn:5 0 Pd:4", "whilewr {ps(Pd, size)}, {x(Rn)}, {x(Rm)}", SVE2)
{
	ir_ref n = x(t, a->Rn), m = x(t, a->Rm);
	set_distance(t, a->Pd, a->size, v_select(t, v_cmp(t, IR_LTU, n, m), v_bin(t, IR_SUB, m, n), konst(t, 0)));
}
INSN(whilerw, "00100101 size:2 1 Rm:5 001100 Rn:5 1 Pd:4", "whilerw {ps(Pd, size)}, {x(Rn)}, {x(Rm)}", SVE2)
{
	ir_ref n = x(t, a->Rn), m = x(t, a->Rm);
	set_distance(t, a->Pd, a->size, v_select(t, v_cmp(t, IR_LTU, n, m), v_bin(t, IR_SUB, m, n), v_bin(t, IR_SUB, n, m)));
}
/* N: the loop ends; V: it does not, and the last predicate's flags (C clear) say that it goes on. Z and C stay. */
INSN(cterm, "00100101 1 sf:1 1 Rm:5 001000 Rn:5 ne:1 0000", "cterm{#ne:eq|ne} {r(sf, Rn)}, {r(sf, Rm)}", SVE)
{
	ir_ref ends = v_cmp(t, a->ne ? IR_NE : IR_EQ, r(t, a->sf, a->Rn), r(t, a->sf, a->Rm));
	ir_ref on = v_zext(t, TY_I32, v_cond(t, nzcv(t), CC_CC));
	ir_ref bits = v_select(t, ends, konst32(t, FL_N), v_bin(t, IR_SHL, on, konst32(t, 28)));
	ir_ref flags = v_op(t, IR_FLPACK, TY_FLAGS, bits, 0, 0, 0);
	set_nzcv(t, v_op(t, IR_FLMERGE, TY_FLAGS, nzcv(t), flags, 0, FL_N | FL_V));
}

/* clang-format on */
#include "arm64_sve_while.decode.inc"
