/*
 * bochs: growing redolog of the Bochs emulator, read only.
 *
 * Spec       Bochs user manual, "disk image modes", and the header that its tools write (versions 1 and 2); no prose on field places.
 * Layout     header, catalog (a little-endian u32 an extent: its number in the file), extents, each with a bitmap of its sectors in front.
 * Absent     writing; the "undoable" and "volatile" redologs, which lie over another image: refused.
 */
#include "block/format/table.h"
#include <errno.h>

enum {
	MAGIC = 0,
	TYPE = 32,
	SUBTYPE = 48,
	VERSION = 64,
	HEADER_SIZE = 68,
	CATALOG = 72,
	BITMAP = 76,
	EXTENT = 80,
	SIZE_V1 = 84,
	SIZE_V2 = 88,
	HEADER = 512
};
enum { MAX_CATALOG = 0x100000, MAX_EXTENT = 0x800000 };

struct bochs {
	struct blk_table catalog;
	u32 extent, bitmap; /* bytes; bitmap: rounded to sectors */
	u64 data_at;
	u8 *bits; /* the bitmap read last */
	u64 bits_of;
};

static bool is_bochs(const u8 *h)
{
	u32 v = ld_le32(h + VERSION);
	return memcmp(h + MAGIC, "Bochs Virtual HD Image", 23) == 0 && memcmp(h + TYPE, "Redolog", 8) == 0 &&
	       memcmp(h + SUBTYPE, "Growing", 8) == 0 && (v == 0x00020000 || v == 0x00010000);
}

static unsigned probe_bochs(const u8 *head, size_t len, const char *filename)
{
	return len >= HEADER && is_bochs(head) ? 100 : 0;
}

static struct err *open_bochs(struct blk_node *node, struct json *opts, u32 flags)
{
	struct bochs *s = node->state;
	u8 h[HEADER];
	if (flags & BLK_RDWR)
		return err_new(ERR_UNSUPPORTED, "Block format 'bochs' does not support writing");
	int r = blk_pread(node->file, 0, h, HEADER);
	if (r)
		return err_errno(-r, "Could not read the Bochs header");
	if (!is_bochs(h))
		return err_new(ERR_INVALID, "Image not in Bochs format");
	u32 entries = ld_le32(h + CATALOG), header = ld_le32(h + HEADER_SIZE);
	node->size = ld_le64(h + (ld_le32(h + VERSION) == 0x00010000 ? SIZE_V1 : SIZE_V2));
	if (node->size > INT64_MAX - 512)
		return err_new(ERR_CORRUPT, "Disk of %llu bytes is too large",
			       (unsigned long long)node->size);
	node->size = ROUND_DOWN(node->size, 512ull);
	if (entries > MAX_CATALOG)
		return err_new(ERR_CORRUPT, "Catalog size is too large");
	s->extent = ld_le32(h + EXTENT);
	if (s->extent < 512)
		return err_new(ERR_CORRUPT, "Extent size must be at least 512");
	if (s->extent & (s->extent - 1))
		return err_new(ERR_CORRUPT, "Extent size %u is not a power of two", s->extent);
	if (s->extent > MAX_EXTENT)
		return err_new(ERR_CORRUPT, "Extent size %u is too large", s->extent);
	u32 bitmap = ld_le32(h + BITMAP);
	if (bitmap > MAX_EXTENT || bitmap * 8ull * 512 < s->extent)
		return err_new(ERR_CORRUPT, "Bitmap of %u bytes does not fit extents of %u", bitmap,
			       s->extent);
	if (entries < (node->size + s->extent - 1) / s->extent)
		return err_new(ERR_CORRUPT, "Catalog size is too small for this disk size");
	s->bitmap = ROUND_UP(bitmap, 512u);
	s->data_at = header + entries * 4ull;
	if (s->data_at > node->file->size)
		return err_new(ERR_CORRUPT, "Catalog at offset %u reaches beyond the end of the file",
			       header);
	s->bits = try_alloc(s->bitmap);
	if (!s->bits)
		return err_new(ERR_BUSY, "Could not allocate %u bytes", s->bitmap);
	struct err *e = blk_table_load(&s->catalog, &node->file, header, entries * 4ull, 512, "catalog");
	if (e)
		free(s->bits);
	return e;
}

static void close_bochs(struct blk_node *node)
{
	struct bochs *s = node->state;
	blk_table_free(&s->catalog);
	free(s->bits);
}

static int map_bochs(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct bochs *s = node->state;
	u64 in = offset & (s->extent - 1);
	u32 n = blk_table_le32(&s->catalog, offset / s->extent);
	*ret = (struct blk_extent){ .where = BLK_ZERO, .len = MIN(len, s->extent - in) };
	if (n == UINT32_MAX)
		return 0;
	u64 at = s->data_at + (u64)n * (s->extent + s->bitmap);
	if (at >= node->file->size) /* cut off */
		return -EIO;
	if (s->bits_of != at) {
		s->bits_of = 0;
		int r = blk_pread(node->file, at, s->bits, s->bitmap);
		if (r)
			return r;
		s->bits_of = at;
	}
	u64 first = in / 512, i = first, end = (in + ret->len + 511) / 512;
	bool here = s->bits[i / 8] & BIT(i % 8);
	while (i < end && !!(s->bits[i / 8] & BIT(i % 8)) == here)
		i++;
	ret->len = MIN(ret->len, i * 512 - in);
	if (here) {
		ret->where = BLK_DATA;
		ret->file = node->file;
		ret->offset = at + s->bitmap + in;
	}
	return 0;
}

BLK_DRIVER(bochs) = {
	.name = "bochs",
	.summary = "growing redolog of Bochs (read only)",
	.spec = "Bochs redolog, versions 1 and 2",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct bochs),
	.probe = probe_bochs,
	.open = open_bochs,
	.close = close_bochs,
	.map = map_bochs,
};
