/* Life of an engine and its CPUs, and the loop that runs them. */
#include "translate/engine/keep/keep.h"
#include "translate/engine/window.h"
#include "base/err.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { DEFAULT_CODE = 256 << 20 };

/*
 * Maps shared memory a second time, for execution; at a place (over what is there) or anywhere. Not by a memory file: the guest's limit on the size
 * of files would count for that.
 */
static u8 *second_view(u8 *memory, size_t size, u8 *place)
{
	u8 *view = mremap(memory, 0, size, MREMAP_MAYMOVE | (place ? MREMAP_FIXED : 0), place);
	return view == MAP_FAILED || mprotect(view, size, PROT_READ | PROT_EXEC) < 0 ? MAP_FAILED : view;
}

static struct err *map_code(struct engine *e)
{
	e->size = ROUND_UP(e->config.code_size ? e->config.code_size : DEFAULT_CODE, ARENA);
	e->rw =
	    mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	e->rx = e->rw == MAP_FAILED ? MAP_FAILED : second_view(e->rw, e->size, NULL);
	if (e->rx == MAP_FAILED)
		return err_errno(errno, "cannot map the code cache of %zu bytes", e->size);
	/* a fork must not share code that either side goes on changing: the child maps its own */
	size_t n = host_make_stubs(e->rw, e->rw + ARENA, e->rx - e->rw, e->guest->slots, e->guest->hot_int,
				   e->guest->hot_vec, &e->stubs);
	if (!n)
		return err_new(ERR_UNSUPPORTED, "no room for the shared code");
	e->used = e->stubs_size = ROUND_UP(n, (size_t)ARENA);
	return NULL;
}

#define JUMPS_SIZE (sizeof(struct host_jump) << HOST_JUMP_BITS)

/* An empty table of jumps. Memory that was never touched is empty, but for the place that address 0 would be found at. */
static struct host_jump *jumps_new(void)
{
	struct host_jump *t = mmap(NULL, JUMPS_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t == MAP_FAILED)
		abort();
	t[host_jump_slot(0, 0)].pc = ~0ull;
	return t;
}

struct err *engine_new(const struct engine_config *config, struct engine **ret_engine)
{
	const char *why;
	if (config->phys && !config->guest->system)
		return err_new(ERR_UNSUPPORTED, "%s has no system mode yet", config->guest->name);
	if (!config->interpret && !host_supported(&why))
		return err_hint(
		    err_new(ERR_UNSUPPORTED, "this processor cannot run translated code: %s", why),
		    "the option -interpret works on every processor, slowly");
	struct engine *e = alloc(sizeof(*e));
	e->config = *config;
	if (config->phys)
		e->config.fetch = mmu_fetch;
	e->guest = config->guest;
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->world, NULL);
	struct err *err = map_code(e);
	if (err) {
		free(e);
		return err;
	}
	e->table = mmap(NULL, sizeof(*e->table) << TABLE_BITS, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	e->page = mmap(NULL, sizeof(*e->page) << PAGES_BITS, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	e->page_has_code = alloc(1 << PAGES_BITS);
	e->arena = alloc(e->size / ARENA * sizeof(*e->arena));
	e->entry = alloc((1u << ENTRY_BITS) / 8);
	e->hot = alloc((1u << HOT_BITS) / 8);
	e->empty_table = jumps_new();
	if (config->phys)
		e->windows = windows_new(e);
	err = perf_begin(e);
	if (err)
		return err_in(err, "perf");
	/* what is looked at must be made now, and in every detail */
	if (config->keep_dir && !config->one_insn && !config->interpret && !config->exact && !config->log)
		e->keep = keep_new(e);
	if (config->background && config->hot_after && !config->phys && !config->one_insn &&
	    !config->interpret && !config->exact && !config->log)
		e->background = background_new(e);
	*ret_engine = e;
	return NULL;
}

void engine_free(struct engine *e)
{
	background_free(e->background);
	engine_free_translations(e);
	munmap(e->rw, e->size);
	munmap(e->rx, e->size);
	munmap(e->table, sizeof(*e->table) << TABLE_BITS);
	munmap(e->page, sizeof(*e->page) << PAGES_BITS);
	debug_free(e);
	perf_end(e);
	windows_free(e->windows);
	free(e->page_has_code);
	free(e->entry);
	free(e->hot);
	munmap(e->empty_table, JUMPS_SIZE);
	for (size_t i = 0; i < e->size / ARENA; i++)
		free(e->arena[i].tb);
	free(e->arena);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->world);
	if (e->keep)
		keep_free(e->keep);
	free(e);
}

static void clean(struct cpu *cpu, u64 addr, u64 len)
{
	u64 line = 64;
	if (len == ~0ull)
		engine_invalidate(cpu->engine, 0, ~0ull);
	else
		engine_invalidate(cpu->engine, addr & ~(line - 1), ROUND_UP(len + (addr & (line - 1)), line));
}

struct cpu *engine_cpu_new(struct engine *e)
{
	struct cpu *cpu = aligned_alloc(64, ROUND_UP(e->guest->state_size, 64));
	struct priv *p = alloc(sizeof(*p));
	memset(cpu, 0, e->guest->state_size);
	p->e = e;
	p->cpu = cpu;
	p->region = ir_new(e->guest->slots, e->guest->addr_type);
	p->peek = ir_new(e->guest->slots, e->guest->addr_type);
	p->former = former_new();
	cpu->engine = e;
	cpu->engine_priv = p;
	cpu->guest = e->guest;
	if (e->config.phys) { /* stores to code are seen: nothing to do when the guest says so */
		p->mmu = mmu_new(e->config.phys);
		cpu->system = &mmu_services;
		cpu->memory = &mmu_memory;
	} else {
		cpu->clean = clean;
	}
	cpu->mem_mask = ~0ull;
	cpu->excl_addr = ~0ull;
	cpu->host_fp = 0x1f80;
	cpu->no_table = cpu->jump_table = e->empty_table;
	e->guest->reset(cpu, e->config.model);
	tiers_new_cpu(e, cpu);
	pthread_mutex_lock(&e->lock);
	p->next = e->cpus;
	e->cpus = p;
	p->number = e->n_cpus_made++;
	debug_new_cpu(p);
	pthread_mutex_unlock(&e->lock);
	return cpu;
}

static void priv_free(struct priv *p)
{
	mmu_free(p->e, p->mmu);
	for (u32 i = 0; i < p->n_table; i++)
		munmap(p->table[i].table, JUMPS_SIZE);
	ir_free(p->region);
	ir_free(p->peek);
	former_free(p->former);
	free(p->keep_pages);
	free(p->copies);
	host_job_free(&p->job);
	free(p);
}

void engine_cpu_free(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	struct engine *e = p->e;
	pthread_mutex_lock(&e->lock);
	for (struct priv **c = &e->cpus; *c; c = &(*c)->next)
		if (*c == p) {
			*c = p->next;
			break;
		}
	for (unsigned i = 0; i < EXIT_CAUSES; i++)
		e->n_exit[i] += p->n_exit[i];
	pthread_mutex_unlock(&e->lock);
	priv_free(p);
	free(cpu);
}

/*
 * The code cache is shared memory (two views of it), so a fork does not part it. The child gets a copy that is made before the fork,
 * under the lock: were it made after, the parent might have linked code of its own that the child knows nothing of.
 */
static bool map_copy(struct engine *e, struct engine_fork *f)
{
	size_t used = MIN(__atomic_load_n(&e->used, __ATOMIC_RELAXED), e->size);
	f->rx = MAP_FAILED;
	f->rw =
	    mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->rw == MAP_FAILED)
		return false;
	memcpy(f->rw, e->rw, used);
	f->rx = second_view(f->rw, e->size, NULL);
	return f->rx != MAP_FAILED;
}

static void drop_copy(struct engine *e, struct engine_fork *f)
{
	if (f->rw != MAP_FAILED)
		munmap(f->rw, e->size);
	if (f->rx != MAP_FAILED)
		munmap(f->rx, e->size);
}

bool engine_fork_begin(struct engine *e, struct engine_fork *f)
{
	pthread_mutex_lock(&e->lock);
	if (map_copy(e, f))
		return true;
	drop_copy(e, f);
	pthread_mutex_unlock(&e->lock);
	return false;
}

void engine_fork_parent(struct engine *e, struct engine_fork *f)
{
	drop_copy(e, f);
	pthread_mutex_unlock(&e->lock);
}

void engine_fork_child(struct engine *e, struct engine_fork *f, struct cpu *self)
{
	struct priv *mine = self->engine_priv;
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_init(&e->lock, NULL); /* whoever waited for it is not here */
	pthread_mutex_init(&e->world, NULL);
	e->evicting = false;
	for (struct priv *c = e->cpus, *next; c; c = next) {
		next = c->next;
		if (c != mine)
			priv_free(c);
	}
	if (e->keep)
		keep_after_fork(e->keep);
	background_after_fork(e->background);
	mine->next = NULL;
	e->cpus = mine;
	if (mremap(f->rw, e->size, e->size, MREMAP_MAYMOVE | MREMAP_FIXED, e->rw) == MAP_FAILED ||
	    mremap(f->rx, e->size, e->size, MREMAP_MAYMOVE | MREMAP_FIXED, e->rx) == MAP_FAILED)
		_exit(127); /* without code of its own the child must not go on */
	perf_after_fork(e);
}

static void chunk_clear(struct jumps *j, u32 chunk)
{
	for (u32 i = 0, at = chunk << JUMP_CHUNK_BITS; i < 1 << JUMP_CHUNK_BITS; i++)
		j->table[at + i] = (struct host_jump){ ~0ull, NULL };
}

void jumps_clear(struct jumps *j)
{
	for (u32 i = 0; i < LEN(j->used); i++)
		for (; j->used[i]; j->used[i] &= j->used[i] - 1)
			chunk_clear(j, i * 64 + __builtin_ctzll(j->used[i]));
}

static void jumps_set(struct jumps *j, u32 slot, u64 pc, const struct tb *tb)
{
	j->used[slot >> JUMP_CHUNK_BITS >> 6] |= BIT(slot >> JUMP_CHUNK_BITS & 63);
	j->table[slot].code = tb->code;
	__atomic_store_n(&j->table[slot].pc, pc, __ATOMIC_SEQ_CST); /* before tb->dead is read: see tb_kill */
}

/* What tells one table of jumps from another. */
static u64 jumps_key(const struct priv *p)
{
	return p->cpu->key | (p->mmu ? (u64)p->mmu->code->serial << 20 | window_key(p) : 0);
}

static struct jumps *jump_table(struct priv *p, u64 key)
{
	for (u32 i = 0; i < p->n_table; i++)
		if (p->table[i].key == key)
			return &p->table[i];
	u32 i = p->n_table < KEYS ? p->n_table : (key ^ key >> 20) % KEYS;
	struct host_jump *t = i < p->n_table ? p->table[i].table : jumps_new();
	pthread_mutex_lock(&p->e->lock);
	jumps_clear(&p->table[i]);
	p->table[i].key = key;
	p->table[i].table = t;
	p->n_table = MAX(p->n_table, i + 1);
	pthread_mutex_unlock(&p->e->lock);
	return &p->table[i];
}

static struct tb *get(struct priv *p, u64 pc)
{
	if (p->mmu)
		return mmu_get(p, pc);
	struct tb *tb = tb_find(p->e, pc, p->cpu->key);
	return tb ? tb : translate(p, pc);
}

/* What an event means for whoever runs the CPU. */
static enum ir_event came_out(struct cpu *cpu, enum ir_event ev)
{
	if (ev == EV_FETCH) /* raised for the part of an instruction that is missing */
		cpu->fault_addr = cpu->event_arg;
	return ev;
}

/*
 * Lets generated code find a translation next time: by the link it came over, if any, and by the hash of the address it looked for. False: it
 * has gone meanwhile.
 */
static bool remember(struct priv *p, struct jumps *jumps, u64 pc, const struct tb_way *from, struct tb *tb)
{
	u32 slot = host_jump_slot(pc, __builtin_ctz(p->e->guest->insn_min));
	if (from->tb)
		tb_link(p->e, from, tb);
	jumps_set(jumps, slot, pc, tb);
	if (!__atomic_load_n(&tb->dead, __ATOMIC_SEQ_CST))
		return true;
	jumps->table[slot].pc = ~0ull;
	return false;
}

/* Runs a translation: an event or one of HOST_*; from: the way out of HOST_LINK, HOST_HOT and events that have one. */
static u64 run_once(struct priv *p, const struct tb *tb, struct tb_way *ret_from)
{
	struct cpu *cpu = p->cpu;
	u64 ev;
	if (p->mmu)
		mmu_pass(p, true);
	if (tb->code) {
		ev = p->e->stubs.enter(cpu, tb->code);
		host_settle(cpu, &p->e->stubs);
		if (ev == HOST_OUT) {
			*ret_from = tb_way_of(p->e, (const u8 *)(uintptr_t)cpu->scratch[0]);
			cpu->pc = ret_from->out->pc;
			ev = ret_from->out->what;
		}
	} else {
		ev = debug_event(p, ir_run(tb->region, cpu));
	}
	if (p->mmu)
		mmu_pass(p, false);
	return ev;
}

static enum ir_event loop(struct priv *p)
{
	struct engine *e = p->e;
	struct cpu *cpu = p->cpu;
	u64 key = jumps_key(p);
	struct jumps *jumps = jump_table(p, key);
	struct tb_way from = { 0 }; /* a link that is not made yet, that we came by */
	bool chain = !log_has(e->config.log, LOG_NOCHAIN);
	__atomic_store_n(&cpu->jump_table, jumps->table, __ATOMIC_SEQ_CST);
	for (;;) {
		if (__atomic_load_n(&cpu->stop, __ATOMIC_SEQ_CST))
			return EV_NONE;
		if (evict_wanted(e)) {
			evict(p);
			from.tb = NULL;
		}
		if (jumps_key(p) != key || cpu->jump_table != jumps->table) {
			key = jumps_key(p);
			jumps = jump_table(p, key);
			__atomic_store_n(&cpu->jump_table, jumps->table, __ATOMIC_SEQ_CST);
			from.tb = NULL;
			continue;
		}
		struct tb *tb = get(p, cpu->pc);
		if (!tb)
			return EV_FETCH;
		if (cpu->landing && !landing_allowed(cpu))
			return EV_UNDEFINED;
		if (log_has(e->config.log, LOG_EXEC | LOG_CPU))
			log_entered(p, tb);
		/* a region for one access to code: nothing leads to it but this loop, and it leads nowhere */
		bool single = p->mmu && p->mmu->in_single;
		if (tb->code && chain && !single && !remember(p, jumps, landing_pc(cpu), &from, tb))
			continue;
		cpu->landing = 0;
		struct tb_way way;
		u64 ev = run_once(p, tb, &way);
		landing_take(cpu);
		from.tb = NULL;
		if (ev == HOST_LINK) {
			p->n_exit[EXIT_LINK]++;
			if (!p->mmu || !p->mmu->in_single)
				from = way;
		} else if (ev == HOST_MISS) {
			p->n_exit[EXIT_MISS]++;
		} else if (ev == HOST_HOT) {
			p->n_exit[EXIT_HOT]++;
			tier_up(p, way.tb->pc, cpu->pc);
		} else if (ev != EV_NONE) {
			return came_out(cpu, ev);
		}
	}
}

static enum exit_cause cause_of(enum ir_event ev)
{
	return ev == EV_NONE					     ? EXIT_STOP
	       : ev == EV_SYSCALL				     ? EXIT_SYSCALL
	       : ev == EV_MEMORY || ev == EV_FETCH || ev == EV_ALIGN ? EXIT_FAULT
								     : EXIT_OTHER;
}

enum ir_event cpu_run(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	sigjmp_buf raise;
	enum ir_event ev;
	host_window(cpu->mem_base);
	landing_begin(cpu);
	world_enter(p);
	if (sigsetjmp(raise, 0)) {
		host_settle(cpu, &p->e->stubs);
		if (p->mmu)
			mmu_pass(p, false);
		cpu->pc = cpu->insn_pc;
		ev = cpu->event;
	} else {
		cpu->raise = &raise;
		ev = loop(p);
	}
	cpu->raise = NULL;
	world_leave(p);
	__atomic_store_n(&cpu->jump_table, cpu->no_table, __ATOMIC_SEQ_CST);
	p->n_exit[cause_of(ev)]++;
	return ev;
}

enum ir_event cpu_step(struct cpu *cpu)
{
	struct priv *p = cpu->engine_priv;
	u32 n;
	p->stepping = true;
	landing_begin(cpu);
	bool there = form_region(p, cpu->pc, 1, &n);
	p->stepping = false;
	if (!there)
		return EV_FETCH;
	if (cpu->landing && !landing_allowed(cpu))
		return EV_UNDEFINED;
	cpu->landing = 0;
	enum ir_event ev = debug_event(p, ir_run(p->region, cpu));
	landing_take(cpu);
	return came_out(cpu, ev);
}

/* Of the instruction at a run address that may fault; NULL: it may not. */
static const struct host_site *site_of(const struct tb *tb, const u8 *run)
{
	u32 at = run - tb->code, lo = 0, hi = tb->n_site;
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		if (tb->site[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < tb->n_site && tb->site[lo].at == at ? &tb->site[lo] : NULL;
}

/* System mode: what was not in the window is looked for otherwise, by the access's cold code. */
static bool window_fault(struct priv *p, const struct tb *tb, const struct host_site *site, void *ucontext,
			 const siginfo_t *si)
{
	if (!site->pc || !window_holds(p, si->si_addr))
		return false;
	host_go_on(ucontext, tb->code + site->pc);
	return true;
}

bool engine_fault(struct cpu *cpu, void *ucontext, void *info)
{
	struct priv *p = cpu->engine_priv;
	struct engine *e = p->e;
	const u8 *run = (const u8 *)(uintptr_t)host_context_pc(ucontext);
	const siginfo_t *si = info;
	u64 addr = ((u64)(uintptr_t)si->si_addr - (u64)(uintptr_t)cpu->mem_base) & cpu->mem_mask;
	if (run >= e->rx && run < e->rx + e->size) {
		struct tb *tb = tb_at(e, run);
		const struct host_site *site = tb ? site_of(tb, run) : NULL;
		if (!site || p->mmu)
			return site && window_fault(p, tb, site, ucontext, si);
		cpu->pc = cpu->insn_pc = tb->pc + (i32)site->pc;
		cpu->fault_addr = addr;
		cpu->fault_code = si->si_code;
		cpu->fault_write = ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_ERR] >> 1 & 1;
		host_fault(tb->code, site->leave, &e->stubs, ucontext, EV_MEMORY);
		return true;
	}
	if (cpu->raise && cpu_is_access((uintptr_t)run)) {
		if (si->si_code != SI_KERNEL) /* which does not say where: the access has */
			cpu->fault_addr = addr;
		cpu->fault_code = si->si_code;
		host_divert(ucontext, cpu);
		return true;
	}
	return false;
}

void engine_keep_flush(struct engine *e)
{
	if (e->keep)
		keep_flush(e->keep);
}

/* All CPUs', as they stand: those that run count on. */
static u64 exits(const struct engine *e, enum exit_cause cause)
{
	u64 n = e->n_exit[cause];
	for (const struct priv *c = e->cpus; c; c = c->next)
		n += __atomic_load_n(&c->n_exit[cause], __ATOMIC_RELAXED);
	return n;
}

unsigned engine_stats(struct engine *e, struct engine_stat *stats, unsigned n)
{
	pthread_mutex_lock(&e->lock);
	const struct engine_stat all[] = {
		{ "regions", e->n_tb },
		{ "regions made again for speed", e->n_hot },
		{ "calls whose function was taken in", e->n_calls },
		{ "loops entered in their middle", e->n_peeled },
		{ "regions kept from earlier runs", e->n_kept },
		{ "guest instructions translated", e->n_insn },
		{ "bytes of code", e->n_bytes },
		{ "regions interpreted", e->n_interpreted },
		{ "times the code cache was emptied", e->n_evictions },
		{ "regions invalidated", e->n_invalidated },
		{ "microseconds in translation", e->translate_ns / 1000 },
		{ "exits: unlinked jumps", exits(e, EXIT_LINK) },
		{ "exits: indirect jumps that missed", exits(e, EXIT_MISS) },
		{ "exits: regions that ran often", exits(e, EXIT_HOT) },
		{ "exits: system calls", exits(e, EXIT_SYSCALL) },
		{ "exits: faults", exits(e, EXIT_FAULT) },
		{ "exits: requests to stop", exits(e, EXIT_STOP) },
		{ "exits: other events", exits(e, EXIT_OTHER) },
	};
	pthread_mutex_unlock(&e->lock);
	unsigned i;
	for (i = 0; i < n && i < LEN(all); i++)
		stats[i] = all[i];
	return i + (e->windows && n - i >= WINDOW_STATS ? window_stats(e->windows, stats + i) : 0);
}
