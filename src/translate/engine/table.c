/* The table of translations: found without locks, changed under one. */
#include "translate/engine/priv.h"

static u32 bucket(u64 pc, u64 key)
{
	return (u32)((pc ^ key * 0x9e3779b97f4a7c15ull) * 0x9e3779b97f4a7c15ull >> (64 - TABLE_BITS));
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

static void remember_code(struct engine *e, struct tb *tb)
{
	if (e->n_by_code == e->by_code_cap) { /* readers may be in a signal handler: the old array stays */
		size_t cap = e->by_code_cap ? e->by_code_cap * 2 : 4096;
		struct tb **more = alloc(cap * sizeof(*more));
		memcpy(more, e->by_code, e->n_by_code * sizeof(*more));
		__atomic_store_n(&e->by_code, more, __ATOMIC_RELEASE);
		e->by_code_cap = cap;
	}
	e->by_code[e->n_by_code] = tb;
	__atomic_store_n(&e->n_by_code, e->n_by_code + 1, __ATOMIC_RELEASE);
}

struct tb *tb_insert(struct engine *e, struct tb *tb)
{
	pthread_mutex_lock(&e->lock);
	struct tb *old = tb_find(e, tb->pc, tb->key);
	if (old) {
		pthread_mutex_unlock(&e->lock);
		return old;
	}
	struct tb **b = &e->table[bucket(tb->pc, tb->key)];
	tb->next = *b;
	__atomic_store_n(b, tb, __ATOMIC_RELEASE);
	u32 p = page_bucket(tb->at >> PAGE_BITS);
	tb->next_in_page = e->page[p];
	e->page[p] = tb;
	__atomic_store_n(&e->page_has_code[p], 1, __ATOMIC_RELEASE);
	if (tb->code)
		remember_code(e, tb);
	e->n_tb++;
	pthread_mutex_unlock(&e->lock);
	return tb;
}

void tb_link(struct engine *e, struct host_link *link, struct tb *target)
{
	u8 *at = (u8 *)link + (e->rw - e->rx); /* the writable view */
	pthread_mutex_lock(&e->lock);
	if (!target->dead && target->code) {
		struct incoming *in = alloc(sizeof(*in));
		in->place = at + link->site;
		in->stub = at - 5; /* the call before the record */
		in->next = target->incoming;
		target->incoming = in;
		host_link(in->place, target->code + (e->rw - e->rx));
	}
	pthread_mutex_unlock(&e->lock);
}

struct tb *tb_at(struct engine *e, const u8 *run)
{
	size_t n = __atomic_load_n(&e->n_by_code, __ATOMIC_ACQUIRE);
	struct tb **all = __atomic_load_n(&e->by_code, __ATOMIC_ACQUIRE);
	for (size_t i = n; i-- > 0;) /* arenas are not in order of address; faults are rare */
		if (run >= all[i]->code && run < all[i]->code + all[i]->size)
			return all[i];
	return NULL;
}

/* Takes one translation out of everything. Under the lock. */
static void kill_tb(struct engine *e, struct tb *tb)
{
	__atomic_store_n(&tb->dead, true, __ATOMIC_RELEASE);
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
	for (struct priv *c = e->cpus; c; c = c->next)
		for (u32 i = 0; i < c->n_table; i++) {
			unsigned shift = __builtin_ctz(e->guest->insn_min);
			struct host_jump *j = &c->table[i].table[host_jump_slot(tb->pc, shift)];
			if (j->pc == tb->pc)
				__atomic_store_n(&j->pc, ~0ull, __ATOMIC_RELEASE);
		}
	e->n_invalidated++;
}

/* Whoever runs in a translation that is gone comes out at its next poll. Under the lock. */
static void stop_cpus(struct engine *e)
{
	for (struct priv *c = e->cpus; c; c = c->next)
		cpu_stop(c->cpu);
}

static bool kill_page(struct engine *e, u64 page, u64 addr, u64 end)
{
	bool any = false;
	struct tb **p = &e->page[page_bucket(page)];
	while (*p) {
		struct tb *tb = *p;
		if (tb->at >> PAGE_BITS == page && tb->at < end && tb->at + (tb->end - tb->pc) > addr) {
			*p = tb->next_in_page;
			kill_tb(e, tb);
			any = true;
		} else {
			p = &tb->next_in_page;
		}
	}
	return any;
}

bool tb_in(struct engine *e, u64 addr, u64 size)
{
	for (struct tb *tb = e->page[page_bucket(addr >> PAGE_BITS)]; tb; tb = tb->next_in_page)
		if (tb->at >> PAGE_BITS == addr >> PAGE_BITS && tb->at < addr + size && tb->at + (tb->end - tb->pc) > addr)
			return true;
	for (struct tb *tb = e->second; tb; tb = tb->next_second)
		if (!tb->dead && tb->second >> PAGE_BITS == addr >> PAGE_BITS)
			return true;
	return false;
}

void tb_kill(struct engine *e, u64 addr, u64 size)
{
	bool any = kill_page(e, addr >> PAGE_BITS, addr, addr + size);
	for (struct tb **p = &e->second; *p;) {
		struct tb *tb = *p;
		if (!tb->dead && tb->second >> PAGE_BITS == addr >> PAGE_BITS)
			any |= kill_page(e, tb->at >> PAGE_BITS, tb->at, tb->at + 1);
		if (tb->dead)
			*p = tb->next_second;
		else
			p = &tb->next_second;
	}
	if (any)
		stop_cpus(e);
}

void tb_second_page(struct engine *e, struct tb *tb, u64 phys)
{
	pthread_mutex_lock(&e->lock);
	tb->second = phys;
	tb->next_second = e->second;
	e->second = tb;
	pthread_mutex_unlock(&e->lock);
}

void engine_invalidate(struct engine *e, u64 addr, u64 len)
{
	u64 end = addr + len < addr ? ~0ull : addr + len;
	u64 first = addr >> PAGE_BITS, last = (end - 1) >> PAGE_BITS;
	if (!len)
		return;
	if (first)
		first--; /* a region may end in the page behind its own */
	if (last - first > 1u << PAGES_BITS) {
		pthread_mutex_lock(&e->lock);
		for (u32 b = 0; b < 1u << PAGES_BITS; b++)
			for (struct tb **p = &e->page[b]; *p;) {
				struct tb *tb = *p;
				if (tb->pc < end && tb->end > addr) {
					*p = tb->next_in_page;
					kill_tb(e, tb);
				} else {
					p = &tb->next_in_page;
				}
			}
		stop_cpus(e);
		pthread_mutex_unlock(&e->lock);
		return;
	}
	for (u64 page = first; page <= last; page++) {
		if (!__atomic_load_n(&e->page_has_code[page_bucket(page)], __ATOMIC_ACQUIRE))
			continue;
		pthread_mutex_lock(&e->lock);
		if (kill_page(e, page, addr, end))
			stop_cpus(e);
		pthread_mutex_unlock(&e->lock);
	}
}
