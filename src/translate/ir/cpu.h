/*
 * What every guest CPU's state begins with, and what generated code knows about it. The guest's registers follow in its own struct:
 *   struct arm64 { struct cpu cpu; u64 x[31]; ... };
 * One host thread runs a CPU. Others may only write .stop (cpu_stop).
 */
#pragma once
#include "translate/ir/ir.h"
#include <setjmp.h>

struct engine;
struct guest;
struct cpu_system; /* guest/system.h */

enum { CPU_HEAT = 1024 };
enum { CPU_MMUS = 2 }; /* values of ir_mem.mmu */
enum { CPU_SLICES = 4, CPU_NEARS = 4 }; /* system mode: see window_slice, near */
/*
 * Where landings are checked, indirect jumps say how they were made (1 to 3): the address is combined with this by exclusive or, its top byte being
 * 0. No address has such a top byte; lower bits differ so that one target has several places in a CPU's table of jumps.
 */
enum { LANDING_SHIFT = 56, LANDING_MARK = 0x5c };
static inline u64 landing_mark(unsigned how)
{
	return (u64)(LANDING_MARK + how) << LANDING_SHIFT | how << 6;
}

struct cpu {
	u32 heat[CPU_HEAT]; /* by hash of where regions begin: how often those that are new may yet run (engine/tiers.c) */
	u32 fp_flags; /* sticky FP_* flags; while generated code runs, those in host_fp count too */
	u32 host_fp; /* the host's floating-point control and status, as generated code wants it (x86: MXCSR) */
	void *no_table; /* an empty one: cpu_stop puts it in place, so that every indirect jump comes out */
	u64 pc; /* the next guest instruction; exact whenever no generated code runs */
	u64 key; /* the mode: everything besides pc that a translation depends on; set by the guest's code */
	void *jump_table; /* the hash of this key's translations, for generated code */
	/* system mode: the window holds addresses (of ir_mem.mmu 0) below low, and from high on: so many altogether */
	u64 window_low, window_high, window_span;
	/* and, in slices of window_size (0: none) that begin at window_slice[], what lies at window_host[] in our address space */
	u64 window_slice[CPU_SLICES], window_host[CPU_SLICES], window_size;
	void *tlb[CPU_MMUS]; /* system mode: the tables that generated code looks addresses up in, by ir_mem.mmu */
	u64 near[CPU_NEARS]; /* system mode: distances to host memory for accesses to come in the same block; 0: to be looked up anew */
	u64 scratch[16]; /* the engine's */
	u8 frame[48][16] __attribute__((aligned(16))); /* generated code's values that found no register */
	u8 host_save[512] __attribute__((aligned(64))); /* registers during slow paths */
	union ir_val call_ret, call_arg[6]; /* helpers' operands */
	u64 event_arg;
	u64 fault_addr;
	u32 fault_code; /* user mode: the host's si_code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, ...); system mode: the guest's number */
	u8 fault_write; /* 0 read, 1 write; cpu_read, cpu_write and the interpreter set it before they touch user memory */
	u8 event; /* enum ir_event, of cpu_raise and faults */
	u8 landing; /* how an indirect jump came to pc (guest->lands); 0: not so, or nobody asks */
	u64 insn_pc; /* interpreter, helpers: the guest instruction being executed (set before calls that may raise) */
	u64 excl_addr, excl_val[2]; /* the exclusive monitor, for guests that have one: address or ~0, the value loaded */
	sigjmp_buf *raise; /* where cpu_raise goes */
	struct engine *engine;
	const struct guest *guest;
	void *user; /* of whoever owns the CPU: user mode's thread, a machine's device */
	u8 *mem_base; /* user mode: guest address 0 in the host's address space */
	u64 mem_mask; /* user mode: address bits that count (all ones; 32-bit guests 0xffffffff) */
	const struct cpu_memory *memory; /* other modes: how accesses go; NULL in user mode */
	/* Debuggers: called before every access of interpreter and helpers with WATCH_* bits; may raise. NULL: nobody watches. */
	void (*watch)(struct cpu *cpu, u64 addr, unsigned size, unsigned how);
	const struct cpu_system *system; /* system mode: the engine's services; NULL in user mode */
	void (*clean)(struct cpu *cpu, u64 addr, u64 len); /* CLEAN: code there may have changed. The engine's; may be NULL */
	void *engine_priv; /* the engine's own part of this CPU */
	struct { /* last, where generated code reaches it with a displacement of 8 bits */
		u8 room[60];
		u32 stop; /* all ones, else 0: leave generated code at the next poll (back edges, indirect branches that miss) */
	} __attribute__((aligned(64)));
};

/* What generated code does after a miss: access again with the distance to host memory it got; nothing more; leave with cpu->event. */
enum cpu_miss { MISS_RETRY, MISS_DONE, MISS_LEAVE };

/* How it tried. After TRIED_OUTSIDE the answer is always to leave: what follows may count on this address being within. */
enum cpu_tried { TRIED_TABLE, TRIED_WINDOW, TRIED_OUTSIDE /* the window does not reach as far */ };

/* Guest memory for interpreter and helpers: faults raise EV_MEMORY and do not come back. size 1..16. */
struct cpu_memory {
	void (*read)(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem);
	void (*write)(struct cpu *cpu, u64 addr, const void *buf, unsigned size, struct ir_mem mem);
	/* A host address at which the guest's size bytes lie, for atomics; never NULL. */
	void *(*host)(struct cpu *cpu, u64 addr, unsigned size, struct ir_mem mem);
	/*
	 * For generated code whose table did not know the address: LD reads into value, ST writes from it (as they lie in memory), CAS and RMW get
	 * the distance from the guest's address to the host's. Raises nothing. cpu->insn_pc is set.
	 */
	enum cpu_miss (*miss)(struct cpu *cpu, enum ir_op op, u64 addr, void *value, unsigned size, struct ir_mem mem, enum cpu_tried tried,
			      u64 *ret_add);
};

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* From a helper or the interpreter: leaves to the run loop with this event; the guest's state is that at insn_pc. */
void cpu_raise(struct cpu *cpu, enum ir_event event, u64 arg) NORETURN;
/*
 * Runs access(cpu, arg), whose reads and writes may fail without the guest's noticing: false when one did (EV_MEMORY, EV_ALIGN), where access was left and
 * cpu->fault_* tell of it. Other events go on to whoever runs the CPU. For helpers: instructions that do not fault, or not behind their first element.
 */
bool cpu_try(struct cpu *cpu, void (*access)(struct cpu *cpu, void *arg), void *arg);
/* Reads and writes 1 to 16 bytes as they lie in memory, in one access where the host has it; mem: .align, .order, .mmu count. */
void cpu_read(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem);
void cpu_write(struct cpu *cpu, u64 addr, const void *buf, unsigned size, struct ir_mem mem);
/* Compare and swap, and mem.rmw with an operand: atomic; give the old value. size 1, 2, 4, 8, 16; values as the guest reads them. */
u128 cpu_cas(struct cpu *cpu, u64 addr, unsigned size, u128 expected, u128 desired, struct ir_mem mem);
u128 cpu_rmw(struct cpu *cpu, u64 addr, unsigned size, u128 operand, struct ir_mem mem);
/* One access of host memory: single-copy atomic where the host has it at that alignment. size 1..16. */
void cpu_host_load(void *buf, const void *host, unsigned size);
void cpu_host_store(void *host, const void *buf, unsigned size);
/*
 * Whether a host code address lies in the functions with which cpu_read, cpu_write and the interpreter touch user mode's guest
 * memory. A fault there is the guest's: with fault_addr and fault_code set, go on in cpu_raise(cpu, EV_MEMORY, 0).
 */
bool cpu_is_access(uintptr_t host_pc);
/* Asks a running CPU to come out; from any thread or signal handler. */
static inline NO_TSAN void cpu_stop(struct cpu *cpu)
{
	__atomic_store_n(&cpu->stop, ~0u, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->jump_table, cpu->no_table, __ATOMIC_SEQ_CST);
}
