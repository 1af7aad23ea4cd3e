/*
 * Windows: the guest's virtual pages mapped into reserved addresses of ours, so that a hot access is a comparison and the access. Inside the engine.
 *
 * A context has at most one, beside its table (mmu.h): it holds the lowest and the highest 2^38 addresses, of guests of 32 bits all, with 2 GiB on
 * either side that are always empty, for displacements and what an access sticks out. A page is mapped after an access that found it in the
 * table, so what is in a window is never more than what the guest's walk allowed: accessed and dirty bits, pages with code, and
 * permissions are those of the table. Every other access faults, and is done by the table.
 *
 * A CPU's windows are changed by its thread; other threads only take away permission to write (window_protect).
 */
#pragma once
#include "translate/engine/mmu.h"

struct windows; /* an engine's */
struct engine_stat;

/* NULL with config.windows off. */
struct windows *windows_new(const struct engine *e);
void windows_free(struct windows *all);
void window_free(struct windows *all, struct window *w);
/* The context's place has a new one, whose window must be earned. */
void window_fresh(struct priv *p, struct context *c);

/* What the data context's window is, or that it has none, for generated code: after every change of either. On the CPU's thread. */
void window_use(struct priv *p);
/* The part of a translation's key that tells code with windows from code without. */
u64 window_key(const struct priv *p);
/* host_job.reach; user: struct priv. */
enum host_reach window_reach(void *user, u64 pc);
/* A piece of the CPU's own time has passed in its present contexts (WINDOW_TICK_MS): windows are given and taken. */
enum { WINDOW_TICK_MS = 10 };
void window_tick(struct priv *p);
/* An access was tried in the window, in vain; it is done, and at[] is where it went. */
void window_missed(struct priv *p, u64 addr, const struct mmu_place at[2], unsigned n, bool write);
/* The address lies outside of what the instruction can reach as it was translated. */
void window_outside(struct priv *p, u64 addr);

/* ---- forgetting: with the same rules as the table's entries ---- */
void window_flush(struct priv *p, struct context *c, bool keep_global);
void window_flush_page(struct priv *p, struct context *c, u64 addr, bool keep_global);
/* The page has code now: nobody writes to it unseen. Under the engine's lock, from any thread. */
void window_protect(struct engine *e, const struct phys_range *r, u64 phys);

/* Whether a host address lies in the present window. Async-signal-safe. */
bool window_holds(const struct priv *p, const void *host);
/* ---- signals.c ---- */
/* Around running a CPU on this thread. */
void signals_enter(struct priv *p);
void signals_leave(void);

/* For engine_stats: writes up to WINDOW_STATS, gives how many. */
enum { WINDOW_STATS = 6 };
unsigned window_stats(const struct windows *all, struct engine_stat *stats);
