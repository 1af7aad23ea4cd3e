/* Removes SETs that nobody can see and values that nobody uses. What counts as seeing stands in passes.h. */
#include "translate/ir/passes.h"

enum { MOST_EDGES = 64 }; /* in a region; more stay where they are */

struct dead {
	struct ir_region *r;
	bool (*flags_dead_at)(void *user, u64 pc);
	void *user;
	u32 words; /* of a set of slots */
	u32 *uses; /* of each value */
	u64 *live; /* slots that somebody may yet see, at the place where we are */
	u64 *live_in; /* of each block: at its start */
	u64 *left; /* of each block: what its end itself makes live, by leaving the region */
	u64 *gen, *kill; /* of each block: what it makes live at its start, and what it sets */
	u64 *ordinary, *flags; /* the guest's slots that are not flags, and those that are */
	u32 *order, n_order; /* the blocks that have instructions, in the order of those */
	u8 *preds; /* of each block, at most 2 */
	struct edge { /* SETs that go between two blocks: `set` on block `from`'s way to `to` */
		u32 from, to;
		struct ir_insn set;
	} edge[MOST_EDGES];
	u32 n_edge;
};

static void add(struct dead *d, const u64 *set)
{
	for (u32 i = 0; i < d->words; i++)
		d->live[i] |= set[i];
}

static void add_slot(struct dead *d, u32 slot)
{
	d->live[slot / 64] |= BIT(slot % 64);
}

static bool is_live(const struct dead *d, u32 slot)
{
	return d->live[slot / 64] >> (slot % 64) & 1;
}

static u64 *of_block(const struct dead *d, u64 *sets, u32 b)
{
	return sets + (size_t)b * d->words;
}

/* ---- exits ---- */

/* What is live behind a block's end because the region may be left there. */
static void find_left(struct dead *d, u32 b)
{
	const struct ir_region *r = d->r;
	const struct ir_insn *end = r->insn + r->block[b].first + r->block[b].count - 1;
	u64 *left = of_block(d, d->left, b);
	u32 to[2];
	unsigned n = ir_successors(r, b, to);
	bool poll = n && (ir_polls(r, b, to[0]) || ir_polls(r, b, to[n - 1]));
	if (n && !poll)
		return;
	memcpy(left, d->ordinary, d->words * sizeof(u64));
	bool known = end->op == IR_JUMP || end->op == IR_GOSUB || (end->op == IR_RAISE && end->b == EV_NONE);
	if (n || (known && d->flags_dead_at && d->flags_dead_at(d->user, end->imm)))
		return;
	for (u32 i = 0; i < d->words; i++)
		left[i] |= d->flags[i];
}

/* What is live behind a block's end. */
static void leave(struct dead *d, u32 b)
{
	u32 to[2];
	memcpy(d->live, of_block(d, d->left, b), d->words * sizeof(u64));
	for (unsigned n = ir_successors(d->r, b, to); n-- > 0;)
		add(d, of_block(d, d->live_in, to[n]));
}

/* ---- instructions ---- */

static void call(struct dead *d, const struct ir_insn *in)
{
	const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)in->imm;
	if (helper->effects & (HELP_MEMORY | HELP_RAISES))
		add(d, d->ordinary);
	if (!(helper->effects & HELP_READS))
		return;
	if (!helper->slots) {
		add(d, d->ordinary);
		add(d, d->flags);
	} else {
		for (const u16 *s = helper->slots; *s != 0xffff; s++)
			add_slot(d, *s);
	}
}

static bool unused_call(const struct ir_insn *in)
{
	return !(((const struct ir_helper *)(uintptr_t)in->imm)->effects & ~HELP_READS);
}

enum { HAS_A = 1, HAS_B = 2, HAS_C = 4, REMOVABLE = 8, FAULTS = 16, IS_SLOT = 32 };
/* clang-format off */
static const u8 traits[IR_OP_COUNT] = {
#define _(name, ops, res, flag) \
	[IR_##name] = ((flag)[0] == 'P' || IR_##name == IR_GET || IR_##name == IR_GETX || IR_##name == IR_PHI || IR_##name == IR_FPFLAGS ? REMOVABLE : 0) | \
		      ((flag)[0] == 'M' && IR_##name != IR_FENCE ? FAULTS : 0) | ((flag)[0] == 'S' ? IS_SLOT : 0) | \
		      ((ops)[0] == 'v' ? HAS_A : 0) | ((ops)[1] == 'v' ? HAS_B : 0) | ((ops)[2] == 'v' ? HAS_C : 0),
	IR_OPS(_)
#undef _
};
/* clang-format on */

/* Adds n uses to what an instruction uses; literals count for no value: by masks, since jumps would go wrong too often. */
static inline void count_uses(const struct dead *d, u32 *uses, const struct ir_insn *in, u32 n)
{
	u32 has = traits[in->op];
	if (UNLIKELY(in->op == IR_PHI))
		for (u32 k = 0; k < in->a; k++)
			uses[d->r->args[in->imm + 2 * k + 1]] += n;
	if (!(has & (HAS_A | HAS_B | HAS_C)))
		return;
	uses[in->a & -(has & HAS_A)] += n;
	uses[in->b & -(has / HAS_B & 1)] += n;
	if (has & HAS_C)
		uses[in->c] += n;
}

static void remove_insn(struct dead *d, struct ir_insn *in)
{
	count_uses(d, d->uses, in, -1u);
	*in = (struct ir_insn){ .op = IR_NOP };
}

/* What a slot operation makes live; SETs are not its business. */
static void slot_op(struct dead *d, const struct ir_insn *in)
{
	const struct ir_region *r = d->r;
	switch (in->op) {
	case IR_GET:
		add_slot(d, ir_slot_number(r, in->imm));
		break;
	case IR_GETX:
		for (u32 i = 0; i < r->slot[in->imm].array; i++)
			add_slot(d, (u32)in->imm + i);
		break;
	case IR_CALL:
		call(d, in);
		break;
	}
}

/* Is the condition one of those flags, or the comparison of what they were made from? */
static bool asks_for(const struct ir_region *r, const struct ir_insn *cond, ir_ref flags)
{
	const struct ir_insn *fl = r->insn + flags;
	if (cond->op == IR_COND)
		return cond->a == flags;
	if (cond->op < IR_EQ || cond->op > IR_LES)
		return false;
	if (fl->op == IR_FLSUB)
		return (cond->a == fl->a && cond->b == fl->b) || (cond->a == fl->b && cond->b == fl->a);
	const struct ir_insn *zero = r->insn + cond->b;
	return fl->op == IR_FLLOGIC && cond->a == fl->a && zero->op == IR_CONST && !zero->imm;
}

/*
 * Flags that are set before a branch and then seen on one of its ways only, as most comparisons' are when the other way compares again: they are set on
 * that way, and cost nothing on the other: in the block there, or, where others lead to that, too, in one between. Only flags that the branch itself asks,
 * since they are at hand there.
 */
static bool sink(struct dead *d, u32 b, const struct ir_insn *set)
{
	struct ir_region *r = d->r;
	u32 to[2], slot = ir_slot_number(r, set->imm);
	if (set->imm >= IR_LOCAL || r->slot[slot].type != TY_FLAGS || ir_successors(r, b, to) != 2 ||
	    to[0] == to[1])
		return false;
	if (!asks_for(r, r->insn + r->insn[r->block[b].first + r->block[b].count - 1].a, set->a))
		return false;
	bool seen[2];
	for (unsigned k = 0; k < 2; k++)
		seen[k] = d->live_in[(size_t)to[k] * d->words + slot / 64] >> (slot % 64) & 1;
	if (seen[0] == seen[1])
		return false;
	u32 way = to[seen[1]];
	struct ir_insn *room = r->insn + r->block[way].first;
	if (d->preds[way] == 1 && r->block[way].first > r->block[b].first && room->op == IR_NOP) {
		*room = *set;
		return true;
	}
	if (!r->loops_marked || room->op == IR_PHI || d->n_edge == MOST_EDGES)
		return false;
	d->edge[d->n_edge++] = (struct edge){ b, way, *set };
	return true;
}

/* Makes the blocks between others in which flags are set. */
static void split(struct ir_region *r, const struct edge *e)
{
	u32 b = ir_block_new(r);
	r->block[b].pc = r->block[e->from].pc;
	ir_block_start(r, b);
	ir_emit(r, &e->set);
	ir_emit(r, &(struct ir_insn){ .op = IR_BR, .a = e->to });
	struct ir_insn *end = r->insn + r->block[e->from].first + r->block[e->from].count - 1;
	*(end->b == e->to ? &end->b : &end->c) = b;
}

/* Does the instruction, behind a SET of flags, ask for flags in a slot? */
static bool reads_flags(const struct ir_region *r, const struct ir_insn *in)
{
	return in->op == IR_CALL || in->op == IR_GETX ||
	       (in->op == IR_GET && in->imm < IR_LOCAL && r->slot[in->imm].type == TY_FLAGS);
}

/* A SET of a slot that is seen: true when it goes to the way that sees it. last: no flags were set or asked for behind it. */
static bool live_set(struct dead *d, u32 b, const struct ir_insn *in, u32 slot, bool *last)
{
	d->live[slot / 64] &= ~BIT(slot % 64);
	if (!*last || d->r->insn[in->a].type != TY_FLAGS)
		return false;
	*last = false;
	return sink(d, b, in);
}

/* Removes what is dead in a block, backwards. */
static void sweep(struct dead *d, u32 b)
{
	const struct ir_region *r = d->r;
	struct ir_insn *first = r->insn + r->block[b].first;
	const u32 *uses = d->uses + r->block[b].first;
	bool last_set = true;
	leave(d, b);
	for (struct ir_insn *in = first + r->block[b].count; in-- > first;) {
		u8 kind = traits[in->op];
		if (in->op == IR_NOP)
			continue;
		if (!uses[in - first] && (kind & REMOVABLE || (in->op == IR_CALL && unused_call(in)))) {
			if (in->op == IR_CALL && in > first && in[-1].op == IR_ARGS)
				remove_insn(d, in - 1);
			remove_insn(d, in);
			continue;
		}
		if (kind & FAULTS)
			add(d, d->ordinary);
		if (!(kind & IS_SLOT))
			continue;
		last_set &= !reads_flags(r, in);
		if (in->op != IR_SET) {
			slot_op(d, in);
			continue;
		}
		u32 slot = ir_slot_number(r, in->imm);
		if (!is_live(d, slot))
			remove_insn(d, in);
		else if (live_set(d, b, in, slot, &last_set))
			*in = (struct ir_insn){ .op = IR_NOP };
	}
	memcpy(of_block(d, d->live_in, b), d->live, d->words * sizeof(u64));
}

static void count_block(const struct dead *d, u32 b)
{
	const struct ir_insn *in = d->r->insn + d->r->block[b].first, *end = in + d->r->block[b].count;
	for (u32 *uses = d->uses; in < end; in++)
		count_uses(d, uses, in, 1);
}

/* Sums up what a block does to slots. */
static void sum_up(struct dead *d, u32 b)
{
	const struct ir_region *r = d->r;
	u64 *live = d->live, *kill = of_block(d, d->kill, b);
	d->live = of_block(d, d->gen, b);
	for (u32 first = r->block[b].first, v = first + r->block[b].count; v-- > first;) {
		const struct ir_insn *in = r->insn + v;
		u8 kind = traits[in->op];
		if (kind & FAULTS)
			add(d, d->ordinary);
		if (in->op == IR_SET) {
			u32 slot = ir_slot_number(r, in->imm);
			d->live[slot / 64] &= ~BIT(slot % 64);
			kill[slot / 64] |= BIT(slot % 64);
		} else if (kind & IS_SLOT) {
			slot_op(d, in);
		}
	}
	d->live = live;
}

/* What is live at the start of each block, when there are ways back. */
static void settle(struct dead *d)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (u32 o = d->n_order; o-- > 0;) {
			u32 b = d->order[o];
			u64 *in = of_block(d, d->live_in, b), *gen = of_block(d, d->gen, b),
			    *kill = of_block(d, d->kill, b);
			leave(d, b);
			for (u32 i = 0; i < d->words; i++) {
				u64 live = gen[i] | (d->live[i] & ~kill[i]);
				changed |= live != in[i];
				in[i] = live;
			}
		}
	}
}

/* ---- driving ---- */

static void prepare(struct dead *d)
{
	struct ir_region *r = d->r;
	d->words = ((u32)r->n_slot + r->n_local + 63) / 64;
	size_t per_block = (size_t)r->n_block * d->words, sets = 4 * per_block + 3 * d->words;
	size_t zeroes = sets * sizeof(u64) + r->n_insn * sizeof(u32) + r->n_block;
	u64 *mem = ir_scratch(r, ROUND_UP(zeroes, (size_t)4) + r->n_block * sizeof(u32));
	memset(mem, 0, zeroes);
	d->live = mem;
	d->ordinary = d->live + d->words;
	d->flags = d->ordinary + d->words;
	d->live_in = d->flags + d->words;
	d->left = d->live_in + per_block;
	d->gen = d->left + per_block;
	d->kill = d->gen + per_block;
	d->uses = (u32 *)(mem + sets);
	d->preds = (u8 *)(d->uses + r->n_insn);
	d->order = (u32 *)((u8 *)mem + ROUND_UP(zeroes, (size_t)4));
	d->n_order = ir_block_order(r, d->order);
	for (u32 i = 0; i * 64 < r->n_slot; i++) {
		d->flags[i] = r->flag_slots[i];
		d->ordinary[i] = (r->n_slot - i * 64 < 64 ? BITS(r->n_slot % 64) : ~0ull) & ~d->flags[i];
	}
}

/* Counts who leads to each block. True: there are ways back. */
static bool find_preds(struct dead *d)
{
	const struct ir_region *r = d->r;
	bool back = false;
	u32 to[2];
	for (u32 o = 0; o < d->n_order; o++)
		for (unsigned k = ir_successors(r, d->order[o], to); k-- > 0;) {
			d->preds[to[k]] = MIN(d->preds[to[k]] + 1, 2);
			back |= r->block[to[k]].first <= r->block[d->order[o]].first;
		}
	return back;
}

void ir_pass_dead(struct ir_region *r, bool (*flags_dead_at)(void *user, u64 pc), void *user)
{
	struct dead d;
	d.r = r;
	d.flags_dead_at = flags_dead_at;
	d.user = user;
	d.n_edge = 0;
	prepare(&d);
	bool back = find_preds(&d);
	for (u32 o = 0; o < d.n_order; o++) {
		find_left(&d, d.order[o]);
		count_block(&d, d.order[o]);
	}
	if (back) { /* else the blocks ahead are known when a block is swept */
		for (u32 o = 0; o < d.n_order; o++)
			sum_up(&d, d.order[o]);
		settle(&d);
	}
	for (u32 o = d.n_order; o-- > 0;)
		sweep(&d, d.order[o]);
	for (u32 i = 0; i < d.n_edge; i++)
		split(r, &d.edge[i]);
}
