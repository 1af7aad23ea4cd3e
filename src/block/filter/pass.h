/*
 * What most filters do with most requests: hand them on to the child "file". Hooks for a driver's table.
 * Each takes the child's size over, which may have grown.
 */
#pragma once
#include "block/blk.h"

/* Opens the child `name` as node->file and looks as it does: size, alignment, whether new parts are zero. */
struct err *pass_open_child(struct blk_node *node, struct json *opts, const char *name, const char *filename,
			    u32 flags) MUST_CHECK;
struct err *pass_open(struct blk_node *node, struct json *opts, u32 flags); /* "file" */
int pass_preadv(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
int pass_pwritev(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
int pass_zero(struct blk_node *node, u64 offset, u64 len, u32 flags);
int pass_discard(struct blk_node *node, u64 offset, u64 len);
int pass_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret);
struct err *pass_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc, bool zero);

/* All of them; what a filter does itself follows behind in its table. */
/* clang-format off */
#define PASS_THROUGH \
	.kind = BLK_FILTER, .open = pass_open, .preadv = pass_preadv, .pwritev = pass_pwritev, .zero = pass_zero, \
	.discard = pass_discard, .map = pass_map, .truncate = pass_truncate
/* clang-format on */
