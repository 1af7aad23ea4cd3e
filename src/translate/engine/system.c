/* Running a CPU in system mode: from pc to translations by physical address, events into the guest's exceptions, stops into interrupts. */
#include "translate/engine/window.h"
#include "translate/engine/priv.h"

enum { PAGE = 4096 };

/* Of an instruction in two pages: is the second one still what it was when this was made? */
static bool still_right(struct priv *p, const struct tb *tb)
{
	struct mmu_place at;
	u64 next = ((tb->pc >> PAGE_BITS) + 1) << PAGE_BITS & p->cpu->mem_mask;
	return tb->n_ref < 2 || (mmu_find(p, p->mmu->code, next, MMU_FETCH, &at) &&
				 at.phys >> PAGE_BITS == tb->ref[1].span.page);
}

/* Marks the pages of which a region at pc may be made. unmarked: the engine's, from before. */
static void mark(struct priv *p, u64 pc, u64 phys, u64 unmarked)
{
	struct mmu_place at;
	u64 last = (pc + p->e->guest->insn_max - 1) & p->cpu->mem_mask, page[2] = { phys };
	unsigned n = 1;
	bool wait = false;
	if (last >> PAGE_BITS != pc >> PAGE_BITS && mmu_find(p, p->mmu->code, last, MMU_FETCH, &at))
		page[n++] = at.phys;
	for (unsigned i = 0; i < n; i++)
		wait |= mmu_mark_code(p, page[i]);
	if (!wait)
		return;
	mmu_wait_stores(p);
	for (unsigned i = 0; i < n; i++)
		mmu_marked(p->e, page[i], unmarked);
}

static struct tb *make(struct priv *p, u64 pc, u64 phys)
{
	struct engine *e = p->e;
	for (;;) {
		u64 before = __atomic_load_n(&e->unmarked, __ATOMIC_SEQ_CST);
		mark(p, pc, phys, before);
		struct tb *tb = translate(p, pc);
		if (!tb || __atomic_load_n(&e->unmarked, __ATOMIC_SEQ_CST) == before)
			return tb;
		mmu_code_written(e, phys, 1); /* perhaps a mark was lost, and a write not seen */
	}
}

struct tb *mmu_get(struct priv *p, u64 pc)
{
	struct mmu *m = p->mmu;
	struct mmu_place at;
	if (!mmu_find(p, m->code, pc & p->cpu->mem_mask, MMU_FETCH, &at)) {
		p->cpu->fault_write = 0;
		return NULL;
	}
	m->in_single = m->single;
	m->single = false;
	p->place = mmu_key((m->in_single ? KEY_SINGLE : 0) | window_key(p), at.phys);
	struct tb *tb = tb_find(p->e, pc, p->cpu->key | p->place);
	if (tb && !still_right(p, tb)) {
		mmu_code_written(p->e, at.phys, 1);
		tb = NULL;
	}
	if (!tb)
		tb = make(p, pc, at.phys);
	u64 bit;
	if (tb && !m->in_single) {
		*mmu_code_page(m->code, pc, &bit) |= bit;
		*mmu_code_page(m->code, pc + p->e->guest->insn_max - 1, &bit) |= bit;
	}
	return tb;
}

/* The rest of an instruction that could not be fetched when it was translated. */
static void fetch_again(struct priv *p)
{
	struct mmu_place at;
	struct cpu *cpu = p->cpu;
	if (mmu_find(p, p->mmu->code, cpu->pc & cpu->mem_mask, MMU_FETCH, &at))
		mmu_code_written(p->e, at.phys, 1);
}

static bool deliver(struct priv *p, enum ir_event event)
{
	struct cpu *cpu = p->cpu;
	struct mmu_place at;
	u64 missing = cpu->fault_addr;
	if (event == EV_FETCH && missing != cpu->pc) {
		fetch_again(p);
		if (mmu_find(p, p->mmu->code, missing & cpu->mem_mask, MMU_FETCH, &at))
			return true; /* it can by now */
	}
	return p->e->guest->system->event(cpu, event);
}

static enum ir_event run(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	for (;;) {
		if (__atomic_exchange_n(&cpu->stop, 0, __ATOMIC_SEQ_CST)) {
			mmu_take_requests(p);
			if (__atomic_exchange_n(&p->mmu->leave, false, __ATOMIC_SEQ_CST))
				return EV_NONE;
			if (__atomic_exchange_n(&p->mmu->tick, false, __ATOMIC_SEQ_CST))
				window_tick(p);
			p->e->guest->system->interrupt(cpu);
		}
		enum ir_event event = cpu_run(cpu);
		if (event != EV_NONE && !deliver(p, event))
			return event;
	}
}

enum ir_event cpu_run_system(struct cpu *cpu)
{
	signals_enter(cpu->engine_priv);
	enum ir_event event = run(cpu);
	signals_leave();
	return event;
}

void cpu_leave(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	__atomic_store_n(&p->mmu->leave, true, __ATOMIC_SEQ_CST);
	cpu_stop(cpu);
}
