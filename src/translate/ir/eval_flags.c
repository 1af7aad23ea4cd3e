/* Condition flags, as numbers in the form of FLBITS. */
#include "translate/ir/eval.h"

static u32 flags_of(unsigned w, u128 result)
{
	result = zext(result, w);
	return (result >> (w - 1) & 1 ? FL_N : 0) | (result ? 0 : FL_Z) |
	       (__builtin_parity((u8)result) ? 0 : FL_P);
}

/* Of a + b + carry at w bits. */
static u32 flags_add(unsigned w, u128 a, u128 b, bool carry)
{
	b = zext(b, w);
	u128 sum = zext(a + b + carry, w);
	bool c = sum < a || (carry && sum == a);
	bool v = ((a ^ sum) & (b ^ sum)) >> (w - 1) & 1;
	bool half = (a & 15) + (b & 15) + carry > 15;
	return flags_of(w, sum) | (c ? FL_C : 0) | (v ? FL_V : 0) | (half ? FL_A : 0);
}

/* Of a - b - !carry; borrow: C and A say "borrow", not "no borrow". */
static u32 flags_sub(unsigned w, u128 a, u128 b, bool carry, bool borrow)
{
	return flags_add(w, a, ~b, carry) ^ (borrow ? FL_C | FL_A : 0);
}

static bool holds(enum ir_cc cc, u32 fl)
{
	bool n = fl & FL_N, z = fl & FL_Z, c = fl & FL_C, v = fl & FL_V, p = fl & FL_P;
	/* clang-format off */
	switch (cc) {
	case CC_EQ: return z;
	case CC_NE: return !z;
	case CC_CS: return c;
	case CC_CC: return !c;
	case CC_MI: return n;
	case CC_PL: return !n;
	case CC_VS: return v;
	case CC_VC: return !v;
	case CC_HI: return c && !z;
	case CC_LS: return !(c && !z);
	case CC_GE: return n == v;
	case CC_LT: return n != v;
	case CC_GT: return !z && n == v;
	case CC_LE: return !(!z && n == v);
	case CC_AL: return true;
	case CC_A: return !c && !z;
	case CC_BE: return !(!c && !z);
	case CC_P: return p;
	case CC_NP: return !p;
	case CC_COUNT: break;
	}
	/* clang-format on */
	return false;
}

void ir_eval_flags(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		   const union ir_val *b, const union ir_val *c, union ir_val *ret)
{
	const u32 all = FL_N | FL_Z | FL_C | FL_V | FL_P | FL_A;
	const char *operands = ir_op_info[in->op].operands;
	enum ir_type type = r->insn[in->a].type;
	unsigned w = ir_type_size(type) * 8;
	u128 x = val_num(a, type), y = operands[1] == 'v' ? val_num(b, r->insn[in->b].type) : 0;
	bool carry = operands[2] == 'v' && (c->b[0] & 1);
	u32 fl = 0;
	switch (in->op) {
	case IR_FLADD:
		fl = flags_add(w, x, y, false);
		break;
	case IR_FLADC:
		fl = flags_add(w, x, y, carry);
		break;
	case IR_FLSUB:
		fl = flags_sub(w, x, y, true, in->imm);
		break;
	case IR_FLSBC:
		fl = flags_sub(w, x, y, carry != (bool)in->imm, in->imm);
		break;
	case IR_FLLOGIC:
		fl = flags_of(w, x);
		break;
	case IR_FLPACK:
	case IR_FLBITS:
		fl = x & all;
		break;
	case IR_FLMERGE:
		fl = ((u32)x & ~(u32)in->imm) | ((u32)y & (u32)in->imm);
		break;
	case IR_COND:
		fl = holds(in->imm, x);
		break;
	}
	val_put(ret, in->type, fl);
}
