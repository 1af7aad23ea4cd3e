/*
 * Which slots have registers in a region. Between regions the same ones always travel in registers (choose_homes). Inside one that uses others
 * more, in its loops above all, these take the registers of such as it hardly uses: stored and loaded where the region begins, and the other way
 * round where it is left.
 */
#include "translate/host/x64/jit.h"

/* Costs and gains: what is read soon after it was stored waits for that. */
enum {
	READ = 3,
	WRITE = 2,
	USE = 1,
	MOVE = 12,
	MOVE_AT_CALL = 6,
	DEPTH_BITS = 3,
	MOST_DEPTH = 3,
	ONCE = 256
};

struct flow { /* blocks by their places in the layout */
	u32 (*to)[2]; /* where each leads; ~0: nowhere */
	u8 *in, *depth; /* in the loop that is looked at; in how many loops */
	u32 *often; /* how often it runs, guessed: ONCE is once each time the region does */
};

static void find_ways(const struct jit *j, struct flow *f)
{
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &j->r->block[j->order[o]];
		const struct ir_insn *end = &j->r->insn[b->first + b->count - 1];
		f->to[o][0] = f->to[o][1] = ~0u;
		if (end->op == IR_BR)
			f->to[o][0] = j->blk[end->a].order;
		if (end->op == IR_BRC)
			f->to[o][0] = j->blk[end->b].order, f->to[o][1] = j->blk[end->c].order;
	}
}

/* The blocks from which the head is reached again without leaving its loop lie one loop deeper. */
static void deepen(const struct jit *j, struct flow *f, u32 head)
{
	bool more = true;
	memset(f->in, 0, j->n_order);
	while (more) {
		more = false;
		for (u32 o = j->n_order; o-- > 0;)
			for (unsigned k = 0; k < 2 && !f->in[o]; k++) {
				u32 to = f->to[o][k];
				if (to != ~0u && (to == head ? o >= head : f->in[to]))
					f->in[o] = more = true;
			}
	}
	for (u32 o = 0; o < j->n_order; o++)
		f->depth[o] += f->in[o] && f->depth[o] < MOST_DEPTH;
}

/* A block that is a loop of its own and the head of one around it lies in both. */
static void deepen_twofold(struct flow *f, u32 n, u32 head)
{
	bool own = f->to[head][0] == head || f->to[head][1] == head, other = false;
	for (u32 o = head + 1; o < n; o++)
		other |= f->to[o][0] == head || f->to[o][1] == head;
	f->depth[head] += own && other && f->depth[head] < MOST_DEPTH;
}

static void measure_depth(struct jit *j, struct flow *f)
{
	f->to = jit_mem(j, j->n_order * sizeof(*f->to));
	f->in = jit_mem(j, j->n_order);
	f->depth = jit_zeroes(j, j->n_order);
	find_ways(j, f);
	for (u32 o = 0; o < j->n_order; o++)
		if (j->blk[j->order[o]].loop_head)
			deepen(j, f, o), deepen_twofold(f, j->n_order, o);
}

/* Of a branch the way that goes straight on is taken three times of four, what is expected to be rare hardly ever; a loop runs eight times. */
static void guess_often(struct jit *j, struct flow *f)
{
	f->often = jit_zeroes(j, j->n_order * sizeof(*f->often));
	f->often[0] = ONCE;
	for (u32 o = 0; o < j->n_order; o++) {
		bool two = f->to[o][1] != ~0u;
		f->often[o] = MAX(f->often[o], 1u);
		for (unsigned k = 0; k < 2; k++) {
			u32 to = f->to[o][k];
			if (to == ~0u || to <= o)
				continue;
			bool rare = two && j->r->block[j->order[to]].cold;
			bool sole = two && !rare && j->r->block[j->order[f->to[o][k ^ 1]]].cold;
			u32 times = rare ? 1 : sole || !two ? 16 : k ? 12 : 4; /* sixteenths */
			f->often[to] += f->often[o] * times / 16;
		}
	}
	for (u32 o = 0; o < j->n_order; o++)
		f->often[o] <<= f->depth[o] * DEPTH_BITS;
}

/* What the accesses to each slot weigh, and the uses of values that lie there; and all calls of C, in *ret_calls. */
static u32 *weigh(struct jit *j, const struct flow *f, u32 *ret_calls)
{
	const struct ir_region *r = j->r;
	u32 *weight = jit_zeroes(j, j->n_slot * sizeof(*weight));
	u16 *at = jit_mem(j, (r->n_insn + 1) * sizeof(*at)); /* by value: the slot that holds it */
	memset(at, 0xff, (r->n_insn + 1) * sizeof(*at));
	*ret_calls = 0;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &r->block[j->order[o]];
		u32 once = f->often[o];
		for (u32 i = b->first; i < b->first + b->count; i++) {
			const struct ir_insn *in = &r->insn[i];
			u32 operand[3] = { in->a, in->b, in->c };
			for (unsigned k = 0; k < 3; k++)
				if (ir_op_info[in->op].values >> k & 1 && at[operand[k]] != NO_SLOT)
					weight[at[operand[k]]] += once * USE;
			if (in->op == IR_GET || in->op == IR_SET) {
				u32 v = in->op == IR_GET ? i : in->a;
				at[v] = slot_of(j, in->imm);
				weight[at[v]] += once * (in->op == IR_GET ? READ : WRITE);
			}
			*ret_calls += in->op == IR_CALL || in->op == IR_CLEAN ? once : 0;
		}
	}
	return weight;
}

/* The slot without a register that weighs most, of those that may have one. */
static unsigned heaviest(const struct jit *j, const u16 *hot, const u32 *weight)
{
	unsigned best = NO_SLOT;
	for (; *hot != NO_SLOT; hot++)
		if (!j->slot_home[*hot] && (best == NO_SLOT || weight[*hot] > weight[best]))
			best = *hot;
	return best;
}

/* The register whose slot weighs least. */
static int lightest(const struct jit *j, const u16 home[16], const u32 *weight)
{
	int best = -1;
	for (int r = 0; r < 16; r++)
		if (home[r] != NO_SLOT && (best < 0 || weight[home[r]] < weight[home[best]]))
			best = r;
	return best;
}

static void change(struct jit *j, bool xmm, int reg, unsigned slot)
{
	u16 *home = &j->home[xmm][reg];
	j->moved[j->n_moved++] = (struct moved){ .xmm = xmm, .reg = (u8)reg, .was = *home, .slot = slot };
	j->slot_home[*home] = 0;
	j->slot_home[slot] = (xmm ? 17 : 1) + reg;
	*home = slot;
}

/* Is the slot written here? Calls of C write what lies in the CPU state, and what is moved is loaded from there behind them. */
static bool is_set(const struct ir_region *r, unsigned slot)
{
	for (u32 i = 1; i < r->n_insn; i++)
		if ((r->insn[i].op == IR_SET && r->insn[i].imm == slot) || r->insn[i].op == IR_SETX)
			return true;
	return false;
}

void choose_moves(struct jit *j)
{
	struct flow f;
	u32 calls, *weight;
	measure_depth(j, &f);
	for (u32 o = 0; o < j->n_order; o++)
		j->blk[j->order[o]].depth = f.depth[o];
	guess_often(j, &f);
	weight = weigh(j, &f, &calls);
	u32 price = j->job->moves == MOVES_ALWAYS ? 1 : MOVE * ONCE + calls * MOVE_AT_CALL;
	for (unsigned xmm = 0; xmm < 2; xmm++) {
		const u16 *hot = xmm ? j->job->hot_vec : j->job->hot_int;
		while (hot && j->n_moved < LEN(j->moved)) {
			unsigned slot = heaviest(j, hot, weight);
			int reg = lightest(j, j->home[xmm], weight);
			if (slot == NO_SLOT || reg < 0 || weight[slot] < weight[j->home[xmm][reg]] + price)
				break;
			change(j, xmm, reg, slot);
		}
	}
	for (unsigned i = 0; i < j->n_moved; i++)
		j->moved[i].set = is_set(j->r, j->moved[i].slot);
}

static void move(struct jit *j, const struct moved *m, unsigned slot, bool store)
{
	enum ir_type type = j->r->slot[slot].type;
	if (m->xmm)
		x_vrm(&j->c, xmm_move(type, store), m->reg, 0, slot_mem(j, slot));
	else
		x_rm(&j->c, (type == TY_I64 ? OPW : 0) | (store ? X_MOV_STORE : X_MOV_LOAD), m->reg,
		     slot_mem(j, slot));
}

void homes_enter(struct jit *j)
{
	for (unsigned i = 0; i < j->n_moved; i++) {
		move(j, &j->moved[i], j->moved[i].was, true);
		move(j, &j->moved[i], j->moved[i].slot, false);
	}
}

void homes_leave(struct jit *j)
{
	for (unsigned i = 0; i < j->n_moved; i++) {
		if (j->moved[i].set)
			move(j, &j->moved[i], j->moved[i].slot, true);
		move(j, &j->moved[i], j->moved[i].was, false);
	}
}

void homes_called(struct jit *j)
{
	for (unsigned i = 0; i < j->n_moved; i++)
		move(j, &j->moved[i], j->moved[i].slot, false);
}

void homes_way_out(struct jit *j)
{
	if (!j->n_moved && !j->n_found)
		return;
	x_room(&j->c);
	u8 *over = NULL;
	j->leave_event = j->c.p;
	if (j->job->link_bits) {
		x_rm(&j->c, X_MOVZX8, RAX, CPU(event));
		over = x_jmp8(&j->c);
	}
	x_32(&j->c, 0); /* where lazy_emit puts its table */
	if (over)
		x_patch8(&j->c, over);
	j->leave = j->c.p;
	homes_leave(j);
	to_stub(j, x_jmp(&j->c), j->job->stubs->exit);
}
