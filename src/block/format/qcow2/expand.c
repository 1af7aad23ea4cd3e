/*
 * qcow2: images without zero clusters, as version 2 of the format wants them: in every table, of the disk and of its snapshots, they
 * become holes, or zero bytes where a backing file would show through.
 */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

struct expand {
	struct blk_node *node;
	u8 *zeros; /* a cluster of them */
	u64 done, total; /* entries of all L1 tables */
	void (*progress)(void *user, u64 done, u64 total);
	void *user;
};

/* A cluster of zero bytes that as many refer to as to the table. */
static int zero_cluster(struct expand *x, u64 table_refs, u64 *ret)
{
	struct qcow2 *s = x->node->state;
	int r = qcow2_alloc(x->node, 1, ret);
	if (!r && table_refs > 1)
		r = qcow2_refcount_add(x->node, *ret, s->cluster_size, table_refs - 1, DISCARD_OTHER);
	if (!r)
		r = qcow2_check_overlap(x->node, *ret, s->cluster_size, 0);
	return r ? r : blk_pwrite(s->data, *ret, x->zeros, s->cluster_size);
}

static int expand_entry(struct expand *x, void *slice, u32 i, u64 table_refs)
{
	struct blk_node *node = x->node;
	struct qcow2 *s = node->state;
	u64 entry = qcow2_entry(s, slice, i), now = 0;
	if ((entry & ENTRY_COMPRESSED) || !(entry & ENTRY_ZERO))
		return 0;
	int r = 0;
	if (node->backing_file && !(r = zero_cluster(x, table_refs, &now))) {
		r = cache_after(s->l2, s->refs);
		cache_after_data(s->l2, &s->data);
		now |= table_refs == 1 ? ENTRY_COPIED : 0;
	}
	if (r)
		return r;
	qcow2_set_entry(s, slice, i, now, 0);
	u64 old = entry & OFFSET_MASK;
	if (!old)
		return 0;
	if (in_cluster(s, old))
		return qcow2_corrupt(node, true, "Cluster allocation offset %#llx unaligned (L2 index: %#x)",
				     (unsigned long long)old, i);
	r = cache_after(s->refs, s->l2);
	return r ? r : qcow2_refcount_add(node, old, s->cluster_size, -(int)table_refs, DISCARD_REQUEST);
}

static int expand_table(struct expand *x, u64 l2)
{
	struct qcow2 *s = x->node->state;
	u64 refs;
	if (in_cluster(s, l2))
		return qcow2_corrupt(x->node, true, "L2 table offset %#llx unaligned",
				     (unsigned long long)l2);
	int r = qcow2_refcount(x->node, l2 >> s->cluster_bits, &refs);
	if (!r && (!refs || refs > INT32_MAX))
		r = -EINVAL;
	for (u64 at = 0; at < s->cluster_size && !r; at += s->slice_bytes) {
		void *slice;
		if ((r = cache_get(s->l2, l2 + at, &slice)))
			break;
		for (u32 i = 0; i < s->slice_entries && !r; i++)
			r = expand_entry(x, slice, i, refs);
		cache_put(s->l2, slice);
	}
	return r;
}

static int expand_l1(struct expand *x, const u64 *l1, u32 n)
{
	int r = 0;
	for (u32 i = 0; i < n && !r; i++) {
		if (l1[i] & OFFSET_MASK)
			r = expand_table(x, l1[i] & OFFSET_MASK);
		if (x->progress)
			x->progress(x->user, ++x->done, x->total);
	}
	return r;
}

static struct err *expand_snapshot(struct expand *x, const struct qcow2_snapshot *sn)
{
	void *buf;
	struct err *e = qcow2_snapshot_l1(x->node, sn, &buf);
	if (e)
		return e;
	AUTO(free_ptr) u64 *l1 = buf;
	int r = expand_l1(x, l1, sn->l1_size);
	return r ? err_errno(-r, "snapshot '%s'", sn->name) : NULL;
}

struct err *qcow2_expand_zeros(struct blk_node *node, void (*progress)(void *, u64, u64), void *user)
{
	struct qcow2 *s = node->state;
	struct expand x = { .node = node, .total = s->l1_size, .progress = progress, .user = user };
	AUTO(free_ptr) u8 *zeros = try_alloc(s->cluster_size);
	for (u32 i = 0; i < s->n_snapshots; i++)
		x.total += s->snapshots[i].l1_size;
	x.zeros = zeros;
	int r = zeros ? expand_l1(&x, s->l1, s->l1_size) : -ENOMEM;
	struct err *e = r ? err_errno(-r, "active L1 table") : NULL;
	for (u32 i = 0; i < s->n_snapshots && !e; i++)
		e = expand_snapshot(&x, &s->snapshots[i]);
	if (!e && (r = qcow2_flush_meta(node)))
		e = err_errno(-r, "metadata");
	return e ? err_in(e, "Failed to turn zero into data clusters") : NULL;
}
