/* qcow2: internal snapshots: their table, and the counts of what they share. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>
#include <stdio.h>

enum { ENTRY = 40, KNOWN_EXTRA = 24 };

void qcow2_free_snapshot(struct qcow2_snapshot *sn)
{
	free(sn->id);
	free(sn->name);
	free(sn->unknown);
}

void qcow2_free_snapshots(struct qcow2 *s)
{
	for (u32 i = 0; i < s->n_snapshots && s->snapshots; i++)
		qcow2_free_snapshot(&s->snapshots[i]);
	free(s->snapshots);
	s->snapshots = NULL;
	s->n_snapshots = 0;
}

/* ---- the table ---- */

struct err *qcow2_extra_too_long(u32 index)
{
	return err_hint(err_new(ERR_CORRUPT, "Too much extra metadata in snapshot table entry %u", index),
			"You can force-remove this extra metadata with qemu-img check -r all\n");
}

struct err *qcow2_snapshots_too_big(u32 beyond)
{
	return err_hint(err_new(ERR_CORRUPT, "Snapshot table is too big"),
			"You can force-remove all %u overhanging snapshots with qemu-img check -r all\n",
			beyond);
}

static struct err *read_one(struct blk_node *node, struct qcow2_snapshot *sn, u32 index, u64 *at, bool repair)
{
	struct qcow2 *s = node->state;
	u8 h[ENTRY], extra[KNOWN_EXTRA] = { 0 };
	int r = blk_pread(node->file, *at, h, sizeof(h));
	if (r)
		return err_errno(-r, "Failed to read snapshot table");
	u32 id_len = ld_be16(h + 12), name_len = ld_be16(h + 14), extra_len = ld_be32(h + 36);
	*sn = (struct qcow2_snapshot){
		.l1_offset = ld_be64(h),
		.l1_size = ld_be32(h + 8),
		.date_sec = ld_be32(h + 16),
		.date_nsec = ld_be32(h + 20),
		.vm_clock = ld_be64(h + 24),
		.vm_state = ld_be32(h + 32),
		.disk_size = node->size,
		.icount = -1,
		.extra_size = MIN(extra_len, (u32)MAX_SNAPSHOT_EXTRA),
		.extra_found = extra_len,
	};
	*at += ENTRY;
	if (extra_len > MAX_SNAPSHOT_EXTRA && !repair)
		return qcow2_extra_too_long(index);
	r = blk_pread(node->file, *at, extra, MIN(extra_len, (u32)KNOWN_EXTRA));
	if (extra_len >= 8)
		sn->vm_state = ld_be64(extra);
	if (extra_len >= 16)
		sn->disk_size = ld_be64(extra + 8);
	if (extra_len >= 24)
		sn->icount = ld_be64(extra + 16);
	if (!r && sn->extra_size > KNOWN_EXTRA) {
		sn->unknown = alloc(sn->extra_size - KNOWN_EXTRA);
		r = blk_pread(node->file, *at + KNOWN_EXTRA, sn->unknown, sn->extra_size - KNOWN_EXTRA);
	}
	*at += extra_len;
	sn->id = alloc(id_len + 1);
	sn->name = alloc(name_len + 1);
	if (!r)
		r = blk_pread(node->file, *at, sn->id, id_len);
	if (!r)
		r = blk_pread(node->file, *at + id_len, sn->name, name_len);
	*at = ROUND_UP(*at + id_len + name_len, 8ull);
	(void)s;
	return r ? err_errno(-r, "Failed to read snapshot table") : NULL;
}

struct err *qcow2_load_snapshots(struct blk_node *node, bool repair)
{
	struct qcow2 *s = node->state;
	u64 at = s->snapshots_offset;
	u32 n = s->n_snapshots;
	if (!n)
		return NULL;
	s->n_snapshots = 0;
	s->snapshots = try_alloc((size_t)n * sizeof(*s->snapshots));
	if (!s->snapshots)
		return err_new(ERR_BUSY, "No memory for %u snapshots", n);
	for (u32 i = 0; i < n; i++) {
		u64 begin = at;
		struct err *e = read_one(node, &s->snapshots[i], i, &at, repair);
		s->n_snapshots = i + 1;
		if (e)
			return e;
		if (at - s->snapshots_offset <= MAX_SNAPSHOT_BYTES)
			continue;
		if (!repair)
			return qcow2_snapshots_too_big(n - i);
		qcow2_free_snapshot(&s->snapshots[i]);
		s->n_snapshots = i;
		s->snapshots_beyond = n - i;
		at = begin;
		break;
	}
	s->snapshots_size = at - s->snapshots_offset;
	return NULL;
}

static u32 extra_of(const struct qcow2_snapshot *sn)
{
	return MAX(sn->extra_size, (u32)KNOWN_EXTRA);
}

static u64 table_size(const struct qcow2 *s)
{
	u64 size = 0;
	for (u32 i = 0; i < s->n_snapshots; i++) {
		const struct qcow2_snapshot *sn = &s->snapshots[i];
		size = ROUND_UP(size + ENTRY + extra_of(sn) + strlen(sn->id) + strlen(sn->name), 8ull);
	}
	return size;
}

static u64 write_one(u8 *p, const struct qcow2_snapshot *sn)
{
	size_t id = strlen(sn->id), name = strlen(sn->name);
	u32 extra = extra_of(sn);
	st_be64(p, sn->l1_offset);
	st_be32(p + 8, sn->l1_size);
	st_be16(p + 12, id);
	st_be16(p + 14, name);
	st_be32(p + 16, sn->date_sec);
	st_be32(p + 20, sn->date_nsec);
	st_be64(p + 24, sn->vm_clock);
	st_be32(p + 32, sn->vm_state > UINT32_MAX ? 0 : sn->vm_state);
	st_be32(p + 36, extra);
	st_be64(p + 40, sn->vm_state);
	st_be64(p + 48, sn->disk_size);
	st_be64(p + 56, sn->icount);
	if (extra > KNOWN_EXTRA && sn->unknown)
		memcpy(p + 64, sn->unknown, extra - KNOWN_EXTRA);
	memcpy(p + ENTRY + extra, sn->id, id);
	memcpy(p + ENTRY + extra + id, sn->name, name);
	return ROUND_UP(ENTRY + extra + id + name, 8ull);
}

/* The table goes to a new place; the header then points there; then the old place is given back. */
int qcow2_write_snapshots(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	u64 size = table_size(s), at = 0, old = s->snapshots_offset, old_size = s->snapshots_size;
	if (size > MAX_SNAPSHOT_BYTES)
		return -EFBIG;
	AUTO(free_ptr) u8 *buf = try_alloc(size);
	int r = buf ? 0 : -ENOMEM;
	if (!r && size) {
		r = qcow2_alloc(node, (size + s->cluster_size - 1) >> s->cluster_bits, &at);
		if (!r)
			r = qcow2_check_overlap(node, at, size, 0);
	}
	u64 pos = 0;
	for (u32 i = 0; i < s->n_snapshots && !r; i++)
		pos += write_one(buf + pos, &s->snapshots[i]);
	if (!r)
		r = qcow2_flush_meta(node);
	if (!r && size)
		r = blk_pwrite(node->file, at, buf, size);
	if (!r)
		r = blk_barrier(node->file);
	u8 head[12];
	st_be32(head, s->n_snapshots);
	st_be64(head + 4, at);
	if (!r)
		r = blk_pwrite_flush(node->file, 60, head, 12);
	if (r) {
		if (at)
			qcow2_free(node, at, size, DISCARD_OTHER);
		return r;
	}
	s->snapshots_offset = at;
	s->snapshots_size = size;
	qcow2_meta_set(s, at, size);
	if (old_size)
		qcow2_free(node, old, old_size, DISCARD_OTHER);
	return 0;
}

/* ---- counts of what a table refers to ---- */

static int count_entry(struct blk_node *node, void *slice, u32 i, int addend)
{
	struct qcow2 *s = node->state;
	u64 entry = qcow2_entry(s, slice, i), bits = qcow2_entry_bits(s, slice, i), count;
	int r = 0;
	if (entry & ENTRY_COMPRESSED) {
		u64 offset, len;
		qcow2_compressed_range(s, entry, &offset, &len);
		return addend ? qcow2_refcount_add(node, offset, len, addend, DISCARD_SNAPSHOT) : 0;
	}
	u64 offset = entry & OFFSET_MASK;
	if (!offset || s->data_file)
		return 0;
	if (in_cluster(s, offset))
		return qcow2_corrupt(node, true, "Cluster allocation offset %#llx unaligned (L2 index: %#x)",
				     (unsigned long long)offset, i);
	if (addend >
	    0) { /* counting it up would give an entry that points anywhere a block of counts at that place */
		r = qcow2_refcount(node, offset >> s->cluster_bits, &count);
		if (!r && !count)
			r = qcow2_corrupt(node, true,
					  "Data cluster %#llx has no reference count (L2 index: %#x)",
					  (unsigned long long)offset, i);
	}
	if (!r && addend)
		r = qcow2_refcount_add(node, offset, s->cluster_size, addend, DISCARD_SNAPSHOT);
	if (!r)
		r = qcow2_refcount(node, offset >> s->cluster_bits, &count);
	if (r)
		return r;
	u64 now = (entry & ~ENTRY_COPIED) | (count == 1 ? ENTRY_COPIED : 0);
	if (now != entry)
		qcow2_set_entry(s, slice, i, now, bits);
	return 0;
}

static int count_table(struct blk_node *node, u64 l2, int addend)
{
	struct qcow2 *s = node->state;
	u64 unit = s->slice_bytes;
	int r = 0;
	for (u64 at = 0; at < s->cluster_size && !r; at += unit) {
		void *slice;
		if ((r = cache_get(s->l2, l2 + at, &slice)))
			return r;
		for (u32 i = 0; i < s->slice_entries && !r; i++)
			r = count_entry(node, slice, i, addend);
		cache_put(s->l2, slice);
	}
	return r;
}

int qcow2_update_refs(struct blk_node *node, u64 l1_offset, u32 l1_size, int addend)
{
	struct qcow2 *s = node->state;
	bool active = l1_offset == s->l1_offset;
	AUTO(free_ptr) u64 *l1 = try_alloc((size_t)l1_size * 8);
	int r = l1 ? 0 : -ENOMEM;
	if (!r && active)
		memcpy(l1, s->l1, (size_t)l1_size * 8);
	else if (!r)
		r = blk_pread(node->file, l1_offset, l1, (size_t)l1_size * 8);
	for (u32 i = 0; i < l1_size && !r && !active; i++)
		l1[i] = ld_be64(l1 + i);
	bool changed = false;
	for (u32 i = 0; i < l1_size && !r; i++) {
		u64 l2 = l1[i] & OFFSET_MASK, count;
		if (!l2)
			continue;
		if (in_cluster(s, l2))
			return qcow2_corrupt(node, true, "L2 table offset %#llx unaligned (L1 index: %#x)",
					     (unsigned long long)l2, i);
		r = count_table(node, l2, addend);
		if (!r && addend)
			r = qcow2_refcount_add(node, l2, s->cluster_size, addend, DISCARD_SNAPSHOT);
		if (!r)
			r = qcow2_refcount(node, l2 >> s->cluster_bits, &count);
		if (r)
			break;
		u64 now = l2 | (count == 1 ? ENTRY_COPIED : 0);
		changed |= now != l1[i];
		l1[i] = now;
	}
	if (!r)
		r = qcow2_flush_meta(node);
	if (r || !changed)
		return r;
	AUTO(free_ptr) u8 *be = try_alloc((size_t)l1_size * 8);
	if (!be)
		return -ENOMEM;
	for (u32 i = 0; i < l1_size; i++)
		st_be64(be + (size_t)i * 8, l1[i]);
	if (active)
		memcpy(s->l1, l1, (size_t)l1_size * 8);
	return blk_pwrite(node->file, l1_offset, be, (size_t)l1_size * 8);
}

/* ---- what users do ---- */

static int find(struct qcow2 *s, const char *id, const char *name)
{
	for (u32 i = 0; i < s->n_snapshots; i++)
		if ((!id || strcmp(s->snapshots[i].id, id) == 0) &&
		    (!name || strcmp(s->snapshots[i].name, name) == 0))
			return i;
	return -1;
}

static int find_any(struct qcow2 *s, const char *id_or_name)
{
	int i = find(s, id_or_name, NULL);
	return i >= 0 ? i : find(s, NULL, id_or_name);
}

struct err *qcow2_snapshot_list(struct blk_node *node, struct blk_snapshot **ret, size_t *ret_n)
{
	struct qcow2 *s = node->state;
	*ret_n = s->n_snapshots;
	*ret = alloc(s->n_snapshots * sizeof(**ret));
	for (u32 i = 0; i < s->n_snapshots; i++) {
		struct qcow2_snapshot *sn = &s->snapshots[i];
		(*ret)[i] = (struct blk_snapshot){
			.id = str_dup(sn->id),
			.name = str_dup(sn->name),
			.vm_state_size = sn->vm_state,
			.disk_size = sn->disk_size,
			.date_sec = sn->date_sec,
			.date_nsec = sn->date_nsec,
			.vm_clock_nsec = sn->vm_clock,
			.icount = sn->icount,
		};
	}
	return NULL;
}

int qcow2_check_l1(const struct qcow2 *s, const struct qcow2_snapshot *sn)
{
	if (sn->l1_size > MAX_L1_BYTES / 8)
		return -EFBIG;
	return in_cluster(s, sn->l1_offset) || sn->l1_offset > INT64_MAX - MAX_L1_BYTES ? -EINVAL : 0;
}

/* What qcow2_check_l1 found. */
static const char *wrong_l1(int r)
{
	return r == -EFBIG ? "Snapshot L1 table too large" : "Snapshot L1 table offset invalid";
}

/* The text alone, without the errno: users know it so. */
static struct err *check_l1(const struct qcow2 *s, const struct qcow2_snapshot *sn)
{
	int r = qcow2_check_l1(s, sn);
	return r ? err_new(ERR_CORRUPT, "%s", wrong_l1(r)) : NULL;
}

struct err *qcow2_snapshot_l1(struct blk_node *node, const struct qcow2_snapshot *sn, void **ret)
{
	struct err *e = check_l1(node->state, sn);
	if (e)
		return e;
	e = blk_load_table(node->file, sn->l1_offset, (u64)sn->l1_size * 8, "snapshot L1 table", ret);
	u64 *l1 = *ret;
	for (u32 i = 0; i < sn->l1_size && !e; i++)
		l1[i] = ld_be64(l1 + i);
	return e;
}

/*
 * Between the steps of a snapshot operation the COPIED flags do not fit the counts. Version 3 marks the image, so that it is put right
 * when it is opened after an end in between; with version 2 `check` reports the flags.
 */
static int begin_steps(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	return s->version < 3 ? 0 : qcow2_mark_dirty(node);
}

static int end_steps(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	return s->lazy ? 0 : qcow2_mark_clean(node);
}

/* A copy of the active L1 table in new clusters. */
static int copy_l1(struct blk_node *node, u64 *ret)
{
	struct qcow2 *s = node->state;
	size_t bytes = (size_t)s->l1_size * 8;
	AUTO(free_ptr) u8 *be = try_alloc(bytes);
	if (!be)
		return -ENOMEM;
	int r = qcow2_alloc(node, MAX((bytes + s->cluster_size - 1) >> s->cluster_bits, 1ull), ret);
	if (!r)
		r = qcow2_check_overlap(node, *ret, MAX(bytes, (size_t)1), 0);
	if (r)
		return r;
	for (u32 i = 0; i < s->l1_size; i++)
		st_be64(be + (size_t)i * 8, s->l1[i] & ~ENTRY_COPIED);
	return bytes ? blk_pwrite(node->file, *ret, be, bytes) : 0;
}

struct err *qcow2_snapshot_create(struct blk_node *node, const char *name, const struct blk_snapshot *meta)
{
	struct qcow2 *s = node->state;
	unsigned long id = 0;
	if (s->n_snapshots >= MAX_SNAPSHOTS)
		return err_errno(EFBIG, "Too many snapshots");
	if (s->data_file)
		return err_errno(ENOTSUP, "Internal snapshots need their clusters in the image itself");
	for (u32 i = 0; i < s->n_snapshots; i++)
		id = MAX(id, strtoul(s->snapshots[i].id, NULL, 10));
	struct qcow2_snapshot sn = {
		.l1_size = s->l1_size,
		.date_sec = meta->date_sec,
		.date_nsec = meta->date_nsec,
		.vm_clock = meta->vm_clock_nsec,
		.vm_state = meta->vm_state_size,
		.disk_size = node->size,
		.icount = meta->icount,
	};
	int r = qcow2_flush_meta(node);
	if (!r)
		r = copy_l1(node, &sn.l1_offset);
	if (!r)
		r = begin_steps(node);
	if (!r)
		r = qcow2_update_refs(node, s->l1_offset, s->l1_size, 1);
	if (r)
		return err_errno(-r, "Could not count the clusters of the snapshot");
	s->snapshots = realloc(s->snapshots, (s->n_snapshots + 1) * sizeof(sn));
	if (!s->snapshots)
		abort();
	sn.id = strf("%lu", id + 1);
	sn.name = str_dup(name);
	s->snapshots[s->n_snapshots++] = sn;
	r = qcow2_write_snapshots(node);
	if (r) {
		s->n_snapshots--;
		free(sn.id);
		free(sn.name);
		int back = qcow2_update_refs(node, s->l1_offset, s->l1_size, -1);
		(void)back;
		return err_errno(-r, "Could not write the snapshot table");
	}
	qcow2_meta_set(s, sn.l1_offset, (u64)sn.l1_size * 8);
	r = end_steps(node);
	return r ? err_errno(-r, "Could not flush the snapshot") : NULL;
}

struct err *qcow2_snapshot_delete(struct blk_node *node, const char *id_or_name)
{
	struct qcow2 *s = node->state;
	int i = find_any(s, id_or_name);
	if (i < 0)
		return err_errno(ENOENT, "Can't find the snapshot");
	struct qcow2_snapshot sn = s->snapshots[i];
	struct err *e = check_l1(s, &sn);
	if (e)
		return e;
	memmove(s->snapshots + i, s->snapshots + i + 1, (s->n_snapshots - i - 1) * sizeof(sn));
	s->n_snapshots--;
	int r = qcow2_write_snapshots(node);
	if (r) {
		memmove(s->snapshots + i + 1, s->snapshots + i, (s->n_snapshots - i) * sizeof(sn));
		s->snapshots[i] = sn;
		s->n_snapshots++;
		return err_errno(-r, "Failed to remove snapshot from snapshot list");
	}
	r = begin_steps(node);
	if (!r)
		r = qcow2_update_refs(node, sn.l1_offset, sn.l1_size, -1);
	if (!r)
		r = qcow2_refcount_add(node, sn.l1_offset, (u64)sn.l1_size * 8, -1, DISCARD_SNAPSHOT);
	if (!r)
		r = qcow2_update_refs(node, s->l1_offset, s->l1_size, 0);
	if (!r)
		r = end_steps(node);
	free(sn.id);
	free(sn.name);
	free(sn.unknown);
	return r ? err_errno(-r, "Failed to free the cluster and L1 table") : NULL;
}

struct err *qcow2_snapshot_apply(struct blk_node *node, const char *id_or_name)
{
	struct qcow2 *s = node->state;
	int i = find_any(s, id_or_name);
	if (i < 0)
		return err_errno(ENOENT, "Can't find the snapshot");
	/* They would not know what changes. */
	if (node->dirty)
		return err_hint(err_new(ERR_BUSY, "Device has active dirty bitmaps"),
				"Remove them first: they cannot follow a disk that goes back in time.");
	struct qcow2_snapshot *sn = &s->snapshots[i];
	struct err *e = NULL;
	int r = qcow2_check_l1(s, sn);
	if (r)
		return err_in(err_errno(-r, "%s", wrong_l1(r)), "Failed to load snapshot");
	if (sn->disk_size != node->size) {
		if ((e = blk_truncate(node, sn->disk_size, true, BLK_PREALLOC_OFF, false)))
			return e;
	}
	r = qcow2_grow_l1(node, sn->l1_size, true);
	AUTO(free_ptr) u64 *l1 = try_alloc((size_t)s->l1_size * 8);
	AUTO(free_ptr) u8 *old = try_alloc((size_t)s->l1_size * 8);
	if (!r && (!l1 || !old))
		r = -ENOMEM;
	if (!r)
		r = blk_pread(node->file, sn->l1_offset, l1, (size_t)sn->l1_size * 8);
	if (!r)
		r = begin_steps(node);
	if (!r)
		r = qcow2_update_refs(node, sn->l1_offset, sn->l1_size, 1);
	if (!r)
		r = blk_barrier(node->file);
	/* The table changes over in one write; what it referred to before is counted down after that. */
	u64 copy = 0;
	if (!r)
		r = copy_l1(node, &copy);
	if (!r)
		r = blk_pwrite_flush(node->file, s->l1_offset, l1, (size_t)s->l1_size * 8);
	if (!r) {
		for (u32 k = 0; k < s->l1_size; k++)
			s->l1[k] = ld_be64(l1 + k);
		r = qcow2_update_refs(node, copy, s->l1_size, -1);
	}
	if (copy)
		qcow2_free(node, copy, (u64)s->l1_size * 8, DISCARD_OTHER);
	if (!r)
		r = qcow2_update_refs(node, s->l1_offset, s->l1_size, 0);
	if (!r)
		r = end_steps(node);
	qcow2_set_free(&s->meta);
	return r ? err_errno(-r, "Failed to load snapshot") : NULL;
}

struct err *qcow2_snapshot_load_tmp(struct blk_node *node, const char *id, const char *name)
{
	struct qcow2 *s = node->state;
	int i = id || name ? find(s, id, name) : -1;
	if (node->flags & BLK_RDWR)
		return err_new(ERR_INVALID, "A snapshot is shown read-only");
	if (i < 0)
		return err_new(ERR_NOT_FOUND, "Can't find snapshot");
	struct qcow2_snapshot *sn = &s->snapshots[i];
	void *l1;
	struct err *e = qcow2_snapshot_l1(node, sn, &l1);
	if (e)
		return e;
	free(s->l1);
	s->l1 = l1;
	s->l1_size = sn->l1_size;
	s->l1_offset = sn->l1_offset;
	node->size = ROUND_UP(sn->disk_size, 512ull);
	return NULL;
}
