#include "block/dirty.h"

static u64 words(u64 size, u32 granularity)
{
	return ((size + granularity - 1) / granularity + 63) / 64;
}

struct err *blk_dirty_loose(u64 size, u32 granularity, struct blk_dirty **ret)
{
	u64 *bits = try_alloc(words(size, granularity) * 8);
	if (!bits)
		return err_new(ERR_BUSY, "No memory for a bitmap of %llu bytes",
			       (unsigned long long)words(size, granularity) * 8);
	*ret = alloc(sizeof(**ret));
	**ret = (struct blk_dirty){ .granularity = granularity, .size = size, .bits = bits };
	return NULL;
}

struct err *blk_dirty_kept(const struct blk_node *node)
{
	if (!node->driver->keeps_bitmaps)
		return err_new(ERR_UNSUPPORTED, "Block driver '%s' does not support persistent bitmaps",
			       node->driver->name);
	if (!(node->flags & BLK_RDWR))
		return err_new(ERR_DENIED, "Cannot store dirty bitmaps in file '%s': it is read-only",
			       node->filename ? node->filename : "");
	return node->driver->keeps_bitmaps(node);
}

struct err *blk_dirty_new(struct blk_node *node, const char *name, u32 granularity, struct blk_dirty **ret)
{
	struct blk_dirty *d, **at = &node->dirty;
	if (blk_dirty_find(node, name))
		return err_new(ERR_INVALID, "Bitmap already exists: %s", name);
	struct err *e = blk_dirty_loose(node->size, granularity, &d);
	if (e)
		return err_in(e, "Bitmap '%s'", name);
	d->name = str_dup(name);
	d->enabled = true;
	while (*at)
		at = &(*at)->next;
	*at = d;
	if (ret)
		*ret = d;
	return NULL;
}

struct blk_dirty *blk_dirty_find(struct blk_node *node, const char *name)
{
	struct blk_dirty *d = node->dirty;
	while (d && strcmp(d->name, name) != 0)
		d = d->next;
	return d;
}

void blk_dirty_free(struct blk_node *node, struct blk_dirty *d)
{
	struct blk_dirty **at = node ? &node->dirty : NULL;
	while (at && *at && *at != d)
		at = &(*at)->next;
	if (at && *at)
		*at = d->next;
	free(d->name);
	free(d->bits);
	free(d);
}

static void change(struct blk_dirty *d, u64 offset, u64 len, bool on)
{
	if (!len || offset >= d->size)
		return;
	u64 bit = offset / d->granularity, last = (MIN(offset + len, d->size) - 1) / d->granularity;
	d->changed = true;
	while (bit <= last) {
		unsigned from = bit % 64, n = MIN((u64)64 - from, last - bit + 1);
		u64 mask = (n == 64 ? ~0ull : BITS(n)) << from;
		d->bits[bit / 64] = on ? d->bits[bit / 64] | mask : d->bits[bit / 64] & ~mask;
		bit += n;
	}
}

void blk_dirty_set(struct blk_dirty *d, u64 offset, u64 len)
{
	change(d, offset, len, true);
}

void blk_dirty_clear(struct blk_dirty *d, u64 offset, u64 len)
{
	change(d, offset, len, false);
}

void blk_dirty_mark(struct blk_node *node, u64 offset, u64 len)
{
	for (struct blk_dirty *d = node->dirty; d; d = d->next)
		if (d->enabled)
			blk_dirty_set(d, offset, len);
}

void blk_dirty_resize(struct blk_node *node, u64 old_size)
{
	for (struct blk_dirty *d = node->dirty; d; d = d->next) {
		u64 n = words(node->size, d->granularity), had = words(d->size, d->granularity);
		u64 *bits = alloc(n * 8);
		memcpy(bits, d->bits, MIN(n, had) * 8);
		free(d->bits);
		d->bits = bits;
		d->size = node->size;
		u64 tail = blk_dirty_bits(d);
		if (tail % 64)
			bits[tail / 64] &= BITS(tail % 64);
		if (d->enabled && node->size > old_size)
			blk_dirty_set(d, old_size, node->size - old_size);
		d->changed = true;
	}
}

/* The first bit of this value at or behind `bit`, or the number of bits. */
static u64 next_bit(const struct blk_dirty *d, u64 bit, bool on)
{
	u64 n = blk_dirty_bits(d);
	while (bit < n) {
		u64 w = (on ? d->bits[bit / 64] : ~d->bits[bit / 64]) >> bit % 64;
		if (w)
			return MIN(n, bit + __builtin_ctzll(w));
		bit = (bit / 64 + 1) * 64;
	}
	return n;
}

bool blk_dirty_next(const struct blk_dirty *d, u64 offset, u64 *ret_offset, u64 *ret_len)
{
	u64 n = blk_dirty_bits(d), from = next_bit(d, offset / d->granularity, true);
	if (from >= n)
		return false;
	u64 to = next_bit(d, from, false);
	*ret_offset = MAX(offset, from * d->granularity);
	*ret_len = MIN(to * d->granularity, d->size) - *ret_offset;
	return true;
}

u64 blk_dirty_count(const struct blk_dirty *d)
{
	u64 n = 0;
	for (u64 i = 0; i < words(d->size, d->granularity); i++)
		n += __builtin_popcountll(d->bits[i]);
	return n * d->granularity;
}

void blk_dirty_merge(struct blk_dirty *dst, const struct blk_dirty *src)
{
	u64 offset = 0, len;
	while (blk_dirty_next(src, offset, &offset, &len)) {
		blk_dirty_set(dst, offset, len);
		offset += len;
	}
}
