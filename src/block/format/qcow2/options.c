/* qcow2: the options that an image is opened with, which may change while it is open. */
#include "block/format/qcow2/qcow2.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include <errno.h>

struct options {
	u64 l2_bytes, refs_bytes, clean_ns;
	u32 slice_bytes, overlap, discard_passes;
	bool lazy;
};

enum { REFS_SLICE = 4096 };

static const char *const overlap_parts[PARTS] = {
	"main-header",	  "active-l1",	 "active-l2",	"refcount-block",   "refcount-table",
	"snapshot-table", "inactive-l1", "inactive-l2", "bitmap-directory",
};

/* ---- what is taken when nothing is said ---- */

static struct options defaults(const struct qcow2 *s, u32 flags)
{
	/* All tables in 32 MiB: L2 tables get most, blocks of counts are read in order. */
	return (struct options){
		.l2_bytes = 24 * MiB,
		.refs_bytes = 8 * MiB,
		.slice_bytes = MIN(s->cluster_size, (u64)REFS_SLICE),
		.overlap = BITS(PARTS) & ~BIT(PART_INACTIVE_L2) & ~BIT(PART_BITMAPS),
		.discard_passes = BIT(DISCARD_ALWAYS) | BIT(DISCARD_SNAPSHOT) |
				  (flags & BLK_UNMAP ? BIT(DISCARD_REQUEST) : 0),
		.lazy = s->compatible & COMPAT_LAZY,
	};
}

static struct options in_effect(const struct qcow2 *s)
{
	return (struct options){ .l2_bytes = s->l2_bytes,
				 .refs_bytes = s->refs_bytes,
				 .clean_ns = s->clean_ns,
				 .slice_bytes = s->slice_bytes,
				 .overlap = s->overlap,
				 .discard_passes = s->discard_passes,
				 .lazy = s->lazy };
}

/* ---- what is said ---- */

static u32 with_bit(u32 set, unsigned bit, bool on)
{
	return on ? set | BIT(bit) : set & ~(u32)BIT(bit);
}

static struct err *take_template(struct json *opts, u32 *overlap)
{
	AUTO(free_ptr)
	char *a = blk_take_str(opts, "overlap-check"), *b = blk_take_str(opts, "overlap-check.template");
	if (a && b && strcmp(a, b) != 0)
		return err_new(ERR_INVALID,
			       "Conflicting values for qcow2 options 'overlap-check' ('%s') and "
			       "'overlap-check.template' ('%s')",
			       a, b);
	const char *mode = a ? a : b;
	if (!mode)
		return NULL;
	const u32 constant =
	    BIT(PART_HEADER) | BIT(PART_ACTIVE_L1) | BIT(PART_REFTABLE) | BIT(PART_SNAPSHOTS);
	const struct {
		const char *name;
		u32 parts;
	} modes[] = { { "none", 0 },
		      { "constant", constant },
		      { "cached", BITS(PARTS) & ~BIT(PART_INACTIVE_L2) & ~BIT(PART_BITMAPS) },
		      { "all", BITS(PARTS) } };
	for (unsigned i = 0; i < LEN(modes); i++)
		if (strcmp(mode, modes[i].name) == 0) {
			*overlap = modes[i].parts;
			return NULL;
		}
	return err_new(ERR_INVALID,
		       "Unsupported value '%s' for qcow2 option 'overlap-check'. Allowed are any of the "
		       "following: none, constant, cached, all",
		       mode);
}

static struct err *take_overlap(struct json *opts, u32 *overlap)
{
	struct err *e = take_template(opts, overlap);
	for (unsigned i = 0; i < PARTS && !e; i++) {
		AUTO(free_ptr) char *name = strf("overlap-check.%s", overlap_parts[i]);
		bool on = *overlap >> i & 1;
		e = blk_take_bool(opts, name, &on);
		*overlap = with_bit(*overlap, i, on);
	}
	return e;
}

static struct err *check_size(const char *what, u64 bytes, u64 unit)
{
	return bytes / unit > INT32_MAX ? err_new(ERR_INVALID, "%s cache size too big", what) : NULL;
}

/* The three sizes depend on each other: who names one of them has the others follow. */
static struct err *take_cache_sizes(struct json *opts, struct options *o)
{
	bool has_total = json_get(opts, "cache-size"), has_l2 = json_get(opts, "l2-cache-size"),
	     has_refs = json_get(opts, "refcount-cache-size");
	u64 total = 32 * MiB, l2, refs;
	struct err *e;
	if (!has_total && !has_l2 && !has_refs)
		return NULL;
	if ((e = blk_take_size(opts, "cache-size", &total)) ||
	    (e = blk_take_size(opts, "l2-cache-size", &l2)) ||
	    (e = blk_take_size(opts, "refcount-cache-size", &refs)))
		return e;
	if (has_total && has_l2 && has_refs)
		return err_new(ERR_INVALID,
			       "cache-size, l2-cache-size and refcount-cache-size may not be set at the same "
			       "time");
	if (has_total && has_l2 && l2 > total)
		return err_new(ERR_INVALID, "l2-cache-size may not exceed cache-size");
	if (has_total && has_refs && refs > total)
		return err_new(ERR_INVALID, "refcount-cache-size may not exceed cache-size");
	o->refs_bytes = has_refs ? refs : MIN(total / 4, 8 * MiB);
	o->l2_bytes = has_l2 ? l2 : has_total ? total - MIN(o->refs_bytes, total) : 24 * MiB;
	return NULL;
}

static struct err *take_caches(const struct qcow2 *s, struct json *opts, struct options *o)
{
	u64 unit = o->slice_bytes, clean = o->clean_ns / 1000000000;
	struct err *e = take_cache_sizes(opts, o);
	if (e || (e = blk_take_size(opts, "l2-cache-entry-size", &unit)))
		return e;
	if (unit < 512 || unit > s->cluster_size || (unit & (unit - 1)))
		return err_new(ERR_INVALID,
			       "L2 cache entry size must be a power of two between %d and the cluster size "
			       "(%llu)",
			       512, (unsigned long long)s->cluster_size);
	o->slice_bytes = unit;
	if ((e = check_size("L2", o->l2_bytes, unit)) ||
	    (e = check_size("Refcount", o->refs_bytes, s->cluster_size)) ||
	    (e = blk_take_size(opts, "cache-clean-interval", &clean)))
		return e;
	if (clean > UINT32_MAX)
		return err_new(ERR_INVALID, "Cache clean interval too big");
	o->clean_ns = clean * 1000000000;
	return NULL;
}

static struct err *take_discards(struct json *opts, u32 *passes)
{
	static const struct {
		const char *name;
		enum qcow2_discard why;
	} options[] = { { "pass-discard-request", DISCARD_REQUEST },
			{ "pass-discard-snapshot", DISCARD_SNAPSHOT },
			{ "pass-discard-other", DISCARD_OTHER } };
	for (unsigned i = 0; i < LEN(options); i++) {
		bool on = *passes & BIT(options[i].why);
		struct err *e = blk_take_bool(opts, options[i].name, &on);
		if (e)
			return e;
		*passes = with_bit(*passes, options[i].why, on);
	}
	return NULL;
}

static struct err *take_all(const struct qcow2 *s, struct json *opts, struct options *o)
{
	struct err *e = take_caches(s, opts, o);
	if (!e)
		e = blk_take_bool(opts, "lazy-refcounts", &o->lazy);
	if (!e && o->lazy && s->version < 3)
		e = err_new(ERR_INVALID,
			    "Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility "
			    "level");
	if (!e)
		e = take_discards(opts, &o->discard_passes);
	return e ? e : take_overlap(opts, &o->overlap);
}

/* ---- taking effect ---- */

/* cache-clean-interval is over: tables that nobody used since the last one go. */
static void clean_caches(void *user)
{
	struct qcow2 *s = user;
	cache_age(s->l2);
	cache_age(s->refs);
	s->clean = loop_timer(loop_here(), loop_now() + s->clean_ns, clean_caches, s);
}

static void set(struct qcow2 *s, const struct options *o)
{
	if (s->clean)
		loop_timer_cancel(s->clean);
	s->clean = NULL;
	s->clean_ns = o->clean_ns;
	if (s->clean_ns)
		s->clean = loop_timer(loop_here(), loop_now() + s->clean_ns, clean_caches, s);
	s->l2_bytes = o->l2_bytes;
	s->refs_bytes = o->refs_bytes;
	s->slice_bytes = o->slice_bytes;
	s->slice_entries = o->slice_bytes / s->entry_size;
	s->overlap = o->overlap;
	s->discard_passes = o->discard_passes;
	s->lazy = o->lazy;
}

struct err *qcow2_take_options(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow2 *s = node->state;
	struct options o = defaults(s, flags);
	struct err *e = take_all(s, opts, &o);
	if (e)
		return e;
	s->l2 = cache_new(&node->file, o.slice_bytes, o.l2_bytes, "L2 table");
	cache_events(s->l2, "l2_load", "l2_update");
	s->refs =
	    cache_new(&node->file, MIN(s->cluster_size, (u64)REFS_SLICE), o.refs_bytes, "refcount block");
	cache_events(s->refs, "refblock_load", "refblock_update");
	set(s, &o);
	return NULL;
}

static int reshape_caches(struct blk_node *node, const struct options *o)
{
	struct qcow2 *s = node->state;
	if (o->l2_bytes == s->l2_bytes && o->refs_bytes == s->refs_bytes && o->slice_bytes == s->slice_bytes)
		return 0;
	int r = qcow2_flush_meta(node);
	if (!r)
		r = cache_reshape(s->refs, MIN(s->cluster_size, (u64)REFS_SLICE), o->refs_bytes);
	return r ? r : cache_reshape(s->l2, o->slice_bytes, o->l2_bytes);
}

struct err *qcow2_change(struct blk_node *node, struct json *opts, u32 flags, enum blk_change how)
{
	struct qcow2 *s = node->state;
	struct options o = how & BLK_CHANGE_KEEP ? in_effect(s) : defaults(s, flags);
	struct err *e = take_all(s, opts, &o);
	if (e || (how & BLK_CHANGE_TRY))
		return e;
	int r = s->lazy && !o.lazy && (node->flags & BLK_RDWR) ? qcow2_mark_clean(node) : 0;
	if (r)
		return err_errno(-r, "Could not write the reference counts");
	if ((r = reshape_caches(node, &o)))
		return err_errno(-r, "Could not empty the caches of tables");
	/* Other parts may have to be looked at than those that the map was made from. */
	if (o.overlap != s->overlap)
		qcow2_set_free(&s->meta);
	set(s, &o);
	return NULL;
}
