/*
 * Floating point on the host's, with checks where its answer may not be the guest's: a result that is a NaN (a conversion that does not
 * fit, a minimum of NaNs) goes to cold code, which asks ir_eval with the operands still in their registers. What is not done here goes
 * to ir_eval altogether: f16 arithmetic, flushing modes, roundings that MXCSR does not have, Arm's FPCR.AH.
 *
 * Sticky flags are the host's, collected when somebody reads them (stubs.c). Known difference: where the guest asks for tininess before
 * rounding (Arm, Power), an inexact result that was rounded up to the smallest normal number raises underflow there; the host, which
 * asks after rounding, raises inexact alone. The value is the same.
 */
#include "translate/host/x64/jit.h"

bool fp_host_rules(const struct jit *j)
{
	const struct fp_ctl *f = &j->r->fp;
	return f->round != FP_NEAREST_AWAY && f->round != FP_TO_ODD && !f->flush_in && !f->flush_out &&
	       !f->snan_bit_set && !f->underflow_exact && !f->wrap_overflow && !f->wrap_underflow && !f->ah;
}

/* What kind of numbers an operation works on. */
struct form {
	bool packed, wide; /* wide: f64, else f32 */
	u32 prefix; /* of the arithmetic instructions: none ps, 66 pd, F3 ss, F2 sd */
	u32 compare; /* of ucomis: none or 66 */
	unsigned size;
};

static bool form_of(struct form *f, enum ir_type type, enum ir_type lane)
{
	f->packed = type == TY_V128;
	enum ir_type t = f->packed ? lane : type;
	if (t != TY_F32 && t != TY_F64)
		return false;
	f->wide = t == TY_F64;
	f->size = f->wide ? 8 : 4;
	f->compare = MAP0F | (f->wide ? P66 : 0);
	f->prefix = MAP0F | (f->packed ? (f->wide ? P66 : 0) : f->wide ? PF2 : PF3);
	return true;
}

/* To cold code if x or y is a NaN; flags are clobbered already. quiet compares: signalling NaNs raise invalid, as they do for the guest. */
static void check_nan(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		      unsigned x, unsigned y, const unsigned operand[3])
{
	u8 *away;
	if (f->packed) {
		unsigned t = temp_xmm(j);
		x_vrri(&j->c, f->compare | 0xc2, t, x, y, 3); /* cmpunord */
		x_vrr(&j->c, V_OP38(f->wide ? 0x0f : 0x0e), t, 0, t); /* vtestps */
		j->lock_xmm &= ~BIT(t);
		away = x_jcc(&j->c, XC_NE);
	} else {
		x_vrr(&j->c, f->compare | 0x2e, x, 0, y);
		away = x_jcc(&j->c, XC_P);
	}
	cold_slow(j, away, in, v, d, operand[0], operand[1], operand[2]);
}

/* A scalar result's upper bits are those of x. */
static void upper_of(struct jit *j, const struct form *f, u32 v, bool clear)
{
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (!f->packed && clear)
		j->val[v].flags |= VF_ZERO_UPPER;
}

static bool arithmetic(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	static const u8 code[] = { [IR_FADD - IR_FADD] = 0x58,
				   [IR_FSUB - IR_FADD] = 0x5c,
				   [IR_FMUL - IR_FADD] = 0x59,
				   [IR_FDIV - IR_FADD] = 0x5e,
				   [IR_FSQRT - IR_FADD] = 0x51 };
	bool one = in->op == IR_FSQRT;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = one ? a : use_xmm(j, in->b);
	bool clear = zero_above(j, in->a) <= f->size;
	unsigned d = def_xmm_apart(j, v);
	if (in->op == IR_VFPADD)
		x_vrr(&j->c, MAP0F | (f->wide ? P66 : PF2) | 0x7c, d, a, b);
	else
		x_vrr(&j->c, f->prefix | code[in->op - IR_FADD], d, one && f->packed ? 0 : a, b);
	check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, one ? 0xff : 16 + b, 0xff });
	upper_of(j, f, v, clear);
	return true;
}

static bool multiply_add(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	static const u8 code[] = { 0xb8, 0xbc, 0xba, 0xbe }; /* fmadd, fnmadd, fmsub, fnmsub 231 */
	unsigned neg = in->imm >> 8;
	if (neg > 3)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c);
	bool clear = zero_above(j, in->c) <= f->size;
	unsigned d = def_xmm_apart(j, v);
	x_vrr(&j->c, V_MOVAPS, d, 0, c);
	x_vrr(&j->c, V_OP38(code[neg] + !f->packed) | (f->wide ? OPW : 0), d, a, b);
	check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	upper_of(j, f, v, clear);
	return true;
}

/* -0 is less than +0, which the host does not know: both orders, and the signs put together. */
static bool minmax(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	bool max = in->op == IR_FMAX || in->op == IR_VFPMAX,
	     pairs = in->op == IR_VFPMIN || in->op == IR_VFPMAX;
	unsigned kind = in->imm >> 8;
	u32 op = f->prefix | (max ? 0x5f : 0x5d);
	if (kind > FP_MM_SECOND)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), x = a, y = b;
	if (pairs) {
		x = temp_xmm(j), y = temp_xmm(j);
		x_vrri(&j->c, f->compare | 0xc6, x, a, b,
		       f->wide ? 0 : 0x88); /* shufps: even lanes, odd lanes */
		x_vrri(&j->c, f->compare | 0xc6, y, a, b, f->wide ? 3 : 0xdd);
	}
	if (kind == FP_MM_SECOND) {
		x_vrr(&j->c, op, d, x, y);
		upper_of(j, f, v, false);
		return true;
	}
	check_nan(j, f, in, v, 16 + d, x, y, (unsigned[]){ 16 + a, 16 + b, 0xff });
	u8 *back = j->cold[j->n_cold - 1].back;
	unsigned t = temp_xmm(j);
	x_vrr(&j->c, op, t, x, y);
	x_vrr(&j->c, op, d, y, x);
	x_vrr(&j->c, max ? V_PAND : V_POR, d, d, t);
	if (back)
		j->cold[j->n_cold - 1].back = j->c.p; /* the cold path has the result */
	upper_of(j, f, v, false);
	return true;
}

static bool signs(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type type = in->type == TY_V128 ? in->lane : in->type;
	unsigned size = ir_type_size(type);
	u64 sign = 1ull << (size * 8 - 1), rest = sign - 1;
	if (type != TY_F16 && type != TY_F32 && type != TY_F64)
		return false;
	unsigned a = use_xmm(j, in->a);
	if (in->op != IR_FCOPYSIGN) {
		unsigned d = def_xmm(j, v);
		v_splat(j, in->op == IR_FNEG ? V_PXOR : V_PAND, d, a, size, in->op == IR_FNEG ? sign : rest,
			0);
	} else {
		unsigned b = use_xmm(j, in->b), t = temp_xmm(j), d = def_xmm_apart(j, v);
		v_splat(j, V_MOVAPS, t, 0, size, sign, 0);
		if (in->imm == 1)
			x_vrr(&j->c, V_PANDN, t, b, t);
		else
			x_vrr(&j->c, V_PAND, t, b, t);
		v_splat(j, V_PAND, d, a, size, in->imm == 2 ? sign | rest : rest, 0);
		x_vrr(&j->c, in->imm == 2 ? V_PXOR : V_POR, d, d, t);
	}
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

static bool masks(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	unsigned predicate = in->op == IR_VFEQ	 ? 0
			     : in->op == IR_VFGT ? 0x0e
						 : 0x0d; /* EQ_OQ, GT_OS, GE_OS */
	if (!f->packed)
		return false;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
	x_vrri(&j->c, f->compare | 0xc2, d, a, b, predicate);
	return true;
}

/* The immediate of the rounding instructions; -1: there is none. */
static int round_imm(enum fp_round round)
{
	switch (round) {
	case FP_ROUND_CTL:
		return 4;
	case FP_NEAREST_EVEN:
		return 0;
	case FP_DOWN:
		return 1;
	case FP_UP:
		return 2;
	case FP_TO_ZERO:
		return 3;
	default:
		return -1;
	}
}

static void round_to(struct jit *j, const struct form *f, unsigned d, unsigned a, unsigned imm)
{
	x_vrri(&j->c, V_OP3A((f->packed ? 0x08 : 0x0a) + f->wide), d, f->packed ? 0 : a, a, imm);
}

/*
 * t = a to the nearest whole number, halves away from zero, without raising inexact: what was cut off is found exactly, where there is
 * anything to cut off; large numbers and NaNs go to cold code. The caller sets where that comes back; this returns its number.
 */
static u32 round_away(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		      unsigned t, unsigned a)
{
	u64 sign = 1ull << (f->size * 8 - 1);
	unsigned x = temp_xmm(j), y = temp_xmm(j);
	v_splat(j, V_PAND, x, a, f->size, sign - 1, 0);
	v_splat(j, f->compare | 0x2e, x, 0, f->size, f->wide ? 0x4330000000000000 : 0x4b000000, 0);
	cold_slow(j, x_jcc(&j->c, XC_AE), in, v, d, 16 + a, 0xff, 0xff);
	u32 first = j->n_cold - 1;
	cold_slow(j, x_jcc(&j->c, XC_P), in, v, d, 16 + a, 0xff, 0xff);
	round_to(j, f, t, a, 3 | 8);
	x_vrr(&j->c, f->prefix | 0x5c, x, a, t);
	v_splat(j, V_PAND, x, x, f->size, sign - 1, 0);
	v_splat(j, V_MOVAPS, y, 0, f->size, f->wide ? 0x3fe0000000000000 : 0x3f000000, 0);
	x_vrri(&j->c, f->prefix | 0xc2, y, y, x, 2); /* 0.5 <= what was cut off */
	v_splat(j, V_PAND, y, y, f->size, f->wide ? 0x3ff0000000000000 : 0x3f800000, 0);
	v_splat(j, V_PAND, x, a, f->size, sign, 0);
	x_vrr(&j->c, V_POR, y, y, x);
	x_vrr(&j->c, f->prefix | 0x58, t, t, y);
	j->lock_xmm &= ~(BIT(x) | BIT(y));
	return first;
}

static bool round_integral(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	int imm = round_imm(in->imm & 0xff);
	bool away = !f->packed && (in->imm & 0xff) == FP_NEAREST_AWAY && !(in->imm >> 8 & 1);
	if ((imm < 0 && !away) || in->imm >> 9)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a);
	bool clear = zero_above(j, in->a) <= f->size;
	unsigned d = def_xmm_apart(j, v);
	if (away) {
		u32 first = round_away(j, f, in, v, 16 + d, d, a);
		j->cold[first].back = j->cold[first + 1].back = j->c.p;
		upper_of(j, f, v, clear);
		return true;
	}
	round_to(j, f, d, a, imm | (in->imm >> 8 & 1 ? 0 : 8));
	check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 0xff, 0xff });
	upper_of(j, f, v, clear);
	return true;
}

/* ---- integers ---- */

/* To a vector of i32: what does not fit comes out as MIN. */
static bool to_int_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum fp_round round = in->imm & 0xff;
	struct form f;
	int imm = round_imm(round);
	if (in->op != IR_FTOI || in->lane != TY_I32 || in->imm >> 16 || imm < 0 ||
	    (round != FP_TO_ZERO && round != FP_ROUND_CTL))
		return false;
	form_of(&f, TY_V128, TY_F32);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
	x_vrr(&j->c, (round == FP_TO_ZERO ? PF3 : P66) | MAP0F | 0x5b, d, 0, a);
	v_splat(j, V_OP(0x76), t, d, 4, 1u << 31, 0);
	x_vrr(&j->c, V_OP38(0x17), t, 0, t); /* ptest */
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, 16 + a, 0xff, 0xff);
	return true;
}

static bool to_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	enum ir_type from = j->r->insn[in->a].type;
	if (in->type == TY_V128 && from == TY_V128)
		return to_int_packed(j, in, v);
	int imm = round_imm(in->imm & 0xff);
	if (!form_of(&f, from, 0) || f.packed || (in->type != TY_I32 && in->type != TY_I64) || in->imm >> 16)
		return false;
	bool away = (in->imm & 0xff) == FP_NEAREST_AWAY;
	if (imm < 0 && !away)
		return false;
	u32 cold = j->n_cold;
	bool truncates = (in->imm & 0xff) == FP_TO_ZERO, sign = in->op == IR_FTOI;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), t = a, d = def_gpr(j, v), operand = 16 + a;
	u32 w = in->type == TY_I64 || !sign ? OPW : 0;
	if (away) {
		t = temp_xmm(j);
		round_away(j, &f, in, v, d, t, a);
		imm = 3; /* raises inexact just as well */
	} else if (!truncates) {
		t = temp_xmm(j);
		round_to(j, &f, t, a, imm | 8); /* silently: whether it fits is not known yet */
	}
	if (!sign) { /* 0 <= t < 2^32 or 2^63; NaNs are "below" */
		u64 bound = in->type == TY_I64 ? (f.wide ? 0x43e0000000000000 : 0x5f000000)
					       : (f.wide ? 0x41f0000000000000 : 0x4f800000);
		v_splat(j, f.compare | 0x2e, t, 0, f.size, bound, 0);
		cold_slow(j, x_jcc(&j->c, XC_AE), in, v, d, operand, 0xff, 0xff);
		v_splat(j, f.compare | 0x2e, t, 0, f.size, 0, 0);
		cold_slow(j, x_jcc(&j->c, XC_B), in, v, d, operand, 0xff, 0xff);
		x_vrr(&j->c, f.prefix | w | 0x2c, d, 0, t);
		if (!truncates)
			round_to(j, &f, t, a, imm);
	} else {
		x_vrr(&j->c, f.prefix | w | 0x2c, d, 0, t); /* cvttsd2si: MIN when it does not fit */
		x_alu_ri(&j->c, X_CMP, w, d, 1); /* overflows for MIN alone */
		cold_slow(j, x_jcc(&j->c, XC_O), in, v, d, operand, 0xff, 0xff);
		if (!truncates)
			round_to(j, &f, t, a, imm); /* it fits: now raise inexact */
	}
	for (; cold < j->n_cold; cold++)
		j->cold[cold].back = j->c.p;
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (in->type == TY_I32)
		j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool from_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	enum ir_type from = j->r->insn[in->a].type;
	bool sign = in->op == IR_ITOF;
	if (in->imm & 0xff || in->imm >> 16)
		return false;
	if (in->type == TY_V128 && from == TY_V128) {
		if (!sign || in->lane != TY_I32)
			return false;
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		x_vrr(&j->c, MAP0F | 0x5b, d, 0, a); /* cvtdq2ps */
		return true;
	}
	if (!form_of(&f, in->type, 0) || f.packed || (from != TY_I32 && from != TY_I64))
		return false;
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a);
	u32 w = from == TY_I64 || !sign ? OPW : 0;
	if (from == TY_I32 && !sign && !(j->val[in->a].flags & VF_ZERO_UPPER)) {
		unsigned t = temp_gpr(j);
		x_mov_rr(&j->c, 0, t, a);
		a = t;
	}
	unsigned d = def_xmm(j, v);
	u8 *away = NULL;
	if (from == TY_I64 && !sign) {
		x_rr(&j->c, OPW | X_TEST, a, a);
		away = x_jcc(&j->c, XC_S);
	}
	x_vrr(&j->c, V_PXOR, d, d, d);
	x_vrr(&j->c, f.prefix | w | 0x2a, d, d, a);
	if (away)
		cold_slow(j, away, in, v, 16 + d, a, 0xff, 0xff);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

/* ---- between formats ---- */

static bool convert_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = in->lane, to = in->imm >> 16 & 0xff;
	struct form f;
	bool half = from == TY_F16 || to == TY_F16, high = in->imm >> 8 & 1;
	if (in->imm & 0xff || (half && j->r->fp.alt_half))
		return false;
	u32 op = from == TY_F32 && to == TY_F64	  ? MAP0F | 0x5a
		 : from == TY_F64 && to == TY_F32 ? P66 | MAP0F | 0x5a
		 : from == TY_F16 && to == TY_F32 ? V_OP38(0x13)
						  : 0;
	bool to_half = from == TY_F32 && to == TY_F16;
	if (!op && !to_half)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), x = a, d = def_xmm_apart(j, v), widened = d;
	if (ir_type_size(to) > ir_type_size(from) && high) {
		x = temp_xmm(j);
		x_vrr(&j->c, V_UNPCKHQ, x, a, a);
	}
	if (to_half) {
		x_vrri(&j->c, V_OP3A(0x1d), x, 0, d, 4); /* by MXCSR's rounding */
		widened = a;
	} else {
		x_vrr(&j->c, op, d, 0, x);
		widened = from == TY_F64 ? a : d;
	}
	form_of(&f, TY_V128, to == TY_F64 || from == TY_F64 ? TY_F64 : TY_F32);
	check_nan(j, &f, in, v, 16 + d, widened, widened, (unsigned[]){ 16 + a, 0xff, 0xff });
	return true;
}

static bool convert(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type, to = in->type;
	if (from == TY_V128)
		return to == TY_V128 && convert_packed(j, in, v);
	if (in->imm & 0xff || ((from == TY_F16 || to == TY_F16) && j->r->fp.alt_half))
		return false;
	bool halves = (from == TY_F16 && (to == TY_F32 || to == TY_F64)) || (from == TY_F32 && to == TY_F16);
	if (!halves && !(from == TY_F32 && to == TY_F64) && !(from == TY_F64 && to == TY_F32))
		return false;
	struct form f;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), checked = d;
	if (from == TY_F16) {
		v_const(j, V_PAND, d, a, (const u8[16]){ 0xff, 0xff },
			0); /* nothing else in the other lanes */
		x_vrr(&j->c, V_OP38(0x13), d, 0, d);
		if (to == TY_F64)
			x_vrr(&j->c, PF3 | MAP0F | 0x5a, d, d, d);
	} else if (to == TY_F16) {
		x_vrri(&j->c, V_OP3A(0x21), d, a, a, 0x0e);
		x_vrri(&j->c, V_OP3A(0x1d), d, 0, d, 4);
		checked = a;
	} else {
		x_vrr(&j->c, (from == TY_F64 ? PF2 : PF3) | MAP0F | 0x5a, d, a, a);
	}
	form_of(&f, to == TY_F16 ? from : to, 0);
	check_nan(j, &f, in, v, 16 + d, checked, checked, (unsigned[]){ 16 + a, 0xff, 0xff });
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

bool lower_fp(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	if (in->op == IR_FNEG || in->op == IR_FABS || in->op == IR_FCOPYSIGN)
		return signs(j, in, v);
	if (in->op < IR_FADD || in->op > IR_BFMLAL || !fp_host_rules(j))
		return false;
	if (in->op == IR_FCVT)
		return convert(j, in, v);
	if (in->op == IR_FTOI || in->op == IR_FTOU)
		return to_int(j, in, v);
	if (in->op == IR_ITOF || in->op == IR_UTOF)
		return from_int(j, in, v);
	if (!form_of(&f, in->type, in->lane) || (in->op != IR_FRINT && in->imm & 0xff))
		return false;
	switch (in->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
	case IR_VFPADD:
		return (in->op != IR_VFPADD || f.packed) && arithmetic(j, in, v, &f);
	case IR_FMA:
		return multiply_add(j, in, v, &f);
	case IR_FMIN:
	case IR_FMAX:
		return minmax(j, in, v, &f);
	case IR_VFPMIN:
	case IR_VFPMAX:
		return f.packed && minmax(j, in, v, &f);
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
		return masks(j, in, v, &f);
	case IR_FRINT:
		return round_integral(j, in, v, &f);
	}
	return false;
}
