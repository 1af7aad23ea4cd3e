/* Running a CPU in system mode: from pc to translations by physical address, events into the guest's exceptions, stops into interrupts. */
#include <stdio.h> //DBG
#include <stdlib.h> //DBG
#include "translate/engine/mmu.h"
#include "translate/engine/priv.h"

enum { PAGE = 4096 };

/* Where the second page's part of an instruction in two pages lies; ~0 when it lies in one. False: it cannot be fetched. */
static bool second_page(struct priv *p, const struct tb *tb, u64 *ret_phys)
{
	struct mmu_place at;
	*ret_phys = ~0ull;
	if ((tb->end - 1) >> PAGE_BITS == tb->pc >> PAGE_BITS)
		return true;
	if (!mmu_find(p, p->mmu->code, (tb->end - 1) & p->cpu->mem_mask, MMU_FETCH, &at))
		return false;
	*ret_phys = at.phys & ~(u64)(PAGE - 1);
	return true;
}

/* A translation that says "the rest cannot be fetched", or of a second page that is another one now, goes. */
static bool still_right(struct priv *p, struct tb *tb)
{
	u64 second;
	return second_page(p, tb, &second) && second == tb->second;
}

static struct tb *make(struct priv *p, u64 pc, u64 phys)
{
	struct engine *e = p->e;
	struct tb *tb;
	u64 seq, second;
	do {
		seq = __atomic_load_n(&e->code_writes, __ATOMIC_SEQ_CST);
		mmu_mark_code(e, phys);
		if ((pc & (PAGE - 1)) + e->guest->insn_max > PAGE) { /* perhaps the next page too */
			struct mmu_place at;
			if (mmu_find(p, p->mmu->code, (pc + e->guest->insn_max - 1) & p->cpu->mem_mask, MMU_FETCH, &at))
				mmu_mark_code(e, at.phys);
		}
		tb = translate(p, pc);
		if (tb && !second_page(p, tb, &second))
			return NULL;
		if (tb && second != tb->second)
			tb_second_page(e, tb, second);
		/* somebody wrote to code meanwhile: perhaps to what was just read */
	} while (tb && __atomic_load_n(&e->code_writes, __ATOMIC_SEQ_CST) != seq && (mmu_code_written(e, phys, PAGE - (phys & (PAGE - 1))), true));
	return tb;
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
	p->place = mmu_key(m->in_single ? KEY_SINGLE : 0, at.phys);
	p->at = at.phys;
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
		*mmu_code_page(m->code, tb->end - 1, &bit) |= bit;
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

enum ir_event cpu_run_system(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	for (;;) {
		if (__atomic_exchange_n(&cpu->stop, 0, __ATOMIC_SEQ_CST)) {
			mmu_take_requests(p);
			if (__atomic_exchange_n(&p->mmu->leave, false, __ATOMIC_SEQ_CST))
				return EV_NONE;
			p->e->guest->system->interrupt(cpu);
		}
		enum ir_event event = cpu_run(cpu);
		if (getenv("DBG")) fprintf(stderr, "ev %d pc %llx key %llx arg %llx fault %llx code %u\n", event, (long long)cpu->pc, (long long)cpu->key, (long long)cpu->event_arg, (long long)cpu->fault_addr, cpu->fault_code); //DBG
		if (event != EV_NONE && !deliver(p, event))
			return event;
	}
}

void cpu_leave(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	__atomic_store_n(&p->mmu->leave, true, __ATOMIC_SEQ_CST);
	cpu_stop(cpu);
}
