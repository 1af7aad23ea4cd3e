/* qcow2: which clusters hold metadata, so that no write of data goes there. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

/* ---- sets of clusters ---- */

bool qcow2_set_add(struct qcow2_set *c, u64 from, u64 to)
{
	if (to > c->n) {
		u64 n = ROUND_UP(MAX(to, c->n * 2), 64ull);
		u64 *bits = try_alloc(n / 8);
		if (!bits)
			return false;
		memcpy(bits, c->bits ? c->bits : bits, c->n / 8);
		free(c->bits);
		c->bits = bits;
		c->n = n;
	}
	for (u64 i = from; i < to; i++)
		c->bits[i / 64] |= BIT(i % 64);
	return true;
}

void qcow2_set_remove(struct qcow2_set *c, u64 from, u64 to)
{
	for (u64 i = from; i < MIN(to, c->n); i++)
		c->bits[i / 64] &= ~BIT(i % 64);
}

void qcow2_set_free(struct qcow2_set *c)
{
	free(c->bits);
	*c = (struct qcow2_set){ 0 };
}

/* ---- where metadata lies ---- */

void qcow2_meta_set(struct qcow2 *s, u64 offset, u64 len)
{
	u64 end = (offset + len + s->cluster_size - 1) >> s->cluster_bits;
	if (s->meta.bits && len && !qcow2_set_add(&s->meta, offset >> s->cluster_bits, end))
		qcow2_set_free(&s->meta); /* it is made anew when there is memory */
}

void qcow2_meta_clear(struct qcow2 *s, u64 offset, u64 len)
{
	qcow2_set_remove(&s->meta, offset >> s->cluster_bits,
			 (offset + len + s->cluster_size - 1) >> s->cluster_bits);
}

/*
 * Notes a range that the image names. One that lies far behind the end would make the map huge, and is looked up when the file
 * has grown so far.
 */
static void note(struct qcow2 *s, u64 offset, u64 len)
{
	if (offset && offset < s->meta_end && len <= s->meta_end - offset)
		qcow2_meta_set(s, offset, len);
}

static int note_range(void *user, u64 offset, u64 len)
{
	note(user, offset, len);
	return 0;
}

static int note_snapshot(struct blk_node *node, const struct qcow2_snapshot *sn)
{
	struct qcow2 *s = node->state;
	/* Who asks for inactive L2 tables to be watched wants no write where they cannot be known. */
	bool must = s->overlap & BIT(PART_INACTIVE_L2);
	int bad = qcow2_check_l1(s, sn);
	if (bad)
		return must ? bad : 0;
	if (sn->l1_offset >= s->meta_end)
		return 0;
	note(s, sn->l1_offset, (u64)sn->l1_size * 8);
	void *l1;
	struct err *e =
	    blk_load_table(node->file, sn->l1_offset, (u64)sn->l1_size * 8, "snapshot L1 table", &l1);
	if (e) {
		err_free(e);
		return must ? -EINVAL : 0;
	}
	for (u32 k = 0; k < sn->l1_size; k++)
		note(s, ld_be64((u8 *)l1 + k * 8) & OFFSET_MASK, s->cluster_size);
	free(l1);
	return 0;
}

/* Active tables and everything the header names; inactive L2 tables are looked up on suspicion only. */
static int make_map(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	/* One bit at least, so that it is there. */
	if (!qcow2_set_add(&s->meta, 0, (node->file->size >> s->cluster_bits) + 64))
		return -ENOMEM;
	memset(s->meta.bits, 0, s->meta.n / 8);
	s->meta_end = MAX(node->file->size * 2, BIT(32));
	qcow2_meta_set(s, 0, 1);
	note(s, s->l1_offset, (u64)s->l1_size * 8);
	note(s, s->reftable_offset, (u64)s->reftable_clusters << s->cluster_bits);
	for (u32 i = 0; i < s->l1_size; i++)
		note(s, s->l1[i] & OFFSET_MASK, s->cluster_size);
	for (u64 i = 0; i < s->reftable_size; i++)
		note(s, s->reftable[i] & ~0x1ffull, s->cluster_size);
	note(s, s->snapshots_offset, s->snapshots_size);
	for (u32 i = 0; i < s->n_snapshots; i++) {
		int r = note_snapshot(node, &s->snapshots[i]);
		if (r)
			return r;
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
	if (s->meta.bits && offset + len > s->meta_end)
		qcow2_set_free(&s->meta);
	if (!s->meta.bits) {
		int r = make_map(node);
		if (r) {
			qcow2_set_free(&s->meta); /* half a map would let the next write pass */
			return r;
		}
	}
	u64 from = offset >> s->cluster_bits, to = (offset + len - 1) >> s->cluster_bits;
	for (u64 i = from; i <= to && i < s->meta.n; i++) {
		if (LIKELY(!qcow2_set_has(&s->meta, i)))
			continue;
		int part = which_part(node, i << s->cluster_bits, s->cluster_size);
		if (part < 0) {
			qcow2_set_remove(&s->meta, i, i + 1); /* no longer so */
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
