/* Contexts and their tables; translating, filling, flushing. */
#include "translate/engine/window.h"
#include "translate/engine/priv.h"
#include <sched.h>
#include <sys/mman.h>

enum { PAGE = 4096, TAG_ALLOWED = 0xfff, TAG_KNOWN = 0x7ff };

struct mmu *mmu_new(struct phys_map *phys)
{
	struct mmu *m = alloc(sizeof(*m));
	m->phys = phys;
	return m;
}

void mmu_free(struct engine *e, struct mmu *m)
{
	for (unsigned i = 0; m && i < CONTEXTS; i++)
		if (m->context[i]) {
			window_free(e->windows, &m->context[i]->window);
			munmap(m->context[i], sizeof(struct context));
		}
	if (m && m->timed)
		timer_delete(m->timer);
	free(m);
}

static unsigned index_of(u64 addr)
{
	return addr >> 12 & (TLB_SIZE - 1);
}

static bool holds(const struct tlb_entry *e, u64 addr)
{
	return e->read && !((e->read ^ addr) >> 12);
}

/* ---- forgetting ---- */
static void drop_entry(struct context *c, unsigned i)
{
	/* write first: generated code of this CPU is not running, other threads only clear .write */
	__atomic_store_n(&c->entry[i].write, 0, __ATOMIC_RELAXED);
	c->entry[i] = (struct tlb_entry){ 0 };
	c->used[i / 64] &= ~BIT(i % 64);
	if (!c->used[i / 64])
		c->used_words &= ~BIT(i / 64);
}

/* All entries within [base, base + size) (bits 64: everywhere). */
static void drop_range(struct context *c, u64 base, unsigned bits, bool keep_global)
{
	for (u64 words = c->used_words; words; words &= words - 1) {
		unsigned w = __builtin_ctzll(words);
		for (u64 used = c->used[w]; used; used &= used - 1) {
			unsigned i = w * 64 + __builtin_ctzll(used);
			const struct tlb_entry *e = &c->entry[i];
			bool in = bits > 63 || !((e->read ^ base) >> bits);
			if (in && !(keep_global && e->phys & TLB_GLOBAL))
				drop_entry(c, i);
		}
	}
}

static void drop_jumps(struct priv *p, struct context *c)
{
	for (u32 i = 0; i < p->n_table; i++)
		if (p->table[i].key >> 20 == c->serial)
			jumps_clear(&p->table[i]);
	memset(c->code_pages, 0, sizeof(c->code_pages));
}

static void flush_context(struct priv *p, struct context *c, bool keep_global)
{
	drop_range(c, 0, 64, keep_global);
	for (unsigned i = 0; i < TLB_RANGES; i++)
		if (!keep_global || !c->range[i].global)
			c->range[i].bits = 0;
	window_flush(p, c, keep_global);
	drop_jumps(p, c);
}

u64 *mmu_code_page(struct context *c, u64 addr, u64 *ret_bit)
{
	u64 h = (addr >> 12) * 0x9e3779b97f4a7c15ull >> 52;
	*ret_bit = BIT(h % 64);
	return &c->code_pages[h / 64];
}

static void flush_address(struct priv *p, struct context *c, u64 addr, bool keep_global)
{
	for (unsigned i = 0; i < TLB_RANGES; i++) {
		struct tlb_range *r = &c->range[i];
		if (r->bits && !((addr ^ r->base) >> r->bits) && !(keep_global && r->global)) {
			drop_range(c, r->base, r->bits, keep_global);
			r->bits = 0;
			drop_jumps(p, c);
		}
	}
	struct tlb_entry *e = &c->entry[index_of(addr)];
	if (holds(e, addr) && !(keep_global && e->phys & TLB_GLOBAL))
		drop_entry(c, index_of(addr));
	window_flush_page(p, c, addr, keep_global);
	u64 bit;
	if (*mmu_code_page(c, addr, &bit) & bit)
		drop_jumps(p, c);
}

static void flush_matching(struct priv *p, const struct flush_request *f)
{
	for (unsigned i = 0; i < CONTEXTS; i++) {
		struct context *c = p->mmu->context[i];
		if (!c || !c->live || (c->id & f->mask) != f->match)
			continue;
		if (f->addr == ~0ull)
			flush_context(p, c, f->keep_global);
		else
			flush_address(p, c, f->addr, f->keep_global);
	}
}

static void flush(struct cpu *cpu, u64 mask, u64 match, bool keep_global)
{
	struct priv *p = cpu->engine_priv;
	p->mmu->n_flush++;
	flush_matching(p, &(struct flush_request){ mask, match, ~0ull, keep_global });
}

static void flush_page(struct cpu *cpu, u64 mask, u64 match, u64 addr, bool keep_global)
{
	struct priv *p = cpu->engine_priv;
	p->mmu->n_page_flush++;
	flush_matching(p, &(struct flush_request){ mask, match, addr & ~(u64)(PAGE - 1), keep_global });
}

void mmu_take_requests(struct priv *p)
{
	struct mmu *m = p->mmu;
	if (!__atomic_load_n(&m->requested, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&p->e->lock);
	for (unsigned i = 0; i < m->n_request; i++)
		flush_matching(p, &m->request[i]);
	m->n_request = 0;
	__atomic_store_n(&m->requested, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&p->e->lock);
}

void mmu_broadcast(struct engine *e, struct priv *but, const struct flush_request *what)
{
	pthread_mutex_lock(&e->lock);
	for (struct priv *p = e->cpus; p; p = p->next) {
		struct mmu *m = p->mmu;
		if (p == but)
			continue;
		if (m->n_request == LEN(m->request)) { /* too many: all */
			m->n_request = 1;
			m->request[0] = (struct flush_request){ 0, 0, ~0ull, false };
		} else {
			m->request[m->n_request++] = *what;
		}
		__atomic_store_n(&m->requested, true, __ATOMIC_RELEASE);
		cpu_stop(p->cpu);
	}
	pthread_mutex_unlock(&e->lock);
}

/* ---- contexts ---- */
static bool in_use(const struct mmu *m, const struct context *c)
{
	return c == m->code || c == m->data[0] || c == m->data[1];
}

static struct context *new_context(void)
{
	struct context *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c == MAP_FAILED)
		abort(); /* as alloc does without memory */
	return c;
}

/* The one with this number, or the one unused for longest, emptied. */
static struct context *context(struct priv *p, u64 id)
{
	struct mmu *m = p->mmu;
	unsigned oldest = CONTEXTS;
	for (unsigned i = 0; i < CONTEXTS; i++) {
		struct context *c = m->context[i];
		if (c && c->live && c->id == id) {
			c->stamp = ++m->clock;
			return c;
		}
		if (c && in_use(m, c))
			continue;
		if (oldest == CONTEXTS || !c || (m->context[oldest] && c->stamp < m->context[oldest]->stamp))
			if (oldest == CONTEXTS || m->context[oldest])
				oldest = i;
	}
	struct context *c = m->context[oldest];
	if (!c)
		__atomic_store_n(&m->context[oldest], c = new_context(), __ATOMIC_RELEASE);
	if (c->live)
		flush_context(p, c, false);
	c->id = id;
	c->live = true;
	c->serial = ++m->serials;
	window_fresh(p, c);
	c->stamp = ++m->clock;
	return c;
}

static void enter(struct cpu *cpu, u64 code, const u64 data[CPU_MMUS])
{
	struct priv *p = cpu->engine_priv;
	struct mmu *m = p->mmu;
	if (!m->code || m->code->id != code)
		m->code = context(p, code);
	for (unsigned i = 0; i < CPU_MMUS; i++) {
		if (!m->data[i] || m->data[i]->id != data[i])
			m->data[i] = context(p, data[i]);
		cpu->tlb[i] = m->data[i];
	}
	window_use(p);
	m->n_switch++;
	__atomic_store_n(&cpu->jump_table, cpu->no_table, __ATOMIC_SEQ_CST);
}

/* ---- translating ---- */
static void remember_range(struct context *c, u64 addr, const struct walk_result *w)
{
	struct tlb_range *r = &c->range[c->next_range++ % TLB_RANGES];
	if (r->bits)
		drop_range(c, r->base, r->bits,
			   false); /* a flush of one of its pages could not find the others */
	u64 in = w->bits > 63 ? ~0ull : BITS(w->bits);
	*r = (struct tlb_range){ .base = addr & ~in,
				 .phys = w->phys & ~in,
				 .bits = w->bits,
				 .allow = w->allow,
				 .global = w->global };
}

/* What is mapped at addr, by a range known or by the guest's walk. */
static bool walk(struct priv *p, struct context *c, u64 addr, enum mmu_access access, struct walk_result *ret)
{
	for (unsigned i = 0; i < TLB_RANGES; i++) {
		const struct tlb_range *r = &c->range[i];
		if (r->bits && !((addr ^ r->base) >> r->bits) && r->allow & BIT(access)) {
			*ret = (struct walk_result){ .phys = r->phys | (addr - r->base),
						     .bits = r->bits,
						     .allow = r->allow,
						     .global = r->global };
			return true;
		}
	}
	*ret = (struct walk_result){ 0 };
	if (!p->e->guest->system->walk(p->cpu, c->id, addr, access, ret)) {
		p->cpu->fault_addr = addr;
		p->cpu->fault_code = ret->fault;
		return false;
	}
	if (ret->bits > 12)
		remember_range(c, addr, ret);
	return true;
}

static void fill(struct priv *p, struct context *c, u64 addr, const struct walk_result *w,
		 const struct phys_range *r)
{
	unsigned i = index_of(addr);
	struct tlb_entry *e = &c->entry[i];
	u64 page = addr & ~(u64)(PAGE - 1), phys = w->phys & ~(u64)(PAGE - 1);
	u8 *code = &r->code[(phys - r->base) / PAGE];
	drop_entry(c, i);
	__atomic_store_n(&c->used[i / 64], c->used[i / 64] | BIT(i % 64), __ATOMIC_RELAXED);
	__atomic_store_n(&c->used_words, c->used_words | BIT(i / 64), __ATOMIC_RELAXED);
	e->add = (u64)(uintptr_t)r->host + (phys - r->base) - page;
	e->read = page | (w->allow & BIT(MMU_READ) ? TAG_ALLOWED : TAG_KNOWN);
	e->phys = phys | (w->global ? TLB_GLOBAL : 0) | (w->allow & BIT(MMU_FETCH) ? TLB_FETCH : 0) |
		  (w->allow & BIT(MMU_WRITE) ? TLB_TRACKED : 0);
	/* who asks whether he may write takes it that he may read */
	bool both = w->allow & BIT(MMU_READ) && w->allow & BIT(MMU_WRITE);
	__atomic_store_n(&e->write, page | (both ? TAG_ALLOWED : TAG_KNOWN), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(
		code,
		__ATOMIC_SEQ_CST)) /* after the tag stands, since mmu_mark_code sets this before it looks */
		__atomic_store_n(&e->write, page | TAG_KNOWN, __ATOMIC_RELAXED);
	p->mmu->n_fill++;
}

bool mmu_find(struct priv *p, struct context *c, u64 addr, enum mmu_access access, struct mmu_place *ret)
{
	struct tlb_entry *e = &c->entry[index_of(addr)];
	if (holds(e, addr)) {
		bool ok = access == MMU_READ ? (e->read & TAG_ALLOWED) == TAG_ALLOWED
					     : e->phys & (access == MMU_WRITE ? TLB_TRACKED : TLB_FETCH);
		if (ok) {
			*ret =
			    (struct mmu_place){ .host = (u8 *)(uintptr_t)(addr + e->add),
						.phys = (e->phys & ~(u64)(PAGE - 1)) | (addr & (PAGE - 1)) };
			ret->tracked = access == MMU_WRITE && (__atomic_load_n(&e->write, __ATOMIC_RELAXED) &
							       TAG_ALLOWED) != TAG_ALLOWED;
			return true;
		}
	}
	struct walk_result w;
	if (!walk(p, c, addr, access, &w))
		return false;
	const struct phys_range *r = phys_find(p->mmu->phys, w.phys);
	if (!r || (access == MMU_FETCH && !r->host)) {
		p->cpu->fault_addr = addr;
		p->cpu->fault_code = p->e->guest->system->bus_fault[access];
		return false;
	}
	*ret = (struct mmu_place){ .range = r, .phys = w.phys };
	if (r->host) {
		fill(p, c, addr, &w, r);
		ret->host = r->host + (w.phys - r->base);
		ret->tracked = access == MMU_WRITE && (e->write & TAG_ALLOWED) != TAG_ALLOWED;
	}
	return true;
}

const struct tlb_entry *mmu_entry(const struct context *c, u64 addr)
{
	const struct tlb_entry *e = &c->entry[index_of(addr)];
	return holds(e, addr) ? e : NULL;
}

const u8 *mmu_fetch(void *user UNUSED, struct cpu *cpu, u64 pc, u32 *ret_avail, u32 *ret_code)
{
	struct priv *p = cpu->engine_priv;
	struct mmu_place at;
	if (!mmu_find(p, p->mmu->code, pc & cpu->mem_mask, MMU_FETCH, &at)) {
		*ret_code = cpu->fault_code;
		return NULL;
	}
	*ret_avail = PAGE - (pc & (PAGE - 1));
	return at.host;
}

static void *ram(struct cpu *cpu, u64 phys, unsigned size)
{
	struct priv *p = cpu->engine_priv;
	const struct phys_range *r = phys_find(p->mmu->phys, phys);
	return r && r->host && phys - r->base <= r->size - size ? r->host + (phys - r->base) : NULL;
}

const struct cpu_system mmu_services = {
	.ram = ram, .enter = enter, .flush = flush, .flush_page = flush_page
};

/* ---- code ---- */
/* True: the page could be written to. */
static bool protect_entries(struct context *c, u64 phys)
{
	bool any = false;
	for (u64 words = __atomic_load_n(&c->used_words, __ATOMIC_SEQ_CST); words; words &= words - 1) {
		unsigned w = __builtin_ctzll(words);
		for (u64 used = __atomic_load_n(&c->used[w], __ATOMIC_SEQ_CST); used; used &= used - 1) {
			struct tlb_entry *e = &c->entry[w * 64 + __builtin_ctzll(used)];
			u64 tag = __atomic_load_n(&e->write, __ATOMIC_SEQ_CST);
			if (!((e->phys ^ phys) >> 12) &&
			    (tag & TAG_ALLOWED) ==
				TAG_ALLOWED) { /* not if it became another page's meanwhile */
				any = true;
				__atomic_compare_exchange_n(&e->write, &tag,
							    tag & ~(u64)TAG_ALLOWED
								? (tag & ~(u64)TAG_ALLOWED) | TAG_KNOWN
								: TAG_KNOWN,
							    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
			}
		}
	}
	return any;
}

bool mmu_mark_code(struct priv *self, u64 phys)
{
	struct engine *e = self->e;
	const struct phys_range *r = phys_find(e->config.phys, phys);
	u8 *mark = &r->code[(phys - r->base) / PAGE];
	if (__atomic_load_n(mark, __ATOMIC_SEQ_CST) == PHYS_CODE)
		return false;
	pthread_mutex_lock(&e->lock);
	/* a store that has begun has its entry still, or another waits for it: only the CPU itself drops entries, between its accesses */
	bool wait = *mark == PHYS_CODE_SOON;
	__atomic_store_n(mark, PHYS_CODE_SOON, __ATOMIC_SEQ_CST);
	for (struct priv *p = e->cpus; p; p = p->next)
		for (unsigned i = 0; i < CONTEXTS; i++) {
			struct context *c = __atomic_load_n(&p->mmu->context[i], __ATOMIC_ACQUIRE);
			wait |= c && protect_entries(c, phys) && p != self;
		}
	window_protect(e, r, phys);
	if (!wait)
		__atomic_store_n(mark, PHYS_CODE, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&e->lock);
	return wait;
}

void mmu_marked(struct engine *e, u64 phys, u64 unmarked)
{
	const struct phys_range *r = phys_find(e->config.phys, phys);
	pthread_mutex_lock(&e->lock);
	if (e->unmarked == unmarked) /* nobody took the mark away meanwhile */
		__atomic_store_n(&r->code[(phys - r->base) / PAGE], PHYS_CODE, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&e->lock);
}

void mmu_pass(struct priv *p, bool in)
{
	if ((p->passes & 1) != in)
		__atomic_store_n(&p->passes, p->passes + 1, __ATOMIC_SEQ_CST);
}

/* Asks CPUs that are still in the pass they were in when .seen was noted to come out. True: there are some. Under the lock. */
static bool still_storing(struct engine *e, const struct priv *self, bool first)
{
	bool any = false;
	for (struct priv *c = e->cpus; c; c = c->next) {
		u32 now = __atomic_load_n(&c->passes, __ATOMIC_SEQ_CST);
		if (c == self)
			continue;
		if (first)
			c->seen = now;
		if (!(now & 1) || now != c->seen)
			continue;
		cpu_stop(c->cpu);
		any = true;
	}
	return any;
}

void mmu_wait_stores(struct priv *p)
{
	struct engine *e = p->e;
	bool first = true, more;
	do {
		pthread_mutex_lock(&e->lock);
		more = still_storing(e, p, first);
		pthread_mutex_unlock(&e->lock);
		first = false;
		if (more)
			sched_yield();
	} while (more);
}

void mmu_code_written(struct engine *e, u64 phys, u64 size)
{
	const struct phys_range *r = phys_find(e->config.phys, phys);
	engine_invalidate(e, phys, size);
	pthread_mutex_lock(&e->lock);
	if (!tb_in(e, phys & ~(u64)(PAGE - 1),
		   PAGE)) { /* who translates at this moment sees that the number changed */
		__atomic_fetch_add(&e->unmarked, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&r->code[(phys - r->base) / PAGE], PHYS_DATA, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&e->lock);
}

void mmu_spans(struct priv *p)
{
	struct mmu_place at;
	for (u32 i = 0; p->mmu && i < p->n_span; i++)
		p->span[i].page =
		    mmu_find(p, p->mmu->code, p->span[i].page << PAGE_BITS & p->cpu->mem_mask, MMU_FETCH, &at)
			? at.phys >> PAGE_BITS
			: ~0ull >> PAGE_BITS;
}

bool mmu_code_write(struct priv *p, const struct mmu_place *place, unsigned size)
{
	struct mmu_place here;
	struct engine *e = p->e;
	u64 page = place->phys >> 12;
	p->mmu->n_code_write++;
	pthread_mutex_lock(&e->lock);
	bool hit = tb_in(e, place->phys, size);
	pthread_mutex_unlock(&e->lock);
	if (!hit)
		return true;
	/* the rest of the region that is running may be what changes */
	bool own = !mmu_find(p, p->mmu->code, p->cpu->insn_pc & p->cpu->mem_mask, MMU_FETCH, &here) ||
		   here.phys >> 12 == page;
	if (own && !p->mmu->in_single) {
		p->mmu->single = true;
		return false;
	}
	return true;
}
