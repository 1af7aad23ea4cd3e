/*
 * Vectors: moving lanes, and arithmetic lane by lane. Meanings as Arm's pseudo-code has them where ops.h names an Arm instruction
 * (rems-project/sail-arm, arm-v9.4-a/src/instrs64.sail: USHL, UQRSHL, SQRDMLAH, ...).
 */
#include "translate/ir/eval.h"

/* ---- one lane ---- */

static u64 sat_s(i128 v, unsigned w)
{
	i128 max = ((i128)1 << (w - 1)) - 1;
	return (u64)(v > max ? max : v < -max - 1 ? -max - 1 : v);
}

static u64 sat_u(i128 v, unsigned w)
{
	i128 max = ((i128)1 << w) - 1;
	return (u64)(v > max ? max : v < 0 ? 0 : v);
}

/* v >> n without bounds; round: to nearest, halves up. v has at most 65 bits, so 100 places are as good as any more. */
static i128 shift_right(i128 v, unsigned n, bool round)
{
	if (n > 100)
		n = 100;
	return round && n ? (v + ((i128)1 << (n - 1))) >> n : v >> n;
}

/* v by the signed byte count, plain. */
static u64 shift(i128 v, i8 count, unsigned w, bool round)
{
	if (count < 0)
		return (u64)shift_right(v, -count, round);
	return (unsigned)count < w ? (u64)v << count : 0;
}

/* The same with saturation to a signed or unsigned lane. */
static u64 shift_sat(i128 v, i8 count, unsigned w, bool round, u64 (*sat)(i128, unsigned))
{
	if (count < 0)
		return sat(shift_right(v, -count, round), w);
	if ((unsigned)count >= w) /* all that is not zero is too large */
		return sat(v > 0 ? (i128)1 << 100 : v < 0 ? -((i128)1 << 100) : 0, w);
	return sat(v << count, w);
}

static u64 ones(bool cond)
{
	return cond ? ~0ull : 0;
}

/* (acc << w) + 2 * product + rounding, its high half; acc and product as they come out without the factor 2. */
static u64 doubling_high(i128 acc, i128 product, unsigned w)
{
	return sat_s(((acc << (w - 1)) + product + ((i128)1 << (w - 2))) >> (w - 1), w);
}

struct operands {
	i128 u, s; /* a, zero-extended and sign-extended */
	i128 ub, sb, uc, sc;
};

static u64 lane_op(const struct ir_insn *in, unsigned w, const struct operands *o)
{
	i128 a = o->u, b = o->ub, sa = o->s, sb = o->sb, sc = o->sc;
	unsigned imm = in->imm;
	i8 n = (i8)(u8)o->ub;
	/* clang-format off */
	switch (in->op) {
	case IR_VEQ: return ones(a == b);
	case IR_VGTU: return ones(a > b);
	case IR_VGTS: return ones(sa > sb);
	case IR_VGEU: return ones(a >= b);
	case IR_VGES: return ones(sa >= sb);
	case IR_VTST: return ones(a & b);
	case IR_QADDU: return sat_u(a + b, w);
	case IR_QADDS: return sat_s(sa + sb, w);
	case IR_QSUBU: return sat_u(a - b, w);
	case IR_QSUBS: return sat_s(sa - sb, w);
	case IR_QADDUS: return sat_u(a + sb, w);
	case IR_QADDSU: return sat_s(sa + b, w);
	case IR_QDMULH: return sat_s(sa * sb >> (w - 1), w);
	case IR_QRDMULH: return doubling_high(0, sa * sb, w);
	case IR_QRDMLAH: return doubling_high(sa, sb * sc, w);
	case IR_QRDMLSH: return doubling_high(sa, -(sb * sc), w);
	case IR_HADDU: return (u64)((a + b) >> 1);
	case IR_HADDS: return (u64)((sa + sb) >> 1);
	case IR_RHADDU: return (u64)((a + b + 1) >> 1);
	case IR_RHADDS: return (u64)((sa + sb + 1) >> 1);
	case IR_HSUBU: return (u64)((a - b) >> 1);
	case IR_HSUBS: return (u64)((sa - sb) >> 1);
	case IR_ABDU: return (u64)(a > b ? a - b : b - a);
	case IR_ABDS: return (u64)(sa > sb ? sa - sb : sb - sa);
	case IR_SHLVU: return shift(a, n, w, false);
	case IR_SHLVS: return shift(sa, n, w, false);
	case IR_RSHLVU: return shift(a, n, w, true);
	case IR_RSHLVS: return shift(sa, n, w, true);
	case IR_QSHLVU: return shift_sat(a, n, w, false, sat_u);
	case IR_QSHLVS: return shift_sat(sa, n, w, false, sat_s);
	case IR_QSHLVSU: return shift_sat(sa, n, w, false, sat_u);
	case IR_QRSHLVU: return shift_sat(a, n, w, true, sat_u);
	case IR_QRSHLVS: return shift_sat(sa, n, w, true, sat_s);
	case IR_RSHRU: return (u64)shift_right(a, imm, true);
	case IR_RSHRS: return (u64)shift_right(sa, imm, true);
	case IR_SLI: return ((u64)a & (u64)(((i128)1 << imm) - 1)) | (u64)b << imm;
	case IR_SRI: return ((u64)a & ~(u64)(zext(~(u128)0, w) >> imm)) | (u64)(b >> imm);
	case IR_PADD: return (u64)(a + b);
	case IR_MINU: case IR_PMINU: case IR_REDMINU: return (u64)(a < b ? a : b);
	case IR_MINS: case IR_PMINS: case IR_REDMINS: return (u64)(sa < sb ? sa : sb);
	case IR_MAXU: case IR_PMAXU: case IR_REDMAXU: return (u64)(a > b ? a : b);
	case IR_MAXS: case IR_PMAXS: case IR_REDMAXS: return (u64)(sa > sb ? sa : sb);
	case IR_REDADD: return (u64)(a + b);
	}
	/* clang-format on */
	abort(); /* not an operation of this section */
}

static struct operands operands_of(u64 a, u64 b, u64 c, unsigned w)
{
	return (struct operands){ a, sext(a, w), b, sext(b, w), c, sext(c, w) };
}

static void lanewise(const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
		     const union ir_val *c, union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(in->type) / size;
	bool two = ir_op_info[in->op].operands[1] == 'v', three = ir_op_info[in->op].operands[2] == 'v';
	for (unsigned i = 0; i < n; i++) {
		struct operands o = operands_of(lane_get(a, size, i), two ? lane_get(b, size, i) : 0,
						three ? lane_get(c, size, i) : 0, size * 8);
		lane_put(ret, size, i, lane_op(in, size * 8, &o));
	}
}

/* ---- across lanes ---- */

/* Neighbours of a, then of b. */
static void pairwise(const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
		     union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(in->type) / size;
	for (unsigned i = 0; i < n; i++) {
		const union ir_val *from = i < n / 2 ? a : b;
		unsigned k = 2 * i % n;
		struct operands o =
		    operands_of(lane_get(from, size, k), lane_get(from, size, k + 1), 0, size * 8);
		lane_put(ret, size, i, lane_op(in, size * 8, &o));
	}
}

static void reduce(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		   union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(r->insn[in->a].type) / size;
	u64 sum = lane_get(a, size, 0);
	for (unsigned i = 1; i < n; i++) {
		struct operands o = operands_of(sum, lane_get(a, size, i), 0, size * 8);
		sum = (u64)zext(lane_op(in, size * 8, &o), size * 8);
	}
	val_put(ret, in->type, sum);
}

/* A lane of a, widened by the sign or with zeros. */
static i128 wide(const union ir_val *a, unsigned size, unsigned i, bool is_signed)
{
	u64 v = lane_get(a, size, i);
	return is_signed ? sext(v, size * 8) : (i128)v;
}

static void pairs_widened(const struct ir_insn *in, const union ir_val *a, union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(in->type) / size;
	bool is_signed = in->op == IR_PADDWS;
	for (unsigned i = 0; i < n; i += 2)
		lane_put(ret, 2 * size, i / 2,
			 (u64)(wide(a, size, i, is_signed) + wide(a, size, i + 1, is_signed)));
}

/* Halves of vectors, to lanes of twice the size: WIDEN and MULL (b NULL: WIDEN). */
static void widen(const struct ir_insn *in, const union ir_val *a, const union ir_val *b, union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(in->type) / size / 2, from = in->imm ? n : 0;
	bool is_signed = in->op == IR_WIDENS || in->op == IR_MULLS;
	for (unsigned i = 0; i < n; i++) {
		i128 v = wide(a, size, from + i, is_signed);
		lane_put(ret, 2 * size, i, (u64)(b ? v * wide(b, size, from + i, is_signed) : v));
	}
}

static void narrow(const struct ir_insn *in, const union ir_val *a, union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), n = ir_type_size(in->type) / size;
	for (unsigned i = 0; i < n; i++) {
		i128 u = wide(a, size, i, false), s = wide(a, size, i, true);
		u64 v = in->op == IR_NARROWUS	? sat_u(u, size * 4)
			: in->op == IR_NARROWSS ? sat_s(s, size * 4)
			: in->op == IR_NARROWSU ? sat_u(s, size * 4)
						: (u64)u;
		lane_put(ret, size / 2, i, v);
	}
	memset(ret->b + n * size / 2, 0, n * size / 2);
}

/* ---- bytes ---- */

static void shuffle(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		    const union ir_val *b, union ir_val *ret)
{
	const u8 *from = r->consts[in->imm];
	for (unsigned i = 0; i < ir_type_size(in->type); i++) {
		unsigned segment = i & ~15u, k = from[i & 15];
		ret->b[i] = k < 16 ? a->b[segment + k] : k < 32 ? b->b[segment + k - 16] : 0;
	}
}

static void table(const struct ir_insn *in, const union ir_val *a, const union ir_val *b, union ir_val *ret)
{
	for (unsigned i = 0; i < ir_type_size(in->type); i++)
		ret->b[i] = b->b[i] < 16 ? a->b[(i & ~15u) + b->b[i]] : 0;
}

static void select_bits(const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
			const union ir_val *c, union ir_val *ret)
{
	for (unsigned i = 0; i < ir_type_size(in->type); i++)
		ret->b[i] = (a->b[i] & b->b[i]) | (~a->b[i] & c->b[i]);
}

/* The top bits of the lanes, lane 0's lowest. */
static void top_bits(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		     union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane);
	u64 bits = 0;
	for (unsigned i = 0; i < ir_type_size(r->insn[in->a].type) / size; i++)
		bits |= (lane_get(a, size, i) >> (size * 8 - 1) & 1) << i;
	val_put(ret, in->type, bits);
}

/* ---- products of rows ---- */

/* a's lane + the sum of four products of parts a quarter as long. */
static void dot(const struct ir_insn *in, const union ir_val *a, const union ir_val *b, const union ir_val *c,
		union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane), part = size / 4;
	for (unsigned i = 0; i < ir_type_size(in->type) / size; i++) {
		i128 sum = lane_get(a, size, i);
		for (unsigned k = 4 * i; k < 4 * i + 4; k++)
			sum += wide(b, part, k, in->op == IR_DOTS) * wide(c, part, k, in->op != IR_DOTU);
		lane_put(ret, size, i, (u64)sum);
	}
}

/* In each 16 bytes: a (2 x 2 words) + b (2 rows of 8 bytes) times c's rows. */
static void matrix(const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
		   const union ir_val *c, union ir_val *ret)
{
	for (unsigned i = 0; i < ir_type_size(in->type) / 4; i++) {
		unsigned segment = i / 4 * 16, row = segment + (i % 4 / 2) * 8,
			 column = segment + (i % 2) * 8;
		i128 sum = lane_get(a, 4, i);
		for (unsigned k = 0; k < 8; k++)
			sum += wide(b, 1, row + k, in->op == IR_MMLAS) *
			       wide(c, 1, column + k, in->op != IR_MMLAU);
		lane_put(ret, 4, i, (u64)sum);
	}
}

/* ---- between vectors and scalars ---- */

static void duplicate(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		      union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane);
	u64 v = (u64)val_num(a, r->insn[in->a].type);
	for (unsigned i = 0; i < ir_type_size(in->type) / size; i++)
		lane_put(ret, size, i, v);
}

void ir_eval_vec(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		 const union ir_val *b, const union ir_val *c, union ir_val *ret)
{
	unsigned all = ir_type_size(in->type), size = ir_type_size(in->lane);
	switch (in->op) {
	case IR_DUP:
		duplicate(r, in, a, ret);
		return;
	case IR_VGET:
		val_put(ret, in->type, lane_get(a, size, in->imm));
		return;
	case IR_VGETS:
		val_put(ret, in->type, (u128)sext(lane_get(a, size, in->imm), size * 8));
		return;
	case IR_VSET:
		memcpy(ret, a, all);
		lane_put(ret, size, in->imm, (u64)val_num(b, r->insn[in->b].type));
		return;
	case IR_VLOW:
		memmove(ret, a, in->imm);
		memset(ret->b + in->imm, 0, all - in->imm);
		return;
	case IR_VZEXT:
		memset(ret, 0, all);
		val_put(ret, TY_V128, val_num(a, r->insn[in->a].type));
		return;
	case IR_VTRUNC:
		val_put(ret, in->type, val_num(a, TY_V128));
		return;
	case IR_SHUFFLE:
		shuffle(r, in, a, b, ret);
		return;
	case IR_TBL:
		table(in, a, b, ret);
		return;
	case IR_BSL:
		select_bits(in, a, b, c, ret);
		return;
	case IR_WIDENU:
	case IR_WIDENS:
		widen(in, a, NULL, ret);
		return;
	case IR_MULLU:
	case IR_MULLS:
		widen(in, a, b, ret);
		return;
	case IR_NARROW:
	case IR_NARROWUS:
	case IR_NARROWSS:
	case IR_NARROWSU:
		narrow(in, a, ret);
		return;
	case IR_PADD:
	case IR_PMINU:
	case IR_PMINS:
	case IR_PMAXU:
	case IR_PMAXS:
		pairwise(in, a, b, ret);
		return;
	case IR_PADDWU:
	case IR_PADDWS:
		pairs_widened(in, a, ret);
		return;
	case IR_REDADD:
	case IR_REDMINU:
	case IR_REDMINS:
	case IR_REDMAXU:
	case IR_REDMAXS:
		reduce(r, in, a, ret);
		return;
	case IR_VBITS:
		top_bits(r, in, a, ret);
		return;
	case IR_DOTU:
	case IR_DOTS:
	case IR_DOTUS:
		dot(in, a, b, c, ret);
		return;
	case IR_MMLAU:
	case IR_MMLAS:
	case IR_MMLAUS:
		matrix(in, a, b, c, ret);
		return;
	default:
		lanewise(in, a, b, c, ret);
	}
}
