/*
 * Arithmetic of f16 by way of f32, which the host has: rounding twice gives what rounding once does, as f32 has more than twice as many
 * bits and two (Figueroa, "When is double rounding innocuous?"); so do inexact, overflow and underflow, as a result of f32 that
 * is inexact is never one that f16 could hold. Not so sums with a product, whose operands may lie far apart: they are rounded to odd first
 * (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums"), and where f32 does not round to nearest they go to ir_eval.
 *
 * Eight lanes take a whole YMM register. Its upper halves are cleared before anything else runs: SSE code in C would pay for them.
 */
#include "translate/host/x64/fp.h"

#define V_PH2PS V_OP38(0x13)
#define V_PS2PH V_OP3A(0x1d) /* stores: the source stands in the place of the destination */
#define V_PACKSSDW V_OP(0x6b)
#define V_EXTRACTI128 (V_OP3A(0x39) | OPL)
#define V_BROADCAST (V_OP38(0x5a) | OPL) /* 128 bits from memory, twice */
enum { BY_MXCSR = 4, UNORDERED = 3, NOT_EQUAL = 4, TRUNCATE = 3, SILENTLY = 8 };
enum { ABS = 0x7fffffff, SIGN = 1u << 31 };

static void vzeroupper(struct jit *j)
{
	x_room(&j->c);
	x_byte(&j->c, 0xc5);
	x_byte(&j->c, 0xf8);
	x_byte(&j->c, 0x77);
}

unsigned fp_widen_half(struct jit *j, unsigned a)
{
	unsigned x = temp_xmm(j);
	v_const(j, V_PAND, x, a, (const u8[16]){ 0xff, 0xff }, 0);
	x_vrr(&j->c, V_PH2PS, x, 0, x);
	return x;
}

unsigned fp_half_lanes(struct jit *j, bool packed, unsigned a)
{
	if (!packed)
		return fp_widen_half(j, a);
	unsigned x = temp_xmm(j);
	x_vrr(&j->c, V_PH2PS | OPL, x, 0, a);
	return x;
}

static u32 length(bool packed)
{
	return packed ? OPL : 0;
}

/* A register with n in every lane, or in the lowest of a scalar's alone. */
static unsigned constant(struct jit *j, bool packed, u32 n)
{
	unsigned t = temp_xmm(j);
	u8 lowest[16] = { n, n >> 8, n >> 16, n >> 24 };
	if (packed)
		v_splat(j, V_BROADCAST, t, 0, 4, n, 0);
	else
		v_const(j, V_MOVAPS, t, 0, lowest, 0);
	return t;
}

/* x = x op a constant. */
static void with_constant(struct jit *j, bool packed, u32 op, unsigned x, u32 n)
{
	unsigned t = constant(j, packed, n);
	x_vrr(&j->c, op | length(packed), x, x, t);
	j->lock_xmm &= ~BIT(t);
}

/* The operands as f32; of an operation on neighbours: first the even lanes of both, then the odd ones. */
static void widen_both(struct jit *j, const struct ir_insn *in, unsigned a, unsigned b, unsigned *x,
		       unsigned *y)
{
	bool packed = in->type == TY_V128;
	if (in->op < IR_VFPADD || in->op > IR_VFPMAX) {
		*x = fp_half_lanes(j, packed, a);
		*y = a == b ? *x : fp_half_lanes(j, packed, b);
		return;
	}
	*x = temp_xmm(j), *y = temp_xmm(j);
	v_even_odd(j, 2, *x, *y, a, b);
	x_vrr(&j->c, V_PH2PS | OPL, *x, 0, *x);
	x_vrr(&j->c, V_PH2PS | OPL, *y, 0, *y);
}

/* To cold code if there is a NaN in p or q (f32; zeros above a scalar). */
static void check_nan(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned p, unsigned q,
		      const unsigned operand[3])
{
	bool packed = in->type == TY_V128;
	unsigned t = temp_xmm(j);
	x_vrri(&j->c, MAP0F | (packed ? OPL : PF3) | 0xc2, t, p, q, UNORDERED);
	x_vrr(&j->c, V_OP38(0x0e) | (packed ? OPL : 0), t, 0, t); /* vtestps */
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, operand[0], operand[1], operand[2]);
	j->lock_xmm &= ~BIT(t);
}

void fp_half_result(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned x)
{
	bool packed = in->type == TY_V128;
	x_vrri(&j->c, V_PS2PH | (packed ? OPL : 0), x, 0, d, BY_MXCSR);
	j->cold[j->n_cold - 1].back = j->c.p;
	if (packed)
		vzeroupper(j);
	else
		j->val[v].flags |= VF_ZERO_UPPER;
}

static bool arithmetic(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 code[] = { [IR_FADD - IR_FADD] = 0x58,
				   [IR_FSUB - IR_FADD] = 0x5c,
				   [IR_FMUL - IR_FADD] = 0x59,
				   [IR_FDIV - IR_FADD] = 0x5e,
				   [IR_FSQRT - IR_FADD] = 0x51 };
	bool one = in->op == IR_FSQRT, packed = in->type == TY_V128;
	enum ir_op op = in->op == IR_VFPADD ? IR_FADD : in->op;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = one ? a : use_xmm(j, in->b), d = def_xmm_apart(j, v), x, y;
	widen_both(j, in, a, b, &x, &y);
	x_vrr(&j->c, (packed ? OPL : PF3) | MAP0F | code[op - IR_FADD], x, one && packed ? 0 : x, y);
	check_nan(j, in, v, d, x, x, (unsigned[]){ 16 + a, one ? 0xff : 16 + b, 0xff });
	fp_half_result(j, in, v, d, x);
	return true;
}

/* As in fp.c: both orders, and the signs put together. */
static bool minmax(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool max = in->op == IR_FMAX || in->op == IR_VFPMAX, packed = in->type == TY_V128;
	u32 wide = length(packed), op = wide | MAP0F | (packed ? 0 : PF3) | (max ? 0x5f : 0x5d);
	if (in->imm >> 8 >= FP_MM_SECOND)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v), x, y;
	widen_both(j, in, a, b, &x, &y);
	check_nan(j, in, v, d, x, y, (unsigned[]){ 16 + a, 16 + b, 0xff });
	unsigned t = temp_xmm(j);
	x_vrr(&j->c, op, t, x, y);
	x_vrr(&j->c, op, x, y, x);
	x_vrr(&j->c, wide | MAP0F | (max ? 0x54 : 0x56), t, t, x);
	fp_half_result(j, in, v, d, t);
	return true;
}

static bool masks(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned predicate = in->op == IR_VFEQ	 ? 0
			     : in->op == IR_VFGT ? 0x0e
						 : 0x0d; /* EQ_OQ, GT_OS, GE_OS */
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
	unsigned x = fp_half_lanes(j, true, a), y = fp_half_lanes(j, true, b);
	x_vrri(&j->c, OPL | MAP0F | 0xc2, x, x, y, predicate);
	x_vrri(&j->c, V_EXTRACTI128, x, 0, y, 1);
	x_vrr(&j->c, V_PACKSSDW, d, x, y);
	vzeroupper(j);
	return true;
}

/* x to whole numbers: the immediate of the rounding instructions. */
static void round_to(struct jit *j, bool packed, unsigned x, unsigned a, unsigned imm)
{
	x_vrri(&j->c, V_OP3A(0x08) | length(packed), x, 0, a, imm);
}

/* Half is added, which f32 does exactly to numbers of f16. */
void fp_half_round_away(struct jit *j, bool packed, unsigned x)
{
	unsigned half = constant(j, packed, SIGN);
	x_vrr(&j->c, V_PAND | length(packed), half, half, x);
	with_constant(j, packed, V_POR, half, 0x3f000000);
	x_vrr(&j->c, MAP0F | 0x58 | length(packed), x, x, half);
	round_to(j, packed, x, x, TRUNCATE | SILENTLY);
	j->lock_xmm &= ~BIT(half);
}

static bool round_integral(struct jit *j, const struct ir_insn *in, u32 v)
{
	int imm = fp_round_imm(in->imm & 0xff);
	bool packed = in->type == TY_V128, exact = in->imm >> 8 & 1,
	     away = (in->imm & 0xff) == FP_NEAREST_AWAY && !exact;
	if ((imm < 0 && !away) || in->imm >> 9)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = fp_half_lanes(j, packed, a);
	if (away)
		fp_half_round_away(j, packed, x);
	else
		round_to(j, packed, x, x, (unsigned)imm | (exact ? 0 : SILENTLY));
	check_nan(j, in, v, d, x, x, (unsigned[]){ 16 + a, 0xff, 0xff });
	fp_half_result(j, in, v, d, x);
	return true;
}

/* ---- sums with products ---- */

/* To cold code, before anything is raised, unless all n numbers are finite. Their lanes above a scalar are zero. */
static void need_finite(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, const unsigned *x,
			unsigned n, const unsigned operand[3])
{
	bool packed = in->type == TY_V128;
	u32 l = length(packed);
	unsigned mask = constant(j, packed, ABS), most = temp_xmm(j), t = temp_xmm(j);
	x_vrr(&j->c, V_PAND | l, most, x[0], mask);
	for (unsigned i = 1; i < n; i++) {
		x_vrr(&j->c, V_PAND | l, t, x[i], mask);
		x_vrr(&j->c, V_OP38(0x3f) | l, most, most, t); /* pmaxud */
	}
	j->lock_xmm &= ~(BIT(t) | BIT(mask));
	with_constant(j, packed, V_OP(0x66), most, 0x477fffff); /* pcmpgtd: 2^16 and more */
	x_vrr(&j->c, V_OP38(0x0e) | l, most, 0, most);
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, operand[0], operand[1], operand[2]);
	j->lock_xmm &= ~BIT(most);
}

/* Can add_to_odd be used? */
static bool nearest(const struct jit *j)
{
	return j->r->fp.round == FP_NEAREST_EVEN || j->r->fp.round == FP_ROUND_CTL;
}

/*
 * x += y of f32, rounded to odd, so that another rounding gives what one would. What is lost is found exactly (Knuth's TwoSum, of finite
 * numbers); where that is something, the sum goes to its odd neighbour on that side.
 */
static void add_to_odd(struct jit *j, bool packed, unsigned x, unsigned y)
{
	u32 l = length(packed), add = MAP0F | 0x58 | l, sub = MAP0F | 0x5c | l;
	unsigned sum = temp_xmm(j), t = temp_xmm(j), lost = temp_xmm(j);
	x_vrr(&j->c, add, sum, x, y);
	x_vrr(&j->c, sub, t, sum, x);
	x_vrr(&j->c, sub, lost, sum, t);
	x_vrr(&j->c, sub, lost, x, lost);
	x_vrr(&j->c, sub, t, y, t);
	x_vrr(&j->c, add, lost, lost, t);
	x_vrr(&j->c, V_PXOR | l, t, t, t);
	x_vrri(&j->c, MAP0F | 0xc2 | l, t, lost, t, NOT_EQUAL);
	x_vrr(&j->c, V_PXOR | l, lost, lost, sum);
	x_vex(&j->c, V_OP(0x72) | l, 0, lost, 0, lost); /* psrad: -1 where the sum is too large */
	x_byte(&j->c, 0xc0 | 4 << 3 | (lost & 7));
	x_byte(&j->c, 31);
	x_vrr(&j->c, V_PAND | l, lost, lost, t);
	x_vrr(&j->c, V_OP(0xfe) | l, sum, sum, lost);
	x_vex(&j->c, V_OP(0x72) | l, 0, t, 0, t); /* psrld: 1 */
	x_byte(&j->c, 0xc0 | 2 << 3 | (t & 7));
	x_byte(&j->c, 31);
	x_vrr(&j->c, V_POR | l, x, sum, t);
	j->lock_xmm &= ~(BIT(sum) | BIT(t) | BIT(lost));
}

/* d = x * y + z; neg as of FMA. */
static void finish_fma(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, const unsigned x[3],
		       unsigned neg)
{
	bool packed = in->type == TY_V128;
	x_vrr(&j->c, MAP0F | 0x59 | length(packed), x[0], x[0], x[1]);
	j->lock_xmm &= ~BIT(x[1]);
	if (neg & 1)
		with_constant(j, packed, V_PXOR, x[0], SIGN);
	if (neg & 2)
		with_constant(j, packed, V_PXOR, x[2], SIGN);
	add_to_odd(j, packed, x[0], x[2]);
	fp_half_result(j, in, v, d, x[0]);
}

static bool multiply_add(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool packed = in->type == TY_V128;
	unsigned neg = in->imm >> 8;
	if (neg > 3 || !nearest(j))
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned x[3] = { fp_half_lanes(j, packed, a), fp_half_lanes(j, packed, b),
			  fp_half_lanes(j, packed, c) };
	need_finite(j, in, v, d, x, 3, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	finish_fma(j, in, v, d, x, neg);
	return true;
}

/* a * b, where zero times infinity is two; 2 - a * b; (3 - a * b) / 2. */
static bool step(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool packed = in->type == TY_V128;
	if (in->op != IR_FMULX && !nearest(j))
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x[2] = { fp_half_lanes(j, packed, a), fp_half_lanes(j, packed, b) };
	need_finite(j, in, v, d, x, 2, (unsigned[]){ 16 + a, 16 + b, 0xff });
	x_vrr(&j->c, MAP0F | 0x59 | length(packed), x[0], x[0], x[1]);
	j->lock_xmm &= ~BIT(x[1]);
	if (in->op != IR_FMULX) {
		with_constant(j, packed, V_PXOR, x[0], SIGN);
		unsigned from = constant(j, packed, in->op == IR_FRECPS ? 0x40000000 : 0x40400000);
		add_to_odd(j, packed, x[0], from);
		j->lock_xmm &= ~BIT(from);
	}
	if (in->op == IR_FRSQRTS)
		with_constant(j, packed, MAP0F | 0x59, x[0], 0x3f000000);
	fp_half_result(j, in, v, d, x[0]);
	return true;
}

/* d = lanes of a in pairs, the real part first: EVEN the real parts twice, ODD the others twice, SWAPPED. */
enum { EVEN = 0xa0, ODD = 0xf5, SWAPPED = 0xb1 };
static void pairs(struct jit *j, unsigned d, unsigned a, unsigned how)
{
	x_vrri(&j->c, PF2 | MAP0F | 0x70, d, 0, a, how); /* pshuflw, pshufhw */
	x_vrri(&j->c, PF3 | MAP0F | 0x70, d, 0, d, how);
}

static void negate(struct jit *j, unsigned d, unsigned a, bool real, bool imaginary)
{
	v_splat(j, V_PXOR, d, a, 4, (real ? 0x8000u : 0) | (imaginary ? SIGN : 0), 0);
}

static bool complex_add(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool turn270 = in->imm >> 8 & 1;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x = fp_half_lanes(j, true, a), y = temp_xmm(j);
	pairs(j, y, b, SWAPPED);
	negate(j, y, y, !turn270, turn270);
	x_vrr(&j->c, V_PH2PS | OPL, y, 0, y);
	x_vrr(&j->c, OPL | MAP0F | 0x58, x, x, y);
	check_nan(j, in, v, d, x, x, (unsigned[]){ 16 + a, 16 + b, 0xff });
	fp_half_result(j, in, v, d, x);
	return true;
}

static bool complex_multiply(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned turn = in->imm >> 8 & 3;
	if (!nearest(j))
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned x[3] = { temp_xmm(j), temp_xmm(j), fp_half_lanes(j, true, a) };
	pairs(j, x[0], b, turn & 1 ? ODD : EVEN);
	if (turn & 1)
		pairs(j, x[1], c, SWAPPED);
	if (turn)
		negate(j, x[1], turn & 1 ? x[1] : c, turn<3, turn> 1);
	x_vrr(&j->c, V_PH2PS | OPL, x[0], 0, x[0]);
	x_vrr(&j->c, V_PH2PS | OPL, x[1], 0, turn ? x[1] : c);
	need_finite(j, in, v, d, x, 3, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	finish_fma(j, in, v, d, x, 0);
	return true;
}

/* Sums of f32 with products of f16: exact products, one rounding. */
static bool multiply_add_long(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool high = in->imm >> 8 & 1, subtract = in->imm >> 9 & 1;
	struct form f;
	fp_form(&f, TY_V128, TY_F32);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned x = temp_xmm(j), y = temp_xmm(j);
	if (high) {
		x_vrr(&j->c, V_UNPCKHQ, x, b, b);
		x_vrr(&j->c, V_UNPCKHQ, y, c, c);
	}
	x_vrr(&j->c, V_PH2PS, x, 0, high ? x : b);
	x_vrr(&j->c, V_PH2PS, y, 0, high ? y : c);
	x_vrr(&j->c, V_MOVAPS, d, 0, a);
	x_vrr(&j->c, V_OP38(subtract ? 0xbc : 0xb8), d, x, y); /* vfnmadd231ps, vfmadd231ps */
	j->lock_xmm &= ~(BIT(x) | BIT(y));
	fp_check_nan(j, &f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	return true;
}

/* ---- lanes of integers ---- */

/* Lanes of 16 bits, all of which f32 holds exactly, scaled or not. */
static bool from_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f = { 0 };
	int fraction = in->imm >> 16 & 0xff;
	if (in->imm & 0xff)
		return false;
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v), x = temp_xmm(j);
	x_vrr(&j->c, V_OP38(in->op == IR_ITOF ? 0x23 : 0x33) | OPL, x, 0, a); /* vpmovsxwd, vpmovzxwd */
	x_vrr(&j->c, MAP0F | OPL | 0x5b, x, 0, x);
	if (fraction)
		with_constant(j, true, MAP0F | 0x59, x, fp_power(&f, -fraction));
	x_vrri(&j->c, V_PS2PH | OPL, x, 0, d, BY_MXCSR);
	vzeroupper(j);
	return true;
}

/* To lanes of 16 bits. What may not fit, and what is negative where there is no sign, goes to cold code first. */
static bool to_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f = { 0 };
	int fraction = in->imm >> 16 & 0xff, imm = fp_round_imm(in->imm & 0xff);
	bool sign = in->op == IR_FTOI, away = (in->imm & 0xff) == FP_NEAREST_AWAY && !fraction;
	if (imm < 0 && !away)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = fp_half_lanes(j, true, a),
		 t = temp_xmm(j);
	if (fraction)
		with_constant(j, true, MAP0F | 0x59, x, fp_power(&f, fraction));
	if (sign) { /* |x| < 2^15 - 1 */
		x_vrr(&j->c, V_MOVAPS | OPL, t, 0, x);
		with_constant(j, true, V_PAND, t, ABS);
		with_constant(j, true, V_OP(0x66), t, 0x46fffdff);
	} else { /* x < 2^16 - 1, and no sign */
		x_vrr(&j->c, V_MOVAPS | OPL, t, 0, x);
		with_constant(j, true, V_OP(0x66), t, 0x477ffeff);
		x_vrr(&j->c, V_POR | OPL, t, t, x);
	}
	x_vrr(&j->c, V_OP38(0x0e) | OPL, t, 0, t);
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, 16 + a, 0xff, 0xff);
	u32 cold = j->n_cold - 1;
	if (away) {
		round_to(j, true, t, x, TRUNCATE); /* raises inexact */
		fp_half_round_away(j, true, x);
	} else {
		round_to(j, true, x, x, (unsigned)imm);
	}
	x_vrr(&j->c, PF3 | MAP0F | 0x5b | OPL, x, 0, x); /* cvttps2dq */
	x_vrri(&j->c, V_EXTRACTI128, x, 0, t, 1);
	x_vrr(&j->c, sign ? V_PACKSSDW : V_OP38(0x2b), d, x, t);
	fp_come_back(j, cold);
	vzeroupper(j);
	return true;
}

/* Factors of bf16 are the upper halves of f32. */
static bool multiply_add_brain(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool odd = in->imm >> 8 & 1;
	const unsigned from[2] = { in->b, in->c };
	struct form f;
	fp_form(&f, TY_V128, TY_F32);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b[2] = { use_xmm(j, from[0]), use_xmm(j, from[1]) },
		 d = def_xmm_apart(j, v);
	unsigned x[2] = { temp_xmm(j), temp_xmm(j) };
	for (unsigned i = 0; i < 2; i++)
		if (odd)
			v_splat(j, V_PAND, x[i], b[i], 4, 0xffff0000, 0);
		else
			x_vshift(&j->c, V_OP(0x72), 6, x[i], b[i], 16);
	x_vrr(&j->c, V_MOVAPS, d, 0, a);
	x_vrr(&j->c, V_OP38(0xb8), d, x[0], x[1]); /* vfmadd231ps */
	j->lock_xmm &= ~(BIT(x[0]) | BIT(x[1]));
	fp_check_nan(j, &f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b[0], 16 + b[1] });
	return true;
}

void fp_half_from_double(struct jit *j, unsigned d, unsigned x)
{
	static const u8 lost[16] = { 0xff, 0xff, 0xff, 0x1f }, odd[16] = { 0, 0, 0, 0x20 };
	static const u8 kept[16] = { 0, 0, 0, 0xe0, 0xff, 0xff, 0xff, 0xff };
	unsigned t = temp_xmm(j), u = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, t, t, t);
	v_const(j, V_PAND, u, x, lost, 0);
	x_vrr(&j->c, V_OP38(0x29), t, t, u); /* pcmpeqq */
	v_const(j, V_PANDN, t, t, odd, 0);
	v_const(j, V_PAND, d, x, kept, 0);
	x_vrr(&j->c, V_POR, d, d, t);
	x_vrr(&j->c, P66 | MAP0F | 0x5a, d, 0, d); /* cvtpd2ps */
	x_vrri(&j->c, V_PS2PH, d, 0, d, BY_MXCSR);
	j->lock_xmm &= ~(BIT(t) | BIT(u));
}

/*
 * f32 to bf16, to nearest: in integers. Inexact is raised by rounding a number of between one and two with the bits that are lost; zero
 * and normal numbers whose rounding cannot overflow are done so, others go to cold code.
 */
bool lower_fp_brain(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool packed = in->type == TY_V128;
	if (!nearest(j))
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = temp_xmm(j), t = temp_xmm(j),
		 u = temp_xmm(j);
	if (packed)
		x_vrr(&j->c, V_MOVAPS, x, 0, a);
	else
		v_const(j, V_PAND, x, a, (const u8[16]){ 0xff, 0xff, 0xff, 0xff }, 0);
	/* beyond the least denormal and below the least normal number, or too large: magnitudes less 1, as integers */
	v_splat(j, V_PAND, t, x, 4, ABS, 0);
	v_splat(j, V_OP(0x66), u, t, 4, 0x7effffff, 0);
	x_vrr(&j->c, V_ONES, d, d, d);
	x_vrr(&j->c, V_OP(0xfe), t, t, d);
	v_splat(j, V_OP38(0x3b), d, t, 4, 0x007ffffe, 0);
	x_vrr(&j->c, V_OP(0x76), t, t, d);
	x_vrr(&j->c, V_POR, t, t, u);
	x_vrr(&j->c, V_OP38(0x0e), t, 0, t);
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, 16 + a, 0xff, 0xff);
	v_splat(j, V_PAND, t, x, 4, 0xffff, 0);
	v_splat(j, V_POR, t, t, 4, 0x3f800000, 0);
	round_to(j, false, t, t, TRUNCATE);
	x_vshift(&j->c, V_OP(0x72), 2, t, x, 16);
	v_splat(j, V_PAND, t, t, 4, 1, 0);
	x_vrr(&j->c, V_OP(0xfe), x, x, t);
	v_splat(j, V_OP(0xfe), x, x, 4, 0x7fff, 0);
	x_vshift(&j->c, V_OP(0x72), 2, x, x, 16);
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, V_OP38(0x2b), d, x, t); /* packusdw */
	if (!packed)
		v_const(j, V_PAND, d, d, (const u8[16]){ 0xff, 0xff }, 0);
	j->cold[j->n_cold - 1].back = j->c.p;
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

bool fp_half_rules(const struct jit *j)
{
	return !j->r->fp.flush_in_f16 && !j->r->fp.flush_out_f16;
}

bool lower_fp_half(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (!fp_half_rules(j))
		return false;
	switch (in->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
	case IR_VFPADD:
		return !(in->imm & 0xff) && arithmetic(j, in, v);
	case IR_FMA:
		return !(in->imm & 0xff) && multiply_add(j, in, v);
	case IR_FMULX:
	case IR_FRECPS:
	case IR_FRSQRTS:
		return !(in->imm & 0xff) && step(j, in, v);
	case IR_FCADD:
		return complex_add(j, in, v);
	case IR_FCMLA:
		return complex_multiply(j, in, v);
	case IR_FMIN:
	case IR_FMAX:
	case IR_VFPMIN:
	case IR_VFPMAX:
		return minmax(j, in, v);
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
		return masks(j, in, v);
	case IR_FRINT:
		return round_integral(j, in, v);
	case IR_FMLAL:
		return multiply_add_long(j, in, v);
	case IR_BFMLAL:
		return multiply_add_brain(j, in, v);
	case IR_ITOF:
	case IR_UTOF:
		return from_int(j, in, v);
	case IR_FTOI:
	case IR_FTOU:
		return to_int(j, in, v);
	}
	return false;
}
