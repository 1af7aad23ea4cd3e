/*
 * Gathers guest instructions into a region: from one address along every path, as long as they stay in its page and within the budget.
 * A jump into the middle of a block cuts that block; what is not gathered is left by jumps.
 */
#include "translate/engine/priv.h"

enum { MAX_PLACES = 512, HASH = 1024 };

struct place { /* a guest address that is a block, or shall be */
	u64 pc;
	u32 block;
	bool done; /* translated */
};

struct former {
	struct tr t;
	struct priv *p;
	struct place place[MAX_PLACES];
	u32 n_place, todo[MAX_PLACES], n_todo;
	u16 by_pc[HASH]; /* index + 1 into place */
	u32 mark[HASH], mark_n; /* guest instructions: their NOP in the region */
	u64 mark_pc[HASH];
	u64 page, start, end;
	const u8 *code; /* what was fetched last: of the guest's code at code_pc */
	u64 code_pc;
	u32 code_len;
	u8 across[32]; /* an instruction that lies in two pages */
};

struct former *former_new(void)
{
	return alloc(sizeof(struct former));
}

void former_free(struct former *f)
{
	free(f);
}

static u32 hash(u64 pc)
{
	return (u32)(pc ^ pc >> 10) * 0x9e3779b1u >> 22;
}

static struct place *find(struct former *f, u64 pc)
{
	for (u32 h = hash(pc);; h = (h + 1) % HASH) {
		if (!f->by_pc[h])
			return NULL;
		if (f->place[f->by_pc[h] - 1].pc == pc)
			return &f->place[f->by_pc[h] - 1];
	}
}

/* All that were added are forgotten together: places from there on to the first free one are. */
static void forget_place(struct former *f, u64 pc)
{
	for (u32 h = hash(pc); f->by_pc[h]; h = (h + 1) % HASH)
		f->by_pc[h] = 0;
}

static struct place *add(struct former *f, u64 pc)
{
	u32 h = hash(pc);
	while (f->by_pc[h])
		h = (h + 1) % HASH;
	f->place[f->n_place] = (struct place){ pc, f->n_place ? ir_block_new(f->t.ir) : 0, false };
	f->by_pc[h] = ++f->n_place;
	f->t.ir->block[f->place[f->n_place - 1].block].pc = pc;
	return &f->place[f->n_place - 1];
}

/* The instruction at pc was translated already, inside a block: cut the block there. */
static u32 *mark_of(struct former *f, u64 pc)
{
	for (u32 h = hash(pc);; h = (h + 1) % HASH) {
		if (!f->mark[h] || f->mark_pc[h] == pc)
			return &f->mark[h];
	}
}

static bool cut(struct former *f, u64 pc)
{
	struct ir_region *r = f->t.ir;
	u32 at = *mark_of(f, pc);
	if (!at)
		return false;
	for (u32 b = 0; b < r->n_block; b++) {
		struct ir_block *old = &r->block[b];
		if (at <= old->first || at >= old->first + old->count)
			continue;
		struct place *p = add(f, pc);
		old = &r->block[b];
		struct ir_block *rest = &r->block[p->block];
		rest->first = at + 1;
		rest->count = old->first + old->count - (at + 1);
		old->count = at + 1 - old->first;
		r->insn[at] = (struct ir_insn){ .op = IR_BR, .a = p->block };
		p->done = true;
		if (r->cur == b) /* the block that is still growing: it goes on as the second part */
			r->cur = p->block;
		return true;
	}
	return false;
}

/*
 * A region starts there already: leaving to it costs next to nothing, since slots keep their registers. What is made for speed takes everything in:
 * the other may begin in the middle of a loop.
 */
static bool known(struct former *f, u64 pc)
{
	return (f->p->cold || f->p->mmu) && pc != f->t.ir->pc && tb_maybe(f->p->e, pc) &&
	       tb_find(f->p->e, pc, f->t.key | f->p->place);
}

/* System mode: an instruction that may lie in two pages is a region of its own, since the two are not mapped together for ever. */
static bool alone(const struct former *f, u64 pc)
{
	return f->p->mmu && (pc & BITS(PAGE_BITS)) + f->p->e->guest->insn_max > BIT(PAGE_BITS);
}

static u32 block_of(struct tr *t, u64 pc)
{
	struct former *f = t->former;
	struct place *p = find(f, pc);
	if (p)
		return p->block;
	if (f->n_place + 1 < MAX_PLACES && !cut(f, pc)) {
		p = add(f, pc);
		if (pc >> PAGE_BITS == f->page && !alone(f, pc) && !known(f, pc))
			f->todo[f->n_todo++] = p - f->place;
		return p->block;
	}
	p = find(f, pc);
	if (p)
		return p->block;
	/* no room: a block that only leaves, filled when this one has ended */
	return add(f, pc)->block;
}

/* Where the rest of its page may be too little for an instruction: what is there, and what follows in the next page, if that can be fetched. */
static void fetch_across(struct former *f, u64 pc)
{
	struct tr *t = &f->t;
	u32 more, code, have = t->avail, max = f->p->e->guest->insn_max;
	const u8 *rest = code_at(f->p, pc + have, &more, &code);
	if (!rest || max > sizeof(f->across))
		return;
	memcpy(f->across, t->code, have);
	more = MIN(more, max - have);
	memcpy(f->across + have, rest, more);
	t->code = f->across;
	t->avail = have + more;
}

/* Points t->code at the instruction at pc, if that can be fetched; else the reason is in *ret_code. */
static bool fetch(struct former *f, u64 pc, u32 *ret_code)
{
	struct tr *t = &f->t;
	if (pc - f->code_pc >= f->code_len) {
		f->code_len = 0;
		f->code = code_at(f->p, pc, &f->code_len, ret_code);
		f->code_pc = pc;
		if (!f->code) {
			f->code_len = 0;
			return false;
		}
	}
	t->code = f->code + (pc - f->code_pc);
	t->avail = f->code_len - (pc - f->code_pc);
	if (t->avail < f->p->e->guest->insn_max)
		fetch_across(f, pc);
	return true;
}

/* In the place of an instruction with a breakpoint. */
static void stop_here(struct tr *t, u32 len)
{
	t->len = len;
	v_op(t, IR_INSN, TY_VOID, 0, len, 0, t->pc);
	v_op(t, IR_RAISE, TY_VOID, IR_NONE, EV_DEBUG, 0, t->pc);
}

/* Leaves room for cutting the block before the instruction at pc. What is of the first tier is not cut. */
static void mark(struct former *f, u64 pc)
{
	if (f->p->cold)
		return;
	u32 at = ir_emit(f->t.ir, &(struct ir_insn){ .op = IR_NOP });
	u32 *mark = mark_of(f, pc);
	if (!*mark && f->mark_n < HASH / 2) {
		*mark = at;
		f->mark_pc[mark - f->mark] = pc;
		f->mark_n++;
	}
}

/* Translates straight on from a place until a block ends. */
static bool straight(struct former *f, struct place *p, u32 max_insns, u32 *n_insns)
{
	struct tr *t = &f->t;
	struct priv *priv = f->p;
	struct cpu *cpu = priv->cpu;
	/* the first tier ends with a block, if it can: flags that are used right behind had to be stored */
	u32 limit = priv->cold ? 2 * max_insns : max_insns;
	u64 pc = p->pc;
	u32 code = 0;
	p->done = true;
	t->together = 0;
	ir_block_start(t->ir, p->block);
	for (;;) {
		t->pc = pc;
		if (!fetch(f, pc, &code)) {
			if (*n_insns == 0) {
				cpu->fault_addr = pc;
				cpu->fault_code = code;
				return false;
			}
			v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, pc);
			return true;
		}
		mark(f, pc);
		t->len = 0;
		if (debug_stops_at(priv, pc))
			stop_here(t, priv->e->guest->insn_min);
		else
			priv->e->guest->insn(t);
		++*n_insns;
		pc += t->len;
		f->start = MIN(f->start, t->pc);
		f->end = MAX(f->end, pc);
		if (ir_block_ended(t->ir))
			return true;
		struct place *next = find(f, pc);
		if (next) {
			v_op(t, IR_BR, TY_VOID, next->block, 0, 0, 0);
			return true;
		}
		bool full = *n_insns >= limit && (!t->together || max_insns == 1);
		t->together -= t->together > 0;
		if (full || pc >> PAGE_BITS != f->page || alone(f, pc) || t->ir->n_insn > 6000 ||
		    t->len == 0 || known(f, pc)) {
			v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, pc);
			return true;
		}
		if (*mark_of(f, pc) && cut(f, pc)) {
			v_op(t, IR_BR, TY_VOID, find(f, pc)->block, 0, 0, 0);
			return true;
		}
	}
}

/* The place to go on at: the nearest ahead, so that blocks mostly stand in the order of their addresses, and joins ahead. */
static struct place *next_place(struct former *f)
{
	u32 best = 0;
	for (u32 i = 1; i < f->n_todo; i++)
		if (f->place[f->todo[i]].pc - f->t.pc < f->place[f->todo[best]].pc - f->t.pc)
			best = i;
	u32 at = f->todo[best];
	f->todo[best] = f->todo[--f->n_todo];
	return &f->place[at];
}

bool span_add(struct priv *p, u64 lo, u64 hi)
{
	while (lo < hi) {
		u64 page = lo >> PAGE_BITS, stop = MIN(hi, (page + 1) << PAGE_BITS);
		u32 i = 0;
		while (i < p->n_span && p->span[i].page != page)
			i++;
		if (i == SPANS)
			return false;
		struct span *s = &p->span[i];
		u32 from = lo - (page << PAGE_BITS), to = stop - (page << PAGE_BITS);
		*s = i < p->n_span ? (struct span){ page, MIN(s->lo, from), MAX(s->hi, to) }
				   : (struct span){ page, from, to };
		p->n_span = MAX(p->n_span, i + 1);
		lo = stop;
	}
	return true;
}

bool form_region(struct priv *p, u64 pc, u32 max_insns, u32 *ret_insns)
{
	struct former *f = p->former;
	struct ir_region *r = p->region;
	u32 n = 0;
	ir_reset(r);
	r->pc = pc;
	r->key = p->cpu->key;
	r->quick = p->cold;
	for (u32 i = 0; i < f->n_place; i++) /* of the region before */
		forget_place(f, f->place[i].pc);
	if (f->mark_n)
		memset(f->mark, 0, sizeof(f->mark));
	f->n_place = f->n_todo = f->mark_n = f->code_len = 0;
	f->p = p;
	f->page = pc >> PAGE_BITS;
	f->start = f->end = pc;
	f->t = (struct tr){ .ir = r,
			    .guest = p->e->guest,
			    .model = p->e->config.model,
			    .key = p->cpu->key,
			    .pc = pc,
			    .guarded = landing_guarded(p->e, pc),
			    .block_of = block_of,
			    .former = f };
	p->e->guest->begin(&f->t);
	struct place *entry = add(f, pc);
	if (max_insns == 1) /* a jump to itself leaves, too */
		memset(f->by_pc, 0, sizeof(f->by_pc));
	if (!straight(f, entry, max_insns, &n))
		return false;
	while (f->n_todo && n < max_insns && r->n_insn < 5000) {
		struct place *place = next_place(f);
		if (!place->done)
			straight(f, place, max_insns, &n);
	}
	for (u32 i = 0; i < f->n_place; i++) {
		if (f->place[i].done)
			continue;
		ir_block_start(r, f->place[i].block);
		ir_emit(r, &(struct ir_insn){ .op = IR_NOP }); /* room for what passes set only on this way */
		v_op(&f->t, IR_JUMP, TY_VOID, 0, 0, 0, f->place[i].pc);
	}
	ir_mark_loops(r);
	r->end_pc = f->end;
	*ret_insns = n;
	p->n_span = 0;
	span_add(p, f->start, f->end);
	return true;
}
