/* Vectors: shifts, by constants and by lanes. */
#include "translate/host/x64/jit.h"

/* Opcodes of shifts by an immediate: size 2, 4, 8; extensions 2 right, 4 arithmetic right, 6 left. */
static u32 shift_op(unsigned size)
{
	return V_OP(size == 2 ? 0x71 : size == 4 ? 0x72 : 0x73);
}
static const u32 add_op[9] = { [1] = V_OP(0xfc), [2] = V_OP(0xfd), [4] = V_OP(0xfe), [8] = V_OP(0xd4) };
static const u32 sub_op[9] = { [1] = V_OP(0xf8), [2] = V_OP(0xf9), [4] = V_OP(0xfa), [8] = V_OP(0xfb) };

static void copy(struct jit *j, unsigned d, unsigned a)
{
	if (d != a)
		x_vrr(&j->c, V_MOVAPS, d, 0, a);
}

void v_shift_right(struct jit *j, unsigned size, bool sign, unsigned d, unsigned a, unsigned n)
{
	unsigned width = size * 8;
	if (!n) {
		copy(j, d, a);
		return;
	}
	if (n >= width) {
		if (!sign) {
			x_vrr(&j->c, V_PXOR, d, d, d);
			return;
		}
		n = width - 1;
	}
	if (size > 1 && !(sign && size == 8)) {
		x_vshift(&j->c, shift_op(size), sign ? 4 : 2, d, a, n);
		return;
	}
	x_vshift(&j->c, shift_op(size == 1 ? 2 : 8), 2, d, a, n);
	if (size == 1)
		v_splat(j, V_PAND, d, d, 1, 0xff >> n, 0);
	if (sign) { /* (x ^ m) - m, m the sign's new place */
		unsigned m = temp_xmm(j);
		v_splat(j, V_MOVAPS, m, 0, size, 1ull << (width - 1 - n), 0);
		x_vrr(&j->c, V_PXOR, d, d, m);
		x_vrr(&j->c, sub_op[size], d, d, m);
		j->lock_xmm &= ~BIT(m);
	}
}

static void shift_left(struct jit *j, unsigned size, unsigned d, unsigned a, unsigned n)
{
	if (!n)
		copy(j, d, a);
	else if (n >= size * 8)
		x_vrr(&j->c, V_PXOR, d, d, d);
	else
		x_vshift(&j->c, shift_op(size == 1 ? 2 : size), 6, d, a, n);
	if (size == 1 && n && n < 8)
		v_splat(j, V_PAND, d, d, 1, 0xff << n & 0xff, 0);
}

/* All lanes by one count. */
static bool by_scalar(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	u64 k;
	bool sign = in->op == IR_SAR;
	enum ir_type count = j->r->insn[in->b].type;
	if (const_of(j, in->b, &k)) {
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		if (in->op == IR_SHL)
			shift_left(j, size, d, a, MIN(k, 64u));
		else
			v_shift_right(j, size, sign, d, a, MIN(k, 64u));
		return true;
	}
	if (size == 1 || !is_gpr(count))
		return false;
	unsigned a = use_xmm(j, in->a), g = use_gpr(j, in->b), t = temp_xmm(j);
	if (count < TY_I32 && !(j->val[in->b].flags & VF_ZERO_UPPER)) {
		unsigned n = temp_gpr(j);
		x_rr(&j->c, count == TY_I16 ? X_MOVZX16 : X_MOVZX8 | OPB, n, g);
		g = n;
	}
	x_vrr(&j->c, (count == TY_I64 ? OPW : 0) | V_MOVD_LOAD, t, 0, g);
	static const u32 right[9] = { [2] = V_OP(0xd1), [4] = V_OP(0xd2), [8] = V_OP(0xd3) };
	unsigned d = def_xmm_apart(j, v);
	if (in->op == IR_SHL) {
		x_vrr(&j->c, V_OP(size == 2 ? 0xf1 : size == 4 ? 0xf2 : 0xf3), d, a, t);
	} else if (!sign) {
		x_vrr(&j->c, right[size], d, a, t);
	} else if (size < 8) {
		x_vrr(&j->c, V_OP(size == 2 ? 0xe1 : 0xe2), d, a, t);
	} else { /* too great a count gives the sign: shift the inverted number when it is negative */
		unsigned m = temp_xmm(j);
		x_vrr(&j->c, V_PXOR, m, m, m);
		x_vrr(&j->c, V_OP38(0x37), m, m, a);
		x_vrr(&j->c, V_PXOR, d, a, m);
		x_vrr(&j->c, V_OP(0xd3), d, d, t);
		x_vrr(&j->c, V_PXOR, d, d, m);
	}
	return true;
}

static bool rounding(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	bool sign = in->op == IR_RSHRS;
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
	v_shift_right(j, size, sign, t, a, in->imm - 1);
	v_splat(j, V_PAND, t, t, size, 1, 0);
	v_shift_right(j, size, sign, d, a, in->imm);
	x_vrr(&j->c, add_op[size], d, d, t);
	return true;
}

static bool insert(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	unsigned width = size * 8, n = in->imm;
	u64 ones = size == 8 ? ~0ull : BITS(width);
	u64 kept = in->op == IR_SLI ? (n ? BITS(n) : 0) : n >= width ? ones : ones & ~(ones >> n);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), t = temp_xmm(j);
	if (in->op == IR_SLI)
		shift_left(j, size, t, b, n);
	else
		v_shift_right(j, size, false, t, b, n);
	v_splat(j, V_PAND, d, a, size, kept, 0);
	x_vrr(&j->c, V_POR, d, d, t);
	return true;
}

/* ---- by lanes: AVX2 has them for 32 and 64 bits, and counts beyond the width give zeros ---- */
struct by_lane {
	unsigned size;
	unsigned count; /* a register: the low byte of the count or of its negation, below 256 */
	u32 sll, srl;
	bool sign, round;
};

/* d = x >> right, arithmetic as wanted; d apart from x. */
static void lane_right(struct jit *j, const struct by_lane *l, unsigned d, unsigned x, unsigned count)
{
	if (!l->sign) {
		x_vrr(&j->c, l->srl, d, x, count);
	} else if (l->size == 4) {
		x_vrr(&j->c, V_OP38(0x46), d, x, count);
	} else {
		unsigned m = temp_xmm(j);
		x_vrr(&j->c, V_PXOR, m, m, m);
		x_vrr(&j->c, V_OP38(0x37), m, m, x);
		x_vrr(&j->c, V_PXOR, d, x, m);
		x_vrr(&j->c, l->srl, d, d, count);
		x_vrr(&j->c, V_PXOR, d, d, m);
		j->lock_xmm &= ~BIT(m);
	}
}

/* d = a by the counts in b where they are negative: to the right. t is scratch. */
static void to_the_right(struct jit *j, const struct by_lane *l, unsigned d, unsigned a, unsigned b,
			 unsigned t)
{
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, sub_op[l->size], t, t, b);
	v_splat(j, V_PAND, l->count, t, l->size, 0xff, 0);
	lane_right(j, l, d, a, l->count);
	if (!l->round)
		return;
	x_vrr(&j->c, V_ONES, t, t, t);
	x_vrr(&j->c, add_op[l->size], l->count, l->count, t);
	lane_right(j, l, t, a, l->count);
	v_splat(j, V_PAND, t, t, l->size, 1, 0);
	x_vrr(&j->c, add_op[l->size], d, d, t);
}

/* d = a by the counts in b where they are positive, which stay in l->count. */
static void to_the_left(struct jit *j, const struct by_lane *l, unsigned d, unsigned a, unsigned b)
{
	v_splat(j, V_PAND, l->count, b, l->size, 0xff, 0);
	x_vrr(&j->c, l->sll, d, a, l->count);
}

/* d = left or d as the sign of the low byte of b's lane says. */
static void choose(struct jit *j, const struct by_lane *l, unsigned d, unsigned left, unsigned b)
{
	x_vshift(&j->c, shift_op(l->size), 6, l->count, b, l->size * 8 - 8);
	x_vrri(&j->c, V_OP3A(l->size == 4 ? 0x4a : 0x4b), d, left, d, l->count << 4);
}

/* Where shifting t back by l->count does not give a again: the largest number of a's sign. */
static void saturate(struct jit *j, const struct by_lane *l, unsigned t, unsigned a)
{
	unsigned back = temp_xmm(j), limit = temp_xmm(j);
	lane_right(j, l, back, t, l->count);
	x_vrr(&j->c, l->size == 4 ? V_OP(0x76) : V_OP38(0x29), back, back, a);
	if (l->sign) {
		x_vrr(&j->c, V_PXOR, limit, limit, limit);
		x_vrr(&j->c, l->size == 4 ? V_OP(0x66) : V_OP38(0x37), limit, limit, a);
		v_splat(j, V_PXOR, limit, limit, l->size, BITS(l->size * 8 - 1), 0);
	} else {
		x_vrr(&j->c, V_ONES, limit, limit, limit);
	}
	x_vrri(&j->c, V_OP3A(0x4c), t, limit, t, back << 4); /* pblendvb */
	j->lock_xmm &= ~(BIT(back) | BIT(limit));
}

/* What is negative in a becomes zero: gives where the result is. */
static unsigned without_negative(struct jit *j, unsigned size, unsigned a)
{
	static const u32 greater[9] = {
		[1] = V_OP(0x64), [2] = V_OP(0x65), [4] = V_OP(0x66), [8] = V_OP38(0x37)
	};
	unsigned x = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, x, x, x);
	x_vrr(&j->c, greater[size], x, x, a);
	x_vrr(&j->c, V_PANDN, x, x, a);
	return x;
}

/*
 * Lanes of 8 and 16 bits: every second, or every fourth, widened to 32 bits in its place, shifted there, and put together again. To the left
 * they are shifted in the upper bits, where what is lost is lost.
 */
static bool by_narrow_lanes(struct jit *j, const struct ir_insn *in, u32 v, struct by_lane *l, unsigned size,
			    bool sat)
{
	unsigned bits = size * 8;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x = temp_xmm(j), y = temp_xmm(j), t = temp_xmm(j), z = temp_xmm(j);
	l->count = temp_xmm(j);
	if (in->op == IR_QSHLVSU)
		a = without_negative(j, size, a);
	for (unsigned at = 0; at < 32; at += bits) {
		unsigned top = 32 - bits;
		x_vshift(&j->c, V_OP(0x72), 6, x, a, top - at);
		x_vshift(&j->c, V_OP(0x72), l->sign ? 4 : 2, z, x, top);
		x_vshift(&j->c, V_OP(0x72), 2, y, b, at);
		unsigned right = temp_xmm(j);
		to_the_right(j, l, right, z, y, t);
		x_vshift(&j->c, V_OP(0x72), 6, z, right, top);
		j->lock_xmm &= ~BIT(right);
		x_vshift(&j->c, V_OP(0x72), 2, x, x, top); /* the lane alone */
		x_vshift(&j->c, V_OP(0x72), 6, x, x, top);
		to_the_left(j, l, t, x, y);
		if (sat)
			saturate(j, l, t, x);
		choose(j, l, z, t, y);
		x_vshift(&j->c, V_OP(0x72), 2, z, z, top);
		x_vshift(&j->c, V_OP(0x72), 6, z, z, at);
		if (at)
			x_vrr(&j->c, V_POR, d, d, z);
		else
			x_vrr(&j->c, V_MOVAPS, d, 0, z);
	}
	return true;
}

static bool by_lanes(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	enum ir_op op = in->op;
	bool sat = op >= IR_QSHLVU && op <= IR_QRSHLVS;
	u32 w = size == 8 ? OPW : 0;
	struct by_lane l = { .size = MAX(size, 4u), .sll = w | V_OP38(0x47), .srl = w | V_OP38(0x45) };
	l.sign = op == IR_SHLVS || op == IR_RSHLVS || op == IR_QSHLVS || op == IR_QRSHLVS;
	l.round = op == IR_RSHLVU || op == IR_RSHLVS || op == IR_QRSHLVU || op == IR_QRSHLVS;
	if (size < 4)
		return by_narrow_lanes(j, in, v, &l, size, sat);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), t = temp_xmm(j);
	if (op == IR_QSHLVSU)
		a = without_negative(j, size, a);
	l.count = temp_xmm(j);
	to_the_right(j, &l, d, a, b, t);
	to_the_left(j, &l, t, a, b);
	if (sat)
		saturate(j, &l, t, a);
	choose(j, &l, d, t, b);
	return true;
}

bool lower_vec_shift(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane);
	switch (in->op) {
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
		return by_scalar(j, in, v, size);
	case IR_RSHRU:
	case IR_RSHRS:
		return rounding(j, in, v, size);
	case IR_SLI:
	case IR_SRI:
		return insert(j, in, v, size);
	case IR_SHLVU:
	case IR_SHLVS:
	case IR_RSHLVU:
	case IR_RSHLVS:
	case IR_QSHLVU:
	case IR_QSHLVS:
	case IR_QSHLVSU:
	case IR_QRSHLVU:
	case IR_QRSHLVS:
		return by_lanes(j, in, v, size);
	}
	return false;
}
