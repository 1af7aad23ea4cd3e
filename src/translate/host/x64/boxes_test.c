/* Boxes opened once: random regions of f32 in boxes against the interpreter. */
#include "boxes.c"
#include "base/test.h"
#include "translate/host/x64/compare.h"

/* Arithmetic of boxed f32, and now and then something else in the slots. */
static bool singles(const struct ir_region *r, const struct ir_insn *in)
{
	enum ir_type a = in->a ? r->insn[in->a].type : TY_VOID;
	switch (in->op) {
	case IR_FADD ... IR_FSQRT:
		return in->type == TY_F32 || (in->type == TY_F64 && r->n_insn % 16 == 0);
	case IR_FMA:
		return in->type == TY_F32;
	case IR_FEQ ... IR_FUNORD:
		return a == TY_F32;
	case IR_FBOX:
		return a == TY_F32 && in->type == TY_F64;
	case IR_FUNBOX:
		return a == TY_F64 && in->type == TY_F32;
	case IR_LD:
		return in->mem.type == in->type && in->type == TY_F32 && !in->mem.order;
	case IR_ST:
		return r->insn[in->b].type == TY_F64 && in->mem.type == TY_F64 && !in->mem.order;
	default:
		return false;
	}
}

static unsigned boxes_of(const struct rig *rig, const struct ir_region *r UNUSED)
{
	return ((const struct jit *)rig->job.own)->n_box;
}

/* Some of the numbers are boxes. */
static void box_some(struct random_cpu *start, u64 values)
{
	for (unsigned i = 0; i < LEN(start->d); i++)
		start->d[i] |= values >> i & 1 ? ~0ull << 32 : 0;
}

TEST(x64, boxes_that_a_region_opens_once_hold_what_their_slots_do)
{
	static const u16 one_home[] = { 27, 31, NO_SLOT }; /* d0 v0 */
	struct ir_random_options o = { .floats = true, .faults = true, .allow = singles };
	struct rig *rig = compare_rig(compare_int, one_home);
	unsigned boxes;
	rig->job.moves = MOVES_ALWAYS;
	CHECK_STR(random_slots[27].name, "d0");
	compare_hard_seeds(rig, o, 6, box_some, boxes_of, &boxes);
	CHECK(boxes * 40 > rig->compiled);
	rig_free(rig);
}
