/*
 * System mode: what a guest architecture gives to the engine (page-table walks, exceptions, interrupts), and what it gets from it
 * (RAM at physical addresses, contexts, flushes). A guest that can run whole systems has a struct guest_system in its GUEST.
 *
 * A context is whatever makes the same virtual address mean the same thing: a privilege, an address space, bits that change permissions.
 * The guest numbers contexts as it likes; the engine keeps what it knows about each apart, so that changing back costs a pointer.
 */
#pragma once
#include "translate/ir/cpu.h"

enum mmu_access { MMU_READ, MMU_WRITE, MMU_FETCH };

struct walk_result {
	u64 phys; /* of the address asked for */
	u8 bits; /* log2 of the size of the naturally aligned range around it that is mapped in one piece, at least 12 */
	u8 allow; /* BIT(enum mmu_access): what may be done without another walk (a page not yet dirty does not allow writes) */
	bool global; /* in all address spaces */
	u32 fault; /* when it cannot be accessed: the guest's own number, for cpu->fault_code */
};

struct guest_system {
	/*
	 * Translates for an access in a context; updates accessed and dirty bits. False: ret->fault says why. On the CPU's thread.
	 */
	bool (*walk)(struct cpu *cpu, u64 context, u64 addr, enum mmu_access access, struct walk_result *ret);
	u32 bus_fault[3]; /* by enum mmu_access: cpu->fault_code when nothing is at the physical address */
	/* Makes an event of cpu_run the guest's exception. False: it is for whoever runs the CPU (EV_HALT). */
	bool (*event)(struct cpu *cpu, enum ir_event event);
	/* Enters the handler of a pending interrupt that is enabled, if any. Called when the CPU was stopped. */
	void (*interrupt)(struct cpu *cpu);
	/* Whether an interrupt is pending that ends waiting, enabled or not. */
	bool (*wakes)(const struct cpu *cpu);
};

/* The engine's services for the guest's privileged code, on the CPU's thread: cpu->system. */
struct cpu_system {
	/* The host address of RAM at a physical address, size bytes naturally aligned; NULL: there is no RAM. */
	void *(*ram)(struct cpu *cpu, u64 phys, unsigned size);
	/* From now on code is fetched in one context and data accessed (by ir_mem.mmu) in others. Ends the region at its next exit. */
	void (*enter)(struct cpu *cpu, u64 code, const u64 data[CPU_MMUS]);
	/* Forgets what is known of all contexts with (id & mask) == match; keep_global: but for global pages. */
	void (*flush)(struct cpu *cpu, u64 mask, u64 match, bool keep_global);
	/* The same of the page, of whatever size, around one address. */
	void (*flush_page)(struct cpu *cpu, u64 mask, u64 match, u64 addr, bool keep_global);
};
