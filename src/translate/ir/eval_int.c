/* Integers: constants, arithmetic on scalars and lanes, widths, comparison, choice. */
#include "translate/ir/eval.h"

static u128 mulhu128(u128 a, u128 b)
{
	u128 low = (u128)(u64)a * (u64)b, mid1 = (u128)(u64)(a >> 64) * (u64)b,
	     mid2 = (u128)(u64)a * (u64)(b >> 64);
	u128 mid = (low >> 64) + (u64)mid1 + (u64)mid2;
	return (u128)(u64)(a >> 64) * (u64)(b >> 64) + (mid1 >> 64) + (mid2 >> 64) + (mid >> 64);
}

static u128 mulhu(unsigned w, u128 a, u128 b)
{
	return w == 128 ? mulhu128(a, b) : a * b >> w;
}

/* The signed product's high half: that of the unsigned one, less what a sign bit stands for too much. */
static u128 mulhs(unsigned w, u128 a, u128 b)
{
	return mulhu(w, a, b) - (a >> (w - 1) & 1 ? b : 0) - (b >> (w - 1) & 1 ? a : 0);
}

static unsigned leading_zeros(unsigned w, u128 a)
{
	unsigned n = 0;
	while (n < w && !(a >> (w - 1 - n) & 1))
		n++;
	return n;
}

static unsigned trailing_zeros(unsigned w, u128 a)
{
	unsigned n = 0;
	while (n < w && !(a >> n & 1))
		n++;
	return n;
}

static u128 reverse(unsigned w, unsigned unit, u128 a)
{
	u128 out = 0;
	for (unsigned i = 0; i < w; i += unit)
		out |= (a >> i & BITS(unit)) << (w - unit - i);
	return out;
}

static u128 scatter(unsigned w, u128 a, u128 mask)
{
	u128 out = 0;
	for (unsigned i = 0, n = 0; i < w; i++)
		if (mask >> i & 1)
			out |= (a >> n++ & 1) << i;
	return out;
}

static u128 gather(unsigned w, u128 a, u128 mask)
{
	u128 out = 0;
	for (unsigned i = 0, n = 0; i < w; i++)
		if (mask >> i & 1)
			out |= (a >> i & 1) << n++;
	return out;
}

static u128 deposit(u128 a, u128 b, unsigned pos, unsigned len)
{
	u128 mask = (len == 128 ? ~(u128)0 : ((u128)1 << len) - 1) << pos;
	return (a & ~mask) | (b << pos & mask);
}

/*
 * One scalar or lane of w bits; a and b are zero-extended to 128 bits, the result's bits above w do not count.
 */
static u128 one(const struct ir_insn *in, unsigned w, u128 a, u128 b)
{
	i128 sa = sext(a, w), sb = sext(b, w);
	unsigned n = b % w; /* of scalars' shifts */
	/* clang-format off */
	switch (in->op) {
	case IR_COPY: return a;
	case IR_ADD: return a + b;
	case IR_SUB: return a - b;
	case IR_MUL: return a * b;
	case IR_MULHU: return mulhu(w, a, b);
	case IR_MULHS: return mulhs(w, a, b);
	case IR_DIVU: return b ? a / b : 0;
	case IR_DIVS: return !b ? 0 : sb == -1 ? -a : (u128)(sa / sb);
	case IR_REMU: return b ? a % b : a;
	case IR_REMS: return !b ? a : sb == -1 ? 0 : (u128)(sa % sb);
	case IR_NEG: return -a;
	case IR_ABS: return sa < 0 ? -a : a;
	case IR_AND: return a & b;
	case IR_OR: return a | b;
	case IR_XOR: return a ^ b;
	case IR_ANDN: return a & ~b;
	case IR_NOT: return ~a;
	case IR_SHL: return a << n;
	case IR_SHR: return a >> n;
	case IR_SAR: return (u128)(sa >> n);
	case IR_ROTR: return n ? a >> n | a << (w - n) : a;
	case IR_FUNNEL: return in->imm ? b >> in->imm | a << (w - in->imm) : b;
	case IR_MINU: return a < b ? a : b;
	case IR_MINS: return sa < sb ? a : b;
	case IR_MAXU: return a > b ? a : b;
	case IR_MAXS: return sa > sb ? a : b;
	case IR_CLZ: return leading_zeros(w, a);
	case IR_CTZ: return trailing_zeros(w, a);
	case IR_CLS: return leading_zeros(w, zext(sa < 0 ? ~a : a, w)) - 1;
	case IR_POPCNT: return __builtin_popcountll(a) + __builtin_popcountll(a >> 64);
	case IR_BSWAP: return reverse(w, 8, a);
	case IR_BITREV: return reverse(w, 1, a);
	case IR_EXTRACTU: return zext(a >> in->b, in->c);
	case IR_EXTRACTS: return (u128)sext(a >> in->b, in->c);
	case IR_DEPOSIT: return deposit(a, b, in->imm & 0xff, in->imm >> 8 & 0xff);
	case IR_PDEP: return scatter(w, a, b);
	case IR_PEXT: return gather(w, a, b);
	case IR_EQ: return a == b;
	case IR_NE: return a != b;
	case IR_LTU: return a < b;
	case IR_LTS: return sa < sb;
	case IR_LEU: return a <= b;
	case IR_LES: return sa <= sb;
	}
	/* clang-format on */
	abort(); /* not an operation of this section */
}

/* A vector's shifts: every lane by the same scalar count, which is not reduced. */
static u64 shift_lane(enum ir_op op, unsigned w, u64 a, u128 n)
{
	if (op == IR_SHL)
		return n < w ? a << n : 0;
	if (op == IR_SHR)
		return n < w ? a >> n : 0;
	return (u64)(sext(a, w) >> (n < w ? n : w - 1));
}

static bool is_shift(enum ir_op op)
{
	return op == IR_SHL || op == IR_SHR || op == IR_SAR;
}

/* A count's type is its own. */
static enum ir_type count_type(const struct ir_region *r, ir_ref b)
{
	return r->insn[b].type;
}

static void lanes(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		  const union ir_val *b, union ir_val *ret)
{
	unsigned size = ir_type_size(in->lane) ? ir_type_size(in->lane) : 8,
		 n = ir_type_size(in->type) / size;
	bool two = ir_op_info[in->op].operands[1] == 'v';
	u128 count = is_shift(in->op) ? val_num(b, count_type(r, in->b)) : 0;
	for (unsigned i = 0; i < n; i++) {
		u64 x = lane_get(a, size, i);
		if (is_shift(in->op))
			lane_put(ret, size, i, shift_lane(in->op, size * 8, x, count));
		else
			lane_put(ret, size, i, one(in, size * 8, x, two ? lane_get(b, size, i) : 0));
	}
}

static unsigned width(enum ir_type type)
{
	return type == TY_I1 ? 1 : ir_type_size(type) * 8;
}

void ir_eval_int(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		 const union ir_val *b, const union ir_val *c, union ir_val *ret)
{
	const char *operands = ir_op_info[in->op].operands;
	enum ir_type ta = operands[0] == 'v' ? r->insn[in->a].type : TY_VOID;
	enum ir_type tb = operands[1] == 'v' ? r->insn[in->b].type : TY_VOID;
	switch (in->op) {
	case IR_NOP:
		ret->q = 0;
		return;
	case IR_CONST:
		val_put(ret, in->type, in->imm);
		return;
	case IR_VCONST:
		memcpy(ret, r->consts[in->imm], ir_type_size(in->type));
		return;
	case IR_COPY:
		memcpy(ret, a, ir_type_size(in->type));
		return;
	case IR_SELECT:
		memcpy(ret, a->b[0] & 1 ? b : c, ir_type_size(in->type));
		return;
	case IR_ADC:
		val_put(ret, in->type, val_num(a, ta) + val_num(b, tb) + (c->b[0] & 1));
		return;
	case IR_SBC:
		val_put(ret, in->type, val_num(a, ta) - val_num(b, tb) - ((c->b[0] & 1) ^ (in->imm == 0)));
		return;
	case IR_MULWU:
		val_put(ret, in->type, val_num(a, ta) * val_num(b, tb));
		return;
	case IR_MULWS:
		val_put(ret, in->type,
			(u128)(sext(val_num(a, ta), width(ta)) * sext(val_num(b, tb), width(tb))));
		return;
	case IR_ZEXT:
	case IR_TRUNC:
	case IR_LO:
	case IR_CAST:
		if (ir_type_size(in->type) > 16)
			memcpy(ret, a, ir_type_size(in->type));
		else
			val_put(ret, in->type, val_num(a, ta));
		return;
	case IR_SEXT:
		val_put(ret, in->type, (u128)sext(val_num(a, ta), width(ta)));
		return;
	case IR_HI:
		val_put(ret, in->type, val_num(a, ta) >> (width(ta) - width(in->type)));
		return;
	case IR_PAIR:
		val_put(ret, in->type, val_num(a, ta) | val_num(b, tb) << width(ta));
		return;
	}
	if (ir_is_vector(in->type))
		lanes(r, in, a, b, ret);
	else
		val_put(ret, in->type, one(in, width(ta), val_num(a, ta), val_num(b, tb)));
}
