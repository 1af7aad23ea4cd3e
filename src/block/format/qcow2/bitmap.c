/* qcow2: dirty bitmaps kept in the image: a directory, a table for each, clusters of bits. */
#include "block/dirty.h"
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

enum { DIR_ENTRY = 24 };
enum { IN_USE = BIT(0), AUTO_FLAG = BIT(1), EXTRA_OK = BIT(2) };
enum { MAX_TABLE = 0x8000000 / 8, MIN_GRANULARITY = 9, MAX_GRANULARITY = 31 };
#define TABLE_OFFSET 0x00fffffffffffe00ull
#define ALL_ONES BIT(0)

struct entry { /* of the directory */
	u64 table_offset;
	u32 table_size, flags;
	u8 type, granularity;
	u32 extra;
	char name[1024];
};

static u64 entry_size(u32 name, u32 extra)
{
	return ROUND_UP((u64)DIR_ENTRY + name + extra, 8ull);
}

static struct err *load_dir(struct blk_node *node, u8 **ret)
{
	struct qcow2 *s = node->state;
	void *p;
	if (s->bitmaps.dir_offset > INT64_MAX - MAX_BITMAP_DIR)
		return err_new(ERR_CORRUPT, "bitmaps_ext: invalid bitmap directory offset");
	struct err *e =
	    blk_load_table(node->file, s->bitmaps.dir_offset, s->bitmaps.dir_size, "bitmap directory", &p);
	if (!e)
		*ret = p;
	return e;
}

/* The entry at *pos; moves on behind it. */
static struct err *parse(struct blk_node *node, const u8 *dir, u64 *pos, struct entry *ret)
{
	struct qcow2 *s = node->state;
	u64 left = s->bitmaps.dir_size - *pos;
	const u8 *p = dir + *pos;
	if (left < DIR_ENTRY)
		return err_new(ERR_CORRUPT, "bitmap directory ends within an entry at offset %#llx",
			       (unsigned long long)*pos);
	u32 name = ld_be16(p + 18), extra = ld_be32(p + 20);
	if (!name || name > 1023 || extra > left || entry_size(name, extra) > left)
		return err_new(ERR_CORRUPT,
			       "bitmap directory entry at offset %#llx: name of %u bytes, extra data of %u",
			       (unsigned long long)*pos, name, extra);
	*ret = (struct entry){ ld_be64(p), ld_be32(p + 8), ld_be32(p + 12), p[16], p[17], extra, "" };
	memcpy(ret->name, p + DIR_ENTRY + extra, name);
	*pos += entry_size(name, extra);
	if (ret->table_offset % s->cluster_size || ret->table_offset > INT64_MAX - MAX_TABLE * 8 ||
	    ret->table_size > MAX_TABLE || ret->type != 1 || ret->granularity < MIN_GRANULARITY ||
	    ret->granularity > MAX_GRANULARITY || (ret->flags & ~(u32)(IN_USE | AUTO_FLAG | EXTRA_OK)))
		return err_new(ERR_CORRUPT, "Bitmap '%s' doesn't satisfy the constraints", ret->name);
	return NULL;
}

static struct err *load_bits(struct blk_node *node, const struct entry *d, struct blk_dirty *bitmap)
{
	struct qcow2 *s = node->state;
	u64 bytes = (blk_dirty_bits(bitmap) + 7) / 8;
	void *p;
	if (d->table_size != (bytes + s->cluster_size - 1) >> s->cluster_bits)
		return err_new(ERR_CORRUPT, "Bitmap '%s': table of %u entries for %llu bytes of bits",
			       d->name, d->table_size, (unsigned long long)bytes);
	struct err *e =
	    blk_load_table(node->file, d->table_offset, (u64)d->table_size * 8, "bitmap table", &p);
	if (e)
		return e;
	AUTO(free_ptr) u8 *table = p;
	for (u64 i = 0; i < d->table_size; i++) {
		u64 entry = ld_be64(table + i * 8), at = i << s->cluster_bits,
		    len = MIN(s->cluster_size, bytes - at);
		u8 *to = (u8 *)bitmap->bits + at;
		if (!(entry & TABLE_OFFSET)) {
			memset(to, entry & ALL_ONES ? 0xff : 0, len);
			continue;
		}
		if (in_cluster(s, entry & TABLE_OFFSET))
			return err_new(ERR_CORRUPT, "Bitmap '%s': cluster at %#llx is not aligned", d->name,
				       (unsigned long long)(entry & TABLE_OFFSET));
		int r = blk_pread(node->file, entry & TABLE_OFFSET, to, len);
		if (r)
			return err_errno(-r, "Could not read bitmap '%s'", d->name);
	}
	/* Bits behind the end are none. */
	u64 n = blk_dirty_bits(bitmap);
	if (n % 64)
		bitmap->bits[n / 64] &= BITS(n % 64);
	for (u64 i = 0; i < (n + 63) / 64; i++)
		bitmap->bits[i] = host_le64(bitmap->bits[i]);
	return NULL;
}

/* While the image is open for writing what is stored may be out of date, and says so. */
static int mark_in_use(struct blk_node *node, u8 *dir)
{
	struct qcow2 *s = node->state;
	return blk_pwrite_flush(node->file, s->bitmaps.dir_offset, dir, s->bitmaps.dir_size);
}

struct err *qcow2_load_bitmaps(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	u8 *buf;
	struct err *e = load_dir(node, &buf);
	if (e)
		return e;
	AUTO(free_ptr) u8 *dir = buf;
	u64 pos = 0;
	bool write = (node->flags & BLK_RDWR) && !(node->flags & BLK_INACTIVE), marked = false;
	u64 size = node->size;
	node->size = ROUND_UP(size, 512ull);
	for (u32 i = 0; i < s->bitmaps.n && !e; i++) {
		struct entry d;
		u64 start = pos;
		struct blk_dirty *b;
		if ((e = parse(node, dir, &pos, &d)) ||
		    (e = blk_dirty_new(node, d.name, 1u << d.granularity, &b)))
			break;
		b->persistent = true;
		b->inconsistent = d.flags & IN_USE;
		b->enabled = (d.flags & AUTO_FLAG) && !b->inconsistent;
		if (!b->inconsistent && (!(node->flags & BLK_NO_IO) || write))
			e = load_bits(node, &d, b);
		b->changed = false;
		if (write && !(d.flags & IN_USE)) {
			st_be32(dir + start + 12, d.flags | IN_USE);
			marked = true;
		}
	}
	node->size = size;
	int r = e || !marked ? 0 : mark_in_use(node, dir);
	if (!e && r)
		e = err_errno(-r, "Could not mark the bitmaps in use");
	if (e)
		while (node->dirty)
			blk_dirty_free(node, node->dirty);
	return e ? err_in(e, "Cannot load the image's bitmaps") : NULL;
}

int qcow2_each_bitmap_range(struct blk_node *node, int (*fn)(void *user, u64 offset, u64 len), void *user)
{
	struct qcow2 *s = node->state;
	u8 *buf;
	struct err *e = load_dir(node, &buf);
	if (e) {
		err_free(e);
		return -EIO;
	}
	AUTO(free_ptr) u8 *dir = buf;
	u64 pos = 0;
	int r = fn(user, s->bitmaps.dir_offset, s->bitmaps.dir_size);
	for (u32 i = 0; i < s->bitmaps.n && !r; i++) {
		struct entry d;
		if ((e = parse(node, dir, &pos, &d))) {
			err_free(e);
			return -EIO;
		}
		r = fn(user, d.table_offset, (u64)d.table_size * 8);
		void *p;
		if (r || (e = blk_load_table(node->file, d.table_offset, (u64)d.table_size * 8,
					     "bitmap table", &p))) {
			err_free(e);
			return r ? r : -EIO;
		}
		for (u64 k = 0; k < d.table_size && !r; k++) {
			u64 at = ld_be64((u8 *)p + k * 8) & TABLE_OFFSET;
			if (at)
				r = fn(user, at, s->cluster_size);
		}
		free(p);
	}
	return r;
}

/* ---- storing ---- */

static bool all(const u8 *p, u64 len, u8 byte)
{
	while (len && *p == byte) {
		p++;
		len--;
	}
	return !len;
}

/* The bits and their table, in new clusters. */
static int store_one(struct blk_node *node, struct blk_dirty *b, u64 *ret_table, u32 *ret_size)
{
	struct qcow2 *s = node->state;
	u64 n = blk_dirty_bits(b), bytes = (n + 7) / 8,
	    count = (bytes + s->cluster_size - 1) >> s->cluster_bits;
	AUTO(free_ptr) u8 *table = try_alloc(count * 8), *cluster = try_alloc(s->cluster_size);
	if (!table || !cluster)
		return -ENOMEM;
	for (u64 i = 0; i < count; i++) {
		u64 from = i << s->cluster_bits, len = MIN(s->cluster_size, bytes - from), at;
		memset(cluster, 0, s->cluster_size);
		memcpy(cluster, (u8 *)b->bits + from, len);
		for (u64 k = 0; k + 8 <= s->cluster_size; k += 8) {
			u64 w;
			memcpy(&w, cluster + k, 8);
			st_le64(cluster + k, w);
		}
		if (all(cluster, s->cluster_size, 0))
			continue;
		if (all(cluster, s->cluster_size, 0xff)) {
			st_be64(table + i * 8, ALL_ONES);
			continue;
		}
		int r = qcow2_alloc(node, 1, &at);
		if (!r)
			r = qcow2_check_overlap(node, at, s->cluster_size, 0);
		if (!r)
			r = blk_pwrite(node->file, at, cluster, s->cluster_size);
		if (r)
			return r;
		st_be64(table + i * 8, at);
	}
	*ret_size = count;
	*ret_table = 0;
	if (!count)
		return 0;
	int r = qcow2_alloc(node, (count * 8 + s->cluster_size - 1) >> s->cluster_bits, ret_table);
	if (!r)
		r = qcow2_check_overlap(node, *ret_table, count * 8, 0);
	return r ? r : blk_pwrite(node->file, *ret_table, table, count * 8);
}

struct range_list {
	u64 (*v)[2];
	size_t n, cap;
};

static int remember(void *user, u64 offset, u64 len)
{
	struct range_list *l = user;
	l->v = grow(l->v, &l->cap, l->n + 1, sizeof(*l->v));
	l->v[l->n][0] = offset;
	l->v[l->n++][1] = len;
	return 0;
}

/* All bitmaps anew; then the header changes over; then the old places are given back. */
int qcow2_store_bitmaps(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	struct qcow2_bitmap_ext old = s->bitmaps, now = { 0 };
	bool had = s->has_bitmap_ext;
	for (struct blk_dirty *b = node->dirty; b; b = b->next)
		if (b->persistent) {
			now.n++;
			now.dir_size += entry_size(strlen(b->name), 0);
		}
	if (!had && !now.n)
		return 0;
	if (s->version < 3 && now.n)
		return -ENOTSUP;
	struct range_list gone = { 0 };
	int r = had ? qcow2_each_bitmap_range(node, remember, &gone) : 0;
	AUTO(free_ptr) u8 *dir = try_alloc(now.dir_size);
	if (!dir)
		r = -ENOMEM;
	u64 pos = 0;
	for (struct blk_dirty *b = node->dirty; b && !r; b = b->next) {
		if (!b->persistent)
			continue;
		u64 table = 0;
		u32 size = 0;
		u8 *p = dir + pos;
		r = store_one(node, b, &table, &size);
		st_be64(p, table);
		st_be32(p + 8, size);
		st_be32(p + 12, (b->enabled ? AUTO_FLAG : 0) | (b->inconsistent ? IN_USE : 0));
		p[16] = 1;
		p[17] = __builtin_ctz(b->granularity);
		st_be16(p + 18, strlen(b->name));
		memcpy(p + DIR_ENTRY, b->name, strlen(b->name));
		pos += entry_size(strlen(b->name), 0);
	}
	if (!r && now.n) {
		r = qcow2_alloc(node, (now.dir_size + s->cluster_size - 1) >> s->cluster_bits,
				&now.dir_offset);
		if (!r)
			r = qcow2_check_overlap(node, now.dir_offset, now.dir_size, 0);
		if (!r)
			r = blk_pwrite(node->file, now.dir_offset, dir, now.dir_size);
	}
	if (!r)
		r = qcow2_flush_meta(node);
	if (!r)
		r = blk_barrier(node->file);
	if (!r) {
		s->bitmaps = now;
		s->has_bitmap_ext = now.n;
		s->autoclear =
		    now.n ? s->autoclear | AUTOCLEAR_BITMAPS : s->autoclear & ~(u64)AUTOCLEAR_BITMAPS;
		r = qcow2_write_header(node);
		if (!r)
			r = blk_barrier(node->file);
		if (r) {
			s->bitmaps = old;
			s->has_bitmap_ext = had;
		}
	}
	for (size_t i = 0; i < gone.n && !r; i++)
		r = qcow2_refcount_add(node, gone.v[i][0], gone.v[i][1], -1, DISCARD_OTHER);
	free(gone.v);
	return r;
}

struct json *qcow2_bitmap_info(struct blk_node *node)
{
	struct json *list = NULL;
	for (struct blk_dirty *b = node->dirty; b; b = b->next) {
		if (!b->persistent)
			continue;
		struct json *d = json_dict(), *flags = json_list();
		if (b->inconsistent)
			json_add(flags, json_str("in-use"));
		if (b->enabled)
			json_add(flags, json_str("auto"));
		json_set(d, "flags", flags);
		json_set(d, "name", json_str(b->name));
		json_set(d, "granularity", json_int(b->granularity));
		if (!list)
			list = json_list();
		json_add(list, d);
	}
	return list;
}
