/* The table of translations: found without locks, changed under one. */
#include "translate/engine/priv.h"

/* What lies near in the guest lies near here, too: of a short program's time the pages that it touches first are a part. Few regions begin within 16 bytes. */
static u32 bucket(u64 pc, u64 key)
{
	enum { NEAR_BITS = 12, UNIT_BITS = 4 };
	u64 far = (pc >> (NEAR_BITS + UNIT_BITS)) ^ key * 0x9e3779b97f4a7c15ull;
	return (u32)(far * 0x9e3779b97f4a7c15ull >> (64 - TABLE_BITS)) ^ (pc >> UNIT_BITS & BITS(NEAR_BITS));
}

static u32 page_bucket(u64 page)
{
	return (u32)(page * 0x9e3779b97f4a7c15ull >> (64 - PAGES_BITS));
}

struct tb *tb_find(struct engine *e, u64 pc, u64 key)
{
	struct tb *tb = __atomic_load_n(&e->table[bucket(pc, key)], __ATOMIC_ACQUIRE);
	while (tb && (tb->pc != pc || tb->key != key || __atomic_load_n(&tb->dead, __ATOMIC_RELAXED)))
		tb = __atomic_load_n(&tb->next, __ATOMIC_ACQUIRE);
	return tb;
}

struct tb *tb_new(const struct priv *p, u64 pc)
{
	struct tb *tb = alloc(sizeof(*tb) + p->n_span * sizeof(tb->ref[0]));
	tb->pc = pc;
	tb->key = p->cpu->key | p->place;
	tb->n_ref = p->n_span;
	for (u32 i = 0; i < p->n_span; i++)
		tb->ref[i] = (struct page_ref){ .tb = tb, .span = p->span[i] };
	return tb;
}

void tb_free(struct tb *tb)
{
	for (struct incoming *in = tb->incoming, *next; in; in = next) {
		next = in->next;
		free(in);
	}
	if (tb->region)
		ir_free(tb->region);
	if (!tb->is_kept)
		free(tb->ways);
	free(tb);
}

static struct arena_tbs *arena_of(const struct engine *e, const u8 *run)
{
	return &e->arena[(run - e->rx) / ARENA];
}

/* Under the lock. An outgrown array stays, a handler may be reading it. */
static void remember_code(struct engine *e, struct tb *tb)
{
	struct arena_tbs *a = arena_of(e, tb->code);
	if (a->n == a->cap) {
		u32 cap = a->cap ? a->cap * 2 : 64;
		struct tb **more = alloc(cap * sizeof(struct tb *));
		if (a->n)
			memcpy(more, a->tb, a->n * sizeof(struct tb *));
		__atomic_store_n(&a->tb, more, __ATOMIC_RELEASE);
		a->cap = cap;
	}
	a->tb[a->n] = tb;
	__atomic_store_n(&a->n, a->n + 1, __ATOMIC_RELEASE);
}

/* Did an invalidation since the epoch hit what the translation was made from? Under the lock. */
static bool changed_since(const struct engine *e, const struct tb *tb, u64 epoch)
{
	if (e->epoch - epoch > LEN(e->gone))
		return true;
	for (; epoch < e->epoch; epoch++)
		for (u32 i = 0; i < tb->n_ref; i++) {
			const struct span *s = &tb->ref[i].span;
			u64 base = s->page << PAGE_BITS;
			if (base + s->lo < e->gone[epoch % LEN(e->gone)].end &&
			    base + s->hi > e->gone[epoch % LEN(e->gone)].addr)
				return true;
		}
	return false;
}

struct tb *tb_insert(struct engine *e, struct tb *tb, u64 epoch)
{
	pthread_mutex_lock(&e->lock);
	struct tb *old = tb_find(e, tb->pc, tb->key);
	if (old && old->cold && !tb->cold) {
		tb_kill(e, old);
		e->n_hot++;
		old = NULL;
	}
	if (old || changed_since(e, tb, epoch)) {
		pthread_mutex_unlock(&e->lock);
		tb_free(tb);
		return old;
	}
	if (tb->code)
		remember_code(e, tb); /* before others can run it: it may fault or come out at once */
	struct tb **b = &e->table[bucket(tb->pc, tb->key)];
	tb->next = *b;
	__atomic_store_n(b, tb, __ATOMIC_RELEASE);
	u32 bit = entry_bit(e, tb->pc);
	__atomic_or_fetch(&e->entry[bit / 32], BIT(bit % 32), __ATOMIC_RELAXED);
	for (struct page_ref *r = tb->ref; r < tb->ref + tb->n_ref; r++) {
		u32 p = page_bucket(r->span.page);
		r->next = e->page[p];
		r->before = &e->page[p];
		if (r->next)
			r->next->before = &r->next;
		e->page[p] = r;
		__atomic_store_n(&e->page_has_code[p], 1, __ATOMIC_RELEASE);
	}
	if (tb->code)
		perf_region(e, tb);
	e->n_tb++;
	pthread_mutex_unlock(&e->lock);
	return tb;
}

struct tb_way tb_way_of(struct engine *e, const u8 *run)
{
	const struct tb *tb = tb_at(e, run - 1);
	u32 at = run - tb->code, lo = 0, hi = tb->n_ways;
	while (lo + 1 < hi) {
		u32 mid = (lo + hi) / 2;
		if (tb->ways[mid].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return (struct tb_way){ tb, &tb->ways[lo] };
}

void tb_link(struct engine *e, const struct tb_way *from, struct tb *target)
{
	u8 *code = (u8 *)from->tb->code + (e->rw - e->rx); /* the writable view */
	pthread_mutex_lock(&e->lock);
	if (!target->dead && target->code) {
		struct incoming *in = alloc(sizeof(*in));
		in->place = code + from->out->site;
		in->stub = code + from->out->at - HOST_CALL_SIZE;
		in->next = target->incoming;
		target->incoming = in;
		host_link(in->place, target->code + (e->rw - e->rx));
	}
	pthread_mutex_unlock(&e->lock);
}

struct tb *tb_at(struct engine *e, const u8 *run)
{
	struct arena_tbs *a = arena_of(e, run);
	u32 lo = 0, hi = __atomic_load_n(&a->n, __ATOMIC_ACQUIRE);
	struct tb **tb = __atomic_load_n(&a->tb, __ATOMIC_ACQUIRE);
	while (lo < hi) { /* the last one that begins at or before run */
		u32 mid = (lo + hi) / 2;
		if (tb[mid]->code <= run)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && run < tb[lo - 1]->code + tb[lo - 1]->size ? tb[lo - 1] : NULL;
}

/* Takes an address out of every CPU's tables of jumps. Under the lock. */
static void forget_jumps(struct engine *e, u64 pc)
{
	u32 slot = host_jump_slot(pc, __builtin_ctz(e->guest->insn_min));
	for (struct priv *c = e->cpus; c; c = c->next)
		for (u32 i = 0; i < c->n_table; i++) {
			struct host_jump *j = &c->table[i].table[slot];
			if (__atomic_load_n(&j->pc, __ATOMIC_SEQ_CST) == pc)
				__atomic_store_n(&j->pc, ~0ull, __ATOMIC_RELEASE);
		}
}

void tb_kill(struct engine *e, struct tb *tb)
{
	__atomic_store_n(&tb->dead, true,
			 __ATOMIC_SEQ_CST); /* before the jumps are read: remember() does the reverse */
	struct tb **p = &e->table[bucket(tb->pc, tb->key)];
	while (*p && *p != tb)
		p = &(*p)->next;
	if (*p)
		__atomic_store_n(p, tb->next, __ATOMIC_RELEASE);
	for (struct incoming *in = tb->incoming, *next; in; in = next) {
		next = in->next;
		host_link(in->place, in->stub);
		free(in);
	}
	tb->incoming = NULL;
	for (struct page_ref *r = tb->ref; r < tb->ref + tb->n_ref; r++) {
		*r->before = r->next;
		if (r->next)
			r->next->before = r->before;
	}
	tb->ref[0].next = e->dead;
	e->dead = &tb->ref[0];
	__atomic_store_n(&e->n_dead, e->n_dead + 1, __ATOMIC_RELAXED);
	forget_jumps(e, tb->pc);
	for (unsigned how = 1; e->guards && how <= 3; how++)
		forget_jumps(e, tb->pc ^ landing_mark(how));
}

void stop_cpus(struct engine *e)
{
	for (struct priv *c = e->cpus; c; c = c->next)
		cpu_stop(c->cpu);
}

/* What of one bucket of pages overlaps [addr, end). Under the lock. */
static bool kill_bucket(struct engine *e, u32 bucket, u64 addr, u64 end)
{
	bool any = false;
	for (struct page_ref *r = e->page[bucket]; r;) {
		u64 base = r->span.page << PAGE_BITS;
		if (base + r->span.lo < end && base + r->span.hi > addr) {
			tb_kill(e, r->tb);
			e->n_invalidated++;
			any = true;
			r = e->page[bucket]; /* others of its references may have been in this list */
		} else {
			r = r->next;
		}
	}
	return any;
}

bool tb_in(struct engine *e, u64 addr, u64 size)
{
	u64 page = addr >> PAGE_BITS, lo = addr & BITS(PAGE_BITS);
	for (struct page_ref *r = e->page[page_bucket(page)]; r; r = r->next)
		if (r->span.page == page && r->span.lo < lo + size && r->span.hi > lo)
			return true;
	return false;
}

void engine_invalidate(struct engine *e, u64 addr, u64 len)
{
	u64 end = addr + len < addr ? ~0ull : addr + len;
	if (!len)
		return;
	u64 first = addr >> PAGE_BITS, last = (end - 1) >> PAGE_BITS;
	bool any = false;
	pthread_mutex_lock(&e->lock);
	e->gone[e->epoch % LEN(e->gone)].addr = addr;
	e->gone[e->epoch % LEN(e->gone)].end = end;
	__atomic_store_n(&e->epoch, e->epoch + 1, __ATOMIC_RELEASE);
	if (last - first >= 1u << PAGES_BITS) {
		for (u32 b = 0; b < 1u << PAGES_BITS; b++)
			any |= kill_bucket(e, b, addr, end);
	} else {
		for (u64 page = first; page <= last; page++)
			if (e->page_has_code[page_bucket(page)])
				any |= kill_bucket(e, page_bucket(page), addr, end);
	}
	if (any)
		stop_cpus(e);
	pthread_mutex_unlock(&e->lock);
}
