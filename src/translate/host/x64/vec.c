/*
 * Vectors of 128 bits on AVX2, and of the pieces that the vec_*.c files share: constants, plain lanewise arithmetic, comparison, logic.
 *
 * Always the VEX forms of 128 bits: they leave the upper halves of the host's registers clear. Longer vectors go the slow way.
 */
#include "translate/host/x64/jit.h"

void v_const(struct jit *j, u32 op, unsigned reg, unsigned v, const u8 bytes[16], unsigned behind)
{
	u32 i = 0;
	while (i < j->n_pool && memcmp(j->pool[i], bytes, 16))
		i++;
	if (i == j->n_pool) {
		j->pool = grow(j->pool, &j->pool_cap, j->n_pool + 1, 16);
		memcpy(j->pool[j->n_pool++], bytes, 16);
	}
	x_vex(&j->c, op, reg, v, 0, 0);
	x_byte(&j->c, (reg & 7) << 3 | 5); /* RIP-relative */
	j->pool_fix = grow(j->pool_fix, &j->pool_fix_cap, j->n_pool_fix + 1, sizeof(*j->pool_fix));
	j->pool_fix[j->n_pool_fix++] = (struct pool_fix){ j->c.p, i, behind };
	x_32(&j->c, 0);
}

void v_splat(struct jit *j, u32 op, unsigned reg, unsigned v, unsigned size, u64 n, unsigned behind)
{
	u8 bytes[16];
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = n >> (i % size * 8);
	v_const(j, op, reg, v, bytes, behind);
}

void emit_pool(struct jit *j)
{
	if (!j->n_pool)
		return;
	u8 *at = (u8 *)ROUND_UP((uintptr_t)j->c.p, 16u); /* both views have the same offsets in their pages */
	if (at + 16 * (size_t)j->n_pool > j->c.end) {
		j->c.full = true;
		return;
	}
	memset(j->c.p, 0xcc, at - j->c.p);
	memcpy(at, j->pool, 16 * (size_t)j->n_pool);
	for (u32 i = 0; i < j->n_pool_fix; i++) {
		const struct pool_fix *f = &j->pool_fix[i];
		i32 d = at + 16 * (size_t)f->index - (f->disp + 4 + f->behind);
		memcpy(f->disp, &d, 4);
	}
	j->c.p = at + 16 * (size_t)j->n_pool;
}

/* ---- one host instruction a lane size ---- */

struct row {
	u16 op;
	u32 code[4]; /* by log2 of the lane's size; 0: none */
};

/* clang-format off */
static const struct row rows[] = {
	{ IR_ADD, { V_OP(0xfc), V_OP(0xfd), V_OP(0xfe), V_OP(0xd4) } },
	{ IR_SUB, { V_OP(0xf8), V_OP(0xf9), V_OP(0xfa), V_OP(0xfb) } },
	{ IR_MUL, { 0, V_OP(0xd5), V_OP38(0x40), 0 } },
	{ IR_MULHU, { 0, V_OP(0xe4), 0, 0 } },
	{ IR_MULHS, { 0, V_OP(0xe5), 0, 0 } },
	{ IR_AND, { V_PAND, V_PAND, V_PAND, V_PAND } },
	{ IR_OR, { V_POR, V_POR, V_POR, V_POR } },
	{ IR_XOR, { V_PXOR, V_PXOR, V_PXOR, V_PXOR } },
	{ IR_MINU, { V_OP(0xda), V_OP38(0x3a), V_OP38(0x3b), 0 } },
	{ IR_MINS, { V_OP38(0x38), V_OP(0xea), V_OP38(0x39), 0 } },
	{ IR_MAXU, { V_OP(0xde), V_OP38(0x3e), V_OP38(0x3f), 0 } },
	{ IR_MAXS, { V_OP38(0x3c), V_OP(0xee), V_OP38(0x3d), 0 } },
	{ IR_VEQ, { V_OP(0x74), V_OP(0x75), V_OP(0x76), V_OP38(0x29) } },
	{ IR_VGTS, { V_OP(0x64), V_OP(0x65), V_OP(0x66), V_OP38(0x37) } },
	{ IR_QADDU, { V_OP(0xdc), V_OP(0xdd), 0, 0 } },
	{ IR_QADDS, { V_OP(0xec), V_OP(0xed), 0, 0 } },
	{ IR_QSUBU, { V_OP(0xd8), V_OP(0xd9), 0, 0 } },
	{ IR_QSUBS, { V_OP(0xe8), V_OP(0xe9), 0, 0 } },
	{ IR_RHADDU, { V_OP(0xe0), V_OP(0xe3), 0, 0 } },
	{ IR_PADD, { 0, V_OP38(0x01), V_OP38(0x02), 0 } },
};
/* clang-format on */

static unsigned log_size(enum ir_type lane)
{
	unsigned size = ir_type_size(lane);
	return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

static u32 code_of(enum ir_op op, unsigned s)
{
	for (unsigned i = 0; i < LEN(rows); i++)
		if (rows[i].op == op)
			return rows[i].code[s];
	return 0;
}

static void invert(struct jit *j, unsigned r)
{
	unsigned t = temp_xmm(j);
	x_vrr(&j->c, V_ONES, t, t, t);
	x_vrr(&j->c, V_PXOR, r, r, t);
}

/* d = a > b; unsigned: with the signs turned. d apart from b when unsigned. */
static void greater(struct jit *j, bool sign, unsigned s, unsigned d, unsigned a, unsigned b)
{
	u32 gt = code_of(IR_VGTS, s);
	if (sign) {
		x_vrr(&j->c, gt, d, a, b);
		return;
	}
	unsigned t = temp_xmm(j), t2 = temp_xmm(j);
	v_splat(j, V_MOVAPS, t, 0, 1u << s, 1ull << ((8 << s) - 1), 0);
	x_vrr(&j->c, V_PXOR, t2, b, t);
	x_vrr(&j->c, V_PXOR, d, a, t);
	x_vrr(&j->c, gt, d, d, t2);
}

static bool compare(struct jit *j, const struct ir_insn *in, u32 v, unsigned s)
{
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	switch (in->op) {
	case IR_VGTU:
		greater(j, false, s, d, a, b);
		return true;
	case IR_VGEU:
		if (s < 3) {
			x_vrr(&j->c, code_of(IR_MAXU, s), d, a, b);
			x_vrr(&j->c, code_of(IR_VEQ, s), d, d, a);
			return true;
		}
		/* fall through */
	case IR_VGES:
		greater(j, in->op == IR_VGES, s, d, b, a);
		invert(j, d);
		return true;
	default: { /* VTST */
		unsigned t = temp_xmm(j);
		x_vrr(&j->c, V_PAND, d, a, b);
		x_vrr(&j->c, V_PXOR, t, t, t);
		x_vrr(&j->c, code_of(IR_VEQ, s), d, d, t);
		invert(j, d);
		return true;
	}
	}
}

static void mul_bytes(struct jit *j, unsigned d, unsigned a, unsigned b)
{
	unsigned t = temp_xmm(j), t2 = temp_xmm(j);
	x_vrr(&j->c, V_OP(0xd5), t, a, b);
	v_splat(j, V_PAND, t, t, 2, 0xff, 0);
	x_vshift(&j->c, V_OP(0x71), 2, t2, a, 8);
	v_splat(j, V_PAND, d, b, 2, 0xff00, 0);
	x_vrr(&j->c, V_OP(0xd5), d, d, t2);
	x_vrr(&j->c, V_POR, d, d, t);
}

static void mul_quads(struct jit *j, unsigned d, unsigned a, unsigned b)
{
	unsigned t = temp_xmm(j);
	x_vshift(&j->c, V_OP(0x73), 2, t, a, 32);
	x_vrr(&j->c, V_OP(0xf4), t, t, b); /* high a, low b */
	x_vshift(&j->c, V_OP(0x73), 2, d, b, 32);
	x_vrr(&j->c, V_OP(0xf4), d, d, a);
	x_vrr(&j->c, V_OP(0xd4), d, d, t);
	x_vshift(&j->c, V_OP(0x73), 6, d, d, 32);
	x_vrr(&j->c, V_OP(0xf4), t, a, b);
	x_vrr(&j->c, V_OP(0xd4), d, d, t);
}

/* Minimum and maximum of 64 bits, by comparison. */
static void minmax_quads(struct jit *j, enum ir_op op, unsigned d, unsigned a, unsigned b)
{
	bool sign = op == IR_MINS || op == IR_MAXS, max = op == IR_MAXU || op == IR_MAXS;
	unsigned m = temp_xmm(j);
	greater(j, sign, 3, m, a, b);
	x_vrri(&j->c, V_OP3A(0x4b), d, max ? b : a, max ? a : b, m << 4); /* blendvpd */
}

/* d = |a - b| of 64 bits: the difference, negated where b > a. t is scratch. */
static void difference_quads(struct jit *j, bool sign, unsigned d, unsigned a, unsigned b, unsigned t)
{
	greater(j, sign, 3, d, b, a);
	x_vrr(&j->c, V_OP(0xfb), t, a, b);
	x_vrr(&j->c, V_PXOR, t, t, d);
	x_vrr(&j->c, V_OP(0xfb), d, t, d);
}

static bool unary(struct jit *j, const struct ir_insn *in, u32 v, unsigned s)
{
	if (s == 3 && in->op == IR_ABS) {
		unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
		x_vrr(&j->c, V_PXOR, t, t, t);
		x_vrr(&j->c, V_OP38(0x37), t, t, a);
		x_vrr(&j->c, V_PXOR, d, a, t);
		x_vrr(&j->c, V_OP(0xfb), d, d, t);
		return true;
	}
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v), t = in->op == IR_ABS ? 0 : temp_xmm(j);
	if (in->op == IR_ABS) {
		x_vrr(&j->c, V_OP38(0x1c + s), d, 0, a);
	} else if (in->op == IR_NEG) {
		x_vrr(&j->c, V_PXOR, t, t, t);
		x_vrr(&j->c, code_of(IR_SUB, s), d, t, a);
	} else {
		x_vrr(&j->c, V_ONES, t, t, t);
		x_vrr(&j->c, V_PXOR, d, a, t);
	}
	return true;
}

/* Both halves of each byte looked up in two tables: d = low[x & 15] op high[x >> 4]. */
static void nibbles(struct jit *j, unsigned d, unsigned a, const u8 low[16], const u8 high[16], u32 op)
{
	unsigned t = temp_xmm(j), mask = temp_xmm(j), h = temp_xmm(j);
	v_splat(j, V_MOVAPS, mask, 0, 1, 15, 0);
	x_vshift(&j->c, V_OP(0x71), 2, h, a, 4);
	x_vrr(&j->c, V_PAND, h, h, mask);
	x_vrr(&j->c, V_PAND, t, a, mask);
	v_const(j, V_MOVAPS, mask, 0, low, 0);
	x_vrr(&j->c, V_PSHUFB, t, mask, t);
	v_const(j, V_MOVAPS, mask, 0, high, 0);
	x_vrr(&j->c, V_PSHUFB, h, mask, h);
	x_vrr(&j->c, op, d, t, h);
	j->lock_xmm &= ~(BIT(t) | BIT(mask) | BIT(h));
}

static void leading_zeros(struct jit *j, unsigned s, unsigned d, unsigned a)
{
	static const u8 low[16] = { 8, 7, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4 };
	static const u8 high[16] = { 8, 3, 2, 2, 1, 1, 1, 1, 0 };
	nibbles(j, d, a, low, high, V_OP(0xda));
	for (unsigned k = 1; k <= s;
	     k++) { /* halves of k-size lanes: the low one counts if the high one is all zeros */
		unsigned size = 1u << k, half = size * 4, t = temp_xmm(j), t2 = temp_xmm(j);
		v_splat(j, V_PAND, t, d, size, BITS(half), 0);
		x_vshift(&j->c, V_OP(k == 1 ? 0x71 : k == 2 ? 0x72 : 0x73), 2, d, d, half);
		v_splat(j, code_of(IR_VEQ, k), t2, d, size, half, 0);
		x_vrr(&j->c, V_PAND, t, t, t2);
		x_vrr(&j->c, code_of(IR_ADD, k), d, d, t);
		j->lock_xmm &= ~(BIT(t) | BIT(t2));
	}
}

static bool bit_op(struct jit *j, const struct ir_insn *in, u32 v, unsigned s)
{
	static const u8 count[16] = { 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4 };
	static const u8 rev_low[16] = { 0,    0x80, 0x40, 0xc0, 0x20, 0xa0, 0x60, 0xe0,
					0x10, 0x90, 0x50, 0xd0, 0x30, 0xb0, 0x70, 0xf0 };
	static const u8 rev_high[16] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };
	u8 swap[16];
	if (in->op == IR_CTZ || (in->op == IR_POPCNT && s) || (in->op == IR_CLS && s == 3))
		return false;
	for (unsigned i = 0; i < 16; i++)
		swap[i] = (i & -(1u << s)) + (1u << s) - 1 - i % (1u << s);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v);
	switch (in->op) {
	case IR_POPCNT:
		nibbles(j, d, a, count, count, V_OP(0xfc));
		break;
	case IR_BITREV:
		nibbles(j, d, a, rev_low, rev_high, V_POR);
		if (s)
			v_const(j, V_PSHUFB, d, d, swap, 0);
		break;
	case IR_BSWAP:
		v_const(j, V_PSHUFB, d, a, swap, 0);
		break;
	case IR_CLZ:
		leading_zeros(j, s, d, a);
		break;
	case IR_CLS: {
		unsigned t = temp_xmm(j);
		if (s == 0) {
			x_vrr(&j->c, V_PXOR, t, t, t);
			x_vrr(&j->c, V_OP(0x64), t, t, a);
		} else {
			x_vshift(&j->c, V_OP(s == 1 ? 0x71 : 0x72), 4, t, a, (8 << s) - 1);
		}
		x_vrr(&j->c, V_PXOR, d, a, t);
		j->lock_xmm &= ~BIT(t);
		leading_zeros(j, s, d, d);
		t = temp_xmm(j);
		x_vrr(&j->c, V_ONES, t, t, t);
		x_vrr(&j->c, code_of(IR_ADD, s), d, d, t);
		break;
	}
	}
	return true;
}

/* Halving: by the identities a + b = 2 (a & b) + (a ^ b), a - b = (a ^ b) - 2 (~a & b), a + b = 2 (a | b) - (a ^ b). */
static bool halving(struct jit *j, const struct ir_insn *in, u32 v, unsigned s)
{
	bool sign = in->op == IR_HADDS || in->op == IR_RHADDS || in->op == IR_HSUBS;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), t = temp_xmm(j),
		 x = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, t, a, b);
	v_shift_right(j, 1u << s, sign, x, t, 1);
	if (in->op == IR_HADDU || in->op == IR_HADDS) {
		x_vrr(&j->c, V_PAND, d, a, b);
		x_vrr(&j->c, code_of(IR_ADD, s), d, d, x);
	} else if (in->op == IR_HSUBU || in->op == IR_HSUBS) {
		x_vrr(&j->c, V_PANDN, d, a, b);
		x_vrr(&j->c, code_of(IR_SUB, s), d, x, d);
	} else {
		x_vrr(&j->c, V_POR, d, a, b);
		x_vrr(&j->c, code_of(IR_SUB, s), d, d, x);
	}
	return true;
}

static bool arithmetic(struct jit *j, const struct ir_insn *in, u32 v, unsigned s)
{
	unsigned a, b, d;
	switch (in->op) {
	case IR_MUL:
		a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
		if (s == 0)
			mul_bytes(j, d, a, b);
		else
			mul_quads(j, d, a, b);
		return true;
	case IR_MINU:
	case IR_MINS:
	case IR_MAXU:
	case IR_MAXS:
		a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
		minmax_quads(j, in->op, d, a, b);
		return true;
	case IR_ANDN:
		a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
		x_vrr(&j->c, V_PANDN, d, b, a);
		return true;
	case IR_NEG:
	case IR_ABS:
	case IR_NOT:
		return unary(j, in, v, s);
	case IR_CLZ:
	case IR_CTZ:
	case IR_CLS:
	case IR_POPCNT:
	case IR_BSWAP:
	case IR_BITREV:
		return bit_op(j, in, v, s);
	case IR_VGTU:
	case IR_VGEU:
	case IR_VGES:
	case IR_VTST:
		return compare(j, in, v, s);
	case IR_HADDU:
	case IR_HADDS:
	case IR_RHADDU:
	case IR_RHADDS:
	case IR_HSUBU:
	case IR_HSUBS:
		return halving(j, in, v, s);
	case IR_ABDU:
	case IR_ABDS: {
		bool sign = in->op == IR_ABDS;
		a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
		unsigned t = temp_xmm(j);
		if (s == 3) {
			difference_quads(j, sign, d, a, b, t);
			return true;
		}
		x_vrr(&j->c, code_of(sign ? IR_MINS : IR_MINU, s), t, a, b);
		x_vrr(&j->c, code_of(sign ? IR_MAXS : IR_MAXU, s), d, a, b);
		x_vrr(&j->c, code_of(IR_SUB, s), d, d, t);
		return true;
	}
	case IR_BSL: {
		a = use_xmm(j, in->a), b = use_xmm(j, in->b);
		unsigned c = use_xmm(j, in->c), t = temp_xmm(j);
		x_vrr(&j->c, V_PAND, t, a, b);
		d = def_xmm(j, v);
		x_vrr(&j->c, V_PANDN, d, a, c);
		x_vrr(&j->c, V_POR, d, d, t);
		return true;
	}
	}
	return false;
}

bool lower_vec(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool vector = in->type == TY_V128 ||
		      (in->a && ir_op_info[in->op].operands[0] == 'v' && j->r->insn[in->a].type == TY_V128);
	bool wide = in->type == TY_I128 && (in->op == IR_AND || in->op == IR_OR || in->op == IR_XOR ||
					    in->op == IR_ANDN || in->op == IR_NOT);
	if (in->type > TY_V128 && in->type <= TY_V2048)
		return false;
	if (lower_vec_move(j, in, v))
		return true;
	if ((!vector && !wide) || in->op >= IR_FADD)
		return lower_crypto(j, in, v);
	unsigned s = log_size(in->lane);
	u32 code = code_of(in->op, s);
	if (code) {
		unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
		x_vrr(&j->c, code, d, a, b);
		return true;
	}
	return arithmetic(j, in, v, s) || lower_vec_shift(j, in, v) || lower_vec_sat(j, in, v) ||
	       lower_vec_wide(j, in, v);
}
