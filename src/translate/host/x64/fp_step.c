/*
 * Multiplications of Arm that are no single host instruction: by parts of complex numbers, with a product of zero and infinity that is
 * two, and the steps of Newton's method. Numbers that might meet such a product go to cold code before the host raises invalid for it.
 */
#include "translate/host/x64/fp.h"

enum { FMADD231 = 0xb8, FNMADD231 = 0xbc }; /* packed; the scalar forms are one higher */

/*
 * To cold code if an operand's magnitude is 2^limit or more, an infinity or a NaN: what counts are sign, exponent and the fraction's upper
 * bits, the upper 32 of a lane.
 */
static void need_below(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		       unsigned a, unsigned b, int limit)
{
	unsigned t = temp_xmm(j), u = temp_xmm(j);
	u64 magnitude = (1ull << (f->size * 8 - 1)) - 1;
	v_splat(j, V_PAND, t, a, f->size, magnitude, 0);
	v_splat(j, V_PAND, u, b, f->size, magnitude, 0);
	x_vrr(&j->c, V_OP38(0x3f), t, t, u); /* pmaxud */
	v_splat(j, V_OP(0x66), t, t, 4, (fp_power(f, limit) >> (f->size * 8 - 32)) - 1, 0); /* pcmpgtd */
	u8 *away;
	if (f->packed) {
		x_vrr(&j->c, V_OP38(f->wide ? 0x0f : 0x0e), t, 0, t); /* vtestps: the lanes' highest bits */
		away = x_jcc(&j->c, XC_NE);
	} else {
		unsigned r = temp_gpr(j);
		u32 w = f->wide ? OPW : 0;
		x_vrr(&j->c, w | V_MOVD_STORE, t, 0, r);
		x_rr(&j->c, w | X_TEST, r, r);
		away = x_jcc(&j->c, XC_S);
	}
	cold_slow(j, away, in, v, 16 + d, 16 + a, 16 + b, 0xff);
	j->lock_xmm &= ~(BIT(t) | BIT(u));
}

/* d = a * b where zero times infinity is two; 2 - a * b; (3 - a * b) / 2. */
static bool step(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	int infinite = f->wide ? 1024 : 128;
	bool rsqrt = in->op == IR_FRSQRTS;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b);
	unsigned d = def_xmm_apart(j, v);
	u32 cold = j->n_cold;
	need_below(j, f, in, v, d, a, b,
		   rsqrt ? infinite / 2 - 1 : infinite); /* half a number may fit where the whole does not */
	if (in->op == IR_FMULX) {
		x_vrr(&j->c, f->prefix | 0x59, d, a, b);
	} else {
		v_splat(j, V_MOVAPS, d, 0, f->size,
			rsqrt ? 1ull << (f->wide ? 51 : 22) | fp_power(f, 1) : fp_power(f, 1), 0);
		x_vrr(&j->c, V_OP38(FNMADD231 + !f->packed) | (f->wide ? OPW : 0), d, a, b);
	}
	if (rsqrt)
		v_splat(j, f->prefix | 0x59, d, d, f->size, fp_power(f, -1), 0);
	j->cold[cold].back = j->c.p;
	fp_upper(j, f, v, false);
	return true;
}

/* Lanes in pairs, the real part first. */
enum { EVEN_TWICE, ODD_TWICE, SWAPPED };
static void pairs(struct jit *j, const struct form *f, unsigned d, unsigned a, unsigned how)
{
	static const u8 imm[2][3] = { { 0xa0, 0xf5, 0xb1 }, { 0x44, 0xee, 0x4e } };
	x_vrri(&j->c, V_PSHUFD, d, 0, a, imm[f->wide][how]);
}

/* d = a with the signs of real parts, imaginary parts or both inverted. */
static void negate(struct jit *j, const struct form *f, unsigned d, unsigned a, bool real, bool imaginary)
{
	u8 signs[16] = { 0 };
	for (unsigned at = 0; at < 16; at += f->size)
		signs[at + f->size - 1] = (at / f->size & 1 ? imaginary : real) ? 0x80 : 0;
	v_const(j, V_PXOR, d, a, signs, 0);
}

static bool complex_add(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	bool turn270 = in->imm >> 8 & 1;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	pairs(j, f, d, b, SWAPPED);
	negate(j, f, d, d, !turn270, turn270);
	x_vrr(&j->c, f->prefix | 0x58, d, a, d);
	fp_check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b, 0xff });
	return true;
}

static bool complex_multiply(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	unsigned turn = in->imm >> 8 & 3;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned factor = temp_xmm(j), other = c;
	pairs(j, f, factor, b, turn & 1 ? ODD_TWICE : EVEN_TWICE);
	if (turn)
		other = temp_xmm(j);
	if (turn & 1)
		pairs(j, f, other, c, SWAPPED);
	if (turn)
		negate(j, f, other, turn & 1 ? other : c, turn<3, turn> 1);
	x_vrr(&j->c, V_MOVAPS, d, 0, a);
	x_vrr(&j->c, V_OP38(FMADD231) | (f->wide ? OPW : 0), d, factor, other);
	j->lock_xmm &= ~BIT(factor);
	fp_check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	return true;
}

bool lower_fp_step(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	switch (in->op) {
	case IR_FMULX:
	case IR_FRECPS:
	case IR_FRSQRTS:
		return step(j, in, v, f);
	case IR_FCADD:
		return f->packed && complex_add(j, in, v, f);
	case IR_FCMLA:
		return f->packed && complex_multiply(j, in, v, f);
	}
	return false;
}
