/*
 * cloop: compressed loop image of Knoppix, version 2, read only.
 *
 * Spec       the format comment in the cloop package (compressed_loop.h).
 * Layout     128 bytes of shell script, block size and number of blocks (big-endian u32), offsets of the blocks and of their end (u64),
 *            blocks packed by zlib.
 * Absent     versions 0, 1, 3 and 4 (other compressors).
 */
#include "block/format/compress.h"
#include "block/format/table.h"
#include <errno.h>

enum { BLOCK_SIZE = 128, BLOCKS = 132, OFFSETS = 136, MAX_BLOCK = 64 << 20 };
#define MAX_TABLE (512 * MiB)
static const char script[] =
    "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

struct cloop {
	u64 *offsets;
	u32 block, blocks, packed_max;
	struct co_lock lock;
	u8 *packed, *unpacked;
	u64 current; /* block that is unpacked; UINT64_MAX: none */
};

static unsigned probe_cloop(const u8 *head, size_t len, const char *filename)
{
	size_t n = MIN(sizeof(script) - 1, len);
	return n >= 20 && memcmp(head, script, n) == 0 ? 2 : 0;
}

/* Offsets must grow, and no block may be larger packed than could be useful. */
static struct err *load_offsets(struct blk_node *node)
{
	struct cloop *s = node->state;
	u64 bytes = (s->blocks + 1ull) * 8;
	void *p;
	struct err *e = blk_load_table(node->file, OFFSETS, bytes, "cloop offsets", &p);
	if (e)
		return e;
	s->offsets = p;
	for (u32 i = 0; i <= s->blocks; i++) {
		s->offsets[i] = ld_be64((u8 *)p + i * 8ull);
		if (!i)
			continue;
		if (s->offsets[i] < s->offsets[i - 1])
			return err_new(
			    ERR_CORRUPT,
			    "offsets not monotonically increasing at index %u, image file is corrupt", i);
		u64 size = s->offsets[i] - s->offsets[i - 1];
		if (size > 2 * MAX_BLOCK || s->offsets[i] > INT64_MAX)
			return err_new(ERR_CORRUPT,
				       "invalid compressed block size at index %u, image file is corrupt", i);
		s->packed_max = MAX(s->packed_max, (u32)size);
	}
	return NULL;
}

static void close_cloop(struct blk_node *node)
{
	struct cloop *s = node->state;
	free(s->offsets);
	free(s->packed);
	free(s->unpacked);
}

static struct err *open_cloop(struct blk_node *node, struct json *opts, u32 flags)
{
	struct cloop *s = node->state;
	u8 h[8];
	if (flags & BLK_RDWR)
		return err_new(ERR_UNSUPPORTED, "Block format 'cloop' does not support writing");
	int r = blk_pread(node->file, BLOCK_SIZE, h, sizeof(h));
	if (r)
		return err_errno(-r, "Could not read the cloop header");
	s->block = ld_be32(h);
	s->blocks = ld_be32(h + 4);
	if (!s->block)
		return err_new(ERR_CORRUPT, "block_size cannot be zero");
	if (s->block % 512)
		return err_new(ERR_CORRUPT, "block_size %u must be a multiple of 512", s->block);
	if (s->block > MAX_BLOCK)
		return err_new(ERR_CORRUPT, "block_size %u must be %u MB or less", s->block, MAX_BLOCK >> 20);
	if (s->blocks > UINT32_MAX / 8)
		return err_new(ERR_CORRUPT, "n_blocks %u must be %u or less", s->blocks, UINT32_MAX / 8);
	if (s->blocks * 8ull + 8 > MAX_TABLE || s->blocks * 8ull > node->file->size * 4)
		return err_new(ERR_CORRUPT, "image requires too many offsets, try increasing block size");
	struct err *e = load_offsets(node);
	if (!e) {
		s->packed = try_alloc(s->packed_max + 1ull);
		s->unpacked = try_alloc(s->block);
		if (!s->packed || !s->unpacked)
			e = err_new(ERR_BUSY, "Could not allocate memory for blocks of %u bytes", s->block);
	}
	s->current = UINT64_MAX;
	node->size = (u64)s->blocks * s->block;
	if (e)
		close_cloop(node);
	return e;
}

static int map_cloop(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct cloop *s = node->state;
	*ret = (struct blk_extent){ .where = BLK_ENCODED, .len = MIN(len, s->block - offset % s->block) };
	return 0;
}

static int unpack(struct blk_node *node, u64 n)
{
	struct cloop *s = node->state;
	u32 size = s->offsets[n + 1] - s->offsets[n];
	s->current = UINT64_MAX;
	int r = blk_pread(node->file, s->offsets[n], s->packed, size);
	if (r)
		return r;
	if (zlib_expand(s->packed, size, s->unpacked, s->block) != (int)s->block)
		return -EIO;
	s->current = n;
	return 0;
}

static int read_cloop(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov)
{
	struct cloop *s = node->state;
	co_lock(&s->lock);
	int r = s->current == offset / s->block ? 0 : unpack(node, offset / s->block);
	if (!r)
		iovs_from_buf(iov, s->unpacked + offset % s->block);
	co_unlock(&s->lock);
	return r;
}

BLK_DRIVER(cloop) = {
	.name = "cloop",
	.summary = "compressed loop image of Knoppix (read only)",
	.spec = "cloop V2.0",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct cloop),
	.probe = probe_cloop,
	.open = open_cloop,
	.close = close_cloop,
	.map = map_cloop,
	.read = read_cloop,
};
