/* See keep.h. */
#include "translate/engine/keep/keep.h"
#include "base/hash.h"
#include "translate/engine/keep/store.h"

enum { PAGES = 512 };
#define KEY_COLD \
	BIT(62) /* in the key under which a translation of the first tier is kept: those of the second are found first */

struct keep_file {
	struct engine_origin origin;
	struct store *store;
};

struct keep {
	struct engine *e;
	struct store_id id; /* but for the file */
	pthread_mutex_t lock; /* of everything below, and of what is new in the stores */
	struct keep_file *file;
	u32 n_file;
	size_t file_cap;
};

/* What a CPU's thread knows about pages of code, for one epoch of invalidations. */
struct keep_page {
	u64 page, epoch;
	u64 hash;
	struct store *store; /* NULL: nothing is kept of it */
	bool valid, has_hash;
};
struct keep_pages {
	struct keep_page page[PAGES];
};

struct keep *keep_new(struct engine *e)
{
	struct keep *k = alloc(sizeof(*k));
	const struct guest *g = e->guest;
	k->e = e;
	k->id.build = e->config.keep_build;
	k->id.host = host_kept_as();
	k->id.model = hash_bytes(e->config.model, g->model_size, hash_bytes(g->name, strlen(g->name), 0));
	pthread_mutex_init(&k->lock, NULL);
	return k;
}

void keep_free(struct keep *k)
{
	for (u32 i = 0; i < k->n_file; i++)
		store_free(k->file[i].store);
	free(k->file);
	free(k);
}

void keep_after_fork(struct keep *k)
{
	pthread_mutex_init(&k->lock, NULL);
	for (u32 i = 0; i < k->n_file; i++)
		store_forget(k->file[i].store);
}

void keep_flush(struct keep *k)
{
	pthread_mutex_lock(&k->lock);
	for (u32 i = 0; i < k->n_file; i++)
		store_flush(k->file[i].store);
	pthread_mutex_unlock(&k->lock);
}

static struct store *store_of(struct keep *k, const struct engine_origin *o)
{
	struct store *s = NULL;
	pthread_mutex_lock(&k->lock);
	for (u32 i = 0; i < k->n_file && !s; i++)
		if (memcmp(&k->file[i].origin, o, sizeof(*o)) == 0)
			s = k->file[i].store;
	if (!s) {
		struct store_id id = k->id;
		id.dev = o->dev, id.ino = o->ino, id.size = o->size, id.mtime = o->mtime;
		s = store_open(k->e->config.keep_dir, &id);
		k->file = grow(k->file, &k->file_cap, k->n_file + 1, sizeof(*k->file));
		k->file[k->n_file++] = (struct keep_file){ *o, s };
	}
	pthread_mutex_unlock(&k->lock);
	return s;
}

static struct keep_page *look_at(struct priv *p, u64 page)
{
	struct engine *e = p->e;
	if (!p->keep_pages)
		p->keep_pages = alloc(sizeof(*p->keep_pages));
	struct keep_page *known = &p->keep_pages->page[page % PAGES];
	u64 epoch = __atomic_load_n(&e->epoch, __ATOMIC_ACQUIRE);
	if (known->valid && known->page == page && known->epoch == epoch)
		return known;
	*known = (struct keep_page){ .page = page, .epoch = epoch, .valid = true };
	u32 avail, code;
	const u8 *bytes = e->config.fetch(e->config.user, p->cpu, page << PAGE_BITS, &avail, &code);
	struct engine_origin o = { 0 };
	if (bytes) {
		known->hash = hash_bytes(bytes, avail, landing_guarded(e, page << PAGE_BITS));
		known->has_hash = true;
		if (e->config.origin(e->config.user, page << PAGE_BITS, &o))
			known->store = store_of(e->keep, &o);
	}
	return known;
}

static bool fits(void *user, const struct kept *k)
{
	struct priv *p = user;
	if (!k->n_span || k->n_span > SPANS)
		return false;
	for (u32 i = 0; i < k->n_span; i++) {
		const struct keep_page *page = look_at(p, kept_spans(k)[i].page);
		if (!page->has_hash || page->hash != kept_spans(k)[i].hash)
			return false;
	}
	return true;
}

_Static_assert(sizeof(struct kept_way) == sizeof(struct host_out) &&
		   sizeof(struct kept_site) == sizeof(struct host_site) &&
		   sizeof(struct kept_reloc) == sizeof(struct host_reloc),
	       "ways, sites and relocations are kept as they are");

struct tb *keep_load(struct priv *p, u64 pc)
{
	struct engine *e = p->e;
	struct store *s = look_at(p, pc >> PAGE_BITS)->store;
	const struct kept *k = s ? store_find(s, pc, p->cpu->key, fits, p) : NULL;
	bool cold = s && !k && (tier_at(p, pc), p->cold);
	if (cold)
		k = store_find(s, pc, p->cpu->key | KEY_COLD, fits, p);
	u8 *out = k && k->code_size <= ARENA ? arena_take(p, ROUND_UP(k->code_size, 16u)) : NULL;
	if (!out)
		return NULL;
	p->n_span = k->n_span;
	for (u32 i = 0; i < k->n_span; i++)
		p->span[i] = (struct span){ kept_spans(k)[i].page, kept_spans(k)[i].lo, kept_spans(k)[i].hi };
	struct tb *tb = tb_new(p, pc);
	tb->code = out + (e->rx - e->rw);
	tb->size = k->code_size;
	tb->n_site = k->n_site;
	tb->site = (struct host_site *)kept_sites(k);
	tb->n_ways = k->n_ways;
	tb->ways = (struct host_out *)kept_ways(k);
	tb->is_kept = true;
	tb->cold = cold;
	memcpy(out, kept_code(k), k->code_size);
	struct host_placed what = { out, (const struct host_reloc *)kept_relocs(k), k->n_reloc, tb->ways,
				    k->n_ways };
	host_place(&what, tb->code, &e->stubs);
	p->arena.next += ROUND_UP(k->code_size, 16u);
	return tb;
}

void keep_save(struct priv *p, const struct tb *tb)
{
	struct keep *keep = p->e->keep;
	const struct host_job *job = &p->job;
	struct store *s = look_at(p, tb->pc >> PAGE_BITS)->store;
	struct kept counts = { .pc = tb->pc,
			       .key = tb->key | (tb->cold ? KEY_COLD : 0),
			       .code_size = tb->size,
			       .n_span = tb->n_ref,
			       .n_site = job->n_site,
			       .n_reloc = job->n_reloc,
			       .n_ways = job->n_ways };
	struct kept_span span[SPANS];
	for (u32 i = 0; s && i < tb->n_ref; i++) {
		const struct span *from = &tb->ref[i].span;
		const struct keep_page *page = look_at(p, from->page);
		if (!page->has_hash)
			return;
		span[i] = (struct kept_span){ from->page, from->lo, from->hi, page->hash };
	}
	if (!s)
		return;
	pthread_mutex_lock(&keep->lock);
	struct kept *k = store_add(s, &counts);
	if (k) {
		memcpy((u8 *)kept_code(k), job->out, tb->size);
		struct host_placed what = { (u8 *)kept_code(k), job->reloc, job->n_reloc, job->ways,
					    job->n_ways };
		host_unplace(&what, tb->code, &p->e->stubs);
		memcpy((void *)kept_spans(k), span, tb->n_ref * sizeof(span[0]));
		if (job->n_ways)
			memcpy((void *)kept_ways(k), job->ways, job->n_ways * sizeof(job->ways[0]));
		if (job->n_site)
			memcpy((void *)kept_sites(k), job->site, job->n_site * sizeof(job->site[0]));
		if (job->n_reloc)
			memcpy((void *)kept_relocs(k), job->reloc, job->n_reloc * sizeof(job->reloc[0]));
		store_added(s);
	}
	pthread_mutex_unlock(&keep->lock);
}
