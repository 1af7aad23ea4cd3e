/* qcow2: checking the counts and tables of an image, and repairing them. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>
#include <stdio.h>

struct check {
	struct blk_node *node;
	struct blk_check *res;
	u32 fix;
	bool rebuild, repair_copied;
	u64 n; /* clusters in refs */
	u8 *refs; /* counted references, 8 << width bits each */
	unsigned width; /* log2 of bytes a count */
	u64 max;
	u64 next_data; /* where the next data cluster would lie if nothing were fragmented */
};

static u64 get(const struct check *c, u64 i)
{
	if (i >= c->n)
		return 0;
	switch (c->width) {
	case 0:
		return c->refs[i];
	case 1:
		return ((const u16 *)(const void *)c->refs)[i];
	case 2:
		return ((const u32 *)(const void *)c->refs)[i];
	default:
		return ((const u64 *)(const void *)c->refs)[i];
	}
}

static void put(struct check *c, u64 i, u64 v)
{
	switch (c->width) {
	case 0:
		c->refs[i] = v;
		return;
	case 1:
		((u16 *)(void *)c->refs)[i] = v;
		return;
	case 2:
		((u32 *)(void *)c->refs)[i] = v;
		return;
	default:
		((u64 *)(void *)c->refs)[i] = v;
	}
}

static int make_room(struct check *c, u64 clusters)
{
	if (clusters <= c->n)
		return 0;
	u64 n = MAX(clusters, c->n + c->n / 8);
	u8 *refs = try_alloc(n << c->width);
	if (!refs)
		return -ENOMEM;
	memcpy(refs, c->refs, c->n << c->width);
	free(c->refs);
	c->refs = refs;
	c->n = n;
	return 0;
}

/* One reference more to every cluster of a range. */
static int count(struct check *c, u64 offset, u64 len)
{
	struct qcow2 *s = c->node->state;
	u64 file = c->node->file->size;
	if (!len)
		return 0;
	if (offset + len < offset || (offset + len > file && offset + len - file >= s->cluster_size)) {
		blk_check_say(c->res,
			      "ERROR: counting reference for region exceeding the end of the file by "
			      "one cluster or "
			      "more: offset 0x%llx size 0x%llx",
			      (unsigned long long)offset, (unsigned long long)len);
		c->res->corruptions++;
		return 0;
	}
	u64 from = offset >> s->cluster_bits, to = (offset + len - 1) >> s->cluster_bits;
	int r = make_room(c, to + 1);
	for (u64 i = from; i <= to && !r; i++) {
		u64 v = get(c, i);
		if (v == c->max) {
			blk_check_say(c->res, "ERROR: overflow cluster offset=0x%llx",
				      (unsigned long long)(i << s->cluster_bits));
			blk_check_say(c->res,
				      "Use qemu-img amend to increase the refcount entry width or qemu-img "
				      "convert to create a clean copy if the image cannot be opened for "
				      "writing");
			c->res->corruptions++;
			continue;
		}
		put(c, i, v + 1);
	}
	return r;
}

static int count_range(void *user, u64 offset, u64 len)
{
	return count(user, offset, len);
}

/* ---- L2 tables ---- */

static void note_data(struct check *c, u64 offset, bool active)
{
	struct qcow2 *s = c->node->state;
	if (!active)
		return;
	c->res->allocated_clusters++;
	if (c->next_data && offset != c->next_data)
		c->res->fragmented_clusters++;
	c->next_data = offset + s->cluster_size;
}

/* An entry whose data cannot be there: where it reads as zeros anyway, it may be made so. */
static int unaligned(struct check *c, void *slice, u32 i, u64 entry, bool zero_alloc)
{
	struct qcow2 *s = c->node->state;
	u64 offset = entry & OFFSET_MASK;
	const char *what = zero_alloc ? "Preallocated" : "Data";
	bool fixable = zero_alloc && (c->fix & BLK_FIX_ERRORS);
	blk_check_say(c->res, "%s offset=%llx: %s cluster is not properly aligned; L2 entry corrupted.",
		      fixable ? "Repairing" : "ERROR", (unsigned long long)offset, what);
	if (!fixable) {
		c->res->corruptions++;
		return count(c, offset, s->cluster_size);
	}
	qcow2_set_entry(s, slice, i, s->subs > 1 ? 0 : ENTRY_ZERO, qcow2_entry_bits(s, slice, i));
	c->res->corruptions_fixed++;
	return 0;
}

static int check_entry(struct check *c, void *slice, u32 i, bool active)
{
	struct qcow2 *s = c->node->state;
	u64 entry = qcow2_entry(s, slice, i), bits = qcow2_entry_bits(s, slice, i);
	if (!entry)
		return 0;
	if (entry & ENTRY_COMPRESSED) {
		if (entry & ENTRY_COPIED) {
			blk_check_say(c->res,
				      "ERROR: coffset=0x%llx: copied flag must never be set for compressed "
				      "clusters",
				      (unsigned long long)(entry & OFFSET_MASK));
			c->res->corruptions++;
		}
		if (s->data_file) {
			blk_check_say(c->res, "ERROR compressed cluster %d with data file, entry=0x%llx", i,
				      (unsigned long long)entry);
			c->res->corruptions++;
			return 0;
		}
		u64 offset, len;
		qcow2_compressed_range(s, entry, &offset, &len);
		if (active) {
			c->res->allocated_clusters++;
			c->res->compressed_clusters++;
			c->res->fragmented_clusters++; /* never in a row as data would be */
		}
		return count(c, offset, len);
	}
	u64 offset = entry & OFFSET_MASK;
	if (s->subs > 1 && (bits & bits >> 32 & BITS(32))) {
		blk_check_say(c->res, "ERROR offset=%llx: Allocated cluster and zero bits are both set",
			      (unsigned long long)offset);
		c->res->corruptions++;
	}
	if (!offset && !(s->data_file && (entry & ENTRY_COPIED)))
		return 0;
	bool zero_alloc = s->subs > 1 ? !(bits & BITS(32)) : entry & ENTRY_ZERO;
	note_data(c, offset, active);
	if (in_cluster(s, offset))
		return unaligned(c, slice, i, entry, zero_alloc);
	return s->data_file ? 0 : count(c, offset, s->cluster_size);
}

static int check_l2(struct check *c, u64 l2, bool active)
{
	struct qcow2 *s = c->node->state;
	u64 unit = s->slice_bytes;
	for (u64 at = 0; at < s->cluster_size; at += unit) {
		void *slice;
		int r = cache_get(s->l2, l2 + at, &slice);
		if (r) {
			c->res->check_errors++;
			return r;
		}
		for (u32 i = 0; i < s->slice_entries && !r; i++)
			r = check_entry(c, slice, i, active);
		cache_put(s->l2, slice);
		if (r)
			return r;
	}
	return 0;
}

static int check_l1(struct check *c, u64 l1_offset, u32 l1_size, bool active)
{
	struct qcow2 *s = c->node->state;
	int r = count(c, l1_offset, (u64)l1_size * 8);
	AUTO(free_ptr) u8 *l1 = try_alloc((size_t)l1_size * 8);
	if (!r && !l1)
		r = -ENOMEM;
	if (!r && l1_size)
		r = blk_pread(c->node->file, l1_offset, l1, (size_t)l1_size * 8);
	if (r) {
		c->res->check_errors++;
		return r;
	}
	for (u32 i = 0; i < l1_size; i++) {
		u64 entry = ld_be64(l1 + (size_t)i * 8), l2 = entry & OFFSET_MASK;
		if (!entry)
			continue;
		if ((r = count(c, l2, s->cluster_size)))
			return r;
		if (in_cluster(s, l2)) {
			blk_check_say(
			    c->res, "ERROR l2_offset=%llx: Table is not cluster aligned; L1 entry corrupted",
			    (unsigned long long)l2);
			c->res->corruptions++;
			continue;
		}
		if (l2 > c->node->file->size)
			continue; /* reported by count() */
		if ((r = check_l2(c, l2, active)))
			return r;
	}
	return 0;
}

/* ---- everything that is referred to ---- */

static int check_snapshots(struct check *c)
{
	struct qcow2 *s = c->node->state;
	int r = 0;
	if (s->n_snapshots && s->data_file)
		c->res->corruptions++;
	for (u32 i = 0; i < s->n_snapshots && !r; i++) {
		struct qcow2_snapshot *sn = &s->snapshots[i];
		const char *what = NULL;
		if (in_cluster(s, sn->l1_offset))
			what = "l1_offset";
		else if (sn->l1_size > MAX_L1_BYTES / 8)
			what = "l1_size";
		if (what)
			blk_check_say(
			    c->res,
			    "ERROR snapshot %s (%s) %s=%#llx: L1 table is %s; snapshot table entry corrupted",
			    sn->id, sn->name, what,
			    (unsigned long long)(strcmp(what, "l1_size") ? sn->l1_offset : sn->l1_size),
			    strcmp(what, "l1_size") ? "not cluster aligned" : "too large");
		if (what) {
			c->res->corruptions++;
			continue;
		}
		r = check_l1(c, sn->l1_offset, sn->l1_size, false);
	}
	return r ? r : count(c, s->snapshots_offset, s->snapshots_size);
}

static void say_block(struct check *c, u64 i, const char *verb, const char *what)
{
	blk_check_say(c->res, "%s refcount block %llu %s", verb, (unsigned long long)i, what);
}

static int check_block(struct check *c, u64 i)
{
	struct qcow2 *s = c->node->state;
	u64 offset = s->reftable[i], cluster = offset >> s->cluster_bits;
	if (!offset)
		return 0;
	if (in_cluster(s, offset)) {
		say_block(c, i, "ERROR", "is not cluster aligned; refcount table entry corrupted");
		c->res->corruptions++;
		c->rebuild = true;
		return 0;
	}
	if (offset >= c->node->file->size) {
		bool fix = c->fix & BLK_FIX_ERRORS;
		say_block(c, i, fix ? "Repairing" : "ERROR", "is outside image");
		if (!fix) {
			c->res->corruptions++;
			return 0;
		}
		/* The counts there are zeros: the file is grown to hold them. */
		struct err *e = offset + s->cluster_size > INT64_MAX - 512
				    ? err_new(ERR_INVALID, "beyond 2^63")
				    : blk_truncate(c->node->file, offset + s->cluster_size, false,
						   BLK_PREALLOC_OFF, true);
		if (e) {
			err_free(e);
			blk_check_say(c->res, "ERROR could not resize image: Invalid argument");
			c->res->corruptions++;
			c->rebuild = true;
			return 0;
		}
		c->res->corruptions_fixed++;
		int r = make_room(c, cluster + 1);
		if (r)
			return r;
	}
	int r = count(c, offset, s->cluster_size);
	if (r)
		return r;
	if (get(c, cluster) != 1) {
		char what[40];
		snprintf(what, sizeof(what), "refcount=%llu", (unsigned long long)get(c, cluster));
		say_block(c, i, "ERROR", what);
		c->res->corruptions++;
		c->rebuild = true;
	}
	return 0;
}

static int count_all(struct check *c)
{
	struct qcow2 *s = c->node->state;
	free(c->refs);
	c->n = MAX((c->node->file->size + s->cluster_size - 1) >> s->cluster_bits, 1ull);
	c->next_data = 0;
	c->res->allocated_clusters = c->res->fragmented_clusters = c->res->compressed_clusters = 0;
	c->width = s->refcount_order <= 3 ? 0 : s->refcount_order - 3;
	c->max = MIN(qcow2_max_ref(s), s->refcount_order == 6 ? ~0ull : BITS(8u << c->width));
	c->refs = try_alloc(c->n << c->width);
	if (!c->refs)
		return -ENOMEM;
	int r = count(c, 0, s->cluster_size);
	if (!r)
		r = check_l1(c, s->l1_offset, s->l1_size, true);
	if (!r)
		r = check_snapshots(c);
	if (!r && s->crypto_len)
		r = count(c, s->crypto_offset, s->crypto_len);
	if (!r && s->has_bitmap_ext)
		r = qcow2_each_bitmap_range(c->node, count_range, c);
	if (!r)
		r = count(c, s->reftable_offset, (u64)s->reftable_clusters << s->cluster_bits);
	for (u64 i = 0; i < s->reftable_size && !r; i++)
		r = check_block(c, i);
	return r;
}

/* ---- comparing ---- */

static int compare(struct check *c, u32 fix, u64 *ret_highest)
{
	struct qcow2 *s = c->node->state;
	struct blk_check *res = c->res;
	*ret_highest = 0;
	for (u64 i = 0; i < c->n; i++) {
		u64 have, want = get(c, i), *fixed = NULL;
		int r = qcow2_refcount(c->node, i, &have);
		if (r) {
			blk_check_say(res, "Can't get refcount for cluster %llu: %s", (unsigned long long)i,
				      strerror(-r));
			res->check_errors++;
			continue;
		}
		if (have || want)
			*ret_highest = i;
		if (LIKELY(have == want))
			continue;
		if (have == 0)
			c->rebuild = true;
		else if (have > want && (fix & BLK_FIX_LEAKS))
			fixed = &res->leaks_fixed;
		else if (have < want && (fix & BLK_FIX_ERRORS))
			fixed = &res->corruptions_fixed;
		blk_check_say(res, "%s cluster %llu refcount=%llu reference=%llu",
			      fixed	    ? "Repairing"
			      : have < want ? "ERROR"
					    : "Leaked",
			      (unsigned long long)i, (unsigned long long)have, (unsigned long long)want);
		if (fixed) {
			u64 at = i << s->cluster_bits;
			for (; have < want && !r; have++)
				r = qcow2_refcount_add(c->node, at, 1, 1, DISCARD_OTHER);
			for (; have > want && !r; have--)
				r = qcow2_refcount_add(c->node, at, 1, -1, DISCARD_OTHER);
			if (!r) {
				++*fixed;
				continue;
			}
			res->check_errors++;
		}
		if (have < want)
			res->corruptions++;
		else
			res->leaks++;
	}
	return 0;
}

/* ---- flags ---- */

static int check_copied_in(struct check *c, u32 l1_index)
{
	struct qcow2 *s = c->node->state;
	u64 l2 = s->l1[l1_index] & OFFSET_MASK, unit = s->slice_bytes;
	bool repair = c->repair_copied;
	for (u64 at = 0; at < s->cluster_size; at += unit) {
		void *slice;
		int r = cache_get(s->l2, l2 + at, &slice);
		if (r)
			return r;
		for (u32 i = 0; i < s->slice_entries; i++) {
			u64 entry = qcow2_entry(s, slice, i), have;
			bool placed = !(entry & ENTRY_COMPRESSED) &&
				      ((entry & OFFSET_MASK) || (s->data_file && (entry & ENTRY_COPIED)));
			if (!placed)
				continue;
			if (s->data_file)
				have = 1;
			else if (qcow2_refcount(c->node, (entry & OFFSET_MASK) >> s->cluster_bits, &have))
				continue; /* reported before */
			if ((have == 1) == !!(entry & ENTRY_COPIED))
				continue;
			blk_check_say(c->res, "%s OFLAG_COPIED data cluster: l2_entry=%llx refcount=%llu",
				      repair ? "Repairing" : "ERROR", (unsigned long long)entry,
				      (unsigned long long)have);
			if (!repair) {
				c->res->corruptions++;
				continue;
			}
			entry = (entry & ~ENTRY_COPIED) | (have == 1 ? ENTRY_COPIED : 0);
			qcow2_set_entry(s, slice, i, entry, qcow2_entry_bits(s, slice, i));
			c->res->corruptions_fixed++;
		}
		cache_put(s->l2, slice);
	}
	return 0;
}

static int check_copied(struct check *c)
{
	struct qcow2 *s = c->node->state;
	/* Counts that fell when leaks were repaired leave flags behind. With other counts wrong they cannot be trusted. */
	bool repair = (c->fix & BLK_FIX_ERRORS) || (c->res->leaks_fixed && !c->res->corruptions &&
						    !c->res->check_errors && !c->res->leaks);
	c->repair_copied = repair;
	for (u32 i = 0; i < s->l1_size; i++) {
		u64 entry = s->l1[i], l2 = entry & OFFSET_MASK, have;
		if (!l2 || in_cluster(s, l2) || l2 >= c->node->file->size)
			continue;
		if (qcow2_refcount(c->node, l2 >> s->cluster_bits, &have))
			continue;
		if ((have == 1) != !!(entry & ENTRY_COPIED)) {
			blk_check_say(c->res,
				      "%s OFLAG_COPIED L2 cluster: l1_index=%u l1_entry=%llx refcount=%llu",
				      repair ? "Repairing" : "ERROR", i, (unsigned long long)entry,
				      (unsigned long long)have);
			if (repair) {
				s->l1[i] = have == 1 ? entry | ENTRY_COPIED : entry & ~ENTRY_COPIED;
				int r = qcow2_write_l1(c->node, i);
				if (r)
					return r;
				c->res->corruptions_fixed++;
			} else {
				c->res->corruptions++;
			}
		}
		int r = check_copied_in(c, i);
		if (r)
			return r;
	}
	return 0;
}

/* ---- rebuilding ---- */

/* The first run of n free clusters at or behind `from`, by what was counted. */
static u64 find_free(const struct check *c, u64 from, u64 n)
{
	u64 run = 0;
	for (u64 i = from;; i++) {
		run = get(c, i) ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
		if (i >= c->n + n)
			return i + 1 - run;
	}
}

/* The table that is being made: where each block of counts lies, 0 nowhere yet. */
struct new_table {
	u64 *block, n;
};

static bool has_block(const struct new_table *t, u64 b)
{
	return b < t->n && t->block[b];
}

/* Block b of the counts lies in the cluster `at` from now on, which counts as used. */
static int add_block(struct check *c, struct new_table *t, u64 b, u64 at)
{
	struct qcow2 *s = c->node->state;
	if (b >= t->n) {
		u64 n = ROUND_UP(b + 1, s->cluster_size / 8);
		u64 *more = try_alloc(n * 8);
		if (!more)
			return -ENOMEM;
		memcpy(more, t->block ? t->block : more, t->n * 8);
		free(t->block);
		t->block = more;
		t->n = n;
	}
	int r = make_room(c, at + 1);
	if (r)
		return r;
	put(c, at, 1);
	t->block[b] = at << s->cluster_bits;
	return 0;
}

/* A block for every cluster in use that has none. *ret_more: there were some, and they may need blocks themselves. */
static int add_blocks(struct check *c, struct new_table *t, u64 *from, bool *ret_more)
{
	struct qcow2 *s = c->node->state;
	*ret_more = false;
	for (u64 i = 0; i < c->n; i++) {
		if (!get(c, i) || has_block(t, i / s->block_entries))
			continue;
		u64 at = find_free(c, *from, 1);
		*from = at + 1;
		int r = add_block(c, t, i / s->block_entries, at);
		if (r)
			return r;
		*ret_more = true;
	}
	return 0;
}

/* The blocks for the table's own clusters: each is, if need be, one of the clusters that it counts. */
static int add_blocks_of_table(struct check *c, struct new_table *t, u64 at, u64 need, bool *ret_more)
{
	struct qcow2 *s = c->node->state;
	*ret_more = false;
	for (u64 b = at / s->block_entries; b <= (at + need - 1) / s->block_entries; b++) {
		if (has_block(t, b))
			continue;
		int r = add_block(c, t, b, MAX(at, b * s->block_entries));
		if (r)
			return r;
		*ret_more = true;
	}
	return 0;
}

/* Writes blocks and table (in clusters from `at`), and then the header that names them. */
static int write_counts(struct check *c, const struct new_table *t, u64 at, u64 need)
{
	struct qcow2 *s = c->node->state;
	struct blk_node *file = c->node->file;
	u64 cs = s->cluster_size;
	AUTO(free_ptr) u8 *block = try_alloc(cs);
	AUTO(free_ptr) u8 *be = try_alloc(need * cs);
	if (!block || !be)
		return -ENOMEM;
	for (u64 b = 0; b < t->n; b++) {
		st_be64(be + b * 8, t->block[b]);
		if (!t->block[b])
			continue;
		memset(block, 0, cs);
		for (u64 k = 0; k < s->block_entries; k++)
			qcow2_set_ref(s, block, k, get(c, b * s->block_entries + k));
		int r = blk_pwrite(file, t->block[b], block, cs);
		if (r)
			return r;
	}
	u8 head[12];
	st_be64(head, at << s->cluster_bits);
	st_be32(head + 8, need);
	int r = blk_pwrite(file, at << s->cluster_bits, be, need * cs);
	if (!r)
		r = blk_barrier(file);
	return r ? r : blk_pwrite_flush(file, 48, head, 12);
}

/* The image counts by the table, which is taken over, from now on. */
static int use_table(struct qcow2 *s, struct new_table *t, u64 at, u64 need)
{
	u64 n = need * s->cluster_size / 8;
	if (n > t->n) {
		u64 *all = try_alloc(n * 8);
		if (!all)
			return -ENOMEM;
		memcpy(all, t->block, t->n * 8);
		free(t->block);
		t->block = all;
	}
	free(s->reftable);
	s->reftable = t->block;
	t->block = NULL;
	s->reftable_size = n;
	s->reftable_clusters = need;
	s->reftable_offset = at << s->cluster_bits;
	s->free_hint = 0;
	qcow2_set_free(&s->meta);
	return 0;
}

/* New blocks and a new table for what was counted; they count themselves. */
static int rebuild(struct check *c)
{
	struct qcow2 *s = c->node->state;
	struct new_table t = { 0 };
	u64 from = 1, at = 0, need = 0;
	bool more;
	int r;
	blk_check_say(c->res, "Rebuilding refcount structure");
	cache_drop(s->refs);
	do { /* until nothing is added: counting a block may need another block, and so may the table */
		r = add_blocks(c, &t, &from, &more);
		if (r || more)
			continue;
		need = MAX(t.n * 8 >> s->cluster_bits, 1ull);
		at = find_free(c, 1, need);
		r = add_blocks_of_table(c, &t, at, need, &more);
	} while (!r && more);
	if (!r)
		r = make_room(c, at + need);
	for (u64 i = 0; i < need && !r; i++)
		put(c, at + i, 1);
	if (!r)
		r = write_counts(c, &t, at, need);
	if (!r)
		r = use_table(s, &t, at, need);
	free(t.block);
	return r;
}

/* The counts are made anew; what only the old ones used is given back. */
static int rebuild_and_settle(struct check *c)
{
	struct blk_check old = *c->res;
	u64 highest;
	int r = rebuild(c);
	if (r) {
		c->res->check_errors++;
		return r;
	}
	c->rebuild = false;
	c->res->corruptions = c->res->leaks = 0;
	u32 fix = c->fix;
	c->fix = 0;
	r = count_all(c);
	c->fix = fix;
	if (!r)
		r = compare(c, BLK_FIX_LEAKS, &highest);
	u64 bad = c->res->corruptions, leaks = c->res->leaks;
	old.allocated_clusters = c->res->allocated_clusters;
	*c->res = old;
	c->res->corruptions_fixed += old.corruptions > bad ? old.corruptions - bad : 0;
	c->res->corruptions = bad;
	c->res->leaks = leaks;
	return r;
}

/* ---- all of it ---- */

static int clear_bits(struct blk_node *node, u64 bits)
{
	struct qcow2 *s = node->state;
	u8 be[8];
	if (s->version < 3 || !(s->incompatible & bits))
		return 0;
	st_be64(be, s->incompatible & ~bits);
	int r = blk_pwrite_flush(node->file, 72, be, 8);
	if (!r)
		s->incompatible &= ~bits;
	return r;
}

/* First what is wrong, then, where it can be put right one by one, that. */
static int compare_and_fix(struct check *c, u64 *ret_highest)
{
	struct blk_check before = *c->res;
	int r = compare(c, 0, ret_highest);
	if (r || !c->fix || c->rebuild ||
	    (c->res->corruptions == before.corruptions && c->res->leaks == before.leaks))
		return r;
	c->res->corruptions = before.corruptions;
	c->res->leaks = before.leaks;
	c->res->check_errors = before.check_errors;
	return compare(c, c->fix, ret_highest);
}

static int run(struct check *c)
{
	u64 highest = 0;
	struct qcow2 *s = c->node->state;
	int r = count_all(c);
	if (!r)
		r = compare_and_fix(c, &highest);
	if (!r && c->rebuild && (c->fix & BLK_FIX_ERRORS)) {
		r = rebuild_and_settle(c);
		c->rebuild = false;
	} else if (!r && c->fix) {
		r = qcow2_flush_meta(c->node);
	}
	if (!r)
		r = check_copied(c);
	c->res->image_end = (highest + 1) << s->cluster_bits;
	return r;
}

/* What of the snapshot table cannot stay as it is: changed in memory, *ret then. */
static struct err *mend_snapshots(struct qcow2 *s, struct blk_check *res, u32 fix, bool *ret)
{
	u64 had = res->corruptions_fixed;
	for (u32 i = 0; i < s->n_snapshots; i++) {
		struct qcow2_snapshot *sn = &s->snapshots[i];
		if (sn->extra_found > MAX_SNAPSHOT_EXTRA) {
			if (!(fix & BLK_FIX_ERRORS))
				return qcow2_extra_too_long(i);
			blk_check_say(
			    res, "Discarding too much extra metadata in snapshot table entry %u (%u > %u)", i,
			    sn->extra_found, MAX_SNAPSHOT_EXTRA);
			res->corruptions_fixed++;
			sn->extra_found = sn->extra_size;
		} else if (fix && s->version >= 3 && sn->extra_size < 16) {
			blk_check_say(res, "Repairing snapshot table entry %u is incomplete", i);
			res->corruptions_fixed++;
			sn->extra_size = 24;
		}
	}
	if (s->snapshots_beyond) {
		if (!(fix & BLK_FIX_ERRORS))
			return qcow2_snapshots_too_big(s->snapshots_beyond);
		blk_check_say(res, "Discarding %u overhanging snapshots (snapshot table is too big)",
			      s->snapshots_beyond);
		res->corruptions_fixed += s->snapshots_beyond;
		s->snapshots_beyond = 0;
	}
	*ret = res->corruptions_fixed != had;
	return NULL;
}

struct err *qcow2_check(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct qcow2 *s = node->state;
	struct check c = { .node = node, .res = res, .fix = fix };
	bool changed = false;
	struct err *e = mend_snapshots(s, res, fix, &changed);
	if (e)
		return e;
	res->total_clusters = (node->size + s->cluster_size - 1) >> s->cluster_bits;
	int r = run(&c);
	free(c.refs);
	/* Room for a new table is only known when the counts are right. */
	if (!r && changed && !res->check_errors && !res->corruptions)
		r = qcow2_write_snapshots(node);
	if (!r && fix)
		r = qcow2_flush_meta(node);
	if (!r && fix && !res->check_errors && !res->corruptions)
		r = clear_bits(node, INCOMPAT_DIRTY | INCOMPAT_CORRUPT);
	return r ? err_errno(-r, "Check failed") : NULL;
}
