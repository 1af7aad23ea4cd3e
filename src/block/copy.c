/* Copying from one node to another within the host, past the program's own memory. */
#include "block/graph.h"
#include <errno.h>

/* Whether a layer of the chain shows the bytes of `file` as they are: no filter, no encryption between. */
static bool shows_plainly(const struct blk_node *node, const struct blk_node *file)
{
	for (; node; node = node->backing) {
		if (node == file)
			return true;
		if (node->driver->kind != BLK_FORMAT || node->encoded)
			return false;
		for (const struct blk_child *c = node->children; c; c = c->next)
			if (c->node == file && c->node != node->backing)
				return true;
	}
	return false;
}

int blk_copy_range(struct blk_node *src, u64 src_offset, struct blk_node *dst, u64 dst_offset, u64 len)
{
	if (!(dst->flags & BLK_RDWR))
		return -EPERM;
	/* A format that places its own bytes has more to do than to write them. */
	if (dst->driver->place || dst->encoded || dst->probed || (dst->flags & BLK_DETECT_ZEROES))
		return -ENOTSUP;
	while (len) {
		struct blk_status s;
		struct blk_extent to;
		int r = blk_status(src, NULL, src_offset, len, &s);
		if (!r)
			r = blk_map(dst, dst_offset, MIN(s.len, len), &to);
		if (r)
			return r;
		bool target = to.where == BLK_DATA || (to.where == BLK_ZERO && to.has_offset);
		if (!s.data || !s.has_offset || s.compressed || !target || !s.file->driver->copy_range ||
		    s.file->driver->copy_range != to.file->driver->copy_range ||
		    !shows_plainly(src, s.file) || !shows_plainly(dst, to.file))
			return -ENOTSUP;
		u64 n = MIN(s.len, to.len);
		n = MIN(n, len);
		r = to.file->driver->copy_range(s.file, s.offset, to.file, to.offset, n);
		if (r)
			return r;
		dst->written = to.file->written = true;
		src_offset += n;
		dst_offset += n;
		len -= n;
	}
	return dst->flags & BLK_WRITETHROUGH ? blk_flush(dst) : 0;
}
