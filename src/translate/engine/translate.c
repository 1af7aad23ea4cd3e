/* From a guest address to a translation. */
#include "translate/engine/keep/keep.h"
#include "translate/engine/window.h"
#include "translate/ir/passes.h"
#include <time.h>

u8 *arena_take(struct priv *p, size_t least)
{
	struct engine *e = p->e;
	if (p->arena.end - p->arena.next < (ptrdiff_t)least) {
		size_t at = __atomic_fetch_add(&e->used, ARENA, __ATOMIC_RELAXED);
		if (at + ARENA > e->size) {
			__atomic_store_n(&e->full, true, __ATOMIC_RELAXED);
			return NULL;
		}
		p->arena.next = e->rw + at;
		p->arena.end = p->arena.next + ARENA;
	}
	return p->arena.next;
}

static u64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static u32 nowhere(struct tr *t, u64 pc)
{
	(void)t, (void)pc;
	return 0;
}

struct tr peek_begin(struct priv *p, u64 pc)
{
	struct tr t = { .ir = p->peek,
			.guest = p->e->guest,
			.model = p->e->config.model,
			.key = p->cpu->key,
			.pc = pc,
			.block_of = nowhere };
	ir_reset(p->peek);
	p->e->guest->begin(&t);
	return t;
}

enum { LOOK = 12 };

/* The same for guests that can tell without translating. */
static bool quick_peek(struct priv *p, u64 pc, u32 *ret_bytes)
{
	u32 code, avail, size = p->e->guest->insn_max;
	const u8 *at = code_at(p, pc, &avail, &code);
	for (u32 i = 0; at && i < LOOK && (i + 1) * size <= avail; i++) {
		enum guest_flags does = p->e->guest->flags(at + i * size);
		*ret_bytes = (i + 1) * size;
		if (does != FLAGS_NOT)
			return does == FLAGS_SET;
	}
	return false;
}

/* Does the guest code at pc overwrite all flags before it reads them? Looked at for a few instructions, without following jumps. */
static bool peek_flags(struct priv *p, u64 pc, u32 *ret_bytes)
{
	if (p->e->guest->flags)
		return quick_peek(p, pc, ret_bytes);
	struct ir_region *r = p->peek;
	u32 code = 0;
	struct tr t = peek_begin(p, pc);
	ir_block_start(r, 0);
	for (unsigned i = 0; i < LOOK; i++, t.pc += t.len) {
		u32 from = r->n_insn;
		t.len = 0;
		t.code = code_at(p, t.pc, &t.avail, &code);
		if (!t.code || p->e->guest->insn(&t) != INSN_OK || !t.len)
			return false;
		bool set = false;
		*ret_bytes = t.pc + t.len - pc;
		for (u32 n = from; n < r->n_insn; n++) {
			const struct ir_insn *in = &r->insn[n];
			bool flags = (in->op == IR_GET || in->op == IR_SET) && in->imm < IR_LOCAL &&
				     r->slot[in->imm].type == TY_FLAGS;
			if (in->op == IR_CALL || (flags && in->op == IR_GET))
				return false;
			set |= flags;
		}
		if (set)
			return true;
		if (ir_block_ended(r) || r->n_block > 1)
			return false;
	}
	return false;
}

static bool flags_dead_at(void *user, u64 pc)
{
	struct priv *p = user;
	struct peeked *known = &p->peeked[(pc >> 1 ^ pc >> 12) % LEN(p->peeked)];
	u64 epoch = __atomic_load_n(&p->e->epoch, __ATOMIC_ACQUIRE);
	if (p->peeked_epoch != epoch) {
		memset(p->peeked, 0, sizeof(p->peeked));
		p->peeked_epoch = epoch;
	}
	if (known->pc != pc || !known->valid) {
		*known = (struct peeked){ .pc = pc, .valid = true };
		known->dead = peek_flags(p, pc, &known->bytes);
	}
	if (p->mmu && pc >> PAGE_BITS != p->region->pc >> PAGE_BITS)
		return false; /* what lies there may change by way of page tables */
	return known->dead && span_add(p, pc, pc + known->bytes); /* what we count on must not change */
}

static bool has_flags(const struct ir_region *r)
{
	u64 any = 0;
	for (u32 i = 0; i * 64 < r->n_slot; i++)
		any |= r->flag_slots[i];
	return any;
}

static void run_passes(struct priv *p)
{
	ir_pass_forward(p->region);
	ir_pass_words(p->region);
	bool look = has_flags(p->region) && !p->e->config.exact;
	ir_pass_dead(p->region, look ? flags_dead_at : NULL, p);
}

/* Where the code is left and where it may fault. */
static void own_places(struct tb *tb, const struct host_job *job)
{
	tb->n_ways = job->n_ways;
	tb->n_site = job->n_site;
	tb->ways = alloc(job->n_ways * sizeof(*tb->ways) + job->n_site * sizeof(*tb->site));
	tb->site = (struct host_site *)(tb->ways + job->n_ways);
	if (job->n_ways)
		memcpy(tb->ways, job->ways, job->n_ways * sizeof(*tb->ways));
	if (job->n_site)
		memcpy(tb->site, job->site, job->n_site * sizeof(*tb->site));
}

/* Machine code for p->region into the arena; false: there is none (interpret it), or there is no room. */
static bool compile(struct priv *p, struct tb *tb)
{
	struct engine *e = p->e;
	struct host_job *job = &p->job;
	if (e->config.interpret || debug_watches(e))
		return false;
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		u8 *out = arena_take(p, attempt ? ARENA : 8 << 10);
		if (!out)
			return false;
		job->region = p->region;
		job->slot = e->guest->slots;
		job->hot_int = e->guest->hot_int;
		job->hot_vec = e->guest->hot_vec;
		job->out = out;
		job->out_end = p->arena.end;
		job->to_run = e->rx - e->rw;
		job->stubs = &e->stubs;
		job->insn_shift = __builtin_ctz(e->guest->insn_min);
		job->link_bits = p->mmu ? PAGE_BITS : 0;
		job->insn_max = e->guest->insn_max;
		job->reach = p->place & KEY_WINDOW ? window_reach : NULL;
		job->user = p;
		job->counts = p->cold;
		host_compile(job);
		if (job->unsupported)
			return false;
		if (job->size)
			break;
		p->arena.next = p->arena.end; /* too little left: a new one */
	}
	if (!job->size)
		return false;
	tb->code = job->out + job->to_run;
	tb->size = job->size;
	own_places(tb, job);
	p->arena.next += ROUND_UP(job->size, 16);
	__atomic_fetch_add(&e->n_bytes, job->size, __ATOMIC_RELAXED);
	return true;
}

/* The region at pc, translated; NULL: it cannot be fetched. */
static struct tb *make(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	u32 n, max = tier_at(p, pc);
	struct tb *tb = NULL;
	do {
		if (!form_region(p, pc, max, &n))
			return NULL;
		log_formed(p);
		run_passes(p);
		log_optimized(p);
		mmu_spans(p);
		if (tb)
			tb_free(tb);
		tb = tb_new(p, pc);
		tb->cold = p->cold;
		max = n / 4; /* if it is too much at once */
		p->calls = false;
	} while (!compile(p, tb) && !e->config.interpret && max);
	log_compiled(p, tb);
	if (!tb->code) {
		tb->region = p->region;
		p->region = ir_new(e->guest->slots, e->guest->addr_type);
		__atomic_fetch_add(&e->n_interpreted, 1, __ATOMIC_RELAXED);
	}
	if (tb->code && e->keep)
		keep_save(p, tb);
	__atomic_fetch_add(&e->n_insn, n, __ATOMIC_RELAXED);
	return tb;
}

/* The region at pc, kept or made now; NULL: it cannot be fetched. */
static struct tb *get(struct priv *p, u64 pc)
{
	struct tb *tb = p->e->keep ? keep_load(p, pc) : NULL;
	if (!tb)
		return make(p, pc);
	__atomic_fetch_add(&p->e->n_kept, 1, __ATOMIC_RELAXED);
	return tb;
}

/*
 * Whether pc's code has been translated since it last changed, which is asked for on the translator's thread alone (background.c). Others translate what they are
 * about to run; that thread may come when new memory has been put there of which nothing is written yet, and no change to it would be told.
 */
static bool is_code(struct priv *p, u64 pc)
{
	if (!p->copies)
		return true;
	pthread_mutex_lock(&p->e->lock);
	bool found = tb_in(p->e, pc, p->e->guest->insn_min);
	pthread_mutex_unlock(&p->e->lock);
	return found;
}

struct tb *translate(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	u64 start = e->config.stats ? now_ns() : 0;
	struct tb *tb;
	do {
		u64 epoch = __atomic_load_n(&e->epoch, __ATOMIC_ACQUIRE);
		tb = is_code(p, pc) ? get(p, pc) : NULL;
		if (!tb)
			return NULL;
		tb = tb_insert(e, tb, epoch);
	} while (!tb);
	if (e->config.stats)
		__atomic_fetch_add(&e->translate_ns, now_ns() - start, __ATOMIC_RELAXED);
	return tb;
}
