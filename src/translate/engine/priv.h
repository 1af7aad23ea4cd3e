/* The engine's own header. See engine.h. */
#pragma once
#include "translate/engine/engine.h"
#include "translate/host/host.h"
#include <pthread.h>

enum { PAGE_BITS = 12, TABLE_BITS = 16, PAGES_BITS = 14, ENTRY_BITS = 20, HOT_BITS = 16, ARENA = 256 << 10 };

/* A jump of generated code that was pointed at a translation: undone when that goes. */
struct incoming {
	u8 *place; /* the displacement, writable view */
	u8 *stub; /* what it led to before */
	struct incoming *next;
};

/* Guest bytes in one page that a translation was made from, or that it took for granted (flags that its successor overwrites). */
struct span {
	u64 page; /* number */
	u32 lo, hi; /* bytes in the page */
};
enum { SPANS = 16 };

struct page_ref { /* a translation in the list of a page */
	struct tb *tb;
	struct page_ref *next, **before; /* .before: what points here */
	struct span span;
};

/* A translation. Never freed while the engine runs code; a dead one is only out of every table. */
struct tb {
	u64 pc, key;
	const u8 *code; /* run address; NULL: .region is interpreted */
	u32 size;
	u32 n_site, n_ways;
	struct host_site *site;
	struct host_out *ways;
	struct ir_region *region;
	struct tb *next; /* in its bucket of the table */
	struct incoming *incoming;
	bool dead;
	bool cold; /* of the first tier */
	bool is_kept; /* .ways and .site lie in a file of kept translations; else in one piece, owned */
	u8 n_ref;
	struct page_ref ref[]; /* the first is pc's page */
};

struct arena {
	u8 *next, *end; /* writable view */
};

struct peeked { /* what a look at the code at pc said */
	u64 pc;
	u32 bytes; /* looked at */
	bool valid, dead;
};

enum { KEYS = 32, JUMP_CHUNK_BITS = 7 };
/* Entries that generated code's indirect jumps find, of one mode (in system mode: of one mode in one context). */
struct jumps {
	u64 key;
	struct host_jump *table;
	u64 used[(1 << HOST_JUMP_BITS >> JUMP_CHUNK_BITS) / 64]; /* which chunks of it were written to */
};
struct mmu;

struct arena_tbs { /* the translations whose code lies in an arena: in the order of their addresses, since an arena is one thread's */
	struct tb **tb;
	u32 n; /* written last; readers may be signal handlers */
	u32 cap;
};

enum exit_cause { EXIT_LINK, EXIT_MISS, EXIT_HOT, EXIT_STOP, EXIT_SYSCALL, EXIT_FAULT, EXIT_OTHER, EXIT_CAUSES };

struct priv { /* a CPU's */
	struct engine *e;
	struct cpu *cpu;
	struct priv *next; /* all CPUs of the engine */
	struct arena arena;
	struct ir_region *region; /* for building, kept */
	struct ir_region *peek; /* for looking ahead */
	struct peeked peeked[256];
	u64 peeked_epoch; /* of the engine's when .peeked was filled */
	struct span span[SPANS]; /* of the region being made */
	u32 n_span;
	struct keep_pages *keep_pages; /* keep.c's; NULL until used */
	struct host_job job;
	u32 number; /* in the log */
	u64 n_exit[EXIT_CAUSES]; /* how often generated code was left, why */
	bool stepping; /* breakpoints do not count */
	u32 watch_hit; /* WATCH_* of an access that was made under a watchpoint's eyes */
	u32 passes; /* system mode: odd while translations run, counts every time; atomic, written by the CPU's thread */
	u32 seen; /* .passes, when somebody waited for it; under the lock */
	bool inside; /* runs, or is about to run, translations; atomic */
	struct former *former;
	struct code_copies *copies; /* where code is copied to before it is looked at; NULL: it is not (background.c) */
	bool cold; /* what is being made belongs to the first tier */
	bool calls; /* small functions are taken in where it calls them */
	struct jumps table[KEYS];
	u32 n_table;
	/* system mode */
	struct mmu *mmu; /* NULL in user mode */
	u64 place; /* of the translation being looked for: what belongs into its key */
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
	struct host_stubs stubs;
	struct host_jump *empty_table;
	struct tb **table; /* by pc and key; chains are read without a lock */
	struct page_ref **page; /* by page: chains under the lock */
	pthread_mutex_t world; /* held while everything is forgotten; taken before the lock */
	bool evicting; /* CPUs may not enter generated code; atomic */
	bool full; /* a translation found no room; atomic */
	u32 n_dead; /* in .dead; atomic, changed under the lock */
	size_t stubs_size; /* of the code cache's first part, which stays */
	u64 n_evictions;
	struct page_ref *dead; /* by its first reference: translations out of every table */
	u8 *page_has_code; /* by the same hash: a hint read without the lock */
	u32 *hot; /* a bit for every place whose translation ran often, by a hash (tiers.c) */
	u32 *entry; /* a bit for every entry of a translation, by its low address bits: a hint that lies close together */
	struct arena_tbs *arena; /* by the code's arena: for faults */
	struct priv *cpus;
	u64 *stop_at; /* breakpoints; readers take the lock unless there is none */
	struct watchpoint *watch;
	u32 n_stop_at, n_watch;
	size_t stop_at_cap, watch_cap;
	pthread_mutex_t lock; /* tables' writers, links, CPUs */
	u64 epoch; /* of invalidations; atomic, changed under the lock */
	struct {
		u64 addr, end;
	} gone[16]; /* the last ones, by epoch */
	struct perf *perf; /* NULL: perf wants nothing */
	u32 n_cpus_made;
	u64 n_exit[EXIT_CAUSES]; /* of CPUs that are gone */
	struct keep *keep; /* kept translations; NULL: none */
	bool guards; /* engine_guard was called: atomic */
	struct windows *windows; /* NULL: none */
	struct background *background; /* NULL: everything is translated by the CPU that needs it */
	u64 unmarked; /* system mode: how often a page lost its mark of holding code; atomic */
	u64 n_tb, n_hot, n_calls, n_peeled, n_kept, n_insn, n_bytes, n_invalidated, n_interpreted, translate_ns;
};

/* ---- evict.c ---- */
/* Around everything that holds a translation. Waits while all are being forgotten. */
void world_enter(struct priv *p);
void world_leave(struct priv *p);
/* Shall evict() be called? */
bool evict_wanted(const struct engine *e);
/* Forgets all translations, if that is still wanted. The caller, inside, holds none. */
void evict(struct priv *p);
/* Frees them, when nobody runs. */
void engine_free_translations(struct engine *e);

/* ---- tiers.c ---- */
/* How many guest instructions the translation at pc may have; sets p->cold and p->calls. */
u32 tier_at(struct priv *p, u64 pc);
/* What began at entry ran often, and goes on at pc: both are translated again for speed, by another thread or when they are asked for next. */
void tier_up(struct priv *p, u64 entry, u64 pc);
/* Translates what is at pc in the CPU's mode for speed now, if that was not done yet. */
void tier_again(struct priv *p, u64 pc);
/* Whether what begins at pc has run half as often as what is translated for speed, or more: as the callers of a function that does. On the translator's thread: at all. */
bool runs_often(struct priv *p, u64 pc);
void tiers_new_cpu(const struct engine *e, struct cpu *cpu);

/* ---- background.c ---- */
struct background *background_new(struct engine *e);
void background_free(struct background *b);
/* Shall pc be translated for speed by another thread? It is being, or will be: true. From any CPU's thread, without locks. */
bool background_ask(struct priv *p, u64 pc);
/* The thread is not in the child; with engine_background_pause in force before. */
void background_after_fork(struct background *b);
/* config.fetch, but for a CPU whose .copies is set a copy: good until the fourth call after this one. */
const u8 *code_at(struct priv *p, u64 pc, u32 *ret_avail, u32 *ret_code);

/* ---- former.c ---- */
struct former;
struct former *former_new(void);
void former_free(struct former *f);
/* Builds the region at pc into p->region and p->span; false: the first instruction cannot be fetched (cpu->fault_* set). */
bool form_region(struct priv *p, u64 pc, u32 max_insns, u32 *ret_insns);
/* Is what is called at pc short, all to be read, and does it return (calls.c)? Looked at without following jumps. */
bool call_is_small(struct priv *p, u64 pc);
/* Adds the guest bytes [lo, hi) to p->span; false: too many pages. */
bool span_add(struct priv *p, u64 lo, u64 hi);

/* ---- landing.c ---- */
/* The CPU's key says whether landings are checked. Before it runs. */
void landing_begin(struct cpu *cpu);
/* Generated code or the interpreter has come out: takes apart what an indirect jump left in pc. */
void landing_take(struct cpu *cpu);
/* Whether an indirect jump may land at cpu->pc, which has a translation. */
bool landing_allowed(struct cpu *cpu);
/* The address by which generated code looks for where this jump led: pc, with the mark of the jump's kind. */
u64 landing_pc(const struct cpu *cpu);
/* Is the memory at addr guarded? */
bool landing_guarded(const struct engine *e, u64 addr);

/* ---- table.c ---- */
/* Whoever runs in a translation that is gone comes out at its next poll. Under the lock. */
void stop_cpus(struct engine *e);
struct tb *tb_find(struct engine *e, u64 pc, u64 key);
/* What stands for pc in tables of bits. */
static inline u32 entry_bit(const struct engine *e, u64 pc)
{
	return (pc >> __builtin_ctz(e->guest->insn_min)) & BITS(ENTRY_BITS);
}
/* Whether there may be a translation at pc: a quick look. */
static inline bool tb_maybe(const struct engine *e, u64 pc)
{
	u32 bit = entry_bit(e, pc);
	return __atomic_load_n(&e->entry[bit / 32], __ATOMIC_RELAXED) >> bit % 32 & 1;
}
/* A new translation of p's CPU's code at pc, made from p->span. Freed by tb_free while it is in no table. */
struct tb *tb_new(const struct priv *p, u64 pc);
void tb_free(struct tb *tb);
/*
 * Puts it into the tables. If another thread was first, frees it and gives that one. NULL, freed too: code that it was made from has changed
 * since the epoch.
 */
struct tb *tb_insert(struct engine *e, struct tb *tb, u64 epoch);
struct tb_way { /* a call by which a translation is left */
	const struct tb *tb;
	const struct host_out *out;
};
/* The one behind which a run address is. */
struct tb_way tb_way_of(struct engine *e, const u8 *run);
/* Makes the jump of a HOST_LINK go to the target from now on. */
void tb_link(struct engine *e, const struct tb_way *from, struct tb *target);
/* The translation whose code holds a run address; NULL if none. Async-signal-safe. */
struct tb *tb_at(struct engine *e, const u8 *run);
void table_flush(struct engine *e);

/* Takes one translation out of everything. Under the lock. */
void tb_kill(struct engine *e, struct tb *tb);
/* Is there a translation of bytes in [addr, addr + size), within a page? Under the lock. */
bool tb_in(struct engine *e, u64 addr, u64 size);

/* ---- engine.c ---- */
void jumps_clear(struct jumps *j);

/* ---- translate.c ---- */
struct tb *translate(struct priv *p, u64 pc);
/* For looking at guest code in the CPU's mode, without making anything of it: instructions go into p->peek, from pc on. The caller sets .code and .avail. */
struct tr peek_begin(struct priv *p, u64 pc);
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

/* ---- log.c: -d, of the region in p->region ---- */
void log_formed(struct priv *p);
void log_optimized(struct priv *p);
void log_compiled(struct priv *p, const struct tb *tb);
void log_entered(struct priv *p, const struct tb *tb);

/* ---- perf.c ---- */
struct err *perf_begin(struct engine *e) MUST_CHECK;
/* Tells perf of a translation that is in the code cache. Under the lock. */
void perf_region(struct engine *e, const struct tb *tb);
void perf_after_fork(struct engine *e);
void perf_end(struct engine *e);
