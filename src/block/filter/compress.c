/* compress: every write of whole units becomes a compressed one. Options: file (child). */
#include "block/blk.h"
#include <errno.h>

static struct err *open_compress(struct blk_node *node, struct json *opts, u32 flags)
{
	struct blk_node *file;
	struct err *e = blk_open_child(node, opts, "file", NULL, flags, false, &file);
	if (e)
		return e;
	if (!file->driver->write_compressed)
		return err_new(ERR_UNSUPPORTED, "Compression is not supported by format '%s'",
			       file->driver->name);
	node->size = file->size;
	return NULL;
}

static int preadv_compress(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return blk_preadv(node->file, offset, iov, flags);
}

/* What does not fill a unit is written together with what is there. */
static int pwritev_compress(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct blk_node *f = node->file;
	u64 unit = blk_unit(f), from = ROUND_DOWN(offset, unit),
	    to = MIN(ROUND_UP(offset + iov.len, unit), f->size);
	if (from == offset && to == offset + iov.len)
		return blk_pwritev(f, offset, iov, flags | BLK_REQ_COMPRESSED);
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	if (!buf)
		return -ENOMEM;
	int r = blk_pread(f, from, buf, to - from);
	if (r)
		return r;
	iovs_to_buf(iov, buf + (offset - from));
	struct iovec v;
	return blk_pwritev(f, from, iovs_one(&v, buf, to - from), flags | BLK_REQ_COMPRESSED);
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	return blk_zero(node->file, offset, len, flags);
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	return blk_discard(node->file, offset, len);
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	return blk_map(node->file, offset, len, ret);
}

BLK_DRIVER(compress) = {
	.name = "compress",
	.summary = "compresses what is written",
	.kind = BLK_FILTER,
	.open = open_compress,
	.preadv = preadv_compress,
	.pwritev = pwritev_compress,
	.zero = zero,
	.discard = discard,
	.map = map,
};
