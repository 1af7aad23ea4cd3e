/* NaNs that may be any: random regions of doubles against the interpreter. */
#include "loose.c"
#include "base/test.h"
#include "translate/host/x64/compare.h"

/* Arithmetic of doubles, and now and then somebody who looks at them. */
static bool doubles(const struct ir_region *r, const struct ir_insn *in)
{
	enum ir_type a = in->a ? r->insn[in->a].type : TY_VOID;
	switch (in->op) {
	case IR_FADD ... IR_FSQRT:
	case IR_FMA:
		return in->type == TY_F64;
	case IR_FEQ ... IR_FUNORD:
		return a == TY_F64;
	case IR_FNEG:
	case IR_FCOPYSIGN:
	case IR_SELECT:
		return in->type == TY_F64 && r->n_insn % 4 == 0;
	case IR_CAST:
		return a == TY_F64 && in->type == TY_I64 && r->n_insn % 4 == 0;
	case IR_LD:
		return in->mem.type == in->type && in->type == TY_F64 && !in->mem.order;
	case IR_ST:
		return r->insn[in->b].type == TY_F64 && in->mem.type == TY_F64 && !in->mem.order;
	default:
		return false;
	}
}

/* How many of a compiled region's results are not tested. */
static unsigned loose_results(const struct rig *rig, const struct ir_region *r)
{
	const struct jit *j = rig->job.own;
	unsigned n = 0;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &r->block[j->order[o]];
		for (u32 i = b->first; i < b->first + b->count; i++)
			n += r->insn[i].op >= IR_FADD && r->insn[i].op <= IR_FSQRT && j->val[i].flags & VF_LOOSE;
	}
	return n;
}

TEST(x64, nans_that_nobody_looks_at_are_the_default_one_where_a_region_is_left)
{
	static const u16 one_home[] = { 27, 31, NO_SLOT }; /* d0 v0 */
	struct ir_random_options o = { .floats = true, .faults = true, .allow = doubles };
	struct rig *rig = compare_rig(compare_int, one_home);
	unsigned loose;
	CHECK_STR(random_slots[27].name, "d0");
	compare_hard_seeds(rig, o, 5, NULL, loose_results, &loose);
	CHECK(loose > rig->compiled);
	rig_free(rig);
}
