/*
 * System mode's accesses that are not done inline: by the interpreter and helpers (struct cpu_memory), and by generated code whose table
 * did not know the page. Pages that a split access touches are all translated before anything is written.
 */
#include "translate/engine/window.h"
#include "translate/engine/priv.h"

enum { PAGE = 4096 };

static struct context *data_of(struct priv *p, struct ir_mem mem)
{
	return p->mmu->data[mem.mmu % CPU_MMUS];
}

static bool io_ok(const struct mmu_place *at, unsigned size)
{
	return size <= 8 && !(at->phys & (size - 1)) && !(size & (size - 1));
}

static bool bus_fault(struct priv *p, u64 addr, enum mmu_access access)
{
	p->cpu->fault_addr = addr;
	p->cpu->fault_code = p->e->guest->system->bus_fault[access];
	return false;
}

/* One part of an access, within a page. */
static bool load_part(struct priv *p, const struct mmu_place *at, u64 addr, void *buf, unsigned size)
{
	if (at->host) {
		cpu_host_load(buf, at->host, size);
		return true;
	}
	if (!io_ok(at, size))
		return bus_fault(p, addr, MMU_READ);
	u64 v = at->range->io->read(at->range->user, at->phys - at->range->base, size);
	memcpy(buf, &v, size);
	return true;
}

static bool store_part(struct priv *p, const struct mmu_place *at, u64 addr, const void *buf, unsigned size)
{
	if (at->host) {
		cpu_host_store(at->host, buf, size);
		if (at->tracked)
			mmu_code_written(p->e, at->phys, size);
		return true;
	}
	if (!io_ok(at, size))
		return bus_fault(p, addr, MMU_WRITE);
	u64 v = 0;
	memcpy(&v, buf, size);
	at->range->io->write(at->range->user, at->phys - at->range->base, size, v);
	return true;
}

/* How much of it lies in the first page. */
static unsigned first_part(u64 addr, unsigned size)
{
	return MIN(size, (unsigned)(PAGE - (addr & (PAGE - 1))));
}

enum outcome { DONE, FAULT, ALONE /* leave, and do this instruction alone */ };

static enum outcome load(struct priv *p, u64 addr, void *buf, unsigned size, struct ir_mem mem,
			 struct mmu_place at[2])
{
	struct context *c = data_of(p, mem);
	unsigned n = first_part(addr, size);
	u64 rest = (addr + n) & p->cpu->mem_mask;
	p->cpu->fault_write = 0;
	addr &= p->cpu->mem_mask;
	if (!mmu_find(p, c, addr, MMU_READ, &at[0]) || (n < size && !mmu_find(p, c, rest, MMU_READ, &at[1])))
		return FAULT;
	if (!load_part(p, &at[0], addr, buf, n) ||
	    (n < size && !load_part(p, &at[1], rest, (u8 *)buf + n, size - n)))
		return FAULT;
	return DONE;
}

static enum outcome store(struct priv *p, u64 addr, const void *buf, unsigned size, struct ir_mem mem,
			  struct mmu_place at[2])
{
	struct context *c = data_of(p, mem);
	unsigned n = first_part(addr, size);
	u64 rest = (addr + n) & p->cpu->mem_mask;
	p->cpu->fault_write = 1;
	addr &= p->cpu->mem_mask;
	if (!mmu_find(p, c, addr, MMU_WRITE, &at[0]) ||
	    (n < size && !mmu_find(p, c, rest, MMU_WRITE, &at[1])))
		return FAULT;
	if ((at[0].tracked && !mmu_code_write(p, &at[0], n)) ||
	    (n < size && at[1].tracked && !mmu_code_write(p, &at[1], size - n)))
		return ALONE;
	if (!store_part(p, &at[0], addr, buf, n) ||
	    (n < size && !store_part(p, &at[1], rest, (const u8 *)buf + n, size - n)))
		return FAULT;
	return DONE;
}

/* RAM for an atomic access, which never lies in two pages or in registers. */
static enum outcome atomic(struct priv *p, u64 addr, unsigned size, struct ir_mem mem, u8 **ret_host)
{
	struct mmu_place at;
	p->cpu->fault_write = 1;
	addr &= p->cpu->mem_mask;
	if (!mmu_find(p, data_of(p, mem), addr, MMU_WRITE, &at))
		return FAULT;
	if (!at.host || first_part(addr, size) < size) {
		bus_fault(p, addr, MMU_WRITE);
		return FAULT;
	}
	if (at.tracked && !mmu_code_write(p, &at, size))
		return ALONE;
	if (at.tracked)
		mmu_code_written(p->e, at.phys, size);
	*ret_host = at.host;
	return DONE;
}

/* ---- for interpreter and helpers ---- */
static void leave_unless_done(struct cpu *cpu, enum outcome o)
{
	if (o != DONE)
		cpu_raise(cpu, o == FAULT ? EV_MEMORY : EV_NONE, 0);
}

static void read(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem)
{
	struct mmu_place at[2];
	leave_unless_done(cpu, load(cpu->engine_priv, addr, buf, size, mem, at));
}

static void write(struct cpu *cpu, u64 addr, const void *buf, unsigned size, struct ir_mem mem)
{
	struct mmu_place at[2];
	leave_unless_done(cpu, store(cpu->engine_priv, addr, buf, size, mem, at));
}

static void *host(struct cpu *cpu, u64 addr, unsigned size, struct ir_mem mem)
{
	u8 *at = NULL;
	leave_unless_done(cpu, atomic(cpu->engine_priv, addr, size, mem, &at));
	return at;
}

/* ---- for generated code ---- */
static enum cpu_miss answer(struct cpu *cpu, enum outcome o, enum cpu_miss done)
{
	cpu->event = o == FAULT ? EV_MEMORY : EV_NONE;
	return o == DONE ? done : MISS_LEAVE;
}

static enum cpu_miss miss(struct cpu *cpu, enum ir_op op, u64 addr, void *value, unsigned size,
			  struct ir_mem mem, enum cpu_tried tried, u64 *ret_add)
{
	struct priv *p = cpu->engine_priv;
	struct mmu_place at[2];
	u8 *host = NULL;
	enum outcome o;
	if (tried == TRIED_OUTSIDE) { /* alone it looks into the table */
		window_outside(p, addr);
		p->mmu->single = true;
		return answer(cpu, ALONE, MISS_LEAVE);
	}
	if (op != IR_LD && op != IR_ST) {
		o = atomic(p, addr, size, mem, &host);
		*ret_add = (u64)(uintptr_t)host - (addr & cpu->mem_mask);
		return answer(cpu, o, MISS_RETRY);
	}
	o = op == IR_LD ? load(p, addr, value, size, mem, at) : store(p, addr, value, size, mem, at);
	if (o == DONE && tried == TRIED_WINDOW)
		window_missed(p, addr, at, first_part(addr, size) < size ? 2 : 1, op == IR_ST);
	return answer(cpu, o, MISS_DONE);
}

const struct cpu_memory mmu_memory = { .read = read, .write = write, .host = host, .miss = miss };
