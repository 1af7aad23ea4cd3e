/*
 * How long values live, where ways part. A value's `last` is its last use in the order of emission, and the block of that may lie on another way: what only a way
 * seldom taken still reads would be kept, and moved out of its slot's home, on all the others emitted before it. So when a block begins the lives of values are cut
 * to what is used from there on: in the block and in those that are reached through it alone, which the layout (traces, depth first) puts between it and
 * blk.reach.
 */
#include "translate/host/x64/jit.h"

/* v is used at this position. Lists are sorted; what is noted mostly comes before all of the list. */
static void note(struct jit *j, u32 v, u32 pos)
{
	j->use = grow(j->use, &j->use_cap, j->n_use + 2, sizeof(*j->use)); /* before p points into it */
	u32 *p = &j->val[v].use;
	while (*p && j->use[*p].pos < pos)
		p = &j->use[*p].next;
	if (*p && j->use[*p].pos == pos)
		return;
	u32 next = *p;
	j->use[++j->n_use] = (struct use){ pos, next };
	*p = j->n_use;
}

/* Where v is used its operands may be. */
static void pass_on(struct jit *j, u32 v, u32 operand)
{
	for (u32 u = j->val[v].use; u; u = j->use[u].next)
		note(j, operand, j->use[u].pos);
}

/* Is v computed, or computed again, where it is used? */
static bool later(const struct val *x, const struct ir_insn *in)
{
	return x->flags & VF_LATER || in->op == IR_FLPACK || (in->type == TY_FLAGS && x->fkind & 0x80);
}

static void note_uses_by(struct jit *j, const struct blk *b, u32 v, u32 pos)
{
	const struct ir_insn *in = &j->r->insn[v];
	const u32 operand[3] = { in->a, in->b, in->c };
	const struct val *x = &j->val[v];
	bool put_off = later(x, in);
	for (unsigned k = 0; k < 3; k++) {
		if (!ir_is_value(in->op, k) || !operand[k] || j->r->insn[operand[k]].op == IR_CONST)
			continue;
		u32 next = j->val[operand[k]].use;
		if (!next || j->use[next].pos >= b->end_pos) /* of a block the last use counts */
			note(j, operand[k], in->op == IR_ARGS ? pos + 1 : pos);
		if (put_off)
			pass_on(j, v, operand[k]);
	}
	if (x->flags & VF_RESULT)
		pass_on(j, v, x->partner);
}

void find_uses(struct jit *j)
{
	for (u32 o = j->n_order; o-- > 0;) {
		struct blk *x = &j->blk[j->order[o]];
		x->reach = MAX(x->reach, x->end_pos);
		if (x->preds == 1 && x->pred != ~0u)
			j->blk[x->pred].reach = MAX(j->blk[x->pred].reach, x->reach);
		for (u32 pos = x->end_pos; pos-- > x->first_pos;)
			note_uses_by(j, x, j->at[pos], pos);
	}
	for (u32 i = 0; i < j->r->n_insn; i++)
		j->val[i].latest = j->val[i].last;
}

void cut_life(struct jit *j, const struct blk *x, u32 v)
{
	struct val *value = &j->val[v];
	if (value->flags & VF_MERGE || !value->use)
		return;
	value->last = value->latest;
	if (value->last < x->reach)
		return;
	value->last = 0;
	for (u32 u = value->use; u && j->use[u].pos < x->reach; u = j->use[u].next)
		value->last = j->use[u].pos;
	j->next_death = 0;
}
