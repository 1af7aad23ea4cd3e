/*
 * A64: SVE: comparisons of integers: predicates and flags.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Compare - Vectors", "- Unsigned Immediate", "- Signed Immediate".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_compare.decode.h"

#define LANE lane_int(a->size)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define IMM simd_const(t, LANE, (u64)(i64)a->imm)
#define COMPARE(op, left, right) SET(simd_op2(t, op, LANE, left, right), false)
#define SET(v, negate) set(t, a->Pd, a->Pg, a->size, v, negate)

/* Pd = the active elements of the mask v (negate: those that are not in it), and the flags. */
static void set(struct tr *t, unsigned pd, unsigned pg, unsigned size, ir_ref v, bool negate)
{
	ir_ref pred = sve_pred(t, pg), active = sve_active(t, pred, size);
	v = negate ? simd_op2(t, IR_ANDN, TY_I64, active, v) : simd_and(t, active, v);
	sve_test(t, pred, v, size);
	sve_set_pred(t, pd, v);
}

/* ---- elements with the 64 bits they lie in, of another vector ---- */
struct wide {
	ir_ref clamped; /* 64-bit elements brought into the range of the small ones, in each of these */
	ir_ref above, below; /* masks: they were beyond that range */
};

static struct wide widen(struct tr *t, ir_ref m, unsigned size, bool is_unsigned)
{
	unsigned bits = 8u << size;
	ir_ref max = simd_const(t, TY_I64, BITS(bits - !is_unsigned)), v;
	struct wide w;
	if (is_unsigned) {
		v = simd_op2(t, IR_MINU, TY_I64, m, max);
		w.above = simd_op2(t, IR_VGTU, TY_I64, m, max);
		w.below = simd_zero(t);
	} else {
		ir_ref min = simd_const(t, TY_I64, ~BITS(bits - 1));
		v = simd_op2(t, IR_MAXS, TY_I64, simd_op2(t, IR_MINS, TY_I64, m, max), min);
		w.above = simd_op2(t, IR_VGTS, TY_I64, m, max);
		w.below = simd_op2(t, IR_VGTS, TY_I64, min, m);
	}
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = (i & 8) + (i & ((1 << size) - 1));
	w.clamped = simd_shuffle(t, v, v, from);
	return w;
}

static ir_ref wide_equal(struct tr *t, ir_ref n, ir_ref m, unsigned size)
{
	struct wide w = widen(t, m, size, false);
	ir_ref beyond = simd_or(t, w.above, w.below);
	return simd_op2(t, IR_ANDN, TY_I64, simd_op2(t, IR_VEQ, lane_int(size), n, w.clamped), beyond);
}

/* n > m (strict), n >= m. */
static ir_ref wide_greater(struct tr *t, ir_ref n, ir_ref m, unsigned size, bool strict, bool is_unsigned)
{
	static const u16 op[2][2] = { { IR_VGES, IR_VGEU }, { IR_VGTS, IR_VGTU } };
	struct wide w = widen(t, m, size, is_unsigned);
	ir_ref v = simd_op2(t, op[strict][is_unsigned], lane_int(size), n, w.clamped);
	return strict ? simd_or(t, v, w.below) : simd_op2(t, IR_ANDN, TY_I64, v, w.above);
}

/* clang-format off */

/* Vectors. */
INSN(cmphs_zz, "00100100 size:2 0 Rm:5 000 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:hs|hi} {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE) { COMPARE(a->strict ? IR_VGTU : IR_VGEU, N, M); }
INSN(cmpge_zz, "00100100 size:2 0 Rm:5 100 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:ge|gt} {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE) { COMPARE(a->strict ? IR_VGTS : IR_VGES, N, M); }
INSN(cmpeq_zz, "00100100 size:2 0 Rm:5 101 Pg:3 Rn:5 ne:1 Pd:4", "cmp{#ne:eq|ne} {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE) { SET(simd_op2(t, IR_VEQ, LANE, N, M), a->ne); }

/* With elements of 64 bits. */
INSN(cmpeq_zw, "00100100 size:2 0 Rm:5 001 Pg:3 Rn:5 ne:1 Pd:4", "cmp{#ne:eq|ne} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { SET(wide_equal(t, N, M, a->size), a->ne); }
INSN(cmpge_zw, "00100100 size:2 0 Rm:5 010 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:ge|gt} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { SET(wide_greater(t, N, M, a->size, a->strict, false), false); }
INSN(cmplt_zw, "00100100 size:2 0 Rm:5 011 Pg:3 Rn:5 equal:1 Pd:4", "cmp{#equal:lt|le} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { SET(wide_greater(t, N, M, a->size, a->equal, false), true); }
INSN(cmphs_zw, "00100100 size:2 0 Rm:5 110 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:hs|hi} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { SET(wide_greater(t, N, M, a->size, a->strict, true), false); }
INSN(cmplo_zw, "00100100 size:2 0 Rm:5 111 Pg:3 Rn:5 equal:1 Pd:4", "cmp{#equal:lo|ls} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {z(Rm, 3)}", SVE, "size != 3") { SET(wide_greater(t, N, M, a->size, a->equal, true), true); }

/* Immediates. */
INSN(cmphs_zi, "00100100 size:2 1 imm:7 0 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:hs|hi} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {dec(imm)}", SVE) { COMPARE(a->strict ? IR_VGTU : IR_VGEU, N, IMM); }
INSN(cmplo_zi, "00100100 size:2 1 imm:7 1 Pg:3 Rn:5 equal:1 Pd:4", "cmp{#equal:lo|ls} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {dec(imm)}", SVE) { COMPARE(a->equal ? IR_VGEU : IR_VGTU, IMM, N); }
INSN(cmpge_zi, "00100101 size:2 0 imm:5s 000 Pg:3 Rn:5 strict:1 Pd:4", "cmp{#strict:ge|gt} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {dec(imm)}", SVE) { COMPARE(a->strict ? IR_VGTS : IR_VGES, N, IMM); }
INSN(cmplt_zi, "00100101 size:2 0 imm:5s 001 Pg:3 Rn:5 equal:1 Pd:4", "cmp{#equal:lt|le} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {dec(imm)}", SVE) { COMPARE(a->equal ? IR_VGES : IR_VGTS, IMM, N); }
INSN(cmpeq_zi, "00100101 size:2 0 imm:5s 100 Pg:3 Rn:5 ne:1 Pd:4", "cmp{#ne:eq|ne} {ps(Pd, size)}, {pz(Pg)}, {z(Rn, size)}, {dec(imm)}", SVE) { SET(simd_op2(t, IR_VEQ, LANE, N, IMM), a->ne); }

/* clang-format on */
#include "arm64_sve_compare.decode.inc"
