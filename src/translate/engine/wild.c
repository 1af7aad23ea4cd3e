/*
 * Accesses at addresses that the host cannot even look up (x86: not canonical). Its fault does not name the address, so the instruction is done
 * again by the interpreter, which knows it. Guests whose processors ignore the upper bits of data addresses have such accesses made that way, too.
 */
#include "translate/engine/priv.h"
#include <signal.h>

enum { HOST_USER_BITS = 47 };

/* Hook of the interpreter's accesses. */
static void look(struct cpu *cpu, u64 addr, unsigned size, unsigned how)
{
	u64 at = addr & cpu->mem_mask;
	unsigned bits = cpu->guest->addr_bits;
	if (!((at + size - 1) >> HOST_USER_BITS))
		return;
	cpu->fault_addr = bits ? (u64)((i64)(addr << (64 - bits)) >> (64 - bits)) : addr;
	cpu->fault_code = SEGV_MAPERR;
	cpu->fault_write = !!(how & WATCH_WRITE);
	cpu_raise(cpu, EV_MEMORY, 0);
}

typedef void access_hook(struct cpu *cpu, u64 addr, unsigned size, unsigned how);

enum ir_event wild_settle(struct cpu *cpu, enum ir_event ev)
{
	const struct priv *p = cpu->engine_priv;
	if (LIKELY(ev != EV_MEMORY) || cpu->fault_code != SI_KERNEL || p->mmu)
		return ev;
	access_hook *before = __atomic_exchange_n(&cpu->watch, look, __ATOMIC_RELAXED), *mine = look;
	u64 mask = cpu->mem_mask;
	if (cpu->guest->addr_bits)
		cpu->mem_mask = BITS(cpu->guest->addr_bits);
	cpu->fault_code = 0;
	ev = interpret_one(cpu);
	cpu->mem_mask = mask;
	/* unless a debugger has set its own meanwhile */
	__atomic_compare_exchange_n(&cpu->watch, &mine, before, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return ev;
}
