/*
 * New room behind everything else in the file, and what else formats with such room share: theirs is a table of places that only grows.
 */
#pragma once
#include "block/blk.h"

/* The file is at least `end` bytes long from now on; what is new reads as zeros. */
int room_extend(struct blk_node *file, u64 end) MUST_CHECK;
/*
 * For a driver's place: x is what its map says of offset. Bytes that have a place stay there; others get whole units at *next in the
 * node's file, and *next moves on.
 */
void room_place(struct blk_node *node, const struct blk_extent *x, u64 offset, u32 unit, u64 *next,
		struct blk_place *ret);
/* For a driver's abandon. */
void room_abandon(u64 *next, const struct blk_place *p);
/* For a driver's close: flush, and the file's. An error is lost here: blk_flush() before reports it to those who want to know. */
void room_close(struct blk_node *node, int (*flush)(struct blk_node *node));
