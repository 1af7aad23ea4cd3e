/* Vectors: saturating arithmetic that the host lacks, and narrowing. */
#include "translate/host/x64/jit.h"

enum {
	ADDD = V_OP(0xfe),
	ADDQ = V_OP(0xd4),
	SUBD = V_OP(0xfa),
	SUBQ = V_OP(0xfb),
	GTD = V_OP(0x66),
	GTQ = V_OP38(0x37),
	EQD = V_OP(0x76)
};

/* Signed, 32 and 64 bits: the plain result unless it overflowed, then the limit on a's side. */
static void add_signed(struct jit *j, bool sub, unsigned size, unsigned d, unsigned a, unsigned b)
{
	bool quad = size == 8;
	unsigned sum = temp_xmm(j), over = temp_xmm(j), t = temp_xmm(j);
	x_vrr(&j->c, sub ? (quad ? SUBQ : SUBD) : (quad ? ADDQ : ADDD), sum, a, b);
	x_vrr(&j->c, V_PXOR, over, a, sum);
	x_vrr(&j->c, V_PXOR, t, sub ? a : b, sub ? b : sum);
	x_vrr(&j->c, V_PAND, over, over, t);
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, quad ? GTQ : GTD, t, t, a);
	v_splat(j, V_PXOR, t, t, size, quad ? BITS(63) : BITS(31), 0);
	x_vrri(&j->c, V_OP3A(quad ? 0x4b : 0x4a), d, sum, t, over << 4);
}

static bool saturate(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	if (size < 4)
		return false;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	if (in->op == IR_QADDS || in->op == IR_QSUBS) {
		add_signed(j, in->op == IR_QSUBS, size, d, a, b);
		return true;
	}
	unsigned t = temp_xmm(j);
	if (size == 4 && in->op == IR_QADDU) { /* a + min(b, ~a) */
		x_vrr(&j->c, V_ONES, t, t, t);
		x_vrr(&j->c, V_PXOR, t, t, a);
		x_vrr(&j->c, V_OP38(0x3b), t, t, b);
		x_vrr(&j->c, ADDD, d, a, t);
	} else if (size == 4) { /* max(a, b) - b */
		x_vrr(&j->c, V_OP38(0x3f), t, a, b);
		x_vrr(&j->c, SUBD, d, t, b);
	} else {
		unsigned sign = temp_xmm(j);
		bool add = in->op == IR_QADDU;
		x_vrr(&j->c, add ? ADDQ : SUBQ, d, a, b);
		v_splat(j, V_MOVAPS, sign, 0, 8, 1ull << 63, 0);
		x_vrr(&j->c, V_PXOR, t, a, sign); /* the carry: a > sum; the borrow: b > a */
		x_vrr(&j->c, V_PXOR, sign, add ? d : b, sign);
		if (add) {
			x_vrr(&j->c, GTQ, t, t, sign);
			x_vrr(&j->c, V_POR, d, d, t);
		} else {
			x_vrr(&j->c, GTQ, t, sign, t);
			x_vrr(&j->c, V_PANDN, d, t, d);
		}
	}
	return true;
}

/* High halves of doubled products. Only MIN * MIN overflows: it alone gives MIN. */
static bool doubling(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	bool round = in->op == IR_QRDMULH;
	if (size != 2 && size != 4)
		return false;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), t = temp_xmm(j);
	if (size == 2 && round) {
		x_vrr(&j->c, V_OP38(0x0b), d, a, b); /* pmulhrsw */
	} else if (size == 2) {
		x_vrr(&j->c, V_OP(0xd5), t, a, b);
		x_vrr(&j->c, V_OP(0xe5), d, a, b);
		x_vshift(&j->c, V_OP(0x71), 2, t, t, 15);
		x_vrr(&j->c, V_OP(0xfd), d, d, d);
		x_vrr(&j->c, V_POR, d, d, t);
	} else {
		unsigned x = temp_xmm(j);
		x_vrr(&j->c, V_OP38(0x28), d, a, b); /* pmuldq of lanes 0 and 2, then of 1 and 3 */
		x_vshift(&j->c, V_OP(0x73), 2, t, a, 32);
		x_vshift(&j->c, V_OP(0x73), 2, x, b, 32);
		x_vrr(&j->c, V_OP38(0x28), t, t, x);
		x_vrr(&j->c, ADDQ, d, d, d);
		x_vrr(&j->c, ADDQ, t, t, t);
		if (round) {
			v_splat(j, ADDQ, d, d, 8, 1ull << 31, 0);
			v_splat(j, ADDQ, t, t, 8, 1ull << 31, 0);
		}
		x_vshift(&j->c, V_OP(0x73), 2, d, d, 32);
		x_vrri(&j->c, V_OP3A(0x0e), d, d, t, 0xcc); /* odd dwords of t */
	}
	v_splat(j, size == 2 ? V_OP(0x75) : EQD, t, d, size, size == 2 ? 0x8000 : 1u << 31, 0);
	x_vrr(&j->c, V_PXOR, d, d, t);
	return true;
}

/* Even dwords into the low half, zero above. */
static void pack_quads(struct jit *j, unsigned d, unsigned a)
{
	x_vrri(&j->c, V_PSHUFD, d, 0, a, 0x88);
	x_vrr(&j->c, V_MOVQ_LOAD, d, 0, d);
}

static void narrow_quads(struct jit *j, enum ir_op op, unsigned d, unsigned a)
{
	unsigned high = temp_xmm(j), t = temp_xmm(j);
	x_vrri(&j->c, V_PSHUFD, high, 0, a, 0xf5); /* the upper dword of each lane, twice */
	if (op == IR_NARROWSS) {
		x_vshift(&j->c, V_OP(0x72), 4, t, a, 31);
		x_vrr(&j->c, EQD, t, t, high); /* fits: the upper half is the lower one's sign */
		x_vshift(&j->c, V_OP(0x72), 4, high, high, 31);
		v_splat(j, V_PXOR, high, high, 4, BITS(31), 0);
		x_vrri(&j->c, V_OP3A(0x4c), d, high, a, t << 4);
	} else {
		unsigned ones = temp_xmm(j);
		x_vrr(&j->c, V_PXOR, t, t, t);
		x_vrr(&j->c, EQD, t, t, high);
		x_vrr(&j->c, V_ONES, ones, ones, ones);
		x_vrr(&j->c, V_PXOR, t, t, ones);
		x_vrr(&j->c, V_POR, d, a, t);
		if (op == IR_NARROWSU) {
			x_vshift(&j->c, V_OP(0x72), 4, high, high, 31);
			x_vrr(&j->c, V_PANDN, d, high, d);
		}
	}
	pack_quads(j, d, d);
}

static bool narrow(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v);
	if (in->op == IR_NARROW) {
		u8 k[16];
		for (unsigned i = 0; i < 16; i++)
			k[i] = i < 8 ? i / (size / 2) * size + i % (size / 2) : 0x80;
		v_const(j, V_PSHUFB, d, a, k, 0);
		return true;
	}
	if (size == 8) {
		narrow_quads(j, in->op, d, a);
		return true;
	}
	unsigned zero = temp_xmm(j);
	if (in->op == IR_NARROWUS) {
		v_splat(j, V_OP38(size == 2 ? 0x3a : 0x3b), d, a, size, size == 2 ? 0xff : 0xffff, 0);
		a = d;
	}
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	if (in->op == IR_NARROWSS)
		x_vrr(&j->c, size == 2 ? V_OP(0x63) : V_OP(0x6b), d, a, zero);
	else
		x_vrr(&j->c, size == 2 ? V_OP(0x67) : V_OP38(0x2b), d, a, zero);
	return true;
}

/* Sums of an unsigned and a signed number, saturated as the first one: words and doublewords, by comparing the plain sum with that. */
static bool mixed_wide(struct jit *j, const struct ir_insn *in, u32 v, bool quad)
{
	u32 greater = quad ? GTQ : GTD;
	u64 top = quad ? 1ull << 63 : 1u << 31;
	unsigned size = quad ? 8 : 4;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), t = temp_xmm(j),
		 sum = temp_xmm(j);
	x_vrr(&j->c, quad ? ADDQ : ADDD, sum, a, b);
	if (in->op == IR_QADDSU) { /* the unsigned one can only make it larger */
		x_vrr(&j->c, greater, t, a, sum);
		v_splat(j, V_MOVAPS, d, 0, size, top - 1, 0);
		x_vrri(&j->c, V_OP3A(0x4c), d, sum, d, t << 4);
		return true;
	}
	unsigned negative = temp_xmm(j), less = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, negative, negative, negative);
	x_vrr(&j->c, greater, negative, negative, b);
	v_splat(j, V_PXOR, t, a, size, top, 0);
	v_splat(j, V_PXOR, d, sum, size, top, 0);
	x_vrr(&j->c, greater, less, t, d);
	x_vrr(&j->c, V_PANDN, less, negative, less); /* wrapped upwards: all ones */
	x_vrr(&j->c, greater, d, d, t);
	x_vrr(&j->c, V_PAND, d, d, negative); /* wrapped downwards: zero */
	x_vrr(&j->c, V_POR, sum, sum, less);
	x_vrr(&j->c, V_PANDN, d, d, sum);
	return true;
}

/* Sums of an unsigned and a signed number, saturated as the first one. */
static bool mixed(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	if (size > 2)
		return mixed_wide(j, in, v, size == 8);
	bool byte = size == 1;
	u32 add_u = V_OP(byte ? 0xdc : 0xdd), sub_u = V_OP(byte ? 0xd8 : 0xd9),
	    sub = V_OP(byte ? 0xf8 : 0xf9);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	if (in->op ==
	    IR_QADDSU) { /* moved by half the range, it is unsigned, and only its upper end can be reached */
		u64 half = byte ? 0x80 : 0x8000;
		v_splat(j, V_PXOR, d, a, size, half, 0);
		x_vrr(&j->c, add_u, d, d, b);
		v_splat(j, V_PXOR, d, d, size, half, 0);
		return true;
	}
	unsigned t = temp_xmm(j), zero = temp_xmm(j); /* more, or less: one of the two is zero */
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	x_vrr(&j->c, byte ? V_OP38(0x3c) : V_OP(0xee), t, b, zero); /* pmaxs */
	x_vrr(&j->c, add_u, d, a, t);
	x_vrr(&j->c, byte ? V_OP38(0x38) : V_OP(0xea), t, b, zero); /* pmins */
	x_vrr(&j->c, sub, t, zero, t);
	x_vrr(&j->c, sub_u, d, d, t);
	return true;
}

bool lower_vec_sat(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane);
	switch (in->op) {
	case IR_QADDU:
	case IR_QADDS:
	case IR_QSUBU:
	case IR_QSUBS:
		return saturate(j, in, v, size);
	case IR_QADDUS:
	case IR_QADDSU:
		return mixed(j, in, v, size);
	case IR_QDMULH:
	case IR_QRDMULH:
		return doubling(j, in, v, size);
	case IR_NARROW:
	case IR_NARROWUS:
	case IR_NARROWSS:
	case IR_NARROWSU:
		return narrow(j, in, v, size);
	}
	return false;
}
