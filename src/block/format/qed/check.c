/* QED: finding clusters that are used twice, entries that point nowhere, clusters that nobody uses. */
#include "block/format/qed/qed.h"
#include <errno.h>

struct state {
	struct blk_node *node;
	struct blk_check *res;
	u32 fix;
	u64 file, clusters; /* of the file: bytes, clusters */
	u8 *used;
	bool changed;
};

/* Marks n clusters as used; false when one was before. */
static bool take(struct state *c, u64 at, u64 n)
{
	struct qed *s = c->node->state;
	bool ok = true;
	for (u64 i = at / s->cluster; i < at / s->cluster + n; i++) {
		ok &= !(c->used[i / 8] & BIT(i % 8));
		c->used[i / 8] |= BIT(i % 8);
	}
	return ok;
}

static void say(struct state *c, const char *what, u64 at)
{
	blk_check_say(c->res, "ERROR: %s at offset 0x%llx", what, (unsigned long long)at);
	c->res->corruptions++;
}

/* One L2 table, entry by entry; a wrong one becomes unallocated when errors are to be fixed. */
static struct err *check_l2(struct state *c, u64 table, u64 guest)
{
	struct qed *s = c->node->state;
	u64 bytes = (u64)s->table_size * s->cluster, last = 0;
	AUTO(free_ptr) void *t = NULL;
	struct err *e = blk_load_table(c->node->file, table, bytes, "L2 table", &t);
	bool changed = false;
	for (u64 i = 0; i < s->tree.entries && !e; i++) {
		u64 at = ld_le64((u8 *)t + i * 8);
		if (at <= QED_ZERO)
			continue;
		if (guest + i * s->cluster < c->node->size)
			c->res->allocated_clusters++;
		if (last && at != last + s->cluster)
			c->res->fragmented_clusters++;
		last = at;
		if (!qed_offset_valid(s, c->file, at, 1)) {
			say(c, "invalid data cluster", at);
			if (c->fix & BLK_FIX_ERRORS) {
				st_le64((u8 *)t + i * 8, 0);
				changed = true;
				c->res->corruptions_fixed++;
			}
		} else if (!take(c, at, 1)) {
			say(c, "cluster used more than once,", at);
		}
	}
	int r = !e && changed ? blk_pwrite(c->node->file, table, t, bytes) : 0;
	c->changed |= changed;
	return r ? err_errno(-r, "Could not write an L2 table") : e;
}

static struct err *check_tables(struct state *c)
{
	struct qed *s = c->node->state;
	struct err *e = NULL;
	u64 reach = tree_reach(&s->tree);
	for (u64 i = 0; i < s->tree.l1.bytes / 8 && !e; i++) {
		u64 table = blk_table_le64(&s->tree.l1, i);
		if (!table)
			continue;
		if (!qed_offset_valid(s, c->file, table, s->table_size)) {
			say(c, "invalid L2 table", table);
			if (c->fix & BLK_FIX_ERRORS) {
				blk_table_set_le64(&s->tree.l1, i, 0);
				c->changed = true;
				c->res->corruptions_fixed++;
			}
			continue;
		}
		if (!take(c, table, s->table_size))
			say(c, "cluster of an L2 table used more than once,", table);
		e = check_l2(c, table, i * reach);
	}
	return e;
}

static struct err *clear_mark(struct state *c)
{
	struct qed *s = c->node->state;
	int r = blk_table_flush(&s->tree.l1);
	cache_drop(s->tree.l2);
	bool clean = !c->res->check_errors && c->res->corruptions == c->res->corruptions_fixed;
	if (!r && clean && (s->features & QED_NEED_CHECK)) {
		r = blk_flush(c->node->file);
		s->features &= ~(u64)QED_NEED_CHECK;
		if (!r)
			r = qed_write_header(c->node);
	}
	return r ? err_errno(-r, "Could not write repaired tables") : NULL;
}

struct err *qed_check(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct qed *s = node->state;
	struct state c = { .node = node, .res = res, .fix = fix, .file = node->file->size };
	int r = node->flags & BLK_RDWR ? cache_flush(s->tree.l2) : 0;
	if (r)
		return err_errno(-r, "Could not write L2 tables");
	c.clusters = (c.file + s->cluster - 1) / s->cluster;
	c.used = try_alloc(c.clusters / 8 + 1);
	if (!c.used)
		return err_new(ERR_BUSY, "Could not allocate memory for the check");
	res->total_clusters = (node->size + s->cluster - 1) / s->cluster;
	take(&c, 0, MIN((u64)s->header_size, c.clusters));
	if (!take(&c, s->l1_at, s->table_size))
		say(&c, "L1 table overlaps the header", s->l1_at);
	struct err *e = check_tables(&c);
	for (u64 i = 0; i < c.clusters && !e; i++)
		res->leaks += !(c.used[i / 8] & BIT(i % 8));
	free(c.used);
	return !e && fix && (node->flags & BLK_RDWR) ? clear_mark(&c) : e;
}
