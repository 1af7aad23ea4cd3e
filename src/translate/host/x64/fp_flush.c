/*
 * Modes in which denormal operands and tiny results are zero: Arm's FPCR.FZ, x86's own.
 *
 * Where nobody reads the flags (fp_ctl.loose_flags) they are MXCSR's DAZ and FTZ: the host raises nothing for an operand that it flushes, and
 * inexact for a result. It asks after rounding whether a result is tiny, so where the guest asks before, the least normal number goes to
 * cold code.
 *
 * Where the flags shall be right, and for operations that the host flushes in another way, numbers are looked at before they are computed with.
 * The host must not compute where a result might be tiny, for nothing could take back that it raised inexact. An operation is done here when each
 * operand is zero or so large that no result is tiny; what is not goes to cold code, which asks ir_eval. How large is that, with p bits
 * of significand and 2^m the least normal number:
 *
 * - numbers from 2^(m+p-1) are multiples of 2^m, and so are their sums;
 * - products of numbers from 2^(m/2) are not below 2^m;
 * - products of numbers from 2^((m+2p-2)/2) are multiples of 2^m, and so are sums of them and such numbers;
 * - quotients of a number from 2^(m/2) by one below 2^(-m/2-1) are above 2^m;
 * - other operations only want operands that are no denormals.
 */
#include "translate/host/x64/fp.h"

enum need { NOTHING, NORMALS, SUMS, PRODUCTS, SUMS_OF_PRODUCTS, QUOTIENTS, UNKNOWN };

/* Exponents of the least operand, f32's and f64's. */
static const i16 lowest[][2] = { [NORMALS] = { -126, -1022 },
				[SUMS] = { -126 + 23, -1022 + 52 },
				[PRODUCTS] = { -63, -511 },
				[SUMS_OF_PRODUCTS] = { (-126 + 46) / 2, (-1022 + 104) / 2 },
				[QUOTIENTS] = { -63, -511 } };

static enum need need_of(enum ir_op op)
{
	switch (op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_VFPADD:
	case IR_FCADD:
		return SUMS;
	case IR_FMUL:
	case IR_FMULX:
		return PRODUCTS;
	case IR_FMA:
	case IR_FCMLA:
	case IR_FRECPS:
	case IR_FRSQRTS:
		return SUMS_OF_PRODUCTS;
	case IR_FDIV:
		return QUOTIENTS;
	case IR_FSQRT:
	case IR_FMIN:
	case IR_FMAX:
	case IR_VFPMIN:
	case IR_VFPMAX:
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
	case IR_FRINT:
	case IR_FRECPX:
	case IR_FCVT:
	case IR_FTOI:
	case IR_FTOU:
	case IR_FJCVT:
		return NORMALS;
	case IR_FRECPE: /* these look at their operands themselves */
	case IR_FRSQRTE:
	case IR_URECPE:
	case IR_URSQRTE:
	case IR_ITOF:
	case IR_UTOF:
		return NOTHING;
	default:
		return UNKNOWN;
	}
}

bool fp_flushes(const struct jit *j)
{
	const struct fp_ctl *f = &j->r->fp;
	return f->flush_in && f->flush_out && f->loose_flags;
}

void fp_check_least(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned d,
		    const unsigned operand[3])
{
	if (!fp_flushes(j) || !j->r->fp.flush_before_rounding)
		return;
	unsigned t = temp_xmm(j);
	u64 magnitude = (1ull << (f->size * 8 - 1)) - 1, least = fp_power(f, f->wide ? -1022 : -126);
	u8 *away;
	v_splat(j, V_PAND, t, d, f->size, magnitude, 0);
	if (f->packed) {
		v_splat(j, f->wide ? V_OP38(0x29) : V_OP(0x76), t, t, f->size, least, 0); /* pcmpeq */
		x_vrr(&j->c, V_PTEST, t, 0, t);
		away = x_jcc(&j->c, XC_NE);
	} else {
		v_splat(j, f->compare | 0x2e, t, 0, f->size, least, 0); /* no NaN comes here */
		away = x_jcc(&j->c, XC_E);
	}
	j->lock_xmm &= ~BIT(t);
	cold_slow(j, away, in, v, 16 + d, operand[0], operand[1], operand[2]);
}

/* Operands or results that the host computes by way of others: their flushing is not the host's. */
static bool has_halves(const struct jit *j, const struct ir_insn *in)
{
	enum ir_type from = j->r->insn[in->a].type, lane = in->type == TY_V128 ? in->lane : in->type;
	return from == TY_F16 || from == TY_BF16 || lane == TY_F16 || lane == TY_BF16 || lane == TY_I16;
}

/* With the host's flushing on: does it flush here as the guest does? */
static bool may_flush(const struct jit *j, const struct ir_insn *in)
{
	if (has_halves(j, in))
		return false;
	switch (in->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
	case IR_VFPADD:
	case IR_FMA:
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
	case IR_FTOI:
	case IR_FTOU:
	case IR_ITOF:
	case IR_UTOF:
	case IR_FCVT:
		return true;
	case IR_FRINT:
		return !(in->imm >> 9);
	default:
		return false;
	}
}

/* t = what grows with a number's magnitude, as signed integers, and is largest for zero: 2|x| - 1, the highest bit inverted. */
static void rank(struct jit *j, const struct form *f, unsigned t, unsigned x)
{
	u32 add = V_OP(f->wide ? 0xd4 : 0xfe);
	x_vrr(&j->c, add, t, x, x);
	v_splat(j, add, t, t, f->size, ~0ull >> 1 >> (64 - f->size * 8), 0);
}

/* t = ones in lanes whose ranks are at least 2^exponent's; others: in lanes that do not count, too. */
static void at_least(struct jit *j, const struct form *f, unsigned t, unsigned ranks, int exponent,
		     bool others)
{
	u64 top = 1ull << (f->size * 8 - 1), below = (2 * fp_power(f, exponent) - 2) ^ top;
	u8 k[16];
	for (unsigned at = 0; at < 16; at += f->size) {
		u64 n = f->packed || !at ? below : others ? top : top - 1;
		memcpy(k + at, &n, f->size);
	}
	v_const(j, f->wide ? V_OP38(0x37) : V_OP(0x66), t, ranks, k, 0); /* pcmpgt */
}

/*
 * The jump that is taken unless each of n operands is fit: zero, or at least 2^exponent. Clobbers the host's flags; takes two scratch registers, for QUOTIENTS
 * three.
 */
static u8 *unless_fit(struct jit *j, const struct form *f, const unsigned *x, unsigned n, enum need need,
		      int exponent)
{
	static const u8 ones[16] = { [0 ... 15] = 0xff };
	unsigned t = temp_xmm(j), u = n > 1 ? temp_xmm(j) : t, locked = BIT(t) | BIT(u);
	for (unsigned i = 0; i < n; i++) {
		unsigned to = i ? u : t;
		rank(j, f, to, x[i]);
		if (i == 1 && need == QUOTIENTS) {
			unsigned large = temp_xmm(j);
			locked |= BIT(large);
			at_least(j, f, large, to, f->wide ? 510 : 62, false);
			x_vrr(&j->c, V_PANDN, t, large, t);
		}
		at_least(j, f, to, to, exponent, true);
		if (i)
			x_vrr(&j->c, V_PAND, t, t, u);
	}
	v_const(j, V_OP38(f->wide ? 0x0f : 0x0e), t, 0, ones, 0); /* vtestps: carry if all are */
	j->lock_xmm &= ~locked;
	return x_jcc(&j->c, XC_AE);
}

/* The numbers an operation takes; false: of no kind that is flushed by FZ. */
static bool form_of_operands(const struct jit *j, const struct ir_insn *in, struct form *f)
{
	enum ir_type lane = in->op == IR_FTOI || in->op == IR_FTOU ? (in->lane == TY_I64   ? TY_F64
								      : in->lane == TY_I32 ? TY_F32
											   : TY_F16)
								   : in->lane;
	return fp_form(f, j->r->insn[in->a].type, lane);
}

bool lower_fp_flushing(struct jit *j, const struct ir_insn *in, u32 v,
		       bool (*lower)(struct jit *j, const struct ir_insn *in, u32 v))
{
	enum need need = need_of(in->op);
	struct form f;
	if (fp_flushes(j) && may_flush(j, in))
		return lower(j, in, v);
	if (need == UNKNOWN || (fp_flushes(j) && has_halves(j, in)))
		return false;
	if (need == NOTHING || !form_of_operands(j, in, &f))
		return lower(j, in, v);
	bool narrows =
	    in->op == IR_FCVT && f.wide && (f.packed ? (in->imm >> 16 & 0xff) : in->type) == TY_F32;
	u32 operand[3] = { in->a, in->b, in->c }, cold = j->n_cold;
	unsigned n = 0, x[3];
	u8 reg[3] = { 0xff, 0xff, 0xff };
	flags_clobber(j);
	for (unsigned i = 0; i < 3 && ir_op_info[in->op].operands[i] == 'v'; i++) {
		unsigned r = use_xmm(j, operand[i]);
		reg[i] = 16 + r;
		if (!i || operand[i] != operand[i - 1] || need == QUOTIENTS)
			x[n++] = r;
	}
	u8 *away = unless_fit(j, &f, x, n, need, lowest[need][f.wide && !narrows]);
	cold_slow(j, away, in, v, 0xff, reg[0], reg[1], reg[2]);
	if (!lower(j, in, v))
		lower_slow(j, in, v);
	/* behind all of that, with the result where that put it */
	j->cold[cold].dst = j->val[v].reg + (j->val[v].at == AT_XMM ? 16 : 0);
	j->cold[cold].back = j->c.p;
	return true;
}

void fp_ucomis(struct jit *j, u32 op, enum ir_type type, unsigned a, unsigned b)
{
	struct form f;
	u32 cold = j->n_cold;
	if (j->r->fp.flush_in && !fp_flushes(j) && fp_form(&f, type, 0)) {
		u8 *away = unless_fit(j, &f, (unsigned[]){ a, b }, 2, NORMALS, lowest[NORMALS][f.wide]);
		struct cold *c = cold_new(j, COLD_COMPARE, away);
		c->a = a, c->b = b;
		c->event = op;
	}
	x_vrr(&j->c, op, a, 0, b);
	if (j->n_cold > cold)
		j->cold[cold].back = j->c.p;
}

/* Where both are numbers, or not, the host's DAZ does what the guest wants, but for telling of it. */
void emit_compare(struct jit *j, const struct cold *c)
{
	enum { DAZ = 1 << 6, STMXCSR = MAP0F | 0xae, PUSHF = 0x9c, POPF = 0x9d };
	x_rm(&j->c, STMXCSR, 3, CPU(host_fp));
	x_alu_mi(&j->c, X_OR, 0, CPU(host_fp), DAZ);
	x_rm(&j->c, STMXCSR, 2, CPU(host_fp)); /* ldmxcsr */
	x_vrr(&j->c, c->event, c->a, 0, c->b);
	x_byte(&j->c, PUSHF);
	x_rm(&j->c, STMXCSR, 3, CPU(host_fp));
	x_alu_mi(&j->c, X_AND, 0, CPU(host_fp), ~DAZ);
	x_rm(&j->c, STMXCSR, 2, CPU(host_fp));
	x_alu_mi(&j->c, X_OR, 0, CPU(fp_flags), fp_sticky(&j->r->fp, FP_INPUT_FLUSHED));
	x_byte(&j->c, POPF);
	x_patch(x_jmp(&j->c), c->back);
}
