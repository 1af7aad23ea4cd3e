#include "block/format/tree.h"
#include "block/format/room.h"

enum { CACHE = 32 << 20 };

struct err *tree_load(struct tree *t, u64 at, u64 n)
{
	struct err *e = blk_table_load(&t->l1, &t->node->file, at, n * 8, 512, "L1 table");
	if (!e)
		t->l2 = cache_new(&t->node->file, t->slice, CACHE, "L2 tables");
	return e;
}

void tree_free(struct tree *t)
{
	cache_free(t->l2);
	t->l2 = NULL;
	blk_table_free(&t->l1);
}

int tree_flush(struct tree *t)
{
	int r = t->l2 ? cache_flush(t->l2) : 0;
	return r ? r : blk_table_flush(&t->l1);
}

/* The offset of an L2 table; 0: there is none. */
static u64 table_at(const struct tree *t, u64 i)
{
	return tree_entry(t, t->l1.data + i * 8);
}

int tree_find(struct tree *t, u64 offset, u8 **ret, void **ret_slice)
{
	u64 n = offset / t->unit, in = n % t->entries * 8, table = table_at(t, n / t->entries);
	*ret = NULL;
	if (!table)
		return 0;
	int r = t->check(t, table);
	if (!r)
		r = cache_get(t->l2, table + ROUND_DOWN(in, (u64)t->slice), ret_slice);
	if (!r)
		*ret = (u8 *)*ret_slice + in % t->slice;
	return r;
}

u64 tree_left(const struct tree *t, u64 offset, const u8 *p, const void *slice)
{
	return p ? (u64)((const u8 *)slice + t->slice - p) / 8 : t->entries - offset / t->unit % t->entries;
}

static void put(const struct tree *t, void *p, u64 v)
{
	if (t->big)
		st_be64(p, v);
	else
		st_le64(p, v);
}

/* An empty table is on disk before L1 names it. */
static int new_table(struct tree *t, u64 i)
{
	struct blk_node *file = t->node->file;
	u64 at = ROUND_UP(t->next, (u64)t->align), bytes = t->entries * 8;
	bool fresh = file->zero_init && at >= file->size;
	t->next = at + bytes;
	int r = fresh ? room_extend(file, at + bytes) : blk_zero(file, at, bytes, 0);
	/* Somebody else may have made one meanwhile. */
	if (!r && !table_at(t, i)) {
		put(t, t->l1.data + i * 8, at);
		blk_table_dirty(&t->l1, i * 8, 8);
	}
	return r;
}

int tree_set(struct tree *t, u64 offset, u64 count, u64 val, u64 step)
{
	cache_after_data(t->l2, &t->node->file);
	while (count) {
		void *slice;
		u8 *p;
		int r = tree_find(t, offset, &p, &slice);
		if (!r && !p) {
			r = new_table(t, offset / tree_reach(t));
			if (!r)
				continue;
		}
		if (r)
			return r;
		u32 from = p - (u8 *)slice, to = from;
		for (; count && to < t->slice; to += 8, count--, val += step, offset += t->unit)
			put(t, (u8 *)slice + to, val);
		cache_dirty(t->l2, slice, from, to);
		cache_put(t->l2, slice);
	}
	return 0;
}

int tree_commit(struct tree *t, const struct blk_place *p)
{
	int r = room_extend(t->node->file, p->file_offset + p->len);
	return r ? r : tree_set(t, p->offset, p->len / t->unit, p->file_offset, t->unit);
}

void tree_abandon(struct tree *t, const struct blk_place *p)
{
	room_abandon(&t->next, p);
}
