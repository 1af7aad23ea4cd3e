/*
 * copy-before-write, as snapshot-access sees it: the disk as it was when the filter was opened.
 */
#pragma once
#include "block/blk.h"

/* Whether the node is a copy-before-write filter. */
bool cbw_is(const struct blk_node *node);
/* Waits for what writes to the range; -EACCES where the snapshot does not reach (bitmap, discarded) or is broken. */
int cbw_snapshot_read(struct blk_node *node, u64 offset, struct iovs iov) MUST_CHECK;
int cbw_snapshot_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret) MUST_CHECK;
/* The snapshot is not needed there any more: nothing of it is copied from now on. */
int cbw_snapshot_discard(struct blk_node *node, u64 offset, u64 len) MUST_CHECK;
