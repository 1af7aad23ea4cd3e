/* qcow2: reference counts of host clusters, and finding free ones. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

enum {
	MAX_HELD = 4096
}; /* clusters; then the tables are made stable, so that the file does not grow without need */

u64 qcow2_get_ref(const struct qcow2 *s, const void *block, u64 index)
{
	const u8 *b = block;
	switch (s->refcount_order) {
	case 3:
		return b[index];
	case 4:
		return ld_be16(b + index * 2);
	case 5:
		return ld_be32(b + index * 4);
	case 6:
		return ld_be64(b + index * 8);
	default: {
		unsigned bits = 1u << s->refcount_order, per = 8 / bits;
		return b[index / per] >> index % per * bits & BITS(bits);
	}
	}
}

void qcow2_set_ref(const struct qcow2 *s, void *block, u64 index, u64 val)
{
	u8 *b = block;
	switch (s->refcount_order) {
	case 3:
		b[index] = val;
		return;
	case 4:
		st_be16(b + index * 2, val);
		return;
	case 5:
		st_be32(b + index * 4, val);
		return;
	case 6:
		st_be64(b + index * 8, val);
		return;
	default: {
		unsigned bits = 1u << s->refcount_order, per = 8 / bits, shift = index % per * bits;
		b[index / per] = (b[index / per] & ~(BITS(bits) << shift)) | val << shift;
	}
	}
}

/* Entries of a cache slice of refcounts, and its place. */
static u64 per_slice(const struct qcow2 *s)
{
	u64 unit = MIN(s->cluster_size, (u64)4096);
	return unit * 8 >> s->refcount_order;
}

static u32 ref_byte(const struct qcow2 *s, u64 index)
{
	return (index << s->refcount_order) / 8;
}

/* The slice with the refcount of a cluster, pinned; *ret NULL when there is no block. */
static int ref_slice(struct blk_node *node, u64 cluster, void **ret, u64 *ret_index)
{
	struct qcow2 *s = node->state;
	u64 table = cluster / s->block_entries, entry = table < s->reftable_size ? s->reftable[table] : 0;
	*ret = NULL;
	if (!(entry & ~(u64)0x1ff))
		return 0;
	entry &= ~(u64)0x1ff;
	if (in_cluster(s, entry))
		return qcow2_corrupt(node, true, "Refblock offset %#llx unaligned (reftable index: %#llx)",
				     (unsigned long long)entry, (unsigned long long)table);
	u64 index = cluster % s->block_entries, n = per_slice(s);
	*ret_index = index % n;
	return cache_get(s->refs, entry + index / n * MIN(s->cluster_size, (u64)4096), ret);
}

int qcow2_refcount(struct blk_node *node, u64 cluster, u64 *ret)
{
	struct qcow2 *s = node->state;
	void *block;
	u64 index;
	int r = ref_slice(node, cluster, &block, &index);
	*ret = 0;
	if (r || !block)
		return r;
	*ret = qcow2_get_ref(s, block, index);
	cache_put(s->refs, block);
	return 0;
}

int qcow2_flush_meta(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	int r = cache_flush(s->refs);
	return r ? r : cache_flush(s->l2);
}

/* ---- changing counts ---- */

static int alloc_block(struct blk_node *node, u64 cluster);

static int write_reftable_entry(struct blk_node *node, u64 index)
{
	struct qcow2 *s = node->state;
	u8 be[8];
	st_be64(be, s->reftable[index]);
	return blk_pwrite(node->file, s->reftable_offset + index * 8, be, 8);
}

/*
 * A cluster that nothing refers to any more in memory, but maybe on disk: what is written to it before the tables are
 * stable would show up in its old place after a crash.
 */
static void hold(struct qcow2 *s, u64 cluster)
{
	bool first = !s->held.bits && !s->leaving.bits;
	s->held_first = first ? cluster : MIN(s->held_first, cluster);
	if (!qcow2_set_add(&s->held, cluster, cluster + 1))
		s->n_held =
		    MAX_HELD; /* no memory to know it by: nothing is taken before the tables are stable */
	s->n_held++;
}

static bool is_held(const struct qcow2 *s, u64 cluster)
{
	return qcow2_set_has(&s->held, cluster) || qcow2_set_has(&s->leaving, cluster);
}

/* Tells the file of the clusters that are free for good, one run after another. */
static int discard_unwanted(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	u64 from = 0, count;
	for (u64 i = s->held_first; i <= s->leaving.n; i++) {
		bool gone = qcow2_set_has(&s->leaving, i) && qcow2_set_has(&s->unwanted, i);
		int r = gone ? qcow2_refcount(node, i, &count) : 0;
		if (r)
			return r;
		if (gone && !count) { /* a repair may have found a use for it */
			from = from ? from : i;
			continue;
		}
		if (from)
			r = blk_discard(node->file, from << s->cluster_bits, (i - from) << s->cluster_bits);
		from = 0;
		if (r)
			return r;
	}
	qcow2_set_remove(&s->unwanted, s->held_first, s->leaving.n);
	return 0;
}

int qcow2_let_go(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	co_lock(&s->letting_go);
	bool any = s->leaving.bits || s->n_held;
	if (!s->leaving.bits) { /* what comes to be held from now on is not part of it */
		s->leaving = s->held;
		s->held = (struct qcow2_set){ 0 };
		s->n_held = 0;
	}
	/* An image that is marked dirty has its counts made anew: they need not be stable now. */
	int r = s->lazy && (s->incompatible & INCOMPAT_DIRTY) ? cache_flush(s->l2) : qcow2_flush_meta(node);
	if (!r && any)
		r = blk_barrier(node->file);
	if (!r && any && s->unwanted.bits) {
		int told = discard_unwanted(node);
		(void)told; /* a wish */
	}
	if (!r && any) {
		qcow2_set_free(&s->leaving);
		s->free_hint = MIN(s->free_hint, s->held_first);
	}
	co_unlock(&s->letting_go);
	return r;
}

static void now_free(struct blk_node *node, u64 cluster, enum qcow2_discard discard)
{
	struct qcow2 *s = node->state;
	u64 offset = cluster << s->cluster_bits;
	hold(s, cluster);
	if (s->packed_at && s->packed_at >> s->cluster_bits == cluster)
		s->packed_at = 0;
	cache_forget(s->l2, offset, s->cluster_size);
	qcow2_meta_clear(s, offset, s->cluster_size);
	bool noted = (s->discard_passes & BIT(discard)) && qcow2_set_add(&s->unwanted, cluster, cluster + 1);
	(void)noted; /* a wish */
}

int qcow2_refcount_add(struct blk_node *node, u64 offset, u64 len, int delta, enum qcow2_discard discard)
{
	struct qcow2 *s = node->state;
	if (!len)
		return 0;
	u64 from = offset >> s->cluster_bits, to = (offset + len - 1) >> s->cluster_bits, i;
	int r = 0;
	for (i = from; i <= to; i++) {
		void *block;
		u64 index, val;
		r = ref_slice(node, i, &block, &index);
		if (!r && !block && delta > 0) {
			r = alloc_block(node, i);
			if (!r)
				r = ref_slice(node, i, &block, &index);
			if (!r && !block)
				r = -EIO;
		}
		if (r)
			break;
		val = block ? qcow2_get_ref(s, block, index) : 0;
		if (delta > 0 ? val > qcow2_max_ref(s) - delta : val < (u64)-delta)
			r = -EINVAL;
		if (!r && block) {
			val += delta;
			qcow2_set_ref(s, block, index, val);
			cache_dirty(s->refs, block, ref_byte(s, index),
				    ref_byte(s, index) + MAX(1u, (1u << s->refcount_order) / 8));
		}
		if (block)
			cache_put(s->refs, block);
		if (r)
			break;
		if (val == 0)
			now_free(node, i, discard);
	}
	if (r && i > from && delta > 0) { /* what was added is taken back */
		int back = qcow2_refcount_add(node, from << s->cluster_bits, (i - from) << s->cluster_bits,
					      -delta, DISCARD_OTHER);
		(void)back;
	}
	return r;
}

int qcow2_free(struct blk_node *node, u64 offset, u64 len, enum qcow2_discard discard)
{
	struct qcow2 *s = node->state;
	blk_event(node->file, "cluster_free");
	/* Whatever referred to it is stable before it may be used for something else. */
	int r = s->lazy ? 0 : cache_after(s->refs, s->l2);
	if (!r)
		r = qcow2_refcount_add(node, offset, len, -1, discard);
	if (r && !s->dead)
		blk_say(node, "qcow2_free_clusters failed: %s", strerror(-r));
	return r;
}

/* ---- new blocks, a larger table ---- */

/*
 * A larger table, at a place that nothing describes yet: table and the blocks for that place are written first, then
 * the header changes over in one write.
 */
static int grow_reftable(struct blk_node *node, u64 want)
{
	struct qcow2 *s = node->state;
	u64 cs = s->cluster_size, per_cluster = cs / 8;
	blk_event(node->file, "reftable_grow");
	/* Behind everything: old table's reach, and the end of the file. */
	u64 start = MAX(s->reftable_size * s->block_entries, (node->file->size + cs - 1) >> s->cluster_bits);
	start = ROUND_UP(start, s->block_entries); /* a power of two */
	u64 entries = MAX(want + 1, s->reftable_size + s->reftable_size / 2 + 1), clusters, blocks = 1;
	for (;;) { /* the new parts are counted by the new blocks */
		clusters = (MAX(entries, start / s->block_entries + blocks) + per_cluster - 1) / per_cluster;
		u64 need = (clusters + blocks + s->block_entries - 1) / s->block_entries;
		if (need <= blocks)
			break;
		blocks = need;
	}
	entries = clusters * per_cluster;
	if (entries * 8 > MAX_REFTABLE_BYTES)
		return -EFBIG;
	u64 *table = try_alloc(entries * 8);
	u8 *be = try_alloc(entries * 8), *block = try_alloc(cs);
	int r = table && be && block ? 0 : -ENOMEM;
	if (!r) {
		memcpy(table, s->reftable, s->reftable_size * 8);
		for (u64 i = 0; i < blocks; i++)
			table[start / s->block_entries + i] = (start + i) << s->cluster_bits;
	}
	for (u64 i = 0; i < blocks && !r; i++) {
		memset(block, 0, cs);
		for (u64 k = 0; k < s->block_entries; k++)
			if (i * s->block_entries + k < blocks + clusters)
				qcow2_set_ref(s, block, k, 1);
		r = blk_pwrite(node->file, (start + i) << s->cluster_bits, block, cs);
	}
	u64 at = (start + blocks) << s->cluster_bits;
	if (!r) {
		for (u64 i = 0; i < entries; i++)
			st_be64(be + i * 8, table[i]);
		r = blk_pwrite(node->file, at, be, entries * 8);
	}
	free(block);
	if (!r)
		r = blk_barrier(node->file);
	u8 head[12];
	st_be64(head, at);
	st_be32(head + 8, clusters);
	if (!r)
		r = blk_pwrite(node->file, 48, head, 12);
	free(be);
	if (r) {
		free(table);
		return r;
	}
	u64 old = s->reftable_offset, old_len = (u64)s->reftable_clusters << s->cluster_bits;
	free(s->reftable);
	s->reftable = table;
	s->reftable_size = entries;
	s->reftable_offset = at;
	s->reftable_clusters = clusters;
	qcow2_meta_set(s, start << s->cluster_bits, (blocks + clusters) << s->cluster_bits);
	r = blk_barrier(node->file);
	return r || !old_len ? r : qcow2_refcount_add(node, old, old_len, -1, DISCARD_OTHER);
}

/* A block for the counts around a cluster. It takes a place of its own range, so that it counts itself. */
static int alloc_block(struct blk_node *node, u64 cluster)
{
	struct qcow2 *s = node->state;
	u64 index = cluster / s->block_entries;
	int r;
	if (index >= s->reftable_size && (r = grow_reftable(node, index)))
		return r;
	if (s->reftable[index] & ~0x1ffull)
		return 0; /* growing made it */
	blk_event(node->file, "refblock_alloc");
	u64 first = index * s->block_entries, offset = cluster << s->cluster_bits;
	/* The cluster asked for is free, or the caller would not ask; nothing in this range was counted so far. */
	if (!offset)
		return qcow2_corrupt(node, true,
				     "Preventing invalid allocation of refcount block at offset 0");
	if ((r = qcow2_check_overlap(node, offset, s->cluster_size, 0)))
		return r;
	u32 unit = MIN(s->cluster_size, (u64)4096);
	for (u64 at = 0; at < s->cluster_size && !r; at += unit) {
		void *slice;
		r = cache_get_new(s->refs, offset + at, &slice);
		if (r)
			break;
		u64 n = per_slice(s), i = cluster - first;
		if (i / n == at / unit)
			qcow2_set_ref(s, slice, i % n, 1);
		cache_put(s->refs, slice);
	}
	if (!r)
		r = cache_flush(s->refs);
	if (!r)
		r = blk_barrier(node->file);
	if (r)
		return r;
	blk_event(node->file, "refblock_alloc_hookup");
	s->reftable[index] = offset;
	qcow2_meta_set(s, offset, s->cluster_size);
	r = write_reftable_entry(node, index);
	if (r)
		s->reftable[index] = 0;
	return r;
}

/* ---- finding room ---- */

/* Length of the free run at a cluster, at most max. A missing block counts as free. */
static int free_run(struct blk_node *node, u64 cluster, u64 max, u64 *ret)
{
	struct qcow2 *s = node->state;
	u64 n = 0;
	while (n < max) {
		void *block;
		u64 index, limit = per_slice(s);
		int r = ref_slice(node, cluster + n, &block, &index);
		if (r)
			return r;
		if (!block) {
			u64 left = s->block_entries - (cluster + n) % s->block_entries;
			n = MIN(max, n + left);
			continue;
		}
		bool used = false;
		for (; index < limit && n < max && !used; index++)
			if (qcow2_get_ref(s, block, index) || is_held(s, cluster + n))
				used = true;
			else
				n++;
		cache_put(s->refs, block);
		if (used)
			break;
	}
	*ret = n;
	return 0;
}

static int take(struct blk_node *node, u64 cluster, u64 n)
{
	struct qcow2 *s = node->state;
	blk_event(node->file, "cluster_alloc");
	int r = s->lazy ? qcow2_mark_dirty(node) : 0;
	return r ? r
		 : qcow2_refcount_add(node, cluster << s->cluster_bits, n << s->cluster_bits, 1,
				      DISCARD_OTHER);
}

/* Skips the used clusters from the hint on. */
static int skip_used(struct blk_node *node, u64 *cluster)
{
	struct qcow2 *s = node->state;
	for (;;) {
		void *block;
		u64 index, limit = per_slice(s);
		int r = ref_slice(node, *cluster, &block, &index);
		if (r || !block)
			return r;
		while (index < limit && (qcow2_get_ref(s, block, index) || is_held(s, *cluster))) {
			index++;
			++*cluster;
		}
		cache_put(s->refs, block);
		if (index < limit)
			return 0;
	}
}

/*
 * A run longer than what one block counts: in an area that no block counts yet, behind the new blocks for it.
 */
static int alloc_long(struct blk_node *node, u64 n, u64 *ret)
{
	struct qcow2 *s = node->state;
	u64 last = s->reftable_size, blocks = 1, need;
	while (last && !(s->reftable[last - 1] & ~0x1ffull))
		last--;
	while ((need = (n + blocks + s->block_entries - 1) / s->block_entries) > blocks)
		blocks = need;
	int r;
	if (last + blocks > s->reftable_size) {
		r = grow_reftable(node, last + blocks);
		return r ? r : alloc_long(node, n, ret);
	}
	u64 start = last * s->block_entries, used = blocks + n;
	if ((start + used) << s->cluster_bits > BIT(56))
		return -EFBIG;
	AUTO(free_ptr) u8 *block = try_alloc(s->cluster_size);
	AUTO(free_ptr) u8 *be = try_alloc(blocks * 8);
	r = block && be ? 0 : -ENOMEM;
	for (u64 i = 0; i < blocks && !r; i++) {
		memset(block, 0, s->cluster_size);
		for (u64 k = 0; k < s->block_entries && i * s->block_entries + k < used; k++)
			qcow2_set_ref(s, block, k, 1);
		r = blk_pwrite(node->file, (start + i) << s->cluster_bits, block, s->cluster_size);
		st_be64(be + i * 8, (start + i) << s->cluster_bits);
	}
	if (!r)
		r = blk_barrier(node->file);
	if (!r)
		r = blk_pwrite(node->file, s->reftable_offset + last * 8, be, blocks * 8);
	if (r)
		return r;
	for (u64 i = 0; i < blocks; i++)
		s->reftable[last + i] = (start + i) << s->cluster_bits;
	qcow2_meta_set(s, start << s->cluster_bits, blocks << s->cluster_bits);
	*ret = (start + blocks) << s->cluster_bits;
	return 0;
}

/* partly: *want may become less, rather than leaving a gap where the counted part of the file ends. */
static int alloc_run(struct blk_node *node, u64 *want, bool partly, u64 *ret)
{
	struct qcow2 *s = node->state;
	int r = s->n_held >= MAX_HELD ? qcow2_let_go(node) : 0;
	u64 n = *want, cluster = s->free_hint, run = 0;
	bool first = true;
	r = r ? r : skip_used(node, &cluster);
	while (!r) {
		if (first) {
			s->free_hint = cluster;
			first = false;
		}
		/* A new block must come first where there is none; it lies behind the run where its range goes on. */
		u64 table = cluster / s->block_entries, behind = cluster + n;
		if (table >= s->reftable_size || !(s->reftable[table] & ~0x1ffull)) {
			if ((r = alloc_block(node, behind / s->block_entries == table ? behind : cluster)))
				return r;
			cluster = s->free_hint;
			r = skip_used(node, &cluster);
			first = true;
			continue;
		}
		r = free_run(node, cluster, n, &run);
		if (r || run == n)
			break;
		cluster += run;
		r = skip_used(node, &cluster);
	}
	if (r)
		return r;
	if ((cluster + n) << s->cluster_bits > BIT(56))
		return -EFBIG;
	/* The run may reach into the next range, which has no block yet. The run is shorter than a range: there is room behind it. */
	u64 next = (cluster + n - 1) / s->block_entries;
	if (next >= s->reftable_size || !(s->reftable[next] & ~0x1ffull)) {
		if (!partly) {
			r = alloc_block(node, cluster + n);
			return r ? r : alloc_run(node, want, partly, ret);
		}
		n = next * s->block_entries - cluster;
	}
	if ((r = take(node, cluster, n)))
		return r;
	if (cluster == s->free_hint)
		s->free_hint = cluster + n;
	*want = n;
	*ret = cluster << s->cluster_bits;
	return 0;
}

int qcow2_alloc(struct blk_node *node, u64 n, u64 *ret)
{
	struct qcow2 *s = node->state;
	return n >= s->block_entries ? alloc_long(node, n, ret) : alloc_run(node, &n, false, ret);
}

int qcow2_alloc_some(struct blk_node *node, u64 *n, u64 *ret)
{
	struct qcow2 *s = node->state;
	*n = MIN(*n, MAX(s->block_entries / 2, 1ull));
	return alloc_run(node, n, true, ret);
}

int qcow2_alloc_at(struct blk_node *node, u64 offset, u64 n, u64 *ret_n)
{
	struct qcow2 *s = node->state;
	u64 cluster = offset >> s->cluster_bits, run, table = cluster / s->block_entries;
	*ret_n = 0;
	/* Only where counts exist: a new block would take the very place. */
	if (table >= s->reftable_size || !(s->reftable[table] & ~0x1ffull))
		return 0;
	n = MIN(n, s->block_entries - cluster % s->block_entries);
	int r = free_run(node, cluster, n, &run);
	if (r || !run)
		return r;
	r = take(node, cluster, run);
	if (!r)
		*ret_n = run;
	return r;
}

int qcow2_alloc_bytes(struct blk_node *node, u64 len, u64 *ret)
{
	struct qcow2 *s = node->state;
	u64 room = s->packed_at ? s->cluster_size - in_cluster(s, s->packed_at) : 0, cluster, count;
	int r;
	if (s->packed_at && !in_cluster(s, s->packed_at))
		room = 0;
	if (room && (r = qcow2_refcount(node, s->packed_at >> s->cluster_bits, &count)))
		return r;
	if (room && count == qcow2_max_ref(s))
		room = 0; /* no more may share the cluster */
	if (room >= len) {
		r = qcow2_refcount_add(node, s->packed_at, len, 1, DISCARD_OTHER);
		if (r)
			return r;
		*ret = s->packed_at;
	} else {
		if ((r = qcow2_alloc(node, 1, &cluster)))
			return r;
		if (room && cluster == ROUND_UP(s->packed_at, s->cluster_size)) {
			/* The next cluster in the file: go on into it. The new one has its count, the old one gets it. */
			r = qcow2_refcount_add(node, s->packed_at, 1, 1, DISCARD_OTHER);
			*ret = s->packed_at;
		} else {
			*ret = cluster;
		}
		if (r) {
			qcow2_free(node, cluster, s->cluster_size, DISCARD_OTHER);
			return r;
		}
	}
	s->packed_at = *ret + len;
	return 0;
}
