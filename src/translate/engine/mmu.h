/*
 * System mode in the engine: how guest-virtual addresses reach memory. Inside the engine; guest/system.h is what a guest sees of it.
 *
 * A context (a number of the guest's) has a table of its own, found again when the guest comes back to it, so that a change of address
 * space or privilege changes a pointer. A flush costs what was filled in since the last one, not the table's size: there is no clearing of
 * whole tables, and so no reason to size them by use either.
 *
 * A context's tables are written by its CPU's thread; other threads only take away permission to write (mmu_mark_code).
 */
#pragma once
#include "guest/system.h"
#include <time.h>
#include <sys/types.h>
#include "translate/host/host.h"
#include "translate/engine/mem/phys.h"

struct priv;
struct engine;
struct tb;

enum { TLB_BITS = HOST_TLB_BITS, TLB_SIZE = 1 << TLB_BITS, TLB_RANGES = 8, CONTEXTS = 16 };

/*
 * Generated code compares the address of the access's last byte, its low twelve bits set, with .read or .write, and adds .add to reach host memory;
 * its format is known to translate/host (HOST_TLB_*). 0: empty. A tag with bit 11 clear is known but not allowed.
 */
struct tlb_entry {
	u64 read, write;
	u64 add; /* host address = guest address + add */
	u64 phys; /* page, and TLB_* */
};
enum { TLB_GLOBAL = 1, TLB_FETCH = 2, TLB_TRACKED = 4 /* writable, but holds code: writes are looked at */ };

struct tlb_range { /* a mapping larger than a page; its pages are filled in from it */
	u64 base, phys;
	u8 bits, allow;
	bool global;
};

struct window { /* window.h */
	u8 *area; /* reserved; NULL: there is none yet */
	u64 *state; /* by page */
	u64 slice[CPU_SLICES]; /* + 1: which 64 GiB of the middle each holds; 0: none */
	u32 slice_faults; /* accesses that found theirs taken */
	u32 *page; /* those that are or were mapped since all was dropped */
	u32 n_page, n_mapped;
	size_t cap;
	bool on;
	bool large; /* some are parts of larger mappings of the guest's */
	u32 ticks, need; /* of the context's time: since it began, or lost its window; until it gets one */
	i64 credit; /* what mapping may still cost */
	u8 heat[256]; /* faults by page */
};

struct context {
	struct tlb_entry entry[TLB_SIZE]; /* first: cpu->tlb points here */
	u64 used[TLB_SIZE / 64], used_words; /* which entries may not be empty */
	struct tlb_range range[TLB_RANGES]; /* bits 0: free */
	unsigned next_range;
	u64 code_pages[64]; /* pages (by hash) of which jump tables know something */
	u64 id, stamp;
	u32 serial; /* names its jump tables; new with every use of the place */
	bool live;
	struct window window;
};

struct flush_request {
	u64 mask, match, addr; /* addr ~0: all pages */
	bool keep_global;
};

struct mmu { /* a CPU's */
	struct phys_map *phys;
	struct context *context[CONTEXTS];
	struct context *code, *data[CPU_MMUS];
	u64 clock;
	u32 serials;
	bool leave; /* cpu_leave: atomic */
	bool single; /* the next instruction shall be a region of its own */
	bool in_single;
	bool tick; /* time has passed: atomic */
	bool timed; /* .timer runs, for this thread */
	timer_t timer;
	pid_t timed_thread;
	struct flush_request request[8]; /* of other CPUs; under the engine's lock */
	unsigned n_request;
	bool requested; /* there are some: atomic */
	u64 n_fill, n_flush, n_page_flush, n_switch, n_code_write;
};

/* Where an access goes. */
struct mmu_place {
	u8 *host; /* RAM; NULL: registers */
	const struct phys_range *range;
	u64 phys;
	bool tracked; /* a write to it may change code */
};

struct mmu *mmu_new(struct phys_map *phys);
void mmu_free(struct engine *e, struct mmu *m);
extern const struct cpu_system mmu_services;
extern const struct cpu_memory mmu_memory;
/* Translates; false: cpu->fault_addr and fault_code are set. */
bool mmu_find(struct priv *p, struct context *c, u64 addr, enum mmu_access access, struct mmu_place *ret);
/* The table's entry of an address; NULL: it has none. */
const struct tlb_entry *mmu_entry(const struct context *c, u64 addr);
/* engine_config.fetch of system mode. */
const u8 *mmu_fetch(void *user, struct cpu *cpu, u64 pc, u32 *ret_avail, u32 *ret_code);
/*
 * The page has translated code from now on: no CPU begins to write to it unseen. True: some may have begun before, mmu_wait_stores is needed,
 * and then mmu_marked with the engine's .unmarked of before.
 */
bool mmu_mark_code(struct priv *self, u64 phys);
void mmu_marked(struct engine *e, u64 phys, u64 unmarked);
/* This CPU enters or leaves translations, for mmu_wait_stores. */
void mmu_pass(struct priv *p, bool in);
/*
 * Waits until every store that another CPU began to do before now, with what its table said then, is done. Between marking a page and reading
 * what is translated. No lock may be held.
 */
void mmu_wait_stores(struct priv *p);
/* Before a write of size bytes to tracked memory at p->cpu's current instruction: false: leave, and do that instruction alone. */
bool mmu_code_write(struct priv *p, const struct mmu_place *place, unsigned size);
/* Of the region being made: the pages it was made from become physical ones. Nothing in user mode. */
void mmu_spans(struct priv *p);
/* After such a write, or when translations of physical memory are wrong for another reason: they go. From any thread. */
void mmu_code_written(struct engine *e, u64 phys, u64 size);
/* Which word and bit of .code_pages stand for an address. */
u64 *mmu_code_page(struct context *c, u64 addr, u64 *ret_bit);
/* Does what other CPUs asked for. */
void mmu_take_requests(struct priv *p);
/* For all CPUs of the engine but this one (NULL: all): forget; they do so before they next enter a translation. */
void mmu_broadcast(struct engine *e, struct priv *but, const struct flush_request *what);

/* ---- system.c ---- */
/* The translation for pc in the present mode; NULL: it cannot be fetched. */
struct tb *mmu_get(struct priv *p, u64 pc);
/* The part of a translation's key that is not cpu->key. */
static inline u64 mmu_key(u64 cpu_key, u64 phys)
{
	return cpu_key | phys >> 12 << 20;
}
#define KEY_SINGLE BIT(19)
#define KEY_WINDOW BIT(18)
