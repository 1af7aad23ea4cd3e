/* Windows: reserving, mapping, taking away; who gets one; which instructions use them. See window.h. */
#include "translate/engine/window.h"
#include "translate/engine/priv.h"
#include <stdio.h>
#include <sys/mman.h>

/* Pages are numbered: those of the low half, of the high half, then those of each slice. */
enum {
	PAGE = 4096,
	HALF_BITS = 38,
	HALVES = 2 << (HALF_BITS - 12),
	SLICE_BITS = 36,
	SLICE = 1 << (SLICE_BITS - 12),
	CHUNK_BITS = 21
};
enum { PAGES = HALVES + CPU_SLICES * SLICE };
static const u64 guard = 1ull << 31, half = 1ull << HALF_BITS, slice_size = 1ull << SLICE_BITS,
		 area_size = (2ull << HALF_BITS) + (2 + CPU_SLICES) * (1ull << 31) +
			     CPU_SLICES * (1ull << SLICE_BITS);

/* Of a page: its physical address and these. */
enum {
	MAPPED = 1,
	WRITABLE = 2,
	GLOBAL = 4,
	LISTED = 8 /* in .page */,
	SIZE_SHIFT = 4 /* log2 of the mapping it is part of: six bits */
};

/*
 * The price list, in faults: what a context may spend on its window, so that one that maps and unmaps all the time is soon without. A fault and a
 * mapping take some ten microseconds, tearing down another three; what was earned once is gone then.
 */
enum { CREDIT = 65536, CREDIT_LEAST = 4096, TICK_CREDIT = 30, FAULT_COST = 1, TORN_COST = 64 };
static const u32 need_first = 3, need_flushed_most = 128, need_broke = 100, need_most = 1600; /* ticks */

struct site { /* what is known of an instruction that accesses memory */
	u64 pc; /* physical, + 1; 0: free */
	u8 reach, outside, stuck, changed;
};
enum { SITES = 4096, OUTSIDE_MOST = 4, STUCK_MOST = 8, CHANGED_MOST = 4, SLICE_FAULTS = 64 };

struct windows {
	enum engine_windows mode;
	int fd;
	bool narrow; /* guests of 32 bits */
	u8 *empty; /* for contexts without a window */
	pthread_mutex_t
	    lock; /* all that follows, and what is mapped in any window; taken after the engine's */
	u32 n_vma, max_vma;
	struct site site[SITES];
	u64 n_window, n_lost, n_fault, n_mapped, n_torn, n_again;
};

static u8 *reserve(void)
{
	u8 *area = mmap(NULL, area_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return area == MAP_FAILED ? NULL : area;
}

/* Half of what the kernel lets us have: the rest is for everybody else in the process. */
static u32 vma_limit(void)
{
	unsigned n = 65530;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	if (f) {
		if (fscanf(f, "%u", &n) != 1)
			n = 65530;
		fclose(f);
	}
	return n / 2;
}

struct windows *windows_new(const struct engine *e)
{
	if (e->config.windows == WINDOWS_OFF || e->config.interpret)
		return NULL;
	struct windows *all = alloc(sizeof(*all));
	all->mode = e->config.windows;
	all->fd = phys_fd(e->config.phys);
	all->narrow = e->guest->addr_type == TY_I32;
	all->max_vma = vma_limit();
	all->empty = reserve();
	if (!all->empty) { /* addresses are scarce (ulimit -v): the tables do it alone */
		free(all);
		return NULL;
	}
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void windows_free(struct windows *all)
{
	if (!all)
		return;
	munmap(all->empty, area_size);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* ---- pages ---- */
static bool in_halves(u64 addr)
{
	return addr < half || addr >= -half;
}

/* Which slice is for an address of the middle. */
static unsigned slice_of(u64 addr)
{
	return (addr >> SLICE_BITS) % CPU_SLICES;
}

/* The page's number; false: the window does not reach there. */
static bool page_at(const struct window *w, u64 addr, u32 *ret)
{
	unsigned n = slice_of(addr);
	*ret = in_halves(addr) ? addr >> 12 & (HALVES - 1) : HALVES + n * SLICE + (addr >> 12 & (SLICE - 1));
	return in_halves(addr) || w->slice[n] == (addr >> SLICE_BITS) + 1;
}

static u64 addr_of(const struct window *w, u32 page)
{
	if (page < HALVES)
		return (u64)((i64)((u64)page << (63 - HALF_BITS + 12)) >> (63 - HALF_BITS));
	unsigned n = (page - HALVES) / SLICE;
	return (w->slice[n] - 1) << SLICE_BITS | (u64)(page % SLICE) << 12;
}

/* Where guest address 0 is. */
static u8 *origin(u8 *area)
{
	return area + guard + half;
}

static u8 *slice_host(u8 *area, unsigned n)
{
	return origin(area) + half + guard + n * (slice_size + guard);
}

static u8 *host_of(const struct window *w, u32 page)
{
	u64 addr = addr_of(w, page);
	return page < HALVES ? origin(w->area) + addr
			     : slice_host(w->area, (page - HALVES) / SLICE) + (addr & (slice_size - 1));
}

/* Must these two neighbours be parts of different mappings of the host? */
static bool parted(u64 a, u64 b)
{
	if (!((a | b) & MAPPED))
		return false;
	return ((a ^ b) & (MAPPED | WRITABLE)) || (a >> 12) + 1 != b >> 12;
}

static u32 parts_around(const struct window *w, u32 page)
{
	u32 wrap = page < HALVES ? HALVES - 1 : ~0u;
	u64 before = w->state[(page - 1) & wrap], after = w->state[(page + 1) & wrap];
	return parted(before, w->state[page]) + parted(w->state[page], after);
}

static void set_state(struct windows *all, struct window *w, u32 page, u64 state)
{
	u64 old = w->state[page];
	all->n_vma -= parts_around(w, page);
	w->state[page] = state | LISTED;
	all->n_vma += parts_around(w, page);
	w->n_mapped += (state & MAPPED) - (old & MAPPED);
	if (!(old & LISTED)) {
		w->page = grow(w->page, &w->cap, w->n_page + 1, sizeof(*w->page));
		w->page[w->n_page++] = page;
	}
}

static bool take_away(void *at, u64 size)
{
	return mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
	       MAP_FAILED;
}

static void unmap_page(struct windows *all, struct window *w, u32 page)
{
	if (!take_away(host_of(w, page), PAGE))
		abort(); /* a page that the guest took away must not stay */
	set_state(all, w, page, 0);
	w->credit -= TORN_COST;
	all->n_torn++;
}

static void unmap_all(struct windows *all, struct window *w)
{
	if (w->n_mapped && !take_away(w->area, area_size))
		abort();
	all->n_torn += w->n_mapped;
	for (u32 i = 0; i < w->n_page; i++)
		if (w->state[w->page[i]] & MAPPED)
			set_state(all, w, w->page[i], 0);
	for (u32 i = 0; i < w->n_page; i++)
		w->state[w->page[i]] = 0;
	w->n_page = 0;
	w->large = false;
}

/* ---- having one ---- */
static bool create(struct window *w)
{
	if (w->area)
		return true;
	w->state = mmap(NULL, (PAGES + 1ull) * sizeof(*w->state), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->state == MAP_FAILED)
		return false;
	w->area = reserve();
	if (!w->area)
		munmap(w->state, (PAGES + 1ull) * sizeof(*w->state));
	return w->area;
}

void window_free(struct windows *all, struct window *w)
{
	if (!w->area)
		return;
	pthread_mutex_lock(&all->lock);
	unmap_all(all, w);
	pthread_mutex_unlock(&all->lock);
	munmap(w->area, area_size);
	munmap(w->state, (PAGES + 1ull) * sizeof(*w->state));
	free(w->page);
}

static struct window *data_window(const struct priv *p)
{
	return &p->mmu->data[0]->window;
}

void window_use(struct priv *p)
{
	struct windows *all = p->e->windows;
	if (!all)
		return;
	const struct window *w = data_window(p);
	p->cpu->window_low = w->on ? half : 0;
	p->cpu->window_high = w->on ? -half : ~0ull;
	p->cpu->window_span = w->on ? 2 * half : 0;
	p->cpu->window_size = w->on ? slice_size : 0;
	for (unsigned n = 0; w->on && n < CPU_SLICES; n++) { /* of none: one that no program has */
		p->cpu->window_slice[n] = w->slice[n] ? (w->slice[n] - 1) << SLICE_BITS : BIT(63);
		p->cpu->window_host[n] = (u64)(uintptr_t)slice_host(w->area, n);
	}
	p->cpu->mem_base = origin(w->on ? w->area : all->empty);
	host_window(p->cpu->mem_base);
}

u64 window_key(const struct priv *p)
{
	return p->e->windows && data_window(p)->on ? KEY_WINDOW : 0;
}

bool window_holds(const struct priv *p, const void *host)
{
	const u8 *low = p->cpu->mem_base - half - guard;
	return p->e->windows && (const u8 *)host >= low && (const u8 *)host < low + area_size;
}

/* Code that counts on the window, or could, goes no further than the next exit. */
static void changed(struct priv *p, const struct window *w)
{
	if (!p->mmu->data[0] || w != data_window(p))
		return;
	window_use(p);
	__atomic_store_n(&p->cpu->jump_table, p->cpu->no_table, __ATOMIC_SEQ_CST);
}

static void give(struct priv *p, struct window *w)
{
	if (!create(w)) {
		w->need = need_most;
		w->ticks = 0;
		return;
	}
	w->on = true;
	w->credit = MAX(w->credit, CREDIT_LEAST);
	p->e->windows->n_window++;
	changed(p, w);
}

/* It has to be earned again. Under the windows' lock. */
static void lose(struct priv *p, struct window *w, u32 need)
{
	unmap_all(p->e->windows, w);
	w->on = false;
	w->ticks = 0;
	w->need = need;
	p->e->windows->n_lost++;
	changed(p, w);
}

void window_fresh(struct priv *p, struct context *c)
{
	struct windows *all = p->e->windows;
	if (!all)
		return;
	memset(c->window.slice, 0, sizeof(c->window.slice));
	c->window.ticks = 0;
	c->window.need = need_first;
	c->window.credit = CREDIT;
	if (all->mode == WINDOWS_ON && !c->window.on)
		give(p, &c->window);
}

static void check_credit(struct priv *p, struct window *w)
{
	if (w->on && w->credit < 0 && p->e->windows->mode == WINDOWS_AUTO) {
		u32 need = MAX(w->need * 2, need_broke);
		lose(p, w, MIN(need, need_most));
	}
}

void window_tick(struct priv *p)
{
	struct window *w = data_window(p);
	if (!p->e->windows)
		return;
	w->ticks++;
	if (w->on)
		w->credit = MIN(w->credit + TICK_CREDIT, CREDIT);
	else if (w->ticks >= w->need)
		give(p, w);
}

/* ---- instructions ---- */
static struct site *site_at(struct windows *all, u64 pc)
{
	return &all->site[(pc >> 1 ^ pc >> 13) % SITES];
}

/* What an instruction gets of which nothing is known: programs and their data lie in the same half. */
static enum host_reach first_reach(const struct windows *all, u64 pc)
{
	if (!all->narrow && !in_halves(pc))
		return REACH_SLICE + slice_of(pc);
	return all->narrow || (i64)pc >= 0 ? REACH_LOW : REACH_HIGH;
}

enum host_reach window_reach(void *user, u64 pc)
{
	struct priv *p = user;
	struct windows *all = p->e->windows;
	if (!(p->place & KEY_WINDOW) || p->place & KEY_SINGLE)
		return REACH_TABLE;
	u64 phys = p->place >> 20 << 12 | (pc & (PAGE - 1));
	pthread_mutex_lock(&all->lock);
	const struct site *s = site_at(all, phys);
	enum host_reach reach = s->pc == phys + 1 ? s->reach : first_reach(all, pc);
	pthread_mutex_unlock(&all->lock);
	return reach;
}

/* The current instruction's. Under the windows' lock. */
static struct site *site_now(struct priv *p, u64 *ret_phys)
{
	struct mmu_place at;
	struct windows *all = p->e->windows;
	u64 pc = p->cpu->insn_pc;
	if (!mmu_find(p, p->mmu->code, pc & p->cpu->mem_mask, MMU_FETCH, &at))
		return NULL;
	struct site *s = site_at(all, at.phys);
	if (s->pc != at.phys + 1)
		*s = (struct site){ .pc = at.phys + 1, .reach = first_reach(all, pc) };
	*ret_phys = at.phys;
	return s;
}

/* Its translations go, so that it is made anew. */
static void translate_again(struct priv *p, u64 phys)
{
	p->e->windows->n_again++;
	mmu_code_written(p->e, phys, 1);
}

/* The slice for an address holds its surroundings from now on, if nothing else had it, or that was in the way for long. */
static void take_slice(struct priv *p, struct window *w, u64 addr)
{
	unsigned n = slice_of(addr);
	if (w->slice[n] == (addr >> SLICE_BITS) + 1 || (w->slice[n] && ++w->slice_faults < SLICE_FAULTS))
		return;
	for (u32 i = 0; i < w->n_page; i++) {
		u32 page = w->page[i];
		if (page >= HALVES && (page - HALVES) / SLICE == n && w->state[page] & MAPPED)
			unmap_page(p->e->windows, w, page);
	}
	w->slice_faults = 0;
	w->slice[n] = (addr >> SLICE_BITS) + 1;
	changed(p, w);
}

/* What an instruction gets that was found outside again and again. */
static enum host_reach next_reach(const struct site *s, u64 addr)
{
	enum host_reach right = addr < half	? REACH_LOW
				: addr >= -half ? REACH_HIGH
						: REACH_SLICE + slice_of(addr);
	if (right < REACH_SLICE && s->reach < REACH_SLICE && s->changed)
		return REACH_BOTH;
	return s->changed < CHANGED_MOST ? right : REACH_TABLE;
}

void window_outside(struct priv *p, u64 addr)
{
	struct windows *all = p->e->windows;
	u64 phys;
	pthread_mutex_lock(&all->lock);
	struct site *s = data_window(p)->on ? site_now(p, &phys) : NULL;
	bool again = false;
	if (s && !in_halves(addr))
		take_slice(p, data_window(p), addr);
	if (s && ++s->outside >= OUTSIDE_MOST) {
		enum host_reach next = next_reach(s, addr);
		again = next != s->reach;
		s->reach = next;
		s->changed++;
		s->outside = 0;
	}
	pthread_mutex_unlock(&all->lock);
	if (again)
		translate_again(p, phys);
}

/* An access that can never be done in a window: to registers, to code. */
static void stuck(struct priv *p)
{
	struct windows *all = p->e->windows;
	u64 phys;
	pthread_mutex_lock(&all->lock);
	struct site *s = site_now(p, &phys);
	bool again = s && ++s->stuck >= STUCK_MOST;
	if (again)
		s->reach = REACH_TABLE, s->stuck = 0;
	pthread_mutex_unlock(&all->lock);
	if (again)
		translate_again(p, phys);
}

/* ---- mapping ---- */
struct run { /* pages that are neighbours in both worlds */
	u64 phys;
	u32 page; /* the first one's number */
	const struct phys_range *range;
	u32 pages;
	bool writable, global;
	u8 bits; /* of the guest's mapping */
};

static u64 state_of(const struct run *r, u32 i)
{
	u64 phys = r->phys + (u64)i * PAGE;
	bool code = __atomic_load_n(&r->range->code[(phys - r->range->base) / PAGE], __ATOMIC_SEQ_CST);
	return phys | MAPPED | (r->writable && !code ? WRITABLE : 0) | (r->global ? GLOBAL : 0) |
	       (u64)r->bits << SIZE_SHIFT;
}

/* n pages of it from the i-th, all with this permission. False: the kernel has no more. */
static bool map_part(struct windows *all, struct window *w, const struct run *r, u32 i, u32 n, u64 state)
{
	u64 offset = r->range->offset + (r->phys - r->range->base) + (u64)i * PAGE;
	u32 first = r->page + i;
	if (mmap(host_of(w, first), (u64)n * PAGE, PROT_READ | (state & WRITABLE ? PROT_WRITE : 0),
		 MAP_SHARED | MAP_FIXED, all->fd, (off_t)offset) == MAP_FAILED) {
		if (!take_away(host_of(w, first), (u64)n * PAGE))
			abort();
		return false;
	}
	memset(r->range->windowed + (r->phys - r->range->base) / PAGE + i, 1, n);
	for (u32 k = 0; k < n; k++)
		set_state(all, w, first + k, state + (u64)k * PAGE);
	all->n_mapped += n;
	w->large |= r->bits > 12;
	return true;
}

static bool map_run(struct windows *all, struct window *w, const struct run *r)
{
	for (u32 i = 0, n; i < r->pages; i += n) {
		u64 state = state_of(r, i);
		for (n = 1; i + n < r->pages && state_of(r, i + n) == state + (u64)n * PAGE; n++)
			;
		if (!map_part(all, w, r, i, n, state))
			return false;
	}
	return true;
}

/* All that lies around addr, which is in this page, in one piece, within reason. */
static struct run run_at(const struct context *c, u64 addr, u32 page, const struct tlb_entry *e,
			 const struct phys_range *range)
{
	u64 phys = e->phys & ~(u64)(PAGE - 1);
	struct run r = { .page = page,
			 .phys = phys,
			 .range = range,
			 .pages = 1,
			 .writable = e->phys & TLB_TRACKED,
			 .global = e->phys & TLB_GLOBAL,
			 .bits = 12 };
	for (unsigned i = 0; i < TLB_RANGES; i++) {
		const struct tlb_range *t = &c->range[i];
		bool same = !(t->allow & BIT(MMU_WRITE)) == !r.writable && t->allow & BIT(MMU_READ);
		if (!t->bits || (addr ^ t->base) >> t->bits || !same)
			continue;
		u64 size = t->bits < CHUNK_BITS ? BIT(t->bits) : BIT(CHUNK_BITS);
		u64 in = addr & (size - 1) & ~(u64)(PAGE - 1);
		u64 before = MIN(in, phys - range->base);
		r.bits = t->bits;
		r.page -= before / PAGE;
		r.phys -= before;
		r.pages = MIN(size - in + before, range->base + range->size - r.phys) / PAGE;
		break;
	}
	return r;
}

/* Room for so many more mappings of the host: other contexts of this CPU give theirs, the oldest first, then this one begins anew. */
static bool make_room(struct priv *p, struct window *w, u32 vmas)
{
	struct windows *all = p->e->windows;
	while (all->n_vma + vmas > all->max_vma) {
		struct context *oldest = NULL;
		for (unsigned i = 0; i < CONTEXTS; i++) {
			struct context *c = p->mmu->context[i];
			if (c && c->window.n_mapped && (!oldest || c->stamp < oldest->stamp) &&
			    &c->window != w)
				oldest = c;
		}
		if (oldest) {
			lose(p, &oldest->window, need_broke);
		} else if (w->n_mapped) {
			w->credit -= (i64)w->n_mapped * 2;
			unmap_all(all, w);
		} else {
			return false;
		}
	}
	return true;
}

/* Maps what the table knows of addr. False: that will never be in a window. Under the windows' lock. */
static bool map_known(struct priv *p, struct context *c, u64 addr, bool write)
{
	struct windows *all = p->e->windows;
	struct window *w = &c->window;
	const struct tlb_entry *e = mmu_entry(c, addr);
	u32 page;
	if (!e || (e->read & BITS(12)) != BITS(12) || !page_at(w, addr, &page))
		return false;
	const struct phys_range *range = phys_find(p->mmu->phys, e->phys & ~(u64)(PAGE - 1));
	struct run r = run_at(c, addr, page, e, range);
	u64 old = w->state[page];
	if (old & MAPPED && old >> 12 == e->phys >> 12) { /* a first write to what was only read */
		r.page = page;
		r.phys = e->phys & ~(u64)(PAGE - 1);
		r.pages = 1;
		if (!write || !(state_of(&r, 0) & WRITABLE) || old & WRITABLE)
			return !write;
	}
	return make_room(p, w, r.pages > 1 ? 66 : 2) && map_run(all, w, &r);
}

void window_missed(struct priv *p, u64 addr, const struct mmu_place at[2], unsigned n, bool write)
{
	struct windows *all = p->e->windows;
	struct context *c = p->mmu->data[0];
	struct window *w = &c->window;
	bool never = false;
	if (!w->on)
		return;
	pthread_mutex_lock(&all->lock);
	all->n_fault++;
	w->credit -= FAULT_COST;
	u8 *heat = &w->heat[(addr >> 12) % LEN(w->heat)];
	bool hot = all->mode == WINDOWS_ON || ++*heat > 1;
	for (unsigned i = 0; i < n; i++) {
		u64 part = i ? (addr | (PAGE - 1)) + 1 : addr;
		if (!at[i].host || at[i].tracked)
			never = true;
		else if (hot)
			never |= !map_known(p, c, part & p->cpu->mem_mask, write);
	}
	if (hot)
		*heat = 0;
	check_credit(p, w);
	pthread_mutex_unlock(&all->lock);
	if (never)
		stuck(p);
}

/* ---- forgetting ---- */
void window_flush(struct priv *p, struct context *c, bool keep_global)
{
	struct window *w = &c->window;
	struct windows *all = p->e->windows;
	if (!w->on) { /* time counts from here */
		w->ticks = 0;
		return;
	}
	pthread_mutex_lock(&all->lock);
	if (all->mode == WINDOWS_ON || keep_global) {
		for (u32 i = 0; i < w->n_page && keep_global; i++)
			if (w->state[w->page[i]] & MAPPED && !(w->state[w->page[i]] & GLOBAL))
				unmap_page(all, w, w->page[i]);
		if (!keep_global)
			unmap_all(all, w);
		check_credit(p, w);
	} else { /* had it for long? then it gets another soon */
		u32 need = w->ticks > need_flushed_most ? need_first : MIN(w->need * 2, need_flushed_most);
		lose(p, w, need);
	}
	pthread_mutex_unlock(&all->lock);
}

void window_flush_page(struct priv *p, struct context *c, u64 addr, bool keep_global)
{
	struct window *w = &c->window;
	struct windows *all = p->e->windows;
	if (!w->on)
		return;
	pthread_mutex_lock(&all->lock);
	u32 own;
	if (page_at(w, addr, &own) && w->state[own] & MAPPED && !(keep_global && w->state[own] & GLOBAL))
		unmap_page(all, w, own);
	for (u32 i = 0; w->large && i < w->n_page; i++) {
		/* every page of a larger mapping that addr is in */
		u32 page = w->page[i];
		u64 s = w->state[page];
		u8 bits = s >> SIZE_SHIFT & 63;
		bool in = s & MAPPED && !((addr_of(w, page) ^ addr) >> bits);
		if (in && !(keep_global && s & GLOBAL))
			unmap_page(all, w, page);
	}
	check_credit(p, w);
	pthread_mutex_unlock(&all->lock);
}

static void protect_in(struct windows *all, struct window *w, u64 phys)
{
	for (u32 i = 0; i < w->n_page; i++) {
		u32 page = w->page[i];
		u64 s = w->state[page];
		if ((s & (MAPPED | WRITABLE)) != (MAPPED | WRITABLE) || (s ^ phys) >> 12)
			continue;
		if (mprotect(host_of(w, page), PAGE, PROT_READ) == 0)
			set_state(all, w, page, s & ~(u64)WRITABLE);
		else
			unmap_page(all, w, page);
	}
}

void window_protect(struct engine *e, const struct phys_range *r, u64 phys)
{
	struct windows *all = e->windows;
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	for (struct priv *p = r->windowed[(phys - r->base) / PAGE] ? e->cpus : NULL; p; p = p->next)
		for (unsigned i = 0; i < CONTEXTS; i++)
			if (p->mmu->context[i])
				protect_in(all, &p->mmu->context[i]->window, phys);
	pthread_mutex_unlock(&all->lock);
}

unsigned window_stats(const struct windows *all, struct engine_stat *stats)
{
	const struct engine_stat mine[] = {
		{ "windows given", all->n_window },
		{ "windows lost", all->n_lost },
		{ "faults in windows", all->n_fault },
		{ "pages mapped in windows", all->n_mapped },
		{ "pages unmapped there", all->n_torn },
		{ "instructions translated again for windows", all->n_again },
	};
	memcpy(stats, mine, sizeof(mine));
	return LEN(mine);
}
