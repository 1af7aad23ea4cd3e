/* qcow2: reference counts of host clusters, and finding free ones. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

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

/* ---- where metadata lies ---- */

void qcow2_meta_set(struct qcow2 *s, u64 offset, u64 len)
{
	u64 from = offset >> s->cluster_bits, to = (offset + len + s->cluster_size - 1) >> s->cluster_bits;
	if (!s->is_meta || !len)
		return;
	if (to > s->meta_clusters) {
		u64 n = ROUND_UP(MAX(to, s->meta_clusters * 2), 64ull);
		u64 *bits = try_alloc(n / 8);
		if (!bits)
			return;
		memcpy(bits, s->is_meta, s->meta_clusters / 8);
		free(s->is_meta);
		s->is_meta = bits;
		s->meta_clusters = n;
	}
	for (u64 i = from; i < to; i++)
		s->is_meta[i / 64] |= BIT(i % 64);
}

void qcow2_meta_clear(struct qcow2 *s, u64 offset, u64 len)
{
	u64 from = offset >> s->cluster_bits, to = (offset + len + s->cluster_size - 1) >> s->cluster_bits;
	for (u64 i = from; s->is_meta && i < to && i < s->meta_clusters; i++)
		s->is_meta[i / 64] &= ~BIT(i % 64);
}

static bool sane(u64 offset)
{
	return offset && offset < BIT(56);
}

static int note_range(void *user, u64 offset, u64 len)
{
	struct qcow2 *s = user;
	u64 most = s->meta_clusters * 16 + BIT(20); /* a range far behind the end would make the map huge */
	if (offset < BIT(56) && len < BIT(40) && (offset + len) >> s->cluster_bits < most)
		qcow2_meta_set(s, offset, len);
	return 0;
}

/* Active tables and everything the header names; inactive L2 tables are looked up on suspicion only. */
static int make_map(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	u64 n = ROUND_UP((node->file->size >> s->cluster_bits) + 64, 64ull);
	s->is_meta = try_alloc(n / 8);
	if (!s->is_meta)
		return -ENOMEM;
	s->meta_clusters = n;
	u64 end = MAX(node->file->size * 2, BIT(32)); /* entries that point nowhere would make the map huge */
	qcow2_meta_set(s, 0, 1);
	qcow2_meta_set(s, s->l1_offset, (u64)s->l1_size * 8);
	qcow2_meta_set(s, s->reftable_offset, (u64)s->reftable_clusters << s->cluster_bits);
	for (u32 i = 0; i < s->l1_size; i++)
		if (sane(s->l1[i] & OFFSET_MASK) && (s->l1[i] & OFFSET_MASK) < end)
			qcow2_meta_set(s, s->l1[i] & OFFSET_MASK, s->cluster_size);
	for (u64 i = 0; i < s->reftable_size; i++)
		if (sane(s->reftable[i] & ~0x1ffull) && s->reftable[i] < end)
			qcow2_meta_set(s, s->reftable[i] & ~0x1ffull, s->cluster_size);
	if (s->snapshots_offset < end)
		qcow2_meta_set(s, s->snapshots_offset, s->snapshots_size);
	for (u32 i = 0; i < s->n_snapshots; i++) {
		struct qcow2_snapshot *sn = &s->snapshots[i];
		if (sn->l1_offset >= end || sn->l1_size > MAX_L1_BYTES / 8)
			continue;
		qcow2_meta_set(s, sn->l1_offset, (u64)sn->l1_size * 8);
		void *l1;
		struct err *e =
		    blk_load_table(node->file, sn->l1_offset, (u64)sn->l1_size * 8, "snapshot L1 table", &l1);
		if (e) {
			err_free(e);
			continue;
		}
		for (u32 k = 0; k < sn->l1_size; k++) {
			u64 l2 = ld_be64((u8 *)l1 + k * 8) & OFFSET_MASK;
			if (sane(l2) && l2 < end)
				qcow2_meta_set(s, l2, s->cluster_size);
		}
		free(l1);
	}
	return s->has_bitmap_ext ? qcow2_each_bitmap_range(node, note_range, s) : 0;
}

static bool crosses(u64 a, u64 alen, u64 b, u64 blen)
{
	return blen && a < b + blen && b < a + alen;
}

static bool in_inactive_l2(struct blk_node *node, u64 offset, u64 len)
{
	struct qcow2 *s = node->state;
	bool hit = false;
	for (u32 i = 0; i < s->n_snapshots && !hit; i++) {
		struct qcow2_snapshot *sn = &s->snapshots[i];
		void *l1;
		struct err *e =
		    blk_load_table(node->file, sn->l1_offset, (u64)sn->l1_size * 8, "snapshot L1 table", &l1);
		if (e) {
			err_free(e);
			continue;
		}
		for (u32 k = 0; k < sn->l1_size && !hit; k++) {
			u64 l2 = ld_be64((u8 *)l1 + k * 8) & OFFSET_MASK;
			hit = l2 && crosses(offset, len, l2, s->cluster_size);
		}
		free(l1);
	}
	return hit;
}

static int which_part(struct blk_node *node, u64 offset, u64 len)
{
	struct qcow2 *s = node->state;
	u64 cs = s->cluster_size;
	if (offset < cs)
		return PART_HEADER;
	if (crosses(offset, len, s->l1_offset, ROUND_UP((u64)s->l1_size * 8, cs)))
		return PART_ACTIVE_L1;
	for (u32 i = 0; i < s->l1_size; i++)
		if ((s->l1[i] & OFFSET_MASK) && crosses(offset, len, s->l1[i] & OFFSET_MASK, cs))
			return PART_ACTIVE_L2;
	for (u64 i = 0; i < s->reftable_size; i++)
		if ((s->reftable[i] & ~0x1ffull) && crosses(offset, len, s->reftable[i] & ~0x1ffull, cs))
			return PART_REFBLOCK;
	if (crosses(offset, len, s->reftable_offset, (u64)s->reftable_clusters << s->cluster_bits))
		return PART_REFTABLE;
	if (s->n_snapshots && crosses(offset, len, s->snapshots_offset, ROUND_UP(s->snapshots_size, cs)))
		return PART_SNAPSHOTS;
	for (u32 i = 0; i < s->n_snapshots; i++)
		if (crosses(offset, len, s->snapshots[i].l1_offset,
			    ROUND_UP((u64)s->snapshots[i].l1_size * 8, cs)))
			return PART_INACTIVE_L1;
	if (in_inactive_l2(node, offset, len))
		return PART_INACTIVE_L2;
	return s->has_bitmap_ext && crosses(offset, len, s->bitmaps.dir_offset, s->bitmaps.dir_size)
		   ? PART_BITMAPS
		   : -1;
}

int qcow2_check_overlap(struct blk_node *node, u64 offset, u64 len, u32 ignore)
{
	static const char *const names[PARTS] = {
		"qcow2_header",	     "active L1 table",	  "active L2 table",
		"refcount block",    "refcount table",	  "snapshot table",
		"inactive L1 table", "inactive L2 table", "bitmap directory",
	};
	struct qcow2 *s = node->state;
	if (!s->overlap)
		return 0;
	if (!s->is_meta) {
		int r = make_map(node);
		if (r)
			return r;
	}
	u64 from = offset >> s->cluster_bits, to = (offset + len - 1) >> s->cluster_bits;
	for (u64 i = from; i <= to && i < s->meta_clusters; i++) {
		if (LIKELY(!(s->is_meta[i / 64] >> i % 64 & 1)))
			continue;
		int part = which_part(node, i << s->cluster_bits, s->cluster_size);
		if (part < 0) {
			s->is_meta[i / 64] &= ~BIT(i % 64); /* no longer so */
			continue;
		}
		if ((ignore & BIT(part)) || !(s->overlap & BIT(part)))
			continue;
		return qcow2_corrupt_at(node, true, offset, len,
					"Preventing invalid write on metadata (overlaps with %s)",
				     names[part]);
	}
	return 0;
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

static void now_free(struct blk_node *node, u64 cluster, enum qcow2_discard discard)
{
	struct qcow2 *s = node->state;
	u64 offset = cluster << s->cluster_bits;
	s->free_hint = MIN(s->free_hint, cluster);
	if (s->packed_at && s->packed_at >> s->cluster_bits == cluster)
		s->packed_at = 0;
	cache_forget(s->l2, offset, s->cluster_size);
	qcow2_meta_clear(s, offset, s->cluster_size);
	if (s->discard_passes & BIT(discard)) {
		int r = blk_discard(node->file, offset, s->cluster_size);
		(void)r; /* a wish */
	}
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
					      -delta, DISCARD_NEVER);
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
	return r || !old_len ? r : qcow2_refcount_add(node, old, old_len, -1, DISCARD_NEVER);
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
			if (qcow2_get_ref(s, block, index))
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
				      DISCARD_NEVER);
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
		while (index < limit && qcow2_get_ref(s, block, index)) {
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
	u64 n = *want, cluster = s->free_hint, run = 0;
	int r = skip_used(node, &cluster);
	bool first = true;
	while (!r) {
		if (first) {
			s->free_hint = cluster;
			first = false;
		}
		/* A new block must come first where there is none, and it takes the first cluster. */
		u64 table = cluster / s->block_entries;
		if (table >= s->reftable_size || !(s->reftable[table] & ~0x1ffull)) {
			if ((r = alloc_block(node, cluster)))
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
	/* The run may reach into ranges without a block; those blocks take a cluster of it: then look again. */
	for (u64 i = cluster / s->block_entries; i <= (cluster + n - 1) / s->block_entries; i++)
		if (i >= s->reftable_size || !(s->reftable[i] & ~0x1ffull)) {
			if (partly && i * s->block_entries > cluster) {
				n = i * s->block_entries - cluster;
				break;
			}
			r = alloc_block(node, MAX(i * s->block_entries, cluster));
			return r ? r : alloc_run(node, want, partly, ret);
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
		r = qcow2_refcount_add(node, s->packed_at, len, 1, DISCARD_NEVER);
		if (r)
			return r;
		*ret = s->packed_at;
	} else {
		if ((r = qcow2_alloc(node, 1, &cluster)))
			return r;
		if (room && cluster == ROUND_UP(s->packed_at, s->cluster_size)) {
			/* The next cluster in the file: go on into it. The new one has its count, the old one gets it. */
			r = qcow2_refcount_add(node, s->packed_at, 1, 1, DISCARD_NEVER);
			*ret = s->packed_at;
		} else {
			*ret = cluster;
		}
		if (r)
			return r;
	}
	s->packed_at = *ret + len;
	return 0;
}
