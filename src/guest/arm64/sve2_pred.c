/*
 * A64: SVE2: integers, active elements: halving, saturating, shifts by vectors, neighbours.
 * Manual: Arm A-profile architecture, C4.1 "SVE2 Integer - Predicated".
 * U: unsigned; rev: the operands exchanged; Q: saturating; R: rounding.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve2_pred.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define MERGE(v) sve_merge(t, a->Rd, a->Pg, a->size, v)
#define UNARY(op) MERGE(simd_op1(t, IR_##op, LANE, N))
#define BINARY(op) MERGE(simd_op2(t, IR_##op, LANE, D, M))
/* The operation for signed or unsigned elements, perhaps with its operands exchanged. */
#define EITHER(op) MERGE(simd_op2(t, a->U ? IR_##op##U : IR_##op##S, LANE, D, M))
#define REVERSIBLE(op) \
	MERGE(simd_op2(t, a->U ? IR_##op##U : IR_##op##S, LANE, a->rev ? M : D, a->rev ? D : M))
#define SHIFT(op) MERGE(shift(t, a->U ? IR_##op##U : IR_##op##S, a->size, a->rev ? M : D, a->rev ? D : M))
#define PAIRS(op) MERGE(pairs(t, IR_##op, a->size, D, M))
#define LONG_PAIRS(op) simd_op2(t, IR_ADD, LANE, D, simd_op1(t, IR_##op, LANE - 1, N))

/* The whole element is the count, the operation takes a byte of it: more than the element has bits is as good as one more (ShiftSat). */
static ir_ref shift(struct tr *t, enum ir_op op, unsigned size, ir_ref v, ir_ref count)
{
	enum ir_type lane = lane_int(size);
	unsigned most = (8u << size) + 1;
	if (size) {
		count = simd_op2(t, IR_MINS, lane, count, simd_const(t, lane, most));
		count = simd_op2(t, IR_MAXS, lane, count, simd_const(t, lane, -(u64)most));
	}
	return simd_op2(t, op, lane, v, count);
}

/* Neighbours of d in even elements, of m in odd ones. */
static ir_ref pairs(struct tr *t, enum ir_op op, unsigned size, ir_ref d, ir_ref m)
{
	u8 from[16];
	for (unsigned i = 0, low = (1u << size) - 1; i < 16; i++)
		from[i] = (i >> 1 & ~low) + (i & low) + (i & 1u << size ? 8 : 0);
	ir_ref v = simd_op2(t, op, lane_int(size), d, m);
	return size == 3 ? v : simd_shuffle(t, v, v, from);
}

/* The most negative number, negated, saturates; everything else is less than its absolute value. */
static ir_ref absolute(struct tr *t, enum ir_type lane, ir_ref n)
{
	return simd_op2(t, IR_MAXS, lane, n, simd_op2(t, IR_QSUBS, lane, simd_zero(t), n));
}

/* clang-format off */

/* Shifts: left, by negative counts right. */

INSN(rshl_z, "01000100 size:2 00 0 rev:1 1 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}rshl{?rev:r} {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { SHIFT(RSHLV); }
INSN(qshl_z, "01000100 size:2 00 1 rev:1 0 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}qshl{?rev:r} {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { SHIFT(QSHLV); }
INSN(qrshl_z, "01000100 size:2 00 1 rev:1 1 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}qrshl{?rev:r} {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { SHIFT(QRSHLV); }

/* Halving. */

INSN(hadd_z, "01000100 size:2 01 000 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}hadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { EITHER(HADD); }
INSN(rhadd_z, "01000100 size:2 01 010 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}rhadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { EITHER(RHADD); }
INSN(hsub_z, "01000100 size:2 01 0 rev:1 1 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}hsub{?rev:r} {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { REVERSIBLE(HSUB); }

/* Saturating. */

INSN(qadd_z, "01000100 size:2 01 100 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}qadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { EITHER(QADD); }
INSN(qsub_z, "01000100 size:2 01 1 rev:1 1 U:1 100 Pg:3 Rm:5 Rd:5", "{#U:s|u}qsub{?rev:r} {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { REVERSIBLE(QSUB); }
INSN(suqadd_z, "01000100 size:2 01 1100 100 Pg:3 Rm:5 Rd:5", "suqadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { BINARY(QADDSU); }
INSN(usqadd_z, "01000100 size:2 01 1101 100 Pg:3 Rm:5 Rd:5", "usqadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { BINARY(QADDUS); }
INSN(sqabs_z, "01000100 size:2 00 1000 101 Pg:3 Rn:5 Rd:5", "sqabs {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE2) { MERGE(absolute(t, LANE, N)); }
INSN(sqneg_z, "01000100 size:2 00 1001 101 Pg:3 Rn:5 Rd:5", "sqneg {z(Rd, size)}, {pm(Pg)}, {z(Rn, size)}", SVE2) { MERGE(simd_op2(t, IR_QSUBS, LANE, simd_zero(t), N)); }

/* Neighbours. */

INSN(addp_z, "01000100 size:2 01 0001 101 Pg:3 Rm:5 Rd:5", "addp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { PAIRS(PADD); }
INSN(smaxp_z, "01000100 size:2 01 0100 101 Pg:3 Rm:5 Rd:5", "smaxp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { PAIRS(PMAXS); }
INSN(umaxp_z, "01000100 size:2 01 0101 101 Pg:3 Rm:5 Rd:5", "umaxp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { PAIRS(PMAXU); }
INSN(sminp_z, "01000100 size:2 01 0110 101 Pg:3 Rm:5 Rd:5", "sminp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { PAIRS(PMINS); }
INSN(uminp_z, "01000100 size:2 01 0111 101 Pg:3 Rm:5 Rd:5", "uminp {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}", SVE2) { PAIRS(PMINU); }
INSN(adalp_z, "01000100 size:2 00 010 U:1 101 Pg:3 Rn:5 Rd:5", "{#U:s|u}adalp {z(Rd, size)}, {pm(Pg)}, {z(Rn, size - 1)}", SVE2, "size") { MERGE(a->U ? LONG_PAIRS(PADDWU) : LONG_PAIRS(PADDWS)); }

/* Estimates. */

INSN(urecpe_z, "01000100 size=10 00 0000 101 Pg:3 Rn:5 Rd:5", "urecpe {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE2) { UNARY(URECPE); }
INSN(ursqrte_z, "01000100 size=10 00 0001 101 Pg:3 Rn:5 Rd:5", "ursqrte {z(Rd, 2)}, {pm(Pg)}, {z(Rn, 2)}", SVE2) { UNARY(URSQRTE); }

/* clang-format on */
#include "arm64_sve2_pred.decode.inc"
