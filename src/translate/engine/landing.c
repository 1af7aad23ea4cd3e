/*
 * Landing pads: where indirect jumps may lead (Arm's BTI). Generated code never asks. Its indirect jumps look for an address whose top byte says
 * what kind of jump it was; the table gets such an entry only when that kind may land there, which is found out here, once.
 */
#include "translate/engine/priv.h"

void engine_guard(struct engine *e)
{
	if (!e->guest->landing_key || __atomic_exchange_n(&e->guards, true, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&e->lock);
	stop_cpus(e); /* they go on with another key, and so in other translations */
	pthread_mutex_unlock(&e->lock);
}

void landing_begin(struct cpu *cpu)
{
	if (__atomic_load_n(&cpu->engine->guards, __ATOMIC_SEQ_CST))
		cpu->key |= cpu->guest->landing_key;
}

void landing_take(struct cpu *cpu)
{
	u64 how = (cpu->pc >> LANDING_SHIFT) - LANDING_MARK;
	if (!(cpu->key & cpu->guest->landing_key) || how - 1 > 2)
		return;
	cpu->landing = (u8)how;
	cpu->pc ^= landing_mark(cpu->landing);
}

u64 landing_pc(const struct cpu *cpu)
{
	return cpu->landing ? cpu->pc ^ landing_mark(cpu->landing) : cpu->pc;
}

bool landing_guarded(const struct engine *e, u64 addr)
{
	const struct engine_config *c = &e->config;
	return __atomic_load_n(&e->guards, __ATOMIC_RELAXED) && c->guarded && c->guarded(c->user, addr);
}

bool landing_allowed(struct cpu *cpu)
{
	const struct engine_config *c = &cpu->engine->config;
	u32 avail = 0, fault;
	if (!landing_guarded(cpu->engine, cpu->pc))
		return true;
	const u8 *code = c->fetch(c->user, cpu, cpu->pc, &avail, &fault);
	return code && avail >= 4 && cpu->guest->lands(code, cpu->landing);
}
