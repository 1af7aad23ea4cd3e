/*
 * Arm's estimates of reciprocals and of reciprocal square roots: eight bits out of a table that lies with the stubs, looked up for all lanes
 * at once, and an exponent. What is not a normal number with a normal result goes to cold code.
 *
 * Source: sail-arm, as translate/float/arm.c, which also fills the tables.
 */
#include "translate/host/x64/fp.h"

#define V_GATHER V_OP38(0x90) /* dwords; the third register says for which lanes, and is cleared */
#define V_BROADCAST (V_OP38(0x5a) | OPL)
#define V_SUBD V_OP(0xfa)
#define V_MIND V_OP38(0x3b) /* unsigned */
#define V_EQD V_OP(0x76)
enum { SIGN = 1u << 31, LOW_LANE = 0x00, LOW_UPPER = 0x55, UPPERS = 0xf5 };

/* Reciprocals by eight bits of the fraction; square roots by those and the exponent's lowest bit above them. */
enum { RECIPROCAL_AT = 0, ROOT_AT = 256 };
size_t fp_estimate_tables(u8 *out)
{
	for (u32 i = 0; i < 256; i++) {
		out[RECIPROCAL_AT + i] = fp_arm_urecpe((256 + i) << 23) >> 23;
		out[ROOT_AT + i] = fp_arm_ursqrte((256 + i) << 23) >> 23;
		out[ROOT_AT + 256 + i] = fp_arm_ursqrte((128 + i / 2) << 23) >> 23;
	}
	memset(out + ROOT_AT + 512, 0, FP_ESTIMATES_SIZE - ROOT_AT - 512);
	return FP_ESTIMATES_SIZE;
}

/* d = a op n in all lanes of 32 bits; l: OPL or 0. */
static void with_each(struct jit *j, u32 l, u32 op, unsigned d, unsigned a, u32 n)
{
	if (!l) {
		v_splat(j, op, d, a, 4, n, 0);
		return;
	}
	unsigned t = temp_xmm(j);
	v_splat(j, V_BROADCAST, t, 0, 4, n, 0);
	x_vrr(&j->c, op | l, d, a, t);
	j->lock_xmm &= ~BIT(t);
}

/* Shifts of dwords: 2 right, 6 left. */
static void shift(struct jit *j, u32 l, unsigned kind, unsigned d, unsigned a, unsigned n)
{
	x_vshift(&j->c, V_OP(0x72) | l, kind, d, a, n);
}

/* d = the table's bytes by the indices in index; d apart from it. */
static void look_up(struct jit *j, u32 l, unsigned table, unsigned d, unsigned index)
{
	unsigned all = temp_xmm(j), base = temp_gpr(j);
	lea_stub(j, base, j->job->stubs->estimates + table);
	x_vrr(&j->c, V_ONES | l, all, all, all);
	x_vrm(&j->c, V_GATHER | l, d, all, (struct x64_mem){ .base = base, .index = index });
	with_each(j, l, V_PAND, d, d, 0xff);
	j->lock_xmm &= ~BIT(all);
	j->lock_gpr &= ~BIT(base);
}

/* What an estimate is of: where its fields lie in the dwords with sign and exponent. */
struct estimate {
	bool root;
	u32 l;
	u8 exponent; /* bit of the exponent's lowest */
	u16 max; /* exponents from 1 to this one have normal results */
	u32 sum; /* result's exponent + operand's, or twice the result's + operand's */
};

/* To cold code unless exponents and, of square roots, signs are fit: of all dwords in x. */
static void need_normal(struct jit *j, const struct estimate *e, const struct ir_insn *in, u32 v, unsigned d,
			unsigned x, unsigned operand)
{
	unsigned t = temp_xmm(j), u = temp_xmm(j);
	u32 least = 1u << e->exponent;
	if (e->root) {
		with_each(j, e->l, V_SUBD, t, x, least);
	} else {
		with_each(j, e->l, V_PAND, t, x, ~SIGN);
		with_each(j, e->l, V_SUBD, t, t, least);
	}
	with_each(j, e->l, V_MIND, u, t, ((u32)e->max << e->exponent) - 1);
	x_vrr(&j->c, V_EQD | e->l, t, t, u);
	x_vrr(&j->c, V_ONES | e->l, u, u, u);
	x_vrr(&j->c, V_OP38(0x0e) | e->l, t, 0, u); /* vtestps: carry if all are */
	cold_slow(j, x_jcc(&j->c, XC_AE), in, v, 16 + d, 16 + operand, 0xff, 0xff);
	j->lock_xmm &= ~(BIT(t) | BIT(u));
}

/* x, the dwords with sign and exponent, become those of the estimate. */
static void estimate(struct jit *j, const struct estimate *e, unsigned x)
{
	unsigned index = temp_xmm(j), found = temp_xmm(j), t = temp_xmm(j);
	u32 exponents = ~SIGN & -(1u << e->exponent);
	shift(j, e->l, 2, index, x, e->exponent - 8);
	with_each(j, e->l, V_PAND, index, index, e->root ? 0x1ff : 0xff);
	look_up(j, e->l, e->root ? ROOT_AT : RECIPROCAL_AT, found, index);
	shift(j, e->l, 6, found, found, e->exponent - 8);
	with_each(j, e->l, V_PAND, index, x, exponents);
	with_each(j, e->l, V_MOVAPS, t, 0, e->sum << e->exponent);
	x_vrr(&j->c, V_SUBD | e->l, t, t, index);
	if (e->root) {
		shift(j, e->l, 2, t, t, 1);
		with_each(j, e->l, V_PAND, x, t, exponents);
	} else {
		with_each(j, e->l, V_PAND, x, x, SIGN);
		x_vrr(&j->c, V_POR | e->l, x, x, t);
	}
	x_vrr(&j->c, V_POR | e->l, x, x, found);
	j->lock_xmm &= ~(BIT(index) | BIT(found) | BIT(t));
}

static bool of_float(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	if (!fp_form(&f, in->type, in->lane))
		return false;
	struct estimate e = { .root = in->op == IR_FRSQRTE, .exponent = f.wide ? 20 : 23 };
	u32 bias = f.wide ? 1023 : 127;
	e.max = e.root ? 2 * bias : 2 * bias - 2;
	e.sum = e.root ? 3 * bias - 1 : 2 * bias - 1;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = temp_xmm(j);
	x_vrri(&j->c, V_PSHUFD, x, 0, a, f.packed ? (f.wide ? UPPERS : 0xe4) : f.wide ? LOW_UPPER : LOW_LANE);
	need_normal(j, &e, in, v, d, x, a);
	estimate(j, &e, x);
	if (f.wide) /* the uppers, and zeros below them */
		x_vshift(&j->c, V_OP(0x73), 6, d, x, 32);
	else
		x_vrr(&j->c, V_MOVAPS, d, 0, x);
	j->cold[j->n_cold - 1].back = j->c.p;
	fp_upper(j, &f, v, false);
	return true;
}

/* f16 as f32: the fraction's upper bits are the same, and the result is one of f16 again. */
static bool of_half(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool packed = in->type == TY_V128;
	struct estimate e = { .root = in->op == IR_FRSQRTE, .l = packed ? OPL : 0, .exponent = 23 };
	e.sum = e.root ? 380 : 253;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = fp_half_lanes(j, packed, a),
		 t = temp_xmm(j);
	if (!packed)
		x_vrri(&j->c, V_PSHUFD, x, 0, x, LOW_LANE);
	/* exponents of f16 begin at 113 of f32's; the two largest of reciprocals have results that are not normal */
	e.max = e.root ? 30 : 28;
	if (e.root) {
		with_each(j, e.l, V_SUBD, t, x, 112u << 23);
	} else {
		with_each(j, e.l, V_PAND, t, x, ~SIGN);
		with_each(j, e.l, V_SUBD, t, t, 112u << 23);
	}
	struct estimate check = e;
	check.root = true; /* signs are dealt with */
	need_normal(j, &check, in, v, d, t, a);
	j->lock_xmm &= ~BIT(t);
	estimate(j, &e, x);
	fp_half_result(j, in, v, d, x);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

/* The exponent inverted, but for zero's, and no fraction. */
static bool exponent(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->type);
	struct form f;
	if (in->type != TY_F16 && in->type != TY_F32 && in->type != TY_F64)
		return false;
	u64 least = 1ull << (size == 2	 ? 10
			     : size == 4 ? 23
					 : 52),
	    sign = 1ull << (size * 8 - 1), field = sign - least;
	u32 equal = size == 2 ? V_OP(0x75) : size == 4 ? V_EQD : V_OP38(0x29);
	u32 add = size == 2 ? V_OP(0xfd) : size == 4 ? V_OP(0xfe) : V_OP(0xd4);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = temp_xmm(j), t = temp_xmm(j);
	unsigned number = size == 2 ? fp_widen_half(j, a) : a;
	fp_form(&f, size == 2 ? TY_F32 : in->type, 0);
	fp_check_nan(j, &f, in, v, 16 + d, number, number, (unsigned[]){ 16 + a, 0xff, 0xff });
	v_splat(j, V_PAND, x, a, size, field, 0);
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, equal, t, t, x);
	v_splat(j, V_PAND, t, t, size, -least, 0); /* one less, where it is zero's */
	v_splat(j, V_PXOR, x, x, size, field, 0);
	x_vrr(&j->c, add, x, x, t);
	v_splat(j, V_PAND, d, a, size, sign, 0);
	x_vrr(&j->c, V_POR, d, d, x);
	j->cold[j->n_cold - 1].back = j->c.p;
	fp_upper(j, &f, v, false);
	return true;
}

/* Numbers from 0 to 1 as integers: too small ones give the largest. */
static bool of_integers(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool root = in->op == IR_URSQRTE;
	if (in->type != TY_V128 || in->lane != TY_I32)
		return false;
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = temp_xmm(j), t = temp_xmm(j);
	shift(j, 0, 2, x, a, 23);
	if (root) { /* below a half by the seven bits below that one */
		v_splat(j, V_PAND, t, x, 4, 0x7f, 0);
		shift(j, 0, 6, t, t, 1);
		v_splat(j, V_POR, t, t, 4, 0x100, 0);
	}
	v_splat(j, V_PAND, x, x, 4, 0xff, 0);
	if (root)
		x_vrri(&j->c, V_OP3A(0x4a), x, t, x, a << 4); /* blendvps by a's highest bits */
	look_up(j, 0, root ? ROOT_AT : RECIPROCAL_AT, d, x);
	shift(j, 0, 6, d, d, 23);
	v_splat(j, V_POR, d, d, 4, SIGN, 0);
	shift(j, 0, 2, x, a, root ? 30 : 31);
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, V_EQD, t, t, x);
	x_vrr(&j->c, V_POR, d, d, t);
	return true;
}

bool lower_fp_estimate(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool half = in->type == TY_F16 || (in->type == TY_V128 && in->lane == TY_F16);
	switch (in->op) {
	case IR_FRECPE:
	case IR_FRSQRTE:
		return half ? fp_half_rules(j) && of_half(j, in, v) : of_float(j, in, v);
	case IR_FRECPX:
		return (!half || fp_half_rules(j)) && exponent(j, in, v);
	case IR_URECPE:
	case IR_URSQRTE:
		return of_integers(j, in, v);
	}
	return false;
}
