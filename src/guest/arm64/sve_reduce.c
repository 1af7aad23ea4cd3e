/*
 * A64: SVE: what the active elements of a vector make together: sums, extremes, logic, as a scalar in a V register.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Reduction".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_reduce.decode.h"

#define N simd_get(t, a->Rn)
#define ACTIVE(neutral) active(t, a->Pg, a->size, N, neutral)
#define SUM(widen) sum(t, a->Rd, IR_PADDW##widen, a->size, ACTIVE(0))
#define EXTREME(op, neutral) simd_across(t, a->Rd, IR_##op, lane_int(a->size), ACTIVE(neutral))
#define SIGN BIT((8 << a->size) - 1)
#define LOGIC(op, neutral) logic(t, a->Rd, IR_##op, a->size, ACTIVE(neutral))

/* Active elements, and in place of the others what changes no result. */
static ir_ref active(struct tr *t, unsigned pg, unsigned size, ir_ref v, u64 neutral)
{
	ir_ref mask = sve_governing(t, pg, size);
	return neutral ? sve_select(t, mask, v, simd_const(t, lane_int(size), neutral))
		       : simd_and(t, mask, v);
}

static void sum(struct tr *t, unsigned rd, enum ir_op widen, unsigned size, ir_ref v)
{
	for (; size < 3; size++)
		v = simd_op1(t, widen, lane_int(size), v);
	simd_across(t, rd, IR_REDADD, TY_I64, v);
}

/* The upper half into the lower one until an element is left. */
static void logic(struct tr *t, unsigned rd, enum ir_op op, unsigned size, ir_ref v)
{
	for (unsigned half = 3; half + 1 > size; half--)
		v = simd_op2(t, op, TY_I64, v, simd_lane(t, v, half, 1));
	sve_set(t, rd, simd_low(t, v, 1 << size));
}

/* clang-format off */

INSN(saddv, "00000100 size:2 000 000 001 Pg:3 Rn:5 Rd:5", "saddv {f(Rd, 3)}, {p(Pg)}, {z(Rn, size)}", SVE, "size != 3") { SUM(S); }
INSN(uaddv, "00000100 size:2 000 001 001 Pg:3 Rn:5 Rd:5", "uaddv {f(Rd, 3)}, {p(Pg)}, {z(Rn, size)}", SVE) { SUM(U); }
INSN(smaxv, "00000100 size:2 001 000 001 Pg:3 Rn:5 Rd:5", "smaxv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { EXTREME(REDMAXS, SIGN); }
INSN(umaxv, "00000100 size:2 001 001 001 Pg:3 Rn:5 Rd:5", "umaxv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { EXTREME(REDMAXU, 0); }
INSN(sminv, "00000100 size:2 001 010 001 Pg:3 Rn:5 Rd:5", "sminv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { EXTREME(REDMINS, SIGN - 1); }
INSN(uminv, "00000100 size:2 001 011 001 Pg:3 Rn:5 Rd:5", "uminv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { EXTREME(REDMINU, ~0ull); }
INSN(orv,   "00000100 size:2 011 000 001 Pg:3 Rn:5 Rd:5", "orv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { LOGIC(OR, 0); }
INSN(eorv,  "00000100 size:2 011 001 001 Pg:3 Rn:5 Rd:5", "eorv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { LOGIC(XOR, 0); }
INSN(andv,  "00000100 size:2 011 010 001 Pg:3 Rn:5 Rd:5", "andv {f(Rd, size)}, {p(Pg)}, {z(Rn, size)}", SVE) { LOGIC(AND, ~0ull); }

/* clang-format on */
#include "arm64_sve_reduce.decode.inc"
