/*
 * Gathers guest instructions into a region: from one address along every path, as long as they stay in its page and within the budget.
 * A jump into the middle of a block cuts that block; what is not gathered is left by jumps.
 *
 * What is made for speed takes small functions in where they are called, each call its own copy. Leaving a copy needs nothing: the link register is set as by
 * a call. A return compares the address with the one behind the call, unless nothing in the function can have changed it.
 *
 * It often begins in the middle of a loop, since the second part of one has run once more than the first. From there to where the loop goes back is
 * translated twice, then, once to come in by, so that the loop begins where the program has it beginning: what it computes in one part and uses in the
 * other would have to be stored between them.
 */
#include "translate/engine/priv.h"

enum { MAX_PLACES = 512, HASH = 1024 };
enum {
	/* a page and the next for each, and for the region itself; two are for flags that others overwrite */
	MAX_CALLS = (SPANS - 4) / 2,
	CALL_DEPTH = 3,
	CALL_INSNS = 60, /* of a function, what is taken in at most */
	PEELED = 60, /* instructions of a loop that are translated twice, at most */
	CALL_PLACES = 100, /* so many are left for what the region has already when a call is taken in */
	MAX_GUARDS = 4,
};
enum { NO_SLOT = 0xffffffff };

struct place { /* a guest address that is a block, or shall be */
	u64 pc;
	u32 block;
	u8 body;
	bool done; /* translated */
};

/* The region's own instructions, and those of each function that was taken in at a call. */
struct body {
	u64 page, start, end; /* the page that they stay in; what was taken of it */
	u64 at; /* behind the one translated last */
	u32 n, max; /* how many */
	bool guarded; /* their memory: struct tr's */
	/* of a function */
	u64 back; /* where it returns to */
	u8 from; /* the body that calls it */
	u8 depth;
	u32 link; /* the slot that was set to .back; NO_SLOT: not known, or it may have been changed since */
	u32 guard[MAX_GUARDS], n_guard; /* branches by whether the link register leads there */
};

struct former {
	struct tr t;
	struct priv *p;
	struct place place[MAX_PLACES];
	u32 n_place, todo[MAX_PLACES], n_todo;
	u16 by_pc[HASH]; /* index + 1 into place */
	u32 mark[HASH], mark_n; /* guest instructions: their NOP in the region */
	u64 mark_pc[HASH];
	u8 mark_body[HASH];
	struct body body[2 + MAX_CALLS];
	u8 n_body, now; /* the one being translated */
	u8 main; /* the region's own one: 0, or, if that is only the way into a loop, another */
	u64 back_at; /* where the loop that 0 leads into goes back */
	bool looped; /* something leads back to the region's entry, or to what follows it */
	bool returned; /* by the instruction being translated, to where the function was called */
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

static u32 hash(u64 pc, u8 body)
{
	return (u32)(pc ^ pc >> 10 ^ body << 5) * 0x9e3779b1u >> 22;
}

static struct place *find(struct former *f, u64 pc)
{
	for (u32 h = hash(pc, f->now);; h = (h + 1) % HASH) {
		if (!f->by_pc[h])
			return NULL;
		struct place *p = &f->place[f->by_pc[h] - 1];
		if (p->pc == pc && p->body == f->now)
			return p;
	}
}

/* All that were added are forgotten together: places from there on to the first free one are. */
static void forget_place(struct former *f, const struct place *p)
{
	for (u32 h = hash(p->pc, p->body); f->by_pc[h]; h = (h + 1) % HASH)
		f->by_pc[h] = 0;
}

static struct place *add(struct former *f, u64 pc)
{
	u32 h = hash(pc, f->now);
	while (f->by_pc[h])
		h = (h + 1) % HASH;
	f->place[f->n_place] = (struct place){ pc, f->n_place ? ir_block_new(f->t.ir) : 0, f->now, false };
	f->by_pc[h] = ++f->n_place;
	f->t.ir->block[f->place[f->n_place - 1].block].pc = pc;
	return &f->place[f->n_place - 1];
}

/* The instruction at pc was translated already, inside a block: cut the block there. */
static u32 *mark_of(struct former *f, u64 pc)
{
	for (u32 h = hash(pc, f->now);; h = (h + 1) % HASH) {
		if (!f->mark[h] || (f->mark_pc[h] == pc && f->mark_body[h] == f->now))
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

static u32 block_in_body(struct former *f, u64 pc)
{
	struct place *p = find(f, pc);
	if (p)
		return p->block;
	if (f->n_place + 1 < MAX_PLACES && !cut(f, pc)) {
		p = add(f, pc);
		if (pc >> PAGE_BITS == f->body[f->now].page && !alone(f, pc) && !known(f, pc))
			f->todo[f->n_todo++] = p - f->place;
		return p->block;
	}
	p = find(f, pc);
	if (p)
		return p->block;
	/* no room: a block that only leaves, filled when this one has ended */
	return add(f, pc)->block;
}

/* ---- loops that are entered in their middle ---- */

/* What was gathered so far is the way into a loop, which goes back from here, at t.pc, to its head. */
static void peel(struct former *f, u64 head)
{
	f->back_at = f->t.pc;
	f->main = f->n_body++;
	__atomic_fetch_add(&f->p->e->n_peeled, 1, __ATOMIC_RELAXED);
	f->body[f->main] = f->body[0];
	f->body[f->main].n = 0;
	f->body[f->main].start = f->body[f->main].end = f->body[f->main].at = head;
}

/* Is it outside of the way into the loop? */
static bool is_past(const struct former *f, u8 body, u64 pc)
{
	return f->main && body == 0 && (pc < f->t.ir->pc || pc > f->back_at);
}

static u32 block_of(struct tr *t, u64 pc)
{
	struct former *f = t->former;
	u64 entry = t->ir->pc;
	bool inside = pc >> PAGE_BITS == f->body[0].page && pc <= t->pc && t->pc >= entry;
	if (f->now == 0 && !f->main && !f->looped && f->p->calls && inside) {
		if (pc < entry && f->body[0].n < PEELED)
			peel(f, pc);
		else
			f->looped = true;
	}
	u8 was = f->now;
	f->now = is_past(f, was, pc) ? f->main : was;
	u32 block = block_in_body(f, pc);
	f->now = was;
	return block;
}

/* A place of the way into the loop that turned out to lie behind the loop. */
static void go_past(struct former *f, struct place *p)
{
	p->done = true;
	ir_block_start(f->t.ir, p->block);
	f->now = f->main;
	v_op(&f->t, IR_BR, TY_VOID, block_in_body(f, p->pc), 0, 0, 0);
}

/* ---- calls ---- */

/* The slot that the instruction being translated has set to the address behind it. */
static u32 link_slot(const struct tr *t)
{
	const struct ir_region *r = t->ir;
	for (u32 i = r->n_insn; --i && r->insn[i].op != IR_INSN;) {
		const struct ir_insn *in = r->insn + i, *a = r->insn + in->a;
		if (in->op == IR_SET && a->op == IR_CONST && a->imm == t->pc + t->len)
			return (u32)in->imm;
	}
	return NO_SLOT;
}

static u32 call(struct tr *t, u64 pc)
{
	struct former *f = t->former;
	struct priv *p = f->p;
	const struct body *from = &f->body[f->now];
	f->code_len = 0; /* if it is a copy, the look at the function takes its place (code_at) */
	if (f->n_body > MAX_CALLS || from->depth == CALL_DEPTH || f->n_place + CALL_PLACES > MAX_PLACES ||
	    pc == t->ir->pc || !runs_often(p, pc) || !call_is_small(p, pc))
		return NO_BLOCK;
	f->body[f->n_body] = (struct body){ .page = pc >> PAGE_BITS,
					    .start = pc,
					    .end = pc,
					    .at = pc,
					    .max = CALL_INSNS,
					    .guarded = landing_guarded(p->e, pc),
					    .back = t->pc + t->len,
					    .from = f->now,
					    .depth = from->depth + 1,
					    .link = link_slot(t) };
	u8 was = f->now;
	f->now = f->n_body++;
	struct place *entry = add(f, pc);
	f->todo[f->n_todo++] = entry - f->place;
	f->now = was;
	return entry->block;
}

static u32 back(struct tr *t, u64 *ret_pc)
{
	struct former *f = t->former;
	struct body *b = &f->body[f->now];
	if (!b->depth)
		return NO_BLOCK;
	*ret_pc = b->back;
	f->returned = true;
	u8 was = f->now;
	f->now = b->from;
	u32 block = block_in_body(f, b->back);
	f->now = was;
	return block;
}

/* Is it the comparison of the link register (with bits that .back has not taken off) and .back? */
static bool compares_link(const struct ir_region *r, const struct body *b, const struct ir_insn *eq)
{
	const struct ir_insn *in = r->insn + eq->a, *mask = r->insn + in->b;
	if (in->op == IR_AND && mask->op == IR_CONST && (b->back & mask->imm) == b->back)
		in = r->insn + in->a;
	return in->op == IR_GET && in->imm == b->link;
}

/* What was emitted for an instruction: does it change the link register, does it return by it? */
static void look_at_link(struct former *f, u32 since)
{
	const struct ir_region *r = f->t.ir;
	struct body *b = &f->body[f->now];
	u32 branch = 0;
	for (u32 i = since; i < r->n_insn; i++) {
		const struct ir_insn *in = r->insn + i;
		if ((in->op == IR_SET && in->imm == b->link) ||
		    (in->op == IR_CALL &&
		     ((const struct ir_helper *)(uintptr_t)in->imm)->effects & HELP_WRITES))
			b->link = NO_SLOT;
		branch = in->op == IR_BRC ? i : branch;
	}
	if (f->returned && b->n_guard < MAX_GUARDS && compares_link(r, b, r->insn + r->insn[branch].a))
		b->guard[b->n_guard++] = branch;
	f->returned = false;
}

/* A function that leaves its link register alone returns to where it was called, without a look. */
static void trust_links(struct former *f)
{
	struct ir_region *r = f->t.ir;
	for (u32 i = 1; i < f->n_body; i++)
		for (u32 k = 0; k < f->body[i].n_guard && f->body[i].link != NO_SLOT; k++)
			r->insn[r->insn[f->body[i].guard[k]].a] =
			    (struct ir_insn){ .op = IR_CONST, .type = TY_I1, .imm = 1 };
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
		f->mark_body[mark - f->mark] = f->now;
		f->mark_n++;
	}
}

/* No room for another instruction? */
static bool is_full(const struct former *f)
{
	return f->t.ir->n_insn > 6000 || f->n_place + 8 > MAX_PLACES;
}

/* Translates straight on from a place until a block ends. False: the region's first instruction cannot be fetched. */
static bool straight(struct former *f, struct place *p)
{
	struct tr *t = &f->t;
	struct priv *priv = f->p;
	struct cpu *cpu = priv->cpu;
	struct body *b = &f->body[p->body];
	/* the first tier ends with a block, if it can: flags that are used right behind had to be stored */
	u32 limit = priv->cold ? 2 * b->max : b->max;
	u64 pc = p->pc;
	u32 code = 0;
	f->now = p->body;
	p->done = true;
	t->together = 0;
	t->guarded = b->guarded;
	ir_block_start(t->ir, p->block);
	for (;;) {
		t->pc = pc;
		if (!fetch(f, pc, &code)) {
			if (p == f->place && b->n == 0) {
				cpu->fault_addr = pc;
				cpu->fault_code = code;
				return false;
			}
			v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, pc);
			return true;
		}
		mark(f, pc);
		t->len = 0;
		u32 since = t->ir->n_insn;
		if (debug_stops_at(priv, pc))
			stop_here(t, priv->e->guest->insn_min);
		else
			priv->e->guest->insn(t);
		if (b->depth)
			look_at_link(f, since);
		b->n++;
		pc += t->len;
		b->start = MIN(b->start, t->pc);
		b->end = MAX(b->end, pc);
		b->at = pc;
		if (ir_block_ended(t->ir))
			return true;
		struct place *next = find(f, pc);
		if (next) {
			v_op(t, IR_BR, TY_VOID, next->block, 0, 0, 0);
			return true;
		}
		bool full = b->n >= limit && (!t->together || b->max == 1);
		t->together -= t->together > 0;
		if (full || pc >> PAGE_BITS != b->page || alone(f, pc) || is_full(f) || t->len == 0 ||
		    known(f, pc)) {
			v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, pc);
			return true;
		}
		if (*mark_of(f, pc) && cut(f, pc)) {
			v_op(t, IR_BR, TY_VOID, find(f, pc)->block, 0, 0, 0);
			return true;
		}
	}
}

/*
 * The place to go on at: in the function called last, so that it stands where it is called; there the nearest ahead, so that blocks mostly stand in the order of
 * their addresses, and joins ahead. NULL: what is left is of bodies that have enough.
 */
static struct place *next_place(struct former *f)
{
	u32 best = f->n_todo;
	u64 nearest = 0;
	for (u32 i = 0; i < f->n_todo; i++) {
		const struct place *p = &f->place[f->todo[i]];
		const struct body *b = &f->body[p->body];
		u64 ahead = p->pc - b->at;
		if (p->done || b->n >= b->max)
			continue;
		if (best == f->n_todo || p->body > f->place[f->todo[best]].body ||
		    (p->body == f->place[f->todo[best]].body && ahead < nearest)) {
			best = i;
			nearest = ahead;
		}
	}
	if (best == f->n_todo)
		return NULL;
	struct place *p = &f->place[f->todo[best]];
	f->todo[best] = f->todo[--f->n_todo];
	return p;
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

/* What is in no place that was done leaves the region. */
static void leave_rest(struct former *f)
{
	for (u32 i = 0; i < f->n_place; i++) {
		if (f->place[i].done)
			continue;
		ir_block_start(f->t.ir, f->place[i].block);
		ir_emit(f->t.ir,
			&(struct ir_insn){ .op = IR_NOP }); /* room for what passes set only on this way */
		v_op(&f->t, IR_JUMP, TY_VOID, 0, 0, 0, f->place[i].pc);
	}
}

static void clear(struct former *f)
{
	for (u32 i = 0; i < f->n_place; i++)
		forget_place(f, &f->place[i]);
	if (f->mark_n)
		memset(f->mark, 0, sizeof(f->mark));
	f->n_place = f->n_todo = f->mark_n = f->code_len = 0;
	f->now = f->main = 0;
	f->returned = f->looped = false;
}

bool form_region(struct priv *p, u64 pc, u32 max_insns, u32 *ret_insns)
{
	struct former *f = p->former;
	struct ir_region *r = p->region;
	struct place *place;
	ir_reset(r);
	r->pc = pc;
	r->key = p->cpu->key;
	r->quick = p->cold;
	clear(f); /* of the region before */
	f->p = p;
	f->n_body = 1;
	f->body[0] = (struct body){ .page = pc >> PAGE_BITS,
				    .start = pc,
				    .end = pc,
				    .at = pc,
				    .max = max_insns,
				    .guarded = landing_guarded(p->e, pc),
				    .link = NO_SLOT };
	f->t = (struct tr){ .ir = r,
			    .guest = p->e->guest,
			    .model = p->e->config.model,
			    .key = p->cpu->key,
			    .pc = pc,
			    .block_of = block_of,
			    .call = p->calls ? call : NULL,
			    .back = back,
			    .former = f };
	p->e->guest->begin(&f->t);
	struct place *entry = add(f, pc);
	if (max_insns == 1) /* a jump to itself leaves, too */
		memset(f->by_pc, 0, sizeof(f->by_pc));
	if (!straight(f, entry))
		return false;
	while (r->n_insn < 5000 && !is_full(f) && (place = next_place(f))) {
		if (is_past(f, place->body, place->pc))
			go_past(f, place);
		else
			straight(f, place);
	}
	leave_rest(f);
	trust_links(f);
	ir_mark_loops(r);
	r->end_pc = f->body[f->main].end;
	*ret_insns = 0;
	p->n_span = 0;
	__atomic_fetch_add(&p->e->n_calls, f->n_body - 1 - (f->main > 0), __ATOMIC_RELAXED);
	for (u32 i = 0; i < f->n_body; i++) {
		*ret_insns += f->body[i].n;
		span_add(p, f->body[i].start, f->body[i].end);
	}
	return true;
}
