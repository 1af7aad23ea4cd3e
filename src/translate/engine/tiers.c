/*
 * Two tiers. Most code runs a few times only: what is new is translated a few instructions at a time, along the way that it runs, and counts. What has
 * run often is translated again, with everything around it: by a thread of its own (background.c), the first translation running until then, or at once,
 * when it is entered next. The first translation is taken out of all tables and links.
 */
#include "translate/engine/mmu.h"
#include "translate/engine/priv.h"

enum {
	FIRST_INSNS = 12, /* a longer region holds more that never runs, a shorter one costs more jumps */
	SECOND_INSNS = 200,
};

/* Few bits, since each page of them that is touched counts in short processes; two places that share one are both made for speed. */
static u32 hot_bit(const struct engine *e, u64 pc)
{
	return (pc >> __builtin_ctz(e->guest->insn_min) ^ pc >> 20) & BITS(HOT_BITS);
}

static bool is_hot(const struct engine *e, u64 pc)
{
	u32 bit = hot_bit(e, pc);
	return __atomic_load_n(&e->hot[bit / 32], __ATOMIC_RELAXED) >> bit % 32 & 1;
}

u32 tier_at(struct priv *p, u64 pc)
{
	const struct engine *e = p->e;
	p->cold = p->calls = false;
	if (e->config.one_insn || p->place & KEY_SINGLE || debug_watches(e))
		return 1;
	p->cold = e->config.hot_after && !p->mmu && !e->config.interpret && !is_hot(e, pc);
	p->calls = !p->cold && !p->mmu && !e->config.exact && !e->config.interpret;
	return p->cold ? FIRST_INSNS : SECOND_INSNS;
}

static void mark(struct engine *e, u64 pc)
{
	u32 bit = hot_bit(e, pc);
	__atomic_or_fetch(&e->hot[bit / 32], BIT(bit % 32), __ATOMIC_RELAXED);
}

/* Under the lock. */
static void heat(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	mark(e, pc);
	struct tb *tb = tb_find(e, pc, p->cpu->key);
	if (tb && tb->cold) {
		tb_kill(e, tb);
		e->n_hot++;
	}
}

void tier_up(struct priv *p, u64 entry, u64 pc)
{
	struct engine *e = p->e;
	p->cpu->heat[host_heat_slot(entry, __builtin_ctz(e->guest->insn_min))] = e->config.hot_after;
	bool entry_later = background_ask(p, entry), pc_later = entry == pc ? entry_later : background_ask(p, pc);
	pthread_mutex_lock(&e->lock);
	if (!entry_later)
		heat(p, entry);
	if (!pc_later)
		heat(p, pc);
	pthread_mutex_unlock(&e->lock);
}

void tier_again(struct priv *p, u64 pc)
{
	struct tb *tb = tb_find(p->e, pc, p->cpu->key);
	mark(p->e, pc);
	if (!tb || tb->cold)
		translate(p, pc);
}

bool runs_often(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	const struct tb *tb = tb_maybe(e, pc) ? tb_find(e, pc, p->cpu->key | p->place) : NULL;
	if (!tb)
		return false;
	return !tb->cold || p->copies || is_hot(e, pc) ||
	       p->cpu->heat[host_heat_slot(pc, __builtin_ctz(e->guest->insn_min))] < e->config.hot_after / 2;
}

void tiers_new_cpu(const struct engine *e, struct cpu *cpu)
{
	for (u32 i = 0; i < CPU_HEAT; i++)
		cpu->heat[i] = e->config.hot_after;
}
