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

enum { KEYS = 8 };
struct priv { /* a CPU's */
	struct engine *e;
	struct cpu *cpu;
	struct priv *next; /* all CPUs of the engine */
	struct arena arena;
	struct ir_region *region; /* for building, kept */
	struct ir_region *peek; /* for looking ahead */
	struct peeked peeked[256];
	struct host_job job;
	bool stepping; /* breakpoints do not count */
	u32 watch_hit; /* WATCH_* of an access that was made under a watchpoint's eyes */
	struct former *former;
	struct {
		u64 key;
		struct host_jump *table;
		bool used;
	} table[KEYS];
	u32 n_table;
};

struct watchpoint {
	u64 addr, len;
	u32 kinds;
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
	u64 *stop_at; /* breakpoints; readers take the lock unless there is none */
	struct watchpoint *watch;
	u32 n_stop_at, n_watch;
	size_t stop_at_cap, watch_cap;
	pthread_mutex_t lock; /* tables' writers, links, CPUs */
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

/* ---- translate.c ---- */
struct tb *translate(struct priv *p, u64 pc);
u8 *arena_take(struct priv *p, size_t least);

/* ---- debug.c ---- */
/* Whether translation stops at pc for a debugger. */
bool debug_stops_at(struct priv *p, u64 pc);
/* What an interpreted region gave, and whether it was seen by a watchpoint. */
enum ir_event debug_event(struct priv *p, enum ir_event ev);
static inline bool debug_watches(const struct engine *e)
{
	return UNLIKELY(__atomic_load_n(&e->n_watch, __ATOMIC_RELAXED));
}
void debug_new_cpu(struct priv *p); /* under the lock */
void debug_free(struct engine *e);
