#include "block/format/room.h"
#include <errno.h>

int room_extend(struct blk_node *file, u64 end)
{
	if (file->size >= end)
		return 0;
	struct err *e = blk_truncate(file, end, false, BLK_PREALLOC_OFF, true);
	int r = e ? -(err_errnum(e) ?: EIO) : 0;
	err_free(e);
	return r;
}

void room_place(struct blk_node *node, const struct blk_extent *x, u64 offset, u32 unit, u64 *next,
		struct blk_place *ret)
{
	if (x->where == BLK_DATA) {
		*ret = (struct blk_place){
			.offset = offset, .len = x->len, .file = x->file, .file_offset = x->offset
		};
		return;
	}
	u64 first = offset / unit, n = (offset + x->len + unit - 1) / unit - first;
	*ret = (struct blk_place){ .offset = first * unit,
				   .len = n * unit,
				   .file = node->file,
				   .fresh = true,
				   .file_offset = *next };
	ret->reads_zero = node->file->zero_init && *next >= node->file->size;
	*next += ret->len;
}

void room_abandon(u64 *next, const struct blk_place *p)
{
	if (*next == p->file_offset + p->len)
		*next = p->file_offset;
}

void room_close(struct blk_node *node, int (*flush)(struct blk_node *node))
{
	if ((node->flags & BLK_RDWR) && flush(node) == 0) {
		int r = blk_flush(node->file);
		(void)r;
	}
}
