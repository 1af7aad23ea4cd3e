/*
 * Two tiers. Most code runs a few times only: what is new is translated a few instructions at a time, along the way that it runs, and counts. What has
 * run often is translated again, with everything around it, when it is entered next; the first translation is taken out of all tables and links.
 */
#include "translate/engine/mmu.h"
#include "translate/engine/priv.h"

enum {
	FIRST_INSNS = 12, /* a longer region holds more that never runs, a shorter one costs more jumps */
	SECOND_INSNS = 200,
	OFTEN = 5000, /* translating a region for speed costs as much as it saves in some thousand runs */
};

static bool is_hot(const struct engine *e, u64 pc)
{
	u32 bit = entry_bit(e, pc);
	return __atomic_load_n(&e->hot[bit / 32], __ATOMIC_RELAXED) >> bit % 32 & 1;
}

u32 tier_at(struct priv *p, u64 pc)
{
	const struct engine *e = p->e;
	p->cold = false;
	if (e->config.one_insn || p->place & KEY_SINGLE || debug_watches(e))
		return 1;
	p->cold = !p->mmu && !e->config.interpret && !is_hot(e, pc);
	return p->cold ? FIRST_INSNS : SECOND_INSNS;
}

static void heat(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	u32 bit = entry_bit(e, pc);
	__atomic_or_fetch(&e->hot[bit / 32], BIT(bit % 32), __ATOMIC_RELAXED);
	struct tb *tb = tb_find(e, pc, p->cpu->key);
	if (tb && tb->cold) {
		tb_kill(e, tb);
		e->n_hot++;
	}
}

void tier_up(struct priv *p, u64 entry, u64 pc)
{
	struct engine *e = p->e;
	p->cpu->heat[host_heat_slot(entry, __builtin_ctz(e->guest->insn_min))] = OFTEN;
	pthread_mutex_lock(&e->lock);
	heat(p, entry);
	heat(p, pc);
	pthread_mutex_unlock(&e->lock);
}

void tiers_new_cpu(struct cpu *cpu)
{
	for (u32 i = 0; i < CPU_HEAT; i++)
		cpu->heat[i] = OFTEN;
}
