/*
 * Forgetting everything: when the code cache is full, or when so many translations have gone that what they still hold is worth having. All CPUs come
 * out of generated code first (they stop at their next poll and wait in world_enter); what is needed is then translated again, or taken from what is
 * kept. Rare, so it is simple: there are no generations within the cache.
 */
#include "translate/engine/priv.h"
#include <sched.h>
#include <sys/mman.h>

enum { MANY_DEAD = 1 << 16 }; /* a dead translation holds up to a page of code and tables */

void world_enter(struct priv *p)
{
	struct engine *e = p->e;
	__atomic_store_n(&p->inside, true, __ATOMIC_SEQ_CST);
	while (UNLIKELY(__atomic_load_n(&e->evicting, __ATOMIC_SEQ_CST))) {
		__atomic_store_n(&p->inside, false, __ATOMIC_SEQ_CST);
		pthread_mutex_lock(&e->world); /* held until it is over */
		pthread_mutex_unlock(&e->world);
		__atomic_store_n(&p->inside, true, __ATOMIC_SEQ_CST);
	}
}

void world_leave(struct priv *p)
{
	__atomic_store_n(&p->inside, false, __ATOMIC_RELEASE);
}

void engine_free_translations(struct engine *e)
{
	for (u32 b = 0; b < 1u << TABLE_BITS; b++) {
		for (struct tb *tb = e->table[b], *next; tb; tb = next) {
			next = tb->next;
			tb_free(tb);
		}
		e->table[b] = NULL;
	}
	for (struct page_ref *r = e->dead, *next; r; r = next) {
		next = r->next;
		tb_free(r->tb);
	}
	e->dead = NULL;
	e->n_dead = 0;
}

/* With every CPU outside and the lock held. */
static void forget_all(struct engine *e)
{
	engine_free_translations(e);
	memset(e->page, 0, sizeof(*e->page) << PAGES_BITS);
	memset(e->page_has_code, 0, 1u << PAGES_BITS);
	memset(e->entry, 0, (1u << ENTRY_BITS) / 8);
	for (size_t i = 0; i < e->size / ARENA; i++)
		e->arena[i].n = 0;
	for (struct priv *c = e->cpus; c; c = c->next) {
		c->arena = (struct arena){ NULL, NULL };
		for (u32 i = 0; i < c->n_table; i++)
			jumps_clear(&c->table[i]);
	}
	size_t first = e->stubs_size;
	madvise(e->rw + first, e->size - first, MADV_REMOVE); /* both views let go of the memory */
	e->used = first;
	e->full = false;
	e->n_evictions++;
}

static bool others_inside(struct engine *e, const struct priv *self)
{
	bool any = false;
	pthread_mutex_lock(&e->lock);
	for (struct priv *c = e->cpus; c; c = c->next)
		if (c != self && __atomic_load_n(&c->inside, __ATOMIC_SEQ_CST)) {
			cpu_stop(c->cpu);
			any = true;
		}
	pthread_mutex_unlock(&e->lock);
	return any;
}

bool evict_wanted(const struct engine *e)
{
	return __atomic_load_n(&e->full, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&e->n_dead, __ATOMIC_RELAXED) > MANY_DEAD;
}

void evict(struct priv *p)
{
	struct engine *e = p->e;
	world_leave(p); /* another may be about to do the same, and waits for us */
	pthread_mutex_lock(&e->world);
	if (evict_wanted(e)) {
		__atomic_store_n(&e->evicting, true, __ATOMIC_SEQ_CST);
		while (others_inside(e, p))
			sched_yield();
		pthread_mutex_lock(&e->lock);
		forget_all(e);
		pthread_mutex_unlock(&e->lock);
		__atomic_store_n(&e->evicting, false, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&e->world);
	world_enter(p);
}
