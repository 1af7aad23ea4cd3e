#include "block/filter/pass.h"

struct err *pass_open_child(struct blk_node *node, struct json *opts, const char *name, const char *filename,
			    u32 flags)
{
	struct blk_node *child;
	struct err *e = blk_open_child(node, opts, name, filename, flags, false, &child);
	if (e)
		return e;
	node->file = child;
	node->size = child->size;
	node->align = child->align;
	node->zero_init = child->zero_init;
	return NULL;
}

struct err *pass_open(struct blk_node *node, struct json *opts, u32 flags)
{
	return pass_open_child(node, opts, "file", NULL, flags);
}

int pass_preadv(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return blk_preadv(node->file, offset, iov, flags);
}

static int same_size(struct blk_node *node, int r)
{
	node->size = node->file->size;
	return r;
}

int pass_pwritev(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return same_size(node, blk_pwritev(node->file, offset, iov, flags));
}

int pass_zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	return same_size(node, blk_zero(node->file, offset, len, flags));
}

int pass_discard(struct blk_node *node, u64 offset, u64 len)
{
	return blk_discard(node->file, offset, len);
}

int pass_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	return blk_map(node->file, offset, len, ret);
}

struct err *pass_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc, bool zero)
{
	struct err *e = blk_truncate(node->file, size, exact, prealloc, zero);
	same_size(node, 0);
	return e;
}
