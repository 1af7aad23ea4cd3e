/*
 * snapshot-access: a copy-before-write filter's disk as it was when that filter came. Read-only; what is discarded need not be
 * copied any more. Options: file (child).
 */
#include "block/filter/cbw.h"
#include "block/filter/pass.h"
#include <errno.h>

static struct err *open_access(struct blk_node *node, struct json *opts, u32 flags)
{
	struct err *e = pass_open(node, opts, flags & ~(u32)BLK_RDWR);
	if (!e && !cbw_is(node->file))
		e = err_new(ERR_INVALID,
			    "node '%s' gives no access to a snapshot: it is no copy-before-write filter",
			    node->file->node_name);
	return e;
}

static int preadv_access(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return cbw_snapshot_read(node->file, offset, iov);
}

static int pwritev_access(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return -EACCES;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	return -EACCES;
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	return cbw_snapshot_discard(node->file, offset, len);
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	return cbw_snapshot_map(node->file, offset, len, ret);
}

BLK_DRIVER(snapshot_access) = {
	.name = "snapshot-access",
	.summary = "the disk below copy-before-write as it was",
	.kind = BLK_FILTER,
	.open = open_access,
	.preadv = preadv_access,
	.pwritev = pwritev_access,
	.zero = zero,
	.discard = discard,
	.map = map,
};
