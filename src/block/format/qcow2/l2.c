/* qcow2: from guest offsets to host clusters, and back: L1 and L2 tables, places for writes, zeros, discards. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

u64 qcow2_entry(const struct qcow2 *s, const void *slice, u32 index)
{
	return ld_be64((const u8 *)slice + (size_t)index * s->entry_size);
}

u64 qcow2_entry_bits(const struct qcow2 *s, const void *slice, u32 index)
{
	return s->subs == 1 ? 0 : ld_be64((const u8 *)slice + (size_t)index * 16 + 8);
}

void qcow2_set_entry(struct qcow2 *s, void *slice, u32 index, u64 entry, u64 bits)
{
	u8 *at = (u8 *)slice + (size_t)index * s->entry_size;
	st_be64(at, entry);
	if (s->subs > 1)
		st_be64(at + 8, bits);
	cache_dirty(s->l2, slice, index * s->entry_size, (index + 1) * s->entry_size);
}

static bool has_offset(const struct qcow2 *s, u64 entry)
{
	return (entry & OFFSET_MASK) || (s->data_file && (entry & ENTRY_COPIED));
}

/* Some subcluster is said to be zero and to hold data, or to hold data where there is no room. */
static bool bad_bits(const struct qcow2 *s, u64 entry, u64 bits)
{
	u64 data = bits & BITS(SUBS);
	if (s->subs == 1 || (entry & ENTRY_COMPRESSED))
		return false;
	return (data & bits >> SUBS) || (data && !has_offset(s, entry));
}

enum qcow2_kind qcow2_kind(const struct qcow2 *s, u64 entry, u64 bits, unsigned sub)
{
	if (entry & ENTRY_COMPRESSED)
		return KIND_COMPRESSED;
	if (s->subs == 1) {
		if (entry & ENTRY_ZERO)
			return has_offset(s, entry) ? KIND_ZERO_ALLOC : KIND_ZERO;
		return has_offset(s, entry) ? KIND_DATA : KIND_HOLE;
	}
	bool allocated = bits >> sub & 1, zero = bits >> (sub + 32) & 1;
	if (allocated && (zero || !has_offset(s, entry)))
		return KIND_BAD;
	if (allocated)
		return KIND_DATA;
	if (zero)
		return has_offset(s, entry) ? KIND_ZERO_ALLOC : KIND_ZERO;
	return has_offset(s, entry) ? KIND_HOLE_ALLOC : KIND_HOLE;
}

void qcow2_compressed_range(const struct qcow2 *s, u64 entry, u64 *ret_offset, u64 *ret_len)
{
	unsigned x = 62 - (s->cluster_bits - 8);
	u64 offset = entry & BITS(x) & BITS(56), sectors = (entry & BITS(62)) >> x;
	*ret_offset = offset;
	*ret_len = (sectors + 1) * 512 - (offset & 511);
}

/* ---- tables ---- */

static u32 slice_unit(const struct qcow2 *s)
{
	return s->slice_bytes;
}

int qcow2_write_l1(struct blk_node *node, u32 index)
{
	struct qcow2 *s = node->state;
	u8 be[8];
	int r = qcow2_check_overlap(node, s->l1_offset + index * 8ull, 8, BIT(PART_ACTIVE_L1));
	if (r)
		return r;
	blk_event(node->file, "l1_update");
	st_be64(be, s->l1[index]);
	return blk_pwrite(node->file, s->l1_offset + index * 8ull, be, 8);
}

int qcow2_grow_l1(struct blk_node *node, u64 entries, bool exact)
{
	struct qcow2 *s = node->state;
	if (entries <= s->l1_size)
		return 0;
	if (!exact)
		entries = MAX(entries, (u64)s->l1_size * 3 / 2);
	if (entries > MAX_L1_BYTES / 8)
		return -EFBIG;
	blk_event(node->file, "l1_grow_alloc_table");
	u64 bytes = entries * 8, at, old = s->l1_offset, old_bytes = (u64)s->l1_size * 8;
	u64 *l1 = try_alloc(bytes);
	u8 *be = try_alloc(bytes);
	int r = l1 && be ? 0 : -ENOMEM;
	if (!r)
		r = qcow2_alloc(node, (bytes + s->cluster_size - 1) >> s->cluster_bits, &at);
	if (!r)
		r = qcow2_check_overlap(node, at, bytes, 0);
	if (!r)
		r = cache_flush(s->refs);
	if (!r) {
		memcpy(l1, s->l1, old_bytes);
		for (u64 i = 0; i < entries; i++)
			st_be64(be + i * 8, l1[i]);
		r = blk_pwrite(node->file, at, be, bytes);
	}
	if (!r)
		r = blk_barrier(node->file);
	u8 head[12];
	st_be32(head, entries);
	if (!r) {
		st_be64(head + 4, at);
		r = blk_pwrite(node->file, 36, head, 12);
	}
	free(be);
	if (r) {
		free(l1);
		return r;
	}
	free(s->l1);
	s->l1 = l1;
	s->l1_size = entries;
	s->l1_offset = at;
	qcow2_meta_set(s, at, bytes);
	r = blk_barrier(node->file);
	return r || !old_bytes ? r : qcow2_refcount_add(node, old, old_bytes, -1, DISCARD_OTHER);
}

/* A table of its own for an L1 entry: new, or a copy of one that a snapshot shares. */
static int make_l2(struct blk_node *node, u32 l1_index)
{
	struct qcow2 *s = node->state;
	u64 old = s->l1[l1_index], from = old & OFFSET_MASK, at;
	blk_event(node->file, "l2_alloc_write");
	int r = qcow2_alloc(node, 1, &at);
	if (r)
		return r;
	if (!at)
		return qcow2_corrupt(node, true, "Preventing invalid allocation of L2 table at offset 0");
	if ((r = qcow2_check_overlap(node, at, s->cluster_size, 0)))
		return r;
	for (u64 i = 0; i < s->cluster_size && !r; i += slice_unit(s)) {
		void *to, *src;
		r = cache_get_new(s->l2, at + i, &to);
		if (r)
			break;
		if (from && !(r = cache_get(s->l2, from + i, &src))) {
			memcpy(to, src, slice_unit(s));
			cache_put(s->l2, src);
		}
		cache_put(s->l2, to);
	}
	if (!r)
		r = cache_after(s->l2, s->refs);
	if (!r)
		r = cache_flush(s->l2);
	if (!r)
		r = blk_barrier(node->file);
	if (r) {
		qcow2_free(node, at, s->cluster_size, DISCARD_OTHER);
		return r;
	}
	s->l1[l1_index] = at | ENTRY_COPIED;
	qcow2_meta_set(s, at, s->cluster_size);
	r = qcow2_write_l1(node, l1_index);
	if (r) {
		s->l1[l1_index] = old;
		return r;
	}
	/* The old table has one user less: it lives on in its snapshot. */
	return from ? qcow2_free(node, from, s->cluster_size, DISCARD_OTHER) : 0;
}

static bool is_own(u64 l1_entry)
{
	return (l1_entry & OFFSET_MASK) && (l1_entry & ENTRY_COPIED);
}

/*
 * Makes sure that the L1 entry has a table that may be written. Making one takes several steps: of two requests that need
 * it at once the second finds that of the first.
 */
static int own_table(struct blk_node *node, u64 l1_index)
{
	struct qcow2 *s = node->state;
	int r = 0;
	if (l1_index < s->l1_size && is_own(s->l1[l1_index]))
		return 0;
	co_lock(&s->table_lock);
	if (l1_index >= s->l1_size)
		r = qcow2_grow_l1(node, l1_index + 1, false);
	u64 l2 = r ? 0 : s->l1[l1_index];
	/* One that is not aligned is the caller's to refuse. */
	if (!r && !is_own(l2) && !(l2 & OFFSET_MASK & (s->cluster_size - 1)))
		r = make_l2(node, l1_index);
	co_unlock(&s->table_lock);
	return r;
}

int qcow2_slice(struct blk_node *node, u64 offset, bool make, void **ret, u32 *ret_index)
{
	struct qcow2 *s = node->state;
	u64 cluster = offset >> s->cluster_bits, l1_index = cluster / s->l2_entries;
	u32 index = cluster % s->l2_entries;
	int r = make ? own_table(node, l1_index) : 0;
	*ret = NULL;
	*ret_index = index % s->slice_entries;
	if (r || l1_index >= s->l1_size)
		return r;
	u64 l2 = s->l1[l1_index] & OFFSET_MASK;
	if (l2 & (s->cluster_size - 1))
		return qcow2_corrupt(node, true, "L2 table offset %#llx unaligned (L1 index: %#llx)",
				     (unsigned long long)l2, (unsigned long long)l1_index);
	if (!l2)
		return 0;
	return cache_get(s->l2, l2 + (u64)(index / s->slice_entries) * slice_unit(s), ret);
}

static unsigned long long table_at(struct qcow2 *s, u64 offset)
{
	return s->l1[(offset >> s->cluster_bits) / s->l2_entries] & OFFSET_MASK;
}

static u32 table_index(struct qcow2 *s, u64 offset)
{
	return (offset >> s->cluster_bits) % s->l2_entries;
}

/* ---- map ---- */

/* The space too many where it reads is the peer's, which scripts compare with. */
static int bad_entry(struct blk_node *node, u64 offset, u64 entry, bool writing)
{
	struct qcow2 *s = node->state;
	if (s->subs > 1 && !((entry & OFFSET_MASK) & (s->cluster_size - 1)))
		return qcow2_corrupt(node, true,
				     "Invalid cluster entry found%s (L2 offset: %#llx, L2 index: %#x)",
				     writing ? "" : " ", table_at(s, offset), table_index(s, offset));
	return qcow2_corrupt(
	    node, true, "Cluster allocation offset %#llx unaligned (L2 offset: %#llx, L2 index: %#x)",
	    (unsigned long long)(entry & OFFSET_MASK), table_at(s, offset), table_index(s, offset));
}

static bool same_kind(enum qcow2_kind a, enum qcow2_kind b)
{
	return a == b || (a == KIND_HOLE && b == KIND_HOLE_ALLOC) || (a == KIND_HOLE_ALLOC && b == KIND_HOLE);
}

static bool bad_offset(const struct qcow2 *s, enum qcow2_kind kind, u64 entry)
{
	return (kind == KIND_DATA || kind == KIND_ZERO_ALLOC || kind == KIND_HOLE_ALLOC) &&
	       ((entry & OFFSET_MASK) & (s->cluster_size - 1));
}

/* Subclusters from offset on that are of one kind and, if they have room, lie in a row; within one slice. */
static int run_of(struct blk_node *node, bool writing, void *slice, u32 index, u64 offset, u64 len,
		  enum qcow2_kind *ret_kind, u64 *ret_entry, u64 *ret_len)
{
	struct qcow2 *s = node->state;
	u64 entry = qcow2_entry(s, slice, index), bits = qcow2_entry_bits(s, slice, index);
	unsigned sub = in_cluster(s, offset) / s->sub_size;
	enum qcow2_kind kind = qcow2_kind(s, entry, bits, sub);
	*ret_kind = kind;
	*ret_entry = entry;
	if (kind == KIND_BAD || bad_offset(s, kind, entry))
		return bad_entry(node, offset, entry, writing);
	if (kind == KIND_COMPRESSED) {
		*ret_len = MIN(len, s->cluster_size - in_cluster(s, offset));
		return s->data_file
			   ? qcow2_corrupt(node, true,
					   "Compressed cluster entry found in image with external data file "
					   "(L2 offset: %#llx, L2 index: %#x)",
					   table_at(s, offset), table_index(s, offset))
			   : 0;
	}
	u64 n = s->sub_size - offset % s->sub_size, host = entry & OFFSET_MASK;
	bool placed = kind == KIND_DATA || kind == KIND_ZERO_ALLOC;
	while (n < len) {
		if (++sub == s->subs) {
			sub = 0;
			if (++index == s->slice_entries)
				break;
			u64 next = qcow2_entry(s, slice, index);
			host += s->cluster_size;
			if (placed && (next & OFFSET_MASK) != host)
				break;
			if (placed && (entry ^ next) & ENTRY_COPIED)
				break;
			entry = next;
			bits = qcow2_entry_bits(s, slice, index);
		}
		enum qcow2_kind k = qcow2_kind(s, entry, bits, sub);
		if (!(placed ? k == kind : same_kind(kind, k)) || bad_offset(s, k, entry))
			break;
		n += s->sub_size;
	}
	*ret_len = MIN(n, len);
	return 0;
}

int qcow2_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct qcow2 *s = node->state;
	void *slice;
	u32 index;
	if (UNLIKELY(s->dead))
		return -ENOMEDIUM;
	int r = qcow2_slice(node, offset, false, &slice, &index);
	if (r)
		return r;
	*ret = (struct blk_extent){ .where = BLK_HOLE };
	if (!slice) {
		u64 span = (u64)s->l2_entries << s->cluster_bits;
		ret->len = MIN(len, span - offset % span);
		return 0;
	}
	enum qcow2_kind kind;
	u64 entry;
	r = run_of(node, false, slice, index, offset, len, &kind, &entry, &ret->len);
	cache_put(s->l2, slice);
	switch (kind) {
	case KIND_DATA:
		ret->where = BLK_DATA;
		ret->file = s->data;
		ret->ahead = s->data == node->file; /* preallocation=metadata */
		ret->offset = (entry & OFFSET_MASK) + in_cluster(s, offset);
		break;
	case KIND_ZERO_ALLOC:
		ret->has_offset = true;
		ret->file = s->data;
		ret->offset = (entry & OFFSET_MASK) + in_cluster(s, offset);
		ret->where = BLK_ZERO;
		break;
	case KIND_ZERO:
		ret->where = BLK_ZERO;
		break;
	case KIND_COMPRESSED:
		ret->where = BLK_ENCODED;
		ret->cookie[0] = entry;
		break;
	default:
		break;
	}
	return r;
}

/* ---- places for writes ---- */

static bool writable(u64 entry)
{
	return entry & ENTRY_COPIED;
}

/* cookie[0]: host offset of the first cluster; [1]: clusters; [2]: enum; [3]: the old entry, when it was one cluster */
enum { PLACE_NEW, PLACE_FILL }; /* new clusters, or subclusters and zeroed room of a cluster that is there */

static void fill_place(struct qcow2 *s, struct blk_place *p, u64 from, u64 len, u64 host, u64 clusters,
		       unsigned how)
{
	p->offset = from;
	p->len = len;
	p->file = s->data;
	p->file_offset = host + in_cluster(s, from);
	p->fresh = true;
	p->cookie[0] = host;
	p->cookie[1] = clusters;
	p->cookie[2] = how;
}

/* How many clusters from here on need new room: they have none that could be written to. */
static int need_new(struct blk_node *node, void *slice, u32 index, u64 offset, u64 max, u64 *ret,
		    bool *ret_frees)
{
	struct qcow2 *s = node->state;
	u64 n = 0;
	*ret_frees = false;
	for (; n < max && index < s->slice_entries; n++, index++) {
		u64 entry = qcow2_entry(s, slice, index);
		if (!(entry & ENTRY_COMPRESSED) && has_offset(s, entry) && writable(entry))
			break;
		if (bad_bits(s, entry, qcow2_entry_bits(s, slice, index)))
			return bad_entry(node, offset + (n << s->cluster_bits), entry, true);
		*ret_frees |= !!(entry & ENTRY_COMPRESSED);
	}
	*ret = n;
	return 0;
}

/*
 * The part of a cluster that moves when [*from, *to) of it is written to new room: the subclusters that are touched, and all from the
 * first to the last that hold data.
 */
static void moved_part(const struct qcow2 *s, const void *slice, u32 index, u64 cluster, u64 *from, u64 *to)
{
	u64 entry = qcow2_entry(s, slice, index), data = qcow2_entry_bits(s, slice, index) & BITS(SUBS);
	if (entry & ENTRY_COMPRESSED)
		data = BITS(SUBS);
	*from = ROUND_DOWN(*from, s->sub_size);
	*to = ROUND_UP(*to, s->sub_size);
	if (data) {
		*from = MIN(*from, cluster + __builtin_ctzll(data) * s->sub_size);
		*to = MAX(*to, cluster + (64 - __builtin_clzll(data)) * s->sub_size);
	}
}

/* New clusters, in a row; with an external data file the place is the guest's own. */
static int new_clusters(struct blk_node *node, u64 offset, u64 *n, u64 *ret)
{
	struct qcow2 *s = node->state;
	if (s->data_file) {
		*ret = ROUND_DOWN(offset, s->cluster_size);
		return 0;
	}
	int r = qcow2_alloc_some(node, n, ret);
	if (r)
		return r;
	if (!*ret)
		return qcow2_corrupt(node, true, "Preventing invalid allocation of data cluster at offset 0");
	return qcow2_check_overlap(node, *ret, *n << s->cluster_bits, 0);
}

static int place_new(struct blk_node *node, void *slice, u32 index, u64 offset, u64 len, struct blk_place *p)
{
	struct qcow2 *s = node->state;
	u64 first = ROUND_DOWN(offset, s->cluster_size), host;
	u64 clusters = (offset + len - first + s->cluster_size - 1) >> s->cluster_bits;
	u64 n = 0;
	int r = need_new(node, slice, index, first, clusters, &n, &p->frees_old);
	if (!r)
		r = new_clusters(node, offset, &n, &host);
	if (r)
		return r;
	u64 from = first, to = first + (n << s->cluster_bits);
	if (s->subs > 1) {
		u64 last = to - s->cluster_size, begin = last, end = first + s->cluster_size;
		from = offset;
		to = MIN(to, offset + len);
		moved_part(s, slice, index, first, &from, n == 1 ? &to : &end);
		if (n > 1)
			moved_part(s, slice, index + n - 1, last, &begin, &to);
	}
	fill_place(s, p, from, to - from, host, n, PLACE_NEW);
	p->reads_zero = p->file_offset >= s->data->size && s->data->zero_init;
	return 0;
}

/*
 * Whole clusters from offset on whose room lies in a row and may be written to, be it data or zeros so far: one write
 * fills them all. *ret_len is 0 unless both kinds are among them.
 */
static int mixed_run(struct blk_node *node, void *slice, u32 index, u64 offset, u64 len, u64 *ret_len)
{
	struct qcow2 *s = node->state;
	u64 host = qcow2_entry(s, slice, index) & OFFSET_MASK, n = 0;
	bool data = false, zero = false;
	*ret_len = 0;
	while (n < len && index < s->slice_entries) {
		u64 entry, run;
		enum qcow2_kind kind;
		int r = run_of(node, true, slice, index, offset + n, len - n, &kind, &entry, &run);
		if (r)
			return r;
		if ((kind != KIND_DATA && kind != KIND_ZERO_ALLOC) || !writable(entry) ||
		    (entry & OFFSET_MASK) != host + n)
			break;
		data |= kind == KIND_DATA;
		zero |= kind == KIND_ZERO_ALLOC;
		n += run;
		index += run >> s->cluster_bits;
	}
	if (data && zero)
		*ret_len = n;
	return 0;
}

int qcow2_place(struct blk_node *node, u64 offset, u64 len, struct blk_place *p)
{
	struct qcow2 *s = node->state;
	void *slice;
	u32 index;
	if (UNLIKELY(s->dead))
		return -ENOMEDIUM;
	int r = qcow2_slice(node, offset, true, &slice, &index);
	if (r)
		return r;
	enum qcow2_kind kind;
	u64 entry, run, mixed = 0;
	r = run_of(node, true, slice, index, offset, len, &kind, &entry, &run);
	if (!r && run < len && s->subs == 1 && (kind == KIND_DATA || kind == KIND_ZERO_ALLOC) &&
	    !in_cluster(s, offset))
		r = mixed_run(node, slice, index, offset, len, &mixed);
	if (r) {
		/* reported */
	} else if (mixed) {
		u64 to = ROUND_UP(offset + mixed, s->cluster_size);
		fill_place(s, p, offset, to - offset, entry & OFFSET_MASK, (to - offset) >> s->cluster_bits,
			   PLACE_FILL);
		r = s->data_file ? 0 : qcow2_check_overlap(node, p->file_offset, p->len, 0);
	} else if (kind == KIND_DATA && writable(entry)) {
		p->offset = offset;
		p->len = run;
		p->file = s->data;
		p->file_offset = (entry & OFFSET_MASK) + in_cluster(s, offset);
		r = s->data_file ? 0 : qcow2_check_overlap(node, p->file_offset, run, 0);
	} else if ((kind == KIND_ZERO_ALLOC || kind == KIND_HOLE_ALLOC) && writable(entry)) {
		/* Room is there: whole subclusters (or clusters) of it are filled. */
		u64 from = ROUND_DOWN(offset, s->sub_size);
		u64 to = ROUND_UP(offset + MIN(run, len), s->sub_size);
		if (kind == KIND_HOLE_ALLOC || s->subs > 1)
			to = MIN(to, ROUND_DOWN(offset, s->cluster_size) + s->cluster_size);
		u64 host = entry & OFFSET_MASK;
		u64 n = (to - ROUND_DOWN(from, s->cluster_size) + s->cluster_size - 1) >> s->cluster_bits;
		fill_place(s, p, from, to - from, host, n, PLACE_FILL);
		r = s->data_file ? 0 : qcow2_check_overlap(node, p->file_offset, p->len, 0);
	} else {
		r = place_new(node, slice, index, offset, len, p);
	}
	cache_put(s->l2, slice);
	return r;
}

/* The subclusters of one cluster that [from, to) covers, as allocation bits. */
static u64 sub_mask(const struct qcow2 *s, u64 cluster, u64 from, u64 to)
{
	u64 a = from > cluster ? (from - cluster) / s->sub_size : 0;
	u64 b = MIN((to - cluster + s->sub_size - 1) / s->sub_size, (u64)SUBS);
	return BITS(b) & ~BITS(a);
}

int qcow2_commit(struct blk_node *node, const struct blk_place *p)
{
	struct qcow2 *s = node->state;
	u64 guest = ROUND_DOWN(p->offset, s->cluster_size), host = p->cookie[0], end = p->offset + p->len;
	void *slice;
	u32 index;
	int r = qcow2_slice(node, guest, true, &slice, &index);
	if (r)
		return r;
	if (!s->lazy && p->cookie[2] == PLACE_NEW && !s->data_file)
		r = cache_after(s->l2, s->refs);
	if (!r)
		cache_after_data(s->l2, &s->data);
	u64 old_first = 0;
	AUTO(free_ptr) u64 *old = NULL;
	if (!r && p->cookie[1] > 1 && !(old = try_alloc(p->cookie[1] * 8)))
		r = -ENOMEM;
	for (u64 i = 0; i < p->cookie[1] && !r; i++, guest += s->cluster_size, host += s->cluster_size) {
		u64 entry = qcow2_entry(s, slice, index + i), bits = qcow2_entry_bits(s, slice, index + i);
		*(old ? old + i : &old_first) = entry;
		if (s->subs > 1) {
			u64 mask = sub_mask(s, guest, p->offset, end);
			if (entry & ENTRY_COMPRESSED)
				bits = 0;
			bits = (bits | mask) & ~(mask << 32);
		}
		qcow2_set_entry(s, slice, index + i, host | ENTRY_COPIED, bits);
	}
	cache_put(s->l2, slice);
	if (p->cookie[2] == PLACE_NEW)
		for (u64 i = 0; i < p->cookie[1] && !r; i++)
			r = qcow2_free_entry(node, old ? old[i] : old_first, DISCARD_OTHER);
	return r;
}

void qcow2_abandon(struct blk_node *node, const struct blk_place *p)
{
	struct qcow2 *s = node->state;
	if (p->cookie[2] == PLACE_NEW && !s->data_file && !s->dead)
		qcow2_free(node, p->cookie[0], p->cookie[1] << s->cluster_bits, DISCARD_OTHER);
}

int qcow2_free_entry(struct blk_node *node, u64 entry, enum qcow2_discard discard)
{
	struct qcow2 *s = node->state;
	if (entry & ENTRY_COMPRESSED) {
		u64 offset, len;
		qcow2_compressed_range(s, entry, &offset, &len);
		return qcow2_free(node, offset, len, discard);
	}
	if (!has_offset(s, entry))
		return 0;
	if ((entry & OFFSET_MASK) & (s->cluster_size - 1)) {
		qcow2_corrupt(node, false, "Cannot free unaligned cluster %#llx",
			      (unsigned long long)(entry & OFFSET_MASK));
		return 0;
	}
	if (s->data_file) { /* which may end inside its last cluster */
		u64 at = entry & OFFSET_MASK, size = s->data->size;
		if (s->discard_passes & BIT(discard) && at < size)
			return blk_discard(s->data, at, MIN((u64)s->cluster_size, size - at));
		return 0;
	}
	return qcow2_free(node, entry & OFFSET_MASK, s->cluster_size, discard);
}

/* ---- zeros and discards ---- */

/* Changes the entries of whole clusters; what they referred to is given up after the tables say so. */
struct change {
	bool zero, unmap, full; /* full: to a hole, even where that shows the backing file */
	enum qcow2_discard why;
};

static void changed_entry(struct blk_node *node, const struct change *c, u64 entry, u64 bits, u64 *ret_entry,
			  u64 *ret_bits, bool *ret_free)
{
	struct qcow2 *s = node->state;
	bool room = has_offset(s, entry) && !(entry & ENTRY_COMPRESSED);
	bool keep = c->zero && !c->unmap && room && writable(entry);
	bool had = room || (entry & ENTRY_COMPRESSED) || (entry & ENTRY_ZERO) || bits;
	*ret_free = !keep && (room || (entry & ENTRY_COMPRESSED));
	/* What was discarded reads as zeros, not as the backing file. */
	bool covers = node->backing || node->backing_file;
	bool zeros = c->zero || (!c->full && s->version >= 3 && (had || covers));
	if (!c->zero && !c->full && !covers && !room && !(entry & ENTRY_COMPRESSED)) {
		*ret_entry = entry; /* nothing to give back, nothing to hide */
		*ret_bits = bits;
		return;
	}
	if (s->data_file && room && c->zero)
		keep = true;
	*ret_entry = keep ? entry : 0;
	*ret_bits = 0;
	if (zeros && s->subs == 1)
		*ret_entry |= ENTRY_ZERO;
	else if (zeros)
		*ret_bits = BITS(32) << 32;
	if (keep)
		*ret_free = false;
}

static int change_cluster_run(struct blk_node *node, u64 offset, u64 n, const struct change *c, u64 *ret_done)
{
	struct qcow2 *s = node->state;
	void *slice;
	u32 index;
	/* Without a table everything is a hole already: only zeros that must be seen need one. */
	bool make = c->zero || (!c->full && s->version >= 3 && (node->backing || node->backing_file));
	int r = qcow2_slice(node, offset, false, &slice, &index);
	if (r)
		return r;
	n = MIN(n, (u64)s->slice_entries - index);
	*ret_done = n;
	if (!slice && !make)
		return 0;
	if (slice)
		cache_put(s->l2, slice);
	if ((r = qcow2_slice(node, offset, true, &slice, &index)))
		return r;
	AUTO(free_ptr) u64 *old = try_alloc(n * 8);
	if (!old)
		r = -ENOMEM;
	for (u64 i = 0; i < n && !r; i++) {
		u64 entry = qcow2_entry(s, slice, index + i), bits = qcow2_entry_bits(s, slice, index + i),
		    now, now_bits;
		bool frees;
		changed_entry(node, c, entry, bits, &now, &now_bits, &frees);
		if (now == entry && now_bits == bits)
			continue;
		if (frees)
			old[i] = entry;
		qcow2_set_entry(s, slice, index + i, now, now_bits);
	}
	cache_put(s->l2, slice);
	for (u64 i = 0; i < n && !r; i++)
		if (old[i])
			r = qcow2_free_entry(node, old[i], c->why);
	return r;
}

static int change_clusters(struct blk_node *node, u64 offset, u64 len, const struct change *c)
{
	struct qcow2 *s = node->state;
	u64 n = (len + s->cluster_size - 1) >> s->cluster_bits;
	while (n) {
		u64 done;
		int r = change_cluster_run(node, offset, n, c, &done);
		if (r)
			return r;
		n -= done;
		offset += done << s->cluster_bits;
	}
	return 0;
}

/* Some subclusters of one cluster. */
static int zero_subs(struct blk_node *node, u64 offset, u64 len)
{
	struct qcow2 *s = node->state;
	void *slice;
	u32 index;
	int r = qcow2_slice(node, offset, true, &slice, &index);
	if (r)
		return r;
	u64 entry = qcow2_entry(s, slice, index), bits = qcow2_entry_bits(s, slice, index);
	u64 mask = sub_mask(s, ROUND_DOWN(offset, s->cluster_size), offset, offset + len);
	if (entry & ENTRY_COMPRESSED)
		r = -ENOTSUP;
	else
		qcow2_set_entry(s, slice, index, entry, (bits & ~mask) | mask << 32);
	cache_put(s->l2, slice);
	return r;
}

int qcow2_zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct qcow2 *s = node->state;
	u64 end = offset + len, cs = s->cluster_size;
	int r = 0;
	if (s->dead)
		return -ENOMEDIUM;
	if (s->version < 3 && (node->backing || node->backing_file))
		return -ENOTSUP; /* no way to say "zero" */
	if (s->data_file && (s->autoclear & AUTOCLEAR_RAW_DATA)) {
		r = blk_zero(s->data, offset, MIN(len, node->size - offset), flags);
		if (r)
			return r;
	}
	if (offset % cs) {
		u64 part = MIN(ROUND_UP(offset, cs), end) - offset;
		r = zero_subs(node, offset, part);
		offset += part;
	}
	u64 stop = end >= node->size && s->subs == 1 ? ROUND_UP(end, cs) : ROUND_DOWN(end, cs);
	struct change c = { .zero = true,
			    .unmap = flags & BLK_REQ_MAY_UNMAP,
			    .why = flags & BLK_REQ_MAY_UNMAP ? DISCARD_REQUEST : DISCARD_OTHER };
	if (s->version < 3)
		c = (struct change){ .why = DISCARD_REQUEST };
	if (!r && offset < stop) {
		r = change_clusters(node, offset, stop - offset, &c);
		offset = stop;
	}
	if (!r && offset < end)
		r = zero_subs(node, offset, end - offset);
	return r;
}

int qcow2_discard_range(struct blk_node *node, u64 offset, u64 len, bool full, enum qcow2_discard why)
{
	struct change c = { .full = full, .why = why };
	return change_clusters(node, offset, len, &c);
}

int qcow2_discard(struct blk_node *node, u64 offset, u64 len)
{
	struct qcow2 *s = node->state;
	if (s->dead)
		return -ENOMEDIUM;
	if (s->subs > 1) { /* whole clusters only */
		u64 from = ROUND_UP(offset, s->cluster_size), to = offset + len;
		to = to == node->size ? to : ROUND_DOWN(to, s->cluster_size);
		if (from >= to)
			return 0;
		offset = from;
		len = to - from;
	}
	/* Version 2 cannot say "zero" over a backing file: then the data stays. */
	if (s->version < 3 && (node->backing || node->backing_file))
		return -ENOTSUP;
	return qcow2_discard_range(node, offset, len, false, DISCARD_REQUEST);
}
