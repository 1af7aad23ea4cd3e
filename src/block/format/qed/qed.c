/*
 * QED: QEMU enhanced disk image.
 *
 * Spec       "QED Image File Format Specification" (docs/interop/qed_spec.rst).
 * Layout     header cluster(s), L1 table, L2 tables and data clusters in any order.
 * Modelled   all of it: backing files, zero clusters, growing, check and repair.
 * Note       writes are ordered so that an end at any moment leaks clusters at most: the "needs check" mark is never set here, but
 *            an image that carries it is checked and repaired when it is opened for writing.
 */
#include "block/format/room.h"
#include "block/format/qed/qed.h"
#include <errno.h>
#include <stdio.h>

static unsigned probe_qed(const u8 *head, size_t len, const char *filename)
{
	return len >= QED_HEADER && memcmp(head, "QED\0", 4) == 0 ? 100 : 0;
}

/* ---- opening ---- */

bool qed_offset_valid(const struct qed *s, u64 file_size, u64 at, u64 clusters)
{
	u64 end = ROUND_UP(file_size, (u64)s->cluster);
	return !(at & (s->cluster - 1)) && at >= (u64)s->header_size * s->cluster && at < end &&
	       clusters * s->cluster <= end - at;
}

static int check_table(const struct tree *t, u64 table)
{
	const struct qed *s = t->node->state;
	return qed_offset_valid(s, t->node->file->size, table, s->table_size) ? 0 : -EINVAL;
}

static struct err *check_header(struct blk_node *node)
{
	struct qed *s = node->state;
	const u8 *h = s->header;
	s->cluster = ld_le32(h + 4);
	s->table_size = ld_le32(h + 8);
	s->header_size = ld_le32(h + 12);
	s->features = ld_le64(h + 16);
	s->l1_at = ld_le64(h + 40);
	node->size = ld_le64(h + 48);
	if (memcmp(h, "QED\0", 4) != 0)
		return err_new(ERR_INVALID, "Image not in QED format");
	if (s->features & ~(u64)QED_FEATURES)
		return err_new(ERR_UNSUPPORTED, "Unsupported QED features: %llx",
			       (unsigned long long)(s->features & ~(u64)QED_FEATURES));
	if (s->cluster < 4096 || s->cluster > 64 * MiB || s->cluster & (s->cluster - 1))
		return err_new(ERR_CORRUPT, "QED cluster size is invalid");
	/* A new image is never shorter than this; a last cluster that is cut does not count. */
	u64 file = ROUND_DOWN(node->file->size, (u64)s->cluster);
	if (!s->table_size || s->table_size > 16 || s->table_size & (s->table_size - 1))
		return err_new(ERR_CORRUPT, "QED table size is invalid");
	s->tree = (struct tree){ .node = node,
				 .unit = s->cluster,
				 .slice = QED_SLICE,
				 .align = s->cluster,
				 .entries = (u64)s->table_size * s->cluster / 8,
				 .check = check_table };
	u64 reach;
	if (node->size % 512 || node->size > INT64_MAX ||
	    (!__builtin_mul_overflow(s->tree.entries * s->tree.entries, (u64)s->cluster, &reach) &&
	     node->size > reach))
		return err_new(ERR_CORRUPT, "QED image size is invalid");
	if (!s->header_size || !qed_offset_valid(s, file, s->l1_at, s->table_size))
		return err_new(ERR_CORRUPT, "QED table offset is invalid");
	return NULL;
}

static struct err *read_backing_name(struct blk_node *node)
{
	struct qed *s = node->state;
	u32 at = ld_le32(s->header + 56), len = ld_le32(s->header + 60);
	if (!(s->features & QED_BACKING))
		return NULL;
	if (at < QED_HEADER || (u64)at + len > (u64)s->header_size * s->cluster || len >= 1024)
		return err_new(ERR_CORRUPT, "QED backing file name of %u bytes at offset %u is invalid", len,
			       at);
	node->backing_file = alloc(len + 1);
	int r = len ? blk_pread(node->file, at, node->backing_file, len) : 0;
	if (s->features & QED_RAW_BACKING)
		node->backing_format = str_dup("raw");
	return r ? err_errno(-r, "Could not read the backing file's name") : NULL;
}

int qed_write_header(struct blk_node *node)
{
	struct qed *s = node->state;
	st_le64(s->header + 16, s->features);
	st_le64(s->header + 48, node->size);
	return blk_pwrite(node->file, 0, s->header, QED_HEADER);
}

/* Before the first write: what this version does not know goes, and what a crash left behind is repaired. */
static struct err *make_writable(struct blk_node *node)
{
	struct qed *s = node->state;
	int r = 0;
	if (ld_le64(s->header + 32)) {
		st_le64(s->header + 32, 0);
		r = qed_write_header(node);
		if (!r)
			r = blk_flush(node->file);
	}
	if (r)
		return err_errno(-r, "Failed to update header");
	if (!(s->features & QED_NEED_CHECK) || (node->flags & BLK_FOR_CHECK))
		return NULL;
	struct blk_check res = { 0 };
	struct err *e = qed_check(node, &res, BLK_FIX_ERRORS);
	if (!e && (res.check_errors || res.corruptions > res.corruptions_fixed))
		e = err_new(
		    ERR_CORRUPT,
		    "QED image was not closed cleanly and cannot be repaired by itself: run check -r all");
	return e;
}

static struct err *load_l1(struct blk_node *node)
{
	struct qed *s = node->state;
	u64 reach = tree_reach(&s->tree), n = (node->size + reach - 1) / reach;
	s->tree.next = ROUND_UP(node->file->size, (u64)s->cluster);
	return tree_load(&s->tree, s->l1_at, MAX(n, (u64)1));
}

static struct err *open_qed(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qed *s = node->state;
	int r = blk_pread(node->file, 0, s->header, QED_HEADER);
	if (r)
		return err_errno(-r, "Failed to read QED header");
	struct err *e = check_header(node);
	if (!e)
		e = read_backing_name(node);
	if (!e)
		e = load_l1(node);
	node->granularity = s->cluster;
	if (!e && (flags & BLK_RDWR))
		e = make_writable(node);
	if (e)
		tree_free(&s->tree);
	return e;
}

static int flush_qed(struct blk_node *node)
{
	return tree_flush(&((struct qed *)node->state)->tree);
}

static void close_qed(struct blk_node *node)
{
	room_close(node, flush_qed);
	tree_free(&((struct qed *)node->state)->tree);
}

static struct err *reopen_qed(struct blk_node *node, u32 flags)
{
	u32 old = node->flags;
	node->flags = flags;
	struct err *e = (flags & BLK_RDWR) && !(old & BLK_RDWR) ? make_writable(node) : NULL;
	if (e)
		node->flags = old;
	return e;
}

/* ---- where and room ---- */

static bool follows(const struct qed *s, u64 first, u64 next, u64 n)
{
	return first <= QED_ZERO ? next == first : next == first + n * s->cluster;
}

static int map_qed(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct qed *s = node->state;
	struct tree *t = &s->tree;
	u64 in = offset & (s->cluster - 1), first = 0;
	void *slice = NULL;
	u8 *p;
	int r = tree_find(t, offset, &p, &slice);
	if (r)
		return r;
	u64 n = tree_left(t, offset, p, slice);
	if (p) {
		first = tree_entry(t, p);
		u64 want = MIN(n, (in + len + s->cluster - 1) / s->cluster);
		for (n = 1; n < want && follows(s, first, tree_entry(t, p + n * 8), n);)
			n++;
		cache_put(t->l2, slice);
	}
	*ret = (struct blk_extent){ .where = first == 0		 ? BLK_HOLE
					     : first == QED_ZERO ? BLK_ZERO
								 : BLK_DATA,
				    .len = MIN(len, n * s->cluster - in) };
	if (ret->where == BLK_DATA) {
		if (!qed_offset_valid(s, node->file->size, first, 1))
			return -EINVAL;
		ret->file = node->file;
		ret->offset = first + in;
	}
	return 0;
}

static int place_qed(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct qed *s = node->state;
	struct blk_extent x;
	int r = map_qed(node, offset, len, &x);
	if (r)
		return r;
	room_place(node, &x, offset, s->cluster, &s->tree.next, ret);
	return 0;
}

static int commit_qed(struct blk_node *node, const struct blk_place *p)
{
	return tree_commit(&((struct qed *)node->state)->tree, p);
}

static void abandon_qed(struct blk_node *node, const struct blk_place *p)
{
	tree_abandon(&((struct qed *)node->state)->tree, p);
}

/* Clusters in use keep their room: there are no counts that could give it back. */
static int zero_qed(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct qed *s = node->state;
	while (len) {
		struct blk_extent x;
		int r = map_qed(node, offset, len, &x);
		if (!r && x.where == BLK_DATA)
			r = blk_zero(x.file, x.offset, x.len, flags);
		else if (!r && x.where == BLK_HOLE)
			r = tree_set(&s->tree, offset, (x.len + s->cluster - 1) / s->cluster, QED_ZERO, 0);
		if (r)
			return r;
		offset += x.len;
		len -= x.len;
	}
	return 0;
}

/* ---- size, backing file, info ---- */

static struct err *truncate_qed(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				bool zero)
{
	struct qed *s = node->state;
	u64 old = node->size, reach;
	if (prealloc != BLK_PREALLOC_OFF)
		return err_new(ERR_UNSUPPORTED, "Unsupported preallocation mode '%s'",
			       blk_prealloc_names[prealloc]);
	if (size % 512 ||
	    (!__builtin_mul_overflow(s->tree.entries * s->tree.entries, (u64)s->cluster, &reach) &&
	     size > reach))
		return err_new(ERR_INVALID, "Invalid image size specified");
	if (size < old)
		return err_new(ERR_UNSUPPORTED, "Shrinking images is currently not supported");
	int r = flush_qed(node);
	if (r)
		return err_errno(-r, "Failed to update the image size");
	struct blk_table l1 = s->tree.l1;
	node->size = size;
	reach = tree_reach(&s->tree);
	struct err *e = blk_table_load(&s->tree.l1, &node->file, s->l1_at,
				       MAX((size + reach - 1) / reach, (u64)1) * 8, 512, "L1 table");
	r = e ? 0 : qed_write_header(node);
	if (e || r) {
		if (!e)
			blk_table_free(&s->tree.l1);
		s->tree.l1 = l1;
		node->size = old;
		return e ? e : err_errno(-r, "Failed to update the image size");
	}
	blk_table_free(&l1);
	r = zero && node->backing && size > old ? blk_zero(node, old, size - old, 0) : 0;
	return r ? err_errno(-r, "Failed to zero the new part of the disk") : NULL;
}

static struct err *set_backing_qed(struct blk_node *node, const char *file, const char *fmt)
{
	struct qed *s = node->state;
	AUTO(free_ptr) void *buf = NULL;
	u32 room = s->header_size * s->cluster;
	struct err *e = blk_load_table(node->file, 0, room, "header", &buf);
	if (e)
		return e;
	int r = qed_put_backing(buf, room, file, fmt);
	if (!r)
		r = blk_pwrite_flush(node->file, 0, buf, room);
	if (r)
		return err_errno(-r, "Could not write the backing file's name");
	memcpy(s->header, buf, QED_HEADER);
	s->features = ld_le64(s->header + 16);
	free(node->backing_file);
	free(node->backing_format);
	node->backing_file = file && *file ? str_dup(file) : NULL;
	node->backing_format = file && *file && fmt ? str_dup(fmt) : NULL;
	return NULL;
}

static struct err *info_qed(struct blk_node *node, struct blk_info *ret)
{
	struct qed *s = node->state;
	ret->cluster_size = s->cluster;
	ret->dirty = s->features & QED_NEED_CHECK;
	return NULL;
}

BLK_DRIVER(qed) = {
	.name = "qed",
	.summary = "QEMU enhanced disk image",
	.spec = "qed_spec.rst",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct qed),
	.probe = probe_qed,
	.open = open_qed,
	.close = close_qed,
	.reopen = reopen_qed,
	.map = map_qed,
	.place = place_qed,
	.commit = commit_qed,
	.abandon = abandon_qed,
	.zero = zero_qed,
	.flush = flush_qed,
	.truncate = truncate_qed,
	.set_backing = set_backing_qed,
	.info = info_qed,
	.check = qed_check,
	.create = qed_create,
	.create_opts = qed_opts,
	.supports_backing = true,
};
