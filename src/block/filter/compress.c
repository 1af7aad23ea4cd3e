/* compress: every write of whole units becomes a compressed one. Options: file (child). */
#include "block/filter/pass.h"
#include <errno.h>

static struct err *open_compress(struct blk_node *node, struct json *opts, u32 flags)
{
	struct err *e = pass_open(node, opts, flags);
	if (!e && !node->file->driver->write_compressed)
		e = err_new(ERR_UNSUPPORTED, "Compression is not supported by format '%s'",
			    node->file->driver->name);
	return e;
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

BLK_DRIVER(compress) = {
	.name = "compress",
	.summary = "compresses what is written",
	.kind = BLK_FILTER,
	.open = open_compress,
	.preadv = pass_preadv,
	.pwritev = pwritev_compress,
	.zero = pass_zero,
	.discard = pass_discard,
	.map = pass_map,
	.truncate = pass_truncate,
};
