/*
 * qcow2: another width of reference counts. A second table with blocks of the new width is written behind everything, which counts
 * itself too; then the header changes over, in one write within a sector; then the old ones are given up.
 */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

struct widen {
	struct blk_node *node;
	struct qcow2 to; /* only refcount_order, block_entries and reftable count */
	u64 *used; /* a bit a new block: some cluster of its range has a count */
	u64 n; /* new blocks that the table can name */
	u64 start, blocks, clusters; /* first cluster of the new structure: blocks, then the table */
	u64 at, total; /* for the progress: clusters looked at */
	void (*progress)(void *user, u64 done, u64 total);
	void *user;
};

static u64 old_reach(const struct qcow2 *s)
{
	return s->reftable_size * s->block_entries;
}

static void use_block(struct widen *w, u64 block)
{
	if (!(w->used[block / 64] >> block % 64 & 1))
		w->blocks++;
	w->used[block / 64] |= BIT(block % 64);
}

/* Finds the blocks that are needed for what is counted now, and the counts that do not fit. */
static struct err *look(struct widen *w, u64 *ret_end)
{
	struct qcow2 *s = w->node->state;
	u64 max = qcow2_max_ref(&w->to), reach = old_reach(s);
	for (u64 c = 0; c < reach; c++) {
		u64 count;
		if (!(s->reftable[c / s->block_entries] & ~0x1ffull)) {
			c += s->block_entries - 1;
			continue;
		}
		int r = qcow2_refcount(w->node, c, &count);
		if (r)
			return err_errno(-r, "Could not read the reference count of cluster %llu",
					 (unsigned long long)c);
		if (count > max)
			return err_new(ERR_INVALID,
				       "Cannot decrease refcount entry width to %u bits: Cluster at offset "
				       "%#llx has a refcount of %llu",
				       1u << w->to.refcount_order, (unsigned long long)(c << s->cluster_bits),
				       (unsigned long long)count);
		if (count) {
			use_block(w, c / w->to.block_entries);
			*ret_end = c + 1;
		}
	}
	return NULL;
}

/* Room for blocks and table, behind everything. Counting that room may need more blocks, until nothing is added. */
static void lay_out(struct widen *w)
{
	struct qcow2 *s = w->node->state;
	u64 per = s->cluster_size / 8;
	for (u64 before = 0; before != w->blocks + w->clusters;) {
		before = w->blocks + w->clusters;
		u64 last = (w->start + before) / w->to.block_entries;
		w->clusters = MAX(w->clusters, last / per + 1);
		for (u64 b = w->start / w->to.block_entries; b <= last; b++)
			use_block(w, b);
	}
}

/* What the new block says of a cluster: what the old one did, and 1 for the new structure itself. */
static int count_of(struct widen *w, u64 cluster, u64 *ret)
{
	if (cluster >= w->start && cluster < w->start + w->blocks + w->clusters) {
		*ret = 1;
		return 0;
	}
	return qcow2_refcount(w->node, cluster, ret);
}

static int write_block(struct widen *w, u64 block, u64 at)
{
	struct qcow2 *s = w->node->state;
	u64 entries = w->to.block_entries, count;
	AUTO(free_ptr) u8 *buf = try_alloc(s->cluster_size);
	if (!buf)
		return -ENOMEM;
	for (u64 i = 0; i < entries; i++) {
		int r = count_of(w, block * entries + i, &count);
		if (r)
			return r;
		qcow2_set_ref(&w->to, buf, i, count);
	}
	w->to.reftable[block] = at;
	return blk_pwrite(w->node->file, at, buf, s->cluster_size);
}

static int write_structure(struct widen *w)
{
	struct qcow2 *s = w->node->state;
	u64 n = w->clusters * s->cluster_size / 8, at = w->start << s->cluster_bits;
	AUTO(free_ptr) u8 *be = try_alloc(n * 8);
	w->to.reftable = try_alloc(n * 8);
	int r = be && w->to.reftable ? 0 : -ENOMEM;
	w->to.reftable_size = n;
	for (u64 b = 0, done = 0; b < n && b < w->n && !r; b++) {
		if (!(w->used[b / 64] >> b % 64 & 1))
			continue;
		r = write_block(w, b, at);
		st_be64(be + b * 8, at);
		at += s->cluster_size;
		if (w->progress)
			w->progress(w->user, ++done, w->blocks);
	}
	return r ? r : blk_pwrite(w->node->file, at, be, n * 8);
}

/* The header's fields from the table's offset to the width of counts lie within its first sector. */
static int change_over(struct widen *w, u64 table)
{
	enum { FROM = 48, TO = 100 };
	struct qcow2 *s = w->node->state;
	u8 h[TO - FROM];
	int r = blk_barrier(w->node->file);
	if (!r)
		r = blk_pread(w->node->file, FROM, h, sizeof(h));
	st_be64(h, table);
	st_be32(h + 56 - FROM, w->clusters);
	st_be32(h + 96 - FROM, w->to.refcount_order);
	if (!r)
		r = blk_pwrite_flush(w->node->file, FROM, h, sizeof(h));
	if (r)
		return r;
	s->refcount_order = w->to.refcount_order;
	s->block_entries = w->to.block_entries;
	s->reftable_offset = table;
	s->reftable_clusters = w->clusters;
	s->free_hint = 0;
	cache_drop(s->refs);
	qcow2_set_free(&s->meta);
	return 0;
}

/* The old table and its blocks: nothing refers to them any more. */
static int give_up(struct blk_node *node, const u64 *table, u64 n, u64 at, u64 clusters)
{
	struct qcow2 *s = node->state;
	int r = qcow2_refcount_add(node, at, clusters << s->cluster_bits, -1, DISCARD_ALWAYS);
	for (u64 i = 0; i < n && !r; i++)
		if (table[i] & ~0x1ffull)
			r = qcow2_refcount_add(node, table[i] & ~0x1ffull, s->cluster_size, -1,
					       DISCARD_ALWAYS);
	return r;
}

static int make_and_change(struct widen *w)
{
	struct qcow2 *s = w->node->state;
	u64 *old = s->reftable, n = s->reftable_size, at = s->reftable_offset,
	    clusters = s->reftable_clusters;
	int r = write_structure(w);
	if (!r)
		r = change_over(w, (w->start + w->blocks) << s->cluster_bits);
	if (r) {
		free(w->to.reftable);
		return r;
	}
	s->reftable = w->to.reftable;
	s->reftable_size = w->to.reftable_size;
	r = give_up(w->node, old, n, at, clusters);
	free(old);
	return r ? r : qcow2_flush_meta(w->node);
}

struct err *qcow2_set_refcount_width(struct blk_node *node, u32 order, void (*progress)(void *, u64, u64),
				     void *user)
{
	struct qcow2 *s = node->state;
	struct widen w = { .node = node, .progress = progress, .user = user };
	u64 end = 0, file = (node->file->size + s->cluster_size - 1) >> s->cluster_bits;
	w.to.refcount_order = order;
	w.to.cluster_bits = s->cluster_bits;
	w.to.block_entries = s->cluster_size * 8 >> order;
	/* Everything up to the end, and as much again for the structure: it is never larger than what it counts. */
	w.n = 2 * MAX(old_reach(s), file) / w.to.block_entries + 64;
	w.used = try_alloc((w.n + 63) / 64 * 8);
	int r = w.used ? qcow2_flush_meta(node) : -ENOMEM;
	struct err *e = r ? err_errno(-r, "Could not flush the reference counts") : look(&w, &end);
	w.start = MAX(end, file);
	if (!e && (r = 0, lay_out(&w), w.clusters << s->cluster_bits) > MAX_REFTABLE_BYTES)
		e = err_new(ERR_UNSUPPORTED,
			    "A refcount width of %u bits needs a reference table larger than %u MiB",
			    1u << order, (unsigned)(MAX_REFTABLE_BYTES >> 20));
	if (!e && (r = make_and_change(&w)))
		e = err_errno(-r, "Could not write the new reference counts");
	free(w.used);
	return e;
}
