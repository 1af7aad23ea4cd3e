/* Breakpoints and watchpoints: what a debugger asks of the engine. */
#include "translate/engine/priv.h"

bool debug_stops_at(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	bool found = false;
	if (LIKELY(!__atomic_load_n(&e->n_stop_at, __ATOMIC_RELAXED)) || p->stepping)
		return false;
	pthread_mutex_lock(&e->lock);
	for (u32 i = 0; i < e->n_stop_at && !found; i++)
		found = e->stop_at[i] == pc;
	pthread_mutex_unlock(&e->lock);
	return found;
}

void engine_breakpoint(struct engine *e, u64 addr, bool set)
{
	u32 i = 0;
	pthread_mutex_lock(&e->lock);
	while (i < e->n_stop_at && e->stop_at[i] != addr)
		i++;
	bool was = i < e->n_stop_at;
	if (set && !was) {
		e->stop_at = grow(e->stop_at, &e->stop_at_cap, i + 1, sizeof(*e->stop_at));
		e->stop_at[i] = addr;
		__atomic_store_n(&e->n_stop_at, i + 1, __ATOMIC_RELAXED);
	} else if (!set && was) {
		e->stop_at[i] = e->stop_at[e->n_stop_at - 1];
		__atomic_store_n(&e->n_stop_at, e->n_stop_at - 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&e->lock);
	if (set != was)
		engine_invalidate(e, addr, 1);
}

/* Hook of every access while there are watchpoints. */
static void watch(struct cpu *cpu, u64 addr, unsigned size, unsigned how)
{
	struct priv *p = cpu->engine_priv;
	struct engine *e = p->e;
	u64 hit = 0;
	u32 kinds = 0;
	pthread_mutex_lock(&e->lock);
	for (u32 i = 0; i < e->n_watch && !kinds; i++) {
		const struct watchpoint *w = &e->watch[i];
		if (w->kinds & how && addr < w->addr + w->len && w->addr < addr + size) {
			kinds = w->kinds & how;
			hit = MAX(addr, w->addr);
		}
	}
	pthread_mutex_unlock(&e->lock);
	if (!kinds || p->watch_hit)
		return;
	cpu->fault_addr = hit;
	if (e->guest->watch_before)
		cpu_raise(cpu, EV_DEBUG, kinds);
	p->watch_hit = kinds;
}

void debug_new_cpu(struct priv *p)
{
	p->cpu->watch = p->e->n_watch ? watch : NULL;
}

enum ir_event debug_event(struct priv *p, enum ir_event ev)
{
	if (LIKELY(!p->watch_hit))
		return ev;
	if (ev == EV_NONE) {
		ev = EV_DEBUG;
		p->cpu->event_arg = p->watch_hit;
	}
	p->watch_hit = 0;
	return ev;
}

/* All CPUs watch, or none does. */
static void set_watching(struct engine *e, bool on)
{
	pthread_mutex_lock(&e->lock);
	for (struct priv *c = e->cpus; c; c = c->next)
		c->cpu->watch = on ? watch : NULL;
	pthread_mutex_unlock(&e->lock);
	engine_invalidate(e, 0, ~0ull);
}

void engine_watchpoint(struct engine *e, u64 addr, u64 len, unsigned kinds, bool set)
{
	u32 i = 0;
	pthread_mutex_lock(&e->lock);
	u32 before = e->n_watch;
	while (i < e->n_watch &&
	       (e->watch[i].addr != addr || e->watch[i].len != len || e->watch[i].kinds != kinds))
		i++;
	if (set && i == e->n_watch) {
		e->watch = grow(e->watch, &e->watch_cap, i + 1, sizeof(*e->watch));
		e->watch[i] = (struct watchpoint){ addr, len, kinds };
		__atomic_store_n(&e->n_watch, i + 1, __ATOMIC_RELAXED);
	} else if (!set && i < e->n_watch) {
		e->watch[i] = e->watch[e->n_watch - 1];
		__atomic_store_n(&e->n_watch, e->n_watch - 1, __ATOMIC_RELAXED);
	}
	u32 after = e->n_watch;
	pthread_mutex_unlock(&e->lock);
	if (!before != !after)
		set_watching(e, after);
}

void engine_debug_clear(struct engine *e)
{
	bool watched = e->n_watch;
	while (e->n_stop_at)
		engine_breakpoint(e, e->stop_at[0], false);
	e->n_watch = 0;
	if (watched)
		set_watching(e, false);
}

void debug_free(struct engine *e)
{
	free(e->stop_at);
	free(e->watch);
}
