/* The engine's own header. See engine.h. */
#pragma once
#include "translate/engine/engine.h"
#include "translate/host/host.h"
#include <pthread.h>

enum { PAGE_BITS = 12, TABLE_BITS = 16, PAGES_BITS = 14, ARENA = 256 << 10, TIER1_INSNS = 96 };

/* A jump of generated code that was pointed at a translation: undone when that goes. */
struct incoming {
	u8 *place; /* the displacement, writable view */
	u8 *stub; /* what it led to before */
	struct incoming *next;
};

/* A translation. Never freed while the engine runs code; a dead one is only out of every table. */
struct tb {
	u64 pc, key;
	u64 at; /* what it is filed under: pc; in system mode the physical address of pc */
	u64 second; /* system mode: physical page of an instruction's part behind pc's page, ~0 none */
	struct tb *next_second; /* of those that have one */
	u64 end; /* one behind the last guest byte, all in the page of pc (or the next, for an instruction that crosses) */
	const u8 *code; /* run address; NULL: .region is interpreted */
	u32 size;
	u32 n_site;
	struct host_site *site;
	struct ir_region *region;
	struct tb *next; /* in its bucket of the table */
	struct tb *next_in_page;
	struct incoming *incoming;
	bool dead;
};

struct arena {
	u8 *next, *end; /* writable view */
};

struct peeked { /* what a look at the code at pc said */
	u64 pc;
	bool valid, dead;
};

enum { KEYS = 32 };
/* Entries that generated code's indirect jumps find, of one mode (in system mode: of one mode in one context). */
struct jumps {
	u64 key;
	struct host_jump *table;
	u64 used; /* which 64ths of it were written to */
};
struct mmu;
struct priv { /* a CPU's */
	struct engine *e;
	struct cpu *cpu;
	struct priv *next; /* all CPUs of the engine */
	struct arena arena;
	struct ir_region *region; /* for building, kept */
	struct ir_region *peek; /* for looking ahead */
	struct peeked peeked[256];
	struct host_job job;
	struct former *former;
	struct jumps table[KEYS];
	u32 n_table;
	/* system mode */
	struct mmu *mmu; /* NULL in user mode */
	u64 place, at; /* of the translation being looked for: what belongs into its key, its physical address */
};

struct engine {
	struct engine_config config;
	const struct guest *guest;
	u8 *rw, *rx; /* the two views of the code cache */
	size_t size;
	size_t used; /* handed out in arenas; atomic */
	u32 generation;
	struct host_stubs stubs;
	struct host_jump *empty_table;
	struct tb **table; /* by pc and key; chains are read without a lock */
	struct tb **page; /* by page: chains under the lock */
	u8 *page_has_code; /* by the same hash: a hint read without the lock */
	u64 *by_code_pc;
	struct tb **by_code; /* all translations with code in order of making, for faults */
	size_t n_by_code, by_code_cap;
	struct priv *cpus;
	pthread_mutex_t lock; /* tables' writers, links, CPUs */
	struct tb *second; /* those that have a second page */
	u64 code_writes; /* system mode: how often translated memory was written to; atomic */
	u64 n_tb, n_insn, n_bytes, n_invalidated, n_interpreted, translate_ns;
};

/* ---- former.c ---- */
struct former;
struct former *former_new(void);
void former_free(struct former *f);
/* Builds the region at pc into p->region; false: the first instruction cannot be fetched (cpu->fault_* set). */
bool form_region(struct priv *p, u64 pc, u32 max_insns, u64 *ret_end, u32 *ret_insns);

/* ---- table.c ---- */
struct tb *tb_find(struct engine *e, u64 pc, u64 key);
/* Puts it into the tables; if another thread was first, gives that one. */
struct tb *tb_insert(struct engine *e, struct tb *tb);
void tb_link(struct engine *e, struct host_link *link, struct tb *target);
/* The translation whose code holds a run address; NULL if none. Async-signal-safe. */
struct tb *tb_at(struct engine *e, const u8 *run);
void table_flush(struct engine *e);

/* Is there a translation of code that lies in [addr, addr + size) (as they are filed, within a page)? Under the lock. */
bool tb_in(struct engine *e, u64 addr, u64 size);
/* They go. Under the lock. */
void tb_kill(struct engine *e, u64 addr, u64 size);
/* Notes where the second page of its code is. */
void tb_second_page(struct engine *e, struct tb *tb, u64 phys);

/* ---- engine.c ---- */
void jumps_clear(struct jumps *j);

/* ---- translate.c ---- */
struct tb *translate(struct priv *p, u64 pc);
u8 *arena_take(struct priv *p, size_t least);
