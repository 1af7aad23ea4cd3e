/*
 * Quiet comparisons by hand: sticky flags are read, numbers compared, and the flags put back (RISC-V before Zfa has none else). Only NaNs
 * raise anything in a comparison, so the flags are put back where there was one.
 */
#include "translate/ir/passes.h"

enum { FAR = 32 };

/* The FPFLAGS of which v is the value, without more than the bits that the guest never sees; 0: of none. */
static ir_ref flags_read(const struct ir_region *r, ir_ref v)
{
	u32 seen = fp_sticky(&r->fp, ~0u);
	for (const struct ir_insn *in = r->insn + v; in->op != IR_FPFLAGS; in = r->insn + v) {
		bool low = in->op == IR_EXTRACTU && !in->b;
		u64 left = low			? BITS(in->c)
			   : in->op == IR_TRUNC ? BITS(ir_bits(in->type))
			   : in->op == IR_ZEXT	? ~0ull
						: 0;
		if (seen & ~left)
			return 0;
		v = in->a;
	}
	return v;
}

static bool compares(enum ir_op op)
{
	return op == IR_FEQ || op == IR_FLT || op == IR_FLE || op == IR_FUNORD;
}

void ir_unraise(struct ir_region *r, struct ir_insn *set, ir_ref first)
{
	ir_ref v = (ir_ref)(set - r->insn), read = flags_read(r, set->a), b = 0, c = 0;
	if (read < first || v - read > FAR)
		return;
	while (--v > read) {
		const struct ir_insn *in = r->insn + v;
		if (in->op == IR_CALL || in->op == IR_SETFPFLAGS || in->op == IR_UNRAISE)
			return;
		if (!ir_has(in->op, IR_F_FLOAT))
			continue;
		bool another = b && (b != in->a || c != in->b) && (b != in->b || c != in->a);
		if (!compares(in->op) || another || ir_type_of(r, in->a) > TY_F64)
			return;
		b = in->a, c = in->b;
	}
	if (b)
		*set = (struct ir_insn){ .op = IR_UNRAISE, .a = read, .b = b, .c = c };
	else
		*set = (struct ir_insn){ .op = IR_NOP };
}
