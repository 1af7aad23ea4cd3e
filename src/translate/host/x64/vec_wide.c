/* Vectors: what widens lanes, or works across them. */
#include "translate/host/x64/jit.h"

static const u32 add_op[9] = { [1] = V_OP(0xfc), [2] = V_OP(0xfd), [4] = V_OP(0xfe), [8] = V_OP(0xd4) };

static bool widen(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	u32 op = V_OP38((in->op == IR_WIDENS ? 0x20 : 0x30) + (size == 1 ? 0 : size == 2 ? 3 : 5));
	unsigned a = use_xmm(j, in->a);
	if (in->imm) {
		unsigned t = temp_xmm(j);
		x_vrri(&j->c, V_PSHUFD, t, 0, a, 0xee);
		a = t;
	}
	x_vrr(&j->c, op, def_xmm(j, v), 0, a);
	return true;
}

static bool multiply_long(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	bool sign = in->op == IR_MULLS;
	u32 op = V_OP38((sign ? 0x20 : 0x30) + (size == 1 ? 0 : 3));
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), t = temp_xmm(j), d = def_xmm_apart(j, v);
	if (size == 4) {
		unsigned imm = in->imm ? 0xfa : 0x50; /* lanes to the even places */
		x_vrri(&j->c, V_PSHUFD, t, 0, a, imm);
		x_vrri(&j->c, V_PSHUFD, d, 0, b, imm);
		x_vrr(&j->c, sign ? V_OP38(0x28) : V_OP(0xf4), d, d, t);
		return true;
	}
	if (in->imm) {
		x_vrri(&j->c, V_PSHUFD, t, 0, a, 0xee);
		x_vrri(&j->c, V_PSHUFD, d, 0, b, 0xee);
		a = t, b = d;
	}
	x_vrr(&j->c, op, t, 0, a);
	x_vrr(&j->c, op, d, 0, b);
	x_vrr(&j->c, size == 1 ? V_OP(0xd5) : V_OP38(0x40), d, d, t);
	return true;
}

void v_even_odd(struct jit *j, unsigned size, unsigned e, unsigned o, unsigned a, unsigned b)
{
	u8 k[16];
	if (size >= 4) {
		x_vrri(&j->c, size == 4 ? MAP0F | 0xc6 : P66 | MAP0F | 0xc6, e, a, b, size == 4 ? 0x88 : 0);
		x_vrri(&j->c, size == 4 ? MAP0F | 0xc6 : P66 | MAP0F | 0xc6, o, a, b, size == 4 ? 0xdd : 3);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		k[i] = (i % 8) / size * 2 * size + i % size + (i >= 8 ? size : 0);
	unsigned t = temp_xmm(j);
	v_const(j, V_PSHUFB, t, a, k, 0);
	v_const(j, V_PSHUFB, o, b, k, 0);
	x_vrr(&j->c, V_UNPCKLQ, e, t, o);
	x_vrr(&j->c, V_UNPCKHQ, o, t, o);
	j->lock_xmm &= ~BIT(t);
}

static u32 minmax_op(enum ir_op op, unsigned size)
{
	static const u32 code[4][3] = { { V_OP(0xda), V_OP38(0x3a), V_OP38(0x3b) },
					{ V_OP38(0x38), V_OP(0xea), V_OP38(0x39) },
					{ V_OP(0xde), V_OP38(0x3e), V_OP38(0x3f) },
					{ V_OP38(0x3c), V_OP(0xee), V_OP38(0x3d) } };
	unsigned which = op >= IR_REDMINU ? op - IR_REDMINU : op - IR_PMINU;
	return size == 8 ? 0 : code[which][size / 2];
}

static bool pairwise(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	u32 op = in->op == IR_PADD ? add_op[size] : minmax_op(in->op, size);
	if (!op)
		return false;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), o = temp_xmm(j);
	v_even_odd(j, size, d, o, a, b);
	x_vrr(&j->c, op, d, d, o);
	return true;
}

static bool pairs_widened(struct jit *j, const struct ir_insn *in, u32 v, unsigned size)
{
	bool sign = in->op == IR_PADDWS;
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
	if (size == 1) { /* pmaddubsw: the first factor is unsigned, the second signed */
		v_splat(j, V_MOVAPS, t, 0, 1, 1, 0);
		x_vrr(&j->c, V_OP38(0x04), d, sign ? t : a, sign ? a : t);
	} else if (size == 2 && sign) {
		v_splat(j, V_OP(0xf5), d, a, 2, 1, 0);
	} else if (size == 2) {
		v_splat(j, V_PAND, t, a, 4, 0xffff, 0);
		x_vshift(&j->c, V_OP(0x72), 2, d, a, 16);
		x_vrr(&j->c, add_op[4], d, d, t);
	} else {
		unsigned one = temp_xmm(j);
		v_splat(j, V_MOVAPS, one, 0, 8, 1, 0);
		x_vshift(&j->c, V_OP(0x73), 2, t, a, 32);
		x_vrr(&j->c, sign ? V_OP38(0x28) : V_OP(0xf4), d, a, one);
		x_vrr(&j->c, sign ? V_OP38(0x28) : V_OP(0xf4), t, t, one);
		x_vrr(&j->c, add_op[8], d, d, t);
	}
	return true;
}

static bool reduce(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane);
	u32 op = in->op == IR_REDADD ? add_op[size] : minmax_op(in->op, size);
	if (!op || !is_gpr(in->type) || j->r->insn[in->a].type != TY_V128)
		return false;
	unsigned a = use_xmm(j, in->a), x = temp_xmm(j), t = temp_xmm(j);
	if (size == 1 && in->op == IR_REDADD) {
		x_vrr(&j->c, V_PXOR, x, x, x);
		x_vrr(&j->c, V_OP(0xf6), x, a, x); /* psadbw */
		x_vrri(&j->c, V_PSHUFD, t, 0, x, 0xee);
		x_vrr(&j->c, add_op[8], x, x, t);
	} else {
		unsigned from = a;
		for (unsigned n = 8; n >= size; n /= 2) {
			x_vshift(&j->c, V_OP(0x73), 3, t, from, n); /* psrldq */
			x_vrr(&j->c, op, x, from, t);
			from = x;
		}
	}
	unsigned d = def_gpr(j, v);
	if (size == 2)
		x_vrri(&j->c, V_PEXTRW, x, 0, d, 0);
	else if (size == 1)
		x_vrri(&j->c, V_PEXTRB, x, 0, d, 0);
	else
		x_vrr(&j->c, (size == 8 ? OPW : 0) | V_MOVD_STORE, x, 0, d);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

/* d = the even bytes of a as words, o = the odd ones. */
static void bytes_to_words(struct jit *j, bool sign, unsigned e, unsigned o, unsigned a)
{
	if (sign) {
		x_vshift(&j->c, V_OP(0x71), 6, e, a, 8);
		x_vshift(&j->c, V_OP(0x71), 4, e, e, 8);
		x_vshift(&j->c, V_OP(0x71), 4, o, a, 8);
	} else {
		x_vshift(&j->c, V_OP(0x71), 2, o, a, 8);
		v_splat(j, V_PAND, e, a, 2, 0xff, 0);
	}
}

/* d += for each dword the sum of four products of bytes. */
static void dot4(struct jit *j, bool bsign, bool csign, unsigned d, unsigned b, unsigned c)
{
	unsigned be = temp_xmm(j), bo = temp_xmm(j), ce = temp_xmm(j), co = temp_xmm(j);
	bytes_to_words(j, bsign, be, bo, b);
	bytes_to_words(j, csign, ce, co, c);
	x_vrr(&j->c, V_OP(0xf5), be, be, ce);
	x_vrr(&j->c, V_OP(0xf5), bo, bo, co);
	x_vrr(&j->c, add_op[4], d, d, be);
	x_vrr(&j->c, add_op[4], d, d, bo);
	j->lock_xmm &= ~(BIT(be) | BIT(bo) | BIT(ce) | BIT(co));
}

static bool dot(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool matrix = in->op >= IR_MMLAU;
	bool bsign = in->op == IR_DOTS || in->op == IR_MMLAS, csign = in->op != IR_DOTU && in->op != IR_MMLAU;
	if (!matrix && in->lane != TY_I32)
		return false;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	x_vrr(&j->c, V_MOVAPS, d, 0, a);
	j->lock_xmm &= ~(j->xmm[a] == HOME ? 0 : BIT(a));
	j->lock_xmm |= BIT(b) | BIT(c);
	if (!matrix) {
		dot4(j, bsign, csign, d, b, c);
		return true;
	}
	for (unsigned half = 0; half < 2; half++) {
		unsigned x = temp_xmm(j), y = temp_xmm(j);
		x_vrri(&j->c, V_PSHUFD, x, 0, b, half ? 0xf5 : 0xa0);
		x_vrri(&j->c, V_PSHUFD, y, 0, c, half ? 0xdd : 0x88);
		dot4(j, bsign, csign, d, x, y);
		j->lock_xmm &= ~(BIT(x) | BIT(y));
	}
	return true;
}

static bool top_bits(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane);
	if (j->r->insn[in->a].type != TY_V128 || !is_gpr(in->type))
		return false;
	unsigned a = use_xmm(j, in->a);
	if (size == 2) { /* the top bits are kept by saturation */
		unsigned t = temp_xmm(j), zero = temp_xmm(j);
		x_vrr(&j->c, V_PXOR, zero, zero, zero);
		x_vrr(&j->c, V_OP(0x63), t, a, zero); /* packsswb */
		a = t;
	}
	u32 op = size == 8 ? V_OP(0x50) : size == 4 ? V_OP(0x50) & ~P66 : V_OP(0xd7); /* movmskpd, movmskps, pmovmskb */
	x_vrr(&j->c, op, def_gpr(j, v), 0, a);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

bool lower_vec_wide(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane);
	switch (in->op) {
	case IR_WIDENU:
	case IR_WIDENS:
		return widen(j, in, v, size);
	case IR_MULLU:
	case IR_MULLS:
		return multiply_long(j, in, v, size);
	case IR_PADD:
	case IR_PMINU:
	case IR_PMINS:
	case IR_PMAXU:
	case IR_PMAXS:
		return pairwise(j, in, v, size);
	case IR_PADDWU:
	case IR_PADDWS:
		return pairs_widened(j, in, v, size);
	case IR_REDADD:
	case IR_REDMINU:
	case IR_REDMINS:
	case IR_REDMAXU:
	case IR_REDMAXS:
		return reduce(j, in, v);
	case IR_VBITS:
		return top_bits(j, in, v);
	case IR_DOTU:
	case IR_DOTS:
	case IR_DOTUS:
	case IR_MMLAU:
	case IR_MMLAS:
	case IR_MMLAUS:
		return dot(j, in, v);
	}
	return false;
}
