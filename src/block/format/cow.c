/*
 * cow: copy-on-write image of User Mode Linux, version 2.
 *
 * Spec       User Mode Linux, "COW files"; header as its tools write it.
 * Layout     header (big-endian) with the backing file's name, a bitmap (a bit a sector, lowest first), the disk's sectors in their places.
 * Order      data, barrier, bitmap: a sector that the bitmap names is there.
 * Absent     version 1 and 3. Nothing but tests makes such images any more.
 */
#include "block/format/room.h"
#include "block/format/table.h"
#include <errno.h>

enum { VERSION = 4, BACKING = 8, BACKING_LEN = 1024, SIZE = 1040, SECTOR_SIZE = 1048, HEADER = 1056 };

struct cow {
	struct blk_table bitmap;
	u64 data_at;
};

static unsigned probe_cow(const u8 *head, size_t len, const char *filename)
{
	return len >= HEADER && memcmp(head, "OOOM", 4) == 0 && ld_be32(head + VERSION) == 2 ? 100 : 0;
}

static struct err *open_cow(struct blk_node *node, struct json *opts, u32 flags)
{
	struct cow *s = node->state;
	u8 h[HEADER];
	int r = blk_pread(node->file, 0, h, HEADER);
	if (r)
		return err_errno(-r, "Could not read the cow header");
	if (memcmp(h, "OOOM", 4) != 0)
		return err_new(ERR_INVALID, "Image not in cow format");
	if (ld_be32(h + VERSION) != 2)
		return err_new(ERR_UNSUPPORTED, "cow version %u", ld_be32(h + VERSION));
	if (ld_be32(h + SECTOR_SIZE) != 512)
		return err_new(ERR_UNSUPPORTED, "cow sectors of %u bytes at offset %d",
			       ld_be32(h + SECTOR_SIZE), SECTOR_SIZE);
	node->size = ld_be64(h + SIZE);
	u64 sectors = node->size / 512 + (node->size % 512 != 0), bytes = (sectors + 7) / 8;
	if (node->size > INT64_MAX / 2 || HEADER + bytes > node->file->size + 512)
		return err_new(ERR_CORRUPT,
			       "cow bitmap for %llu bytes (offset %d) reaches beyond the end of the file",
			       (unsigned long long)node->size, SIZE);
	if (!memchr(h + BACKING, 0, BACKING_LEN))
		return err_new(ERR_CORRUPT, "cow backing file name at offset %d is too long", BACKING);
	if (h[BACKING])
		node->backing_file = str_dup((char *)h + BACKING);
	s->data_at = ROUND_UP(HEADER + bytes, 512ull);
	return blk_table_load(&s->bitmap, &node->file, HEADER, bytes, 512, "cow bitmap");
}

static int flush_cow(struct blk_node *node)
{
	return blk_table_flush(&((struct cow *)node->state)->bitmap);
}

static void close_cow(struct blk_node *node)
{
	struct cow *s = node->state;
	room_close(node, flush_cow);
	blk_table_free(&s->bitmap);
}

static bool present(const struct cow *s, u64 sector)
{
	return s->bitmap.data[sector / 8] & BIT(sector % 8);
}

static int map_cow(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct cow *s = node->state;
	u64 i = offset / 512, end = (offset + len + 511) / 512;
	bool here = present(s, i);
	while (i < end && present(s, i) == here)
		i++;
	*ret = (struct blk_extent){ .where = here ? BLK_DATA : BLK_HOLE,
				    .file = here ? node->file : NULL,
				    .offset = s->data_at + offset,
				    .len = MIN(len, i * 512 - offset) };
	return 0;
}

/* Every sector has its place from the start; it is fresh until the bitmap names it. */
static int place_cow(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct cow *s = node->state;
	struct blk_extent x;
	int r = map_cow(node, offset, len, &x);
	if (r)
		return r;
	*ret = (struct blk_place){ .offset = offset,
				   .len = ROUND_UP(x.len, 512ull),
				   .file = node->file,
				   .file_offset = s->data_at + offset,
				   .fresh = x.where == BLK_HOLE };
	return 0;
}

static int commit_cow(struct blk_node *node, const struct blk_place *p)
{
	struct cow *s = node->state;
	u64 from = p->offset / 512, to = from + p->len / 512;
	for (u64 i = from; i < to; i++)
		s->bitmap.data[i / 8] |= BIT(i % 8);
	blk_table_dirty(&s->bitmap, from / 8, (to - 1) / 8 - from / 8 + 1);
	return 0;
}

static struct err *create_cow(struct blk_create *c)
{
	const char *backing = blk_opt_str(c->opts, "backing_file");
	u64 size = ROUND_UP(c->size, 512ull);
	u8 h[HEADER] = "OOOM";
	if (backing && strlen(backing) >= BACKING_LEN)
		return err_new(ERR_INVALID, "Backing file name too long");
	if (size > INT64_MAX / 2)
		return err_new(ERR_INVALID, "Image too large");
	st_be32(h + VERSION, 2);
	if (backing)
		memcpy(h + BACKING, backing, strlen(backing));
	st_be64(h + SIZE, size);
	st_be32(h + SECTOR_SIZE, 512);
	u64 end = ROUND_UP(HEADER + (size / 512 + 7) / 8, 512ull);
	struct err *e = blk_truncate(c->file, end, false, BLK_PREALLOC_OFF, true);
	if (e)
		return e;
	int r = blk_pwrite(c->file, 0, h, HEADER);
	return r ? err_errno(-r, "Could not write the cow header") : NULL;
}

static const struct blk_opt cow_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "backing_file", BLK_OPT_STR, "File name of a base image" },
	{ "backing_fmt", BLK_OPT_STR, "Format of the backing image" },
	{ NULL },
};

BLK_DRIVER(cow) = {
	.name = "cow",
	.summary = "copy-on-write image of User Mode Linux",
	.spec = "UML cow, version 2",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct cow),
	.probe = probe_cow,
	.open = open_cow,
	.close = close_cow,
	.map = map_cow,
	.place = place_cow,
	.commit = commit_cow,
	.flush = flush_cow,
	.create = create_cow,
	.create_opts = cow_opts,
	.supports_backing = true,
};
