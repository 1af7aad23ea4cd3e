/*
 * Floating point on the host's, with checks where its answer may not be the guest's: a result that is a NaN (a conversion that does not
 * fit, a minimum of NaNs) goes to cold code, which asks ir_eval with the operands still in their registers. What is not done here goes
 * to ir_eval altogether: roundings that MXCSR does not have, Arm's FPCR.AH. Flushing modes are fp_flush.c's.
 *
 * Sticky flags are the host's, collected when somebody reads them (stubs.c). Known difference: where the guest asks for tininess before
 * rounding (Arm, Power), an inexact result that was rounded up to the smallest normal number raises underflow there; the host, which
 * asks after rounding, raises inexact alone. The value is the same.
 */
#include "translate/host/x64/fp.h"

bool fp_host_rules(const struct jit *j)
{
	const struct fp_ctl *f = &j->r->fp;
	return f->round != FP_NEAREST_AWAY && f->round != FP_TO_ODD && f->flush_in == f->flush_out &&
	       !f->snan_bit_set && !f->underflow_exact && !f->wrap_overflow && !f->wrap_underflow && !f->ah;
}

bool fp_compared(const struct jit *j, enum ir_type type)
{
	return fp_host_rules(j) && (type == TY_F32 || type == TY_F64 || (type == TY_F16 && fp_half_rules(j)));
}

bool fp_form(struct form *f, enum ir_type type, enum ir_type lane)
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

void fp_check_nan(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
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

void fp_upper(struct jit *j, const struct form *f, u32 v, bool clear)
{
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (!f->packed && clear)
		j->val[v].flags |= VF_ZERO_UPPER;
}

/* Is every NaN that this gives the same one? Then the operands need not be there any more when one was found. */
static bool one_nan(const struct jit *j, const struct form *f)
{
	return j->r->fp.default_nan && !f->packed && !fp_flushes(j);
}

/* To cold code if the result in d is a NaN: it becomes the default one. */
static void check_one_nan(struct jit *j, const struct form *f, unsigned d)
{
	x_vrr(&j->c, f->compare | 0x2e, d, 0, d);
	struct cold *c = cold_new(j, COLD_NAN, x_jcc(&j->c, XC_P));
	c->dst = d;
	c->event = f->wide;
	c->back = j->c.p;
}

void emit_nan(struct jit *j, const struct cold *c)
{
	bool wide = c->event;
	u64 nan = (u64)fp_default_nan(wide ? FP_F64 : FP_F32, &j->r->fp);
	v_splat(j, wide ? V_MOVQ_LOAD : V_MOVD_LOAD, c->dst, 0, wide ? 8 : 4, nan, 0);
	x_patch(x_jmp(&j->c), c->back);
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
	bool clear = zero_above(j, in->a) <= f->size, simple = one_nan(j, f);
	unsigned d = simple ? def_xmm(j, v) : def_xmm_apart(j, v);
	if (in->op == IR_VFPADD)
		x_vrr(&j->c, MAP0F | (f->wide ? P66 : PF2) | 0x7c, d, a, b);
	else
		x_vrr(&j->c, f->prefix | code[in->op - IR_FADD], d, one && f->packed ? 0 : a, b);
	fp_upper(j, f, v, clear);
	if (simple) {
		if (!(j->val[v].flags & VF_LOOSE))
			check_one_nan(j, f, d);
		return true;
	}
	const unsigned operand[] = { 16 + a, one ? 0xff : 16 + b, 0xff };
	fp_check_nan(j, f, in, v, 16 + d, d, d, operand);
	if (in->op == IR_FMUL || in->op == IR_FDIV)
		fp_check_least(j, f, in, v, d, operand);
	return true;
}

/*
 * What is added may give its register to the result: of all NaNs that it may be, the result tells as much as is asked, whether it was one. Not where it
 * is a factor as well.
 */
static unsigned def_sum(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f, unsigned a,
			unsigned b, unsigned c)
{
	if (one_nan(j, f) && dies(j, in->c) && c != a && c != b) {
		j->lock_xmm &= ~BIT(c);
		if (j->val[v].hint == NO_SLOT && j->xmm[c] == in->c) {
			forget(j, in->c);
			put_reg(j, v, true, c);
			j->lock_xmm |= BIT(c);
			return c;
		}
	}
	return def_xmm_apart(j, v);
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
	unsigned d = def_sum(j, in, v, f, a, b, c);
	if (d != c)
		x_vrr(&j->c, V_MOVAPS, d, 0, c);
	x_vrr(&j->c, V_OP38(code[neg] + !f->packed) | (f->wide ? OPW : 0), d, a, b);
	const unsigned operand[] = { 16 + a, 16 + b, 16 + c };
	fp_check_nan(j, f, in, v, 16 + d, d, d, operand);
	fp_check_least(j, f, in, v, d, operand);
	fp_upper(j, f, v, clear);
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
		fp_upper(j, f, v, false);
		return true;
	}
	fp_check_nan(j, f, in, v, 16 + d, x, y, (unsigned[]){ 16 + a, 16 + b, 0xff });
	u8 *back = j->cold[j->n_cold - 1].back;
	unsigned t = temp_xmm(j);
	x_vrr(&j->c, op, t, x, y);
	x_vrr(&j->c, op, d, y, x);
	x_vrr(&j->c, max ? V_PAND : V_POR, d, d, t);
	if (back)
		j->cold[j->n_cold - 1].back = j->c.p; /* the cold path has the result */
	fp_upper(j, f, v, false);
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

/* Ones above a narrow float, zero above the f64 that it makes. */
static void above(unsigned narrow, u8 bytes[16])
{
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = i >= narrow && i < 8 ? 0xff : 0;
}

static bool box(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned narrow = ir_type_size(j->r->insn[in->a].type);
	u8 ones[16];
	if (in->type != TY_F64)
		return false;
	above(narrow, ones);
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
	v_const(j, narrow == 4 ? V_BLENDPS : V_PBLENDW, d, a, ones, 1);
	x_byte(&j->c, narrow == 4 ? 0xe : 0xfe); /* all but the lowest element are the constant's */
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

void fp_test_box(struct jit *j, unsigned narrow, unsigned r)
{
	u8 ones[16];
	above(narrow, ones);
	v_const(j, V_PTEST, r, 0, ones, 0);
}

/* The register as it is, once its upper bits have been seen to be ones. */
static bool unbox(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (j->r->insn[in->a].type != TY_F64)
		return false;
	if (box_opened(j, in, v))
		return true;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
	if (d != a)
		x_vrr(&j->c, V_MOVAPS, d, 0, a);
	fp_test_box(j, ir_type_size(in->type), d);
	cold_slow(j, x_jcc(&j->c, XC_AE), in, v, 16 + d, 16 + a, 0xff, 0xff);
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

int fp_round_imm(enum fp_round round)
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

void fp_round_to(struct jit *j, const struct form *f, unsigned d, unsigned a, unsigned imm)
{
	x_vrri(&j->c, V_OP3A((f->packed ? 0x08 : 0x0a) + f->wide), d, f->packed ? 0 : a, a, imm);
}

/* What was cut off is found exactly, where there is anything to cut off. */
u32 fp_round_away(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		  unsigned t, unsigned a)
{
	u64 sign = 1ull << (f->size * 8 - 1), large = fp_power(f, f->wide ? 52 : 23);
	u32 first = j->n_cold;
	if (f->packed)
		fp_need_between(j, f, in, v, d, a, large | sign, large);
	unsigned x = temp_xmm(j), y = temp_xmm(j);
	if (!f->packed) {
		v_splat(j, V_PAND, x, a, f->size, sign - 1, 0);
		v_splat(j, f->compare | 0x2e, x, 0, f->size, large, 0);
		cold_slow(j, x_jcc(&j->c, XC_AE), in, v, d, 16 + a, 0xff, 0xff);
		cold_slow(j, x_jcc(&j->c, XC_P), in, v, d, 16 + a, 0xff, 0xff);
	}
	fp_round_to(j, f, t, a, 3 | 8);
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

/* To whole numbers that fit a signed integer: what may not goes to cold code first. */
static bool round_to_fit(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	int imm = fp_round_imm(in->imm & 0xff), bits = in->imm >> 9 & 1 ? 31 : 63;
	u64 sign = 1ull << (f->size * 8 - 1);
	u64 high = fp_power(f, bits), low = high | sign;
	if (imm < 0 || (in->imm >> 9 & 3) == 3)
		return false;
	if (f->wide && bits == 31)
		high = 0x41dfffffffc00000; /* 2^31 - 1, beyond which a number may be rounded up to 2^31 */
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = a;
	bool clear = zero_above(j, in->a) <= f->size;
	struct form all = *f;
	if (!f->packed) { /* what lies above is not looked at */
		x = temp_xmm(j);
		all.packed = true;
		x_vrri(&j->c, V_PSHUFD, x, 0, a, f->wide ? 0x44 : 0);
	}
	fp_need_between(j, &all, in, v, 16 + d, x, low, high);
	j->cold[j->n_cold - 1].a = 16 + a;
	fp_round_to(j, f, d, a, (unsigned)imm); /* these raise inexact */
	j->cold[j->n_cold - 1].back = j->c.p;
	fp_upper(j, f, v, clear);
	return true;
}

static bool round_integral(struct jit *j, const struct ir_insn *in, u32 v, const struct form *f)
{
	if (in->imm >> 9)
		return round_to_fit(j, in, v, f);
	int imm = fp_round_imm(in->imm & 0xff);
	bool away = (in->imm & 0xff) == FP_NEAREST_AWAY && !(in->imm >> 8 & 1);
	if (imm < 0 && !away)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a);
	bool clear = zero_above(j, in->a) <= f->size;
	unsigned d = def_xmm_apart(j, v);
	if (away) {
		u32 first = fp_round_away(j, f, in, v, 16 + d, d, a);
		fp_come_back(j, first);
		fp_upper(j, f, v, clear);
		return true;
	}
	fp_round_to(j, f, d, a, imm | (in->imm >> 8 & 1 ? 0 : 8));
	fp_check_nan(j, f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 0xff, 0xff });
	fp_upper(j, f, v, clear);
	return true;
}

/* What raises exceptions, by the host's rules. */
static bool computed(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	if (in->op == IR_FCVT)
		return lower_fp_format(j, in, v);
	if (in->op == IR_FTOI || in->op == IR_FTOU)
		return lower_fp_to_int(j, in, v);
	if ((in->op >= IR_FRECPE && in->op <= IR_FRSQRTE) || (in->op >= IR_FRECPX && in->op <= IR_URSQRTE))
		return lower_fp_estimate(j, in, v);
	if (in->op == IR_FJCVT)
		return lower_fp_javascript(j, in, v);
	if (in->op == IR_ITOF || in->op == IR_UTOF)
		return lower_fp_from_int(j, in, v);
	bool half = in->type == TY_F16 || (in->type == TY_V128 && in->lane == TY_F16);
	if (half || in->op == IR_FMLAL || in->op == IR_BFMLAL)
		return (half || in->type == TY_V128) && lower_fp_half(j, in, v);
	if (!fp_form(&f, in->type, in->lane) || (in->op != IR_FRINT && in->imm & 0xff))
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
	return lower_fp_step(j, in, v, &f);
}

bool lower_fp(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->op == IR_FNEG || in->op == IR_FABS || in->op == IR_FCOPYSIGN)
		return signs(j, in, v);
	if (in->op == IR_FBOX)
		return box(j, in, v);
	if (in->op == IR_FUNBOX)
		return unbox(j, in, v);
	if (in->op < IR_FADD || in->op > IR_BFMLAL || !fp_host_rules(j))
		return false;
	return j->r->fp.flush_in ? lower_fp_flushing(j, in, v, computed) : computed(j, in, v);
}
