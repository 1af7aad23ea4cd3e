/*
 * Floating point: the operations from FADD to BFMLAL, and FLFCMP, by the arithmetic of translate/float.
 *
 * An operation of scalars has one meaning here (scalar()); on vectors it is that on every lane. What moves between lanes (pairs, complex
 * numbers, widening, dot products) follows; FCMLA, FCADD, FMLAL and the bf16 operations as sail-arm's instrs64.sail has them.
 */
#include "translate/ir/eval.h"

/* One operation under evaluation. */
struct fp_eval {
	const struct ir_region *r;
	const struct ir_insn *in;
	struct fp_ctl ctl; /* the region's, with the instruction's own rounding */
	enum fp_round round; /* the instruction's, for what takes it apart */
	u32 *flags;
};

static enum fp_format format_of(enum ir_type type)
{
	switch (type) {
	case TY_F16:
		return FP_F16;
	case TY_BF16:
		return FP_BF16;
	case TY_F32:
		return FP_F32;
	case TY_F64:
		return FP_F64;
	case TY_F80:
		return FP_F80;
	default:
		return FP_F128;
	}
}

/* The float type of an integer lane's size. */
static enum fp_format format_of_size(unsigned size)
{
	return size == 2 ? FP_F16 : size == 4 ? FP_F32 : FP_F64;
}

static u128 sign_bit(enum fp_format f)
{
	return (u128)1 << (fp_width(f) - 1);
}

static u128 copy_sign(const struct fp_eval *e, enum fp_format f, u128 a, u128 b)
{
	u128 top = sign_bit(f);
	if (e->in->imm == 1)
		b = ~b;
	else if (e->in->imm == 2)
		b ^= a;
	return (a & ~top) | (b & top);
}

static u128 round_int(const struct fp_eval *e, enum fp_format f, u128 a)
{
	unsigned fit = e->in->imm >> 9 & 3;
	if (fit)
		return fp_round_int_fit(f, a, e->round, fit * 32, &e->ctl, e->flags);
	return fp_round_int(f, a, e->round, e->in->imm >> 8 & 1, &e->ctl, e->flags);
}

static u128 class_mask(const struct fp_eval *e, enum fp_format f, u128 a)
{
	static const u8 negative[] = {
		[FP_CLASS_ZERO] = 3, [FP_CLASS_DENORMAL] = 2, [FP_CLASS_NORMAL] = 1, [FP_CLASS_INF] = 0
	};
	enum fp_class class = fp_classify(f, a, &e->ctl);
	if (class >= FP_CLASS_QNAN)
		return class == FP_CLASS_SNAN ? 1 << 8 : 1 << 9;
	return 1 << (a & sign_bit(f) ? negative[class] : 7 - negative[class]);
}

/* Operations whose result has the operands' format. */
static u128 scalar(const struct fp_eval *e, enum fp_format f, u128 a, u128 b, u128 c)
{
	const struct fp_ctl *ctl = &e->ctl;
	u32 *fl = e->flags;
	unsigned kind = e->in->imm >> 8 & 0xff;
	/* clang-format off */
	switch (e->in->op) {
	case IR_VFPADD:
	case IR_FADD: return fp_add(f, a, b, ctl, fl);
	case IR_FSUB: return fp_sub(f, a, b, ctl, fl);
	case IR_FMUL: return fp_mul(f, a, b, ctl, fl);
	case IR_FDIV: return fp_div(f, a, b, ctl, fl);
	case IR_FSQRT: return fp_sqrt(f, a, ctl, fl);
	case IR_FREM: return fp_rem(f, a, b, true, NULL, ctl, fl);
	case IR_FMA: return fp_fma(f, a, b, c, kind & 7, ctl, fl);
	case IR_FNEG: return a ^ sign_bit(f);
	case IR_FABS: return a & ~sign_bit(f);
	case IR_FCOPYSIGN: return copy_sign(e, f, a, b);
	case IR_VFPMIN:
	case IR_FMIN: return fp_minmax(f, a, b, kind | FP_MM_MIN, ctl, fl);
	case IR_VFPMAX:
	case IR_FMAX: return fp_minmax(f, a, b, kind, ctl, fl);
	case IR_FMULX: return fp_arm_mulx(f, a, b, ctl, fl);
	case IR_FRECPE: return fp_arm_recip_estimate(f, a, false, ctl, fl);
	case IR_FRSQRTE: return fp_arm_rsqrt_estimate(f, a, false, ctl, fl);
	case IR_FRECPS: return fp_arm_recip_step(f, a, b, ctl, fl);
	case IR_FRSQRTS: return fp_arm_rsqrt_step(f, a, b, ctl, fl);
	case IR_FRECPX: return fp_arm_recip_exponent(f, a, ctl, fl);
	case IR_URECPE: return fp_arm_urecpe(a);
	case IR_URSQRTE: return fp_arm_ursqrte(a);
	case IR_FRINT: return round_int(e, f, a);
	}
	/* clang-format on */
	return 0;
}

/* Comparisons: true or false. */
static bool compare(const struct fp_eval *e, enum fp_format f, u128 a, u128 b)
{
	bool signalling = e->in->op != IR_FEQ && e->in->op != IR_VFEQ && e->in->op != IR_FUNORD;
	enum fp_order o = fp_compare(f, a, b, signalling, &e->ctl, e->flags);
	switch (e->in->op) {
	case IR_FEQ:
	case IR_VFEQ:
		return o == FP_EQUAL;
	case IR_FLT:
		return o == FP_LESS;
	case IR_FLE:
		return o == FP_LESS || o == FP_EQUAL;
	case IR_FUNORD:
		return o == FP_UNORDERED;
	case IR_VFGT:
		return o == FP_GREATER;
	default:
		return o == FP_GREATER || o == FP_EQUAL;
	}
}

static u32 compare_flags(const struct fp_eval *e, enum fp_format f, u128 a, u128 b)
{
	static const u32 arm[] = { FL_N, FL_Z | FL_C, FL_C, FL_C | FL_V };
	static const u32 x86[] = { FL_C, FL_Z, 0, FL_Z | FL_P | FL_C };
	enum fp_order o = fp_compare(f, a, b, e->in->imm & 1, &e->ctl, e->flags);
	return (e->in->imm & 2 ? x86 : arm)[o - FP_LESS];
}

/* Conversions between float and integer; `bits` of the integer. */
static u128 integer(const struct fp_eval *e, enum fp_format f, unsigned bits, u128 a)
{
	int fraction = e->in->imm >> 16 & 0xff;
	switch (e->in->op) {
	case IR_FTOI:
	case IR_FTOU:
		return fp_to_int(f, a, bits, e->in->op == IR_FTOI, fraction, e->round, &e->ctl, e->flags);
	case IR_ITOF:
		return fp_from_int(f, sext(a, bits), fraction, &e->ctl, e->flags);
	default:
		return fp_from_uint(f, a, fraction, &e->ctl, e->flags);
	}
}

static u128 convert(const struct fp_eval *e, enum fp_format to, enum fp_format from, u128 a)
{
	if (to == FP_BF16 && from == FP_F32)
		return fp_arm_bfcvt((u32)a, &e->ctl, e->flags);
	return fp_convert(to, from, a, &e->ctl, e->flags);
}

static u128 javascript(const struct fp_eval *e, u128 a)
{
	bool exact;
	u32 n = fp_arm_js((u64)a, &exact, &e->ctl, e->flags);
	return n | (u64)exact << 32;
}

static u128 box(unsigned narrow, u128 a)
{
	return a | ~(u128)0 << narrow;
}

static u128 unbox(const struct fp_eval *e, enum ir_type from, enum ir_type to, u128 a)
{
	unsigned n = 8 * ir_type_size(to), above = 8 * ir_type_size(from) - n;
	bool boxed = a >> n == ((u128)1 << above) - 1;
	return boxed ? a : fp_default_nan(format_of(to), &e->ctl);
}

static u128 eval_scalar(const struct fp_eval *e, const union ir_val *pa, const union ir_val *pb,
			const union ir_val *pc)
{
	const char *operands = ir_op_info[e->in->op].operands;
	enum ir_type from = e->r->insn[e->in->a].type, to = e->in->type;
	enum fp_format f = format_of(from);
	u128 a = val_num(pa, from);
	u128 b = operands[1] == 'v' ? val_num(pb, e->r->insn[e->in->b].type) : 0;
	u128 c = operands[2] == 'v' ? val_num(pc, e->r->insn[e->in->c].type) : 0;
	switch (e->in->op) {
	case IR_FLFCMP:
		return compare_flags(e, f, a, b);
	case IR_FEQ:
	case IR_FLT:
	case IR_FLE:
	case IR_FUNORD:
		return compare(e, f, a, b);
	case IR_FCVT:
		return convert(e, format_of(to), f, a);
	case IR_FTOI:
	case IR_FTOU:
		return integer(e, f, ir_bits(to), a);
	case IR_ITOF:
	case IR_UTOF:
		return integer(e, format_of(to), ir_bits(from), a);
	case IR_FJCVT:
		return javascript(e, a);
	case IR_FBOX:
		return box(8 * ir_type_size(from), a);
	case IR_FUNBOX:
		return unbox(e, from, to, a);
	case IR_FCLASS:
		return class_mask(e, f, a);
	default:
		return scalar(e, f, a, b, c);
	}
}

/* Lane i of the sequence of neighbours: first those of a, then those of b. */
static u128 pairwise(const struct fp_eval *e, enum fp_format f, unsigned size, unsigned i, unsigned n,
		     const union ir_val *a, const union ir_val *b)
{
	const union ir_val *v = 2 * i < n ? a : b;
	unsigned k = 2 * i % n;
	return scalar(e, f, lane_get(v, size, k), lane_get(v, size, k + 1), 0);
}

static u64 lane_result(const struct fp_eval *e, unsigned size, unsigned i, unsigned n, const union ir_val *a,
		       const union ir_val *b, const union ir_val *c)
{
	const char *operands = ir_op_info[e->in->op].operands;
	bool integer_lane = !ir_is_float(e->in->lane);
	enum fp_format f = integer_lane ? format_of_size(size) : format_of(e->in->lane);
	u64 x = lane_get(a, size, i), y = operands[1] == 'v' ? lane_get(b, size, i) : 0;
	switch (e->in->op) {
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
		return compare(e, f, x, y) ? ~0ull : 0;
	case IR_VFPADD:
	case IR_VFPMIN:
	case IR_VFPMAX:
		return pairwise(e, f, size, i, n, a, b);
	case IR_FTOI:
	case IR_FTOU:
	case IR_ITOF:
	case IR_UTOF:
		return integer(e, f, size * 8, x);
	case IR_FCLASS:
		return class_mask(e, f, x);
	default:
		return scalar(e, f, x, y, operands[2] == 'v' ? lane_get(c, size, i) : 0);
	}
}

static void convert_lanes(const struct fp_eval *e, const union ir_val *a, union ir_val *out, unsigned bytes)
{
	enum ir_type from = e->in->lane, to = e->in->imm >> 16 & 0xff;
	unsigned src = ir_type_size(from), dst = ir_type_size(to), n = bytes / MAX(src, dst);
	unsigned first = src < dst && (e->in->imm >> 8 & 1) ? n : 0;
	for (unsigned i = 0; i < n; i++)
		lane_put(out, dst, i,
			 convert(e, format_of(to), format_of(from), lane_get(a, src, first + i)));
}

/* a + b * c on complex numbers, b turned by a multiple of 90 degrees; two of the four products a time. */
static void complex_mla(const struct fp_eval *e, const union ir_val *a, const union ir_val *b,
			const union ir_val *c, union ir_val *out, unsigned bytes)
{
	enum fp_format f = format_of(e->in->lane);
	unsigned size = ir_type_size(e->in->lane), turn = e->in->imm >> 8 & 3;
	for (unsigned i = 0; i < bytes / size; i += 2) {
		u64 factor = lane_get(b, size, i + (turn & 1));
		u64 re = lane_get(c, size, i + (turn & 1)), im = lane_get(c, size, i + !(turn & 1));
		if (turn == 1 || turn == 2)
			re = fp_neg(f, re, &e->ctl);
		if (turn == 2 || turn == 3)
			im = fp_neg(f, im, &e->ctl);
		lane_put(out, size, i, fp_fma(f, factor, re, lane_get(a, size, i), 0, &e->ctl, e->flags));
		lane_put(out, size, i + 1,
			 fp_fma(f, factor, im, lane_get(a, size, i + 1), 0, &e->ctl, e->flags));
	}
}

static void complex_add(const struct fp_eval *e, const union ir_val *a, const union ir_val *b,
			union ir_val *out, unsigned bytes)
{
	enum fp_format f = format_of(e->in->lane);
	unsigned size = ir_type_size(e->in->lane);
	bool turn270 = e->in->imm >> 8 & 1;
	for (unsigned i = 0; i < bytes / size; i += 2) {
		u64 re = lane_get(b, size, i + 1), im = lane_get(b, size, i);
		if (turn270)
			im = fp_neg(f, im, &e->ctl);
		else
			re = fp_neg(f, re, &e->ctl);
		lane_put(out, size, i, fp_add(f, lane_get(a, size, i), re, &e->ctl, e->flags));
		lane_put(out, size, i + 1, fp_add(f, lane_get(a, size, i + 1), im, &e->ctl, e->flags));
	}
}

/* Sums of f32 with products of f16 (FMLAL) or bf16. */
static void widening_sums(const struct fp_eval *e, const union ir_val *a, const union ir_val *b,
			  const union ir_val *c, union ir_val *out, unsigned bytes)
{
	unsigned n = bytes / 4, upper = e->in->imm >> 8 & 1,
		 neg = e->in->imm >> 9 & 1 ? FP_FMA_NEG_PRODUCT : 0;
	for (unsigned i = 0; i < n; i++) {
		u32 sum = lane_get(a, 4, i), r;
		if (e->in->op == IR_FMLAL) {
			unsigned k = upper * n + i;
			r = fp_fma_widen(FP_F16, FP_F32, lane_get(b, 2, k), lane_get(c, 2, k), sum, neg,
					 &e->ctl, e->flags);
		} else if (e->in->op == IR_BFMLAL) {
			unsigned k = 2 * i + upper;
			r = fp_arm_bfmlal(sum, lane_get(b, 2, k), lane_get(c, 2, k), &e->ctl, e->flags);
		} else if (e->in->op == IR_BFDOT) {
			r = fp_arm_bfdot(sum, lane_get(b, 4, i), lane_get(c, 4, i), upper, &e->ctl);
		} else { /* BFMMLA: row i / 2 of b by row i % 2 of c, four elements each, in every 16 bytes */
			unsigned row = i & ~3u;
			unsigned p = row + (i & 2), q = row + (i & 1) * 2;
			r = fp_arm_bfdot(sum, lane_get(b, 4, p), lane_get(c, 4, q), upper, &e->ctl);
			r = fp_arm_bfdot(r, lane_get(b, 4, p + 1), lane_get(c, 4, q + 1), upper, &e->ctl);
		}
		lane_put(out, 4, i, r);
	}
}

static void eval_vector(const struct fp_eval *e, const union ir_val *a, const union ir_val *b,
			const union ir_val *c, union ir_val *out)
{
	unsigned bytes = ir_type_size(e->in->type), size = ir_type_size(e->in->lane);
	switch (e->in->op) {
	case IR_FCVT:
		convert_lanes(e, a, out, bytes);
		return;
	case IR_FCMLA:
		complex_mla(e, a, b, c, out, bytes);
		return;
	case IR_FCADD:
		complex_add(e, a, b, out, bytes);
		return;
	case IR_FMLAL:
	case IR_BFDOT:
	case IR_BFMMLA:
	case IR_BFMLAL:
		widening_sums(e, a, b, c, out, bytes);
		return;
	}
	for (unsigned i = 0; i < bytes / size; i++)
		lane_put(out, size, i, lane_result(e, size, i, bytes / size, a, b, c));
}

bool ir_eval_fp(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		const union ir_val *b, const union ir_val *c, union ir_val *ret, u32 *fp_flags)
{
	u32 raised = 0;
	struct fp_eval e = { .r = r, .in = in, .ctl = r->fp, .flags = &raised };
	if (in->op != IR_FLFCMP && (in->op < IR_FADD || in->op > IR_BFMLAL))
		return false;
	if (in->op != IR_FLFCMP && in->op != IR_FCOPYSIGN)
		e.round = in->imm & 0xff;
	if (e.round != FP_ROUND_CTL)
		e.ctl.round = e.round;
	if (ir_is_vector(in->type)) {
		union ir_val out = { 0 }; /* ret may be an operand */
		eval_vector(&e, a, b, c, &out);
		memcpy(ret, &out, MAX(ir_type_size(in->type), 16u));
	} else {
		val_put(ret, in->type, eval_scalar(&e, a, b, c));
	}
	*fp_flags |= fp_sticky(&r->fp, raised);
	return true;
}
