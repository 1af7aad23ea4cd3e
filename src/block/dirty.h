/*
 * Dirty bitmaps: which parts of a node were written since some moment. One bit stands for `granularity` bytes.
 * Belong to their node and its thread.
 */
#pragma once
#include "block/blk.h"

struct blk_dirty {
	struct blk_dirty *next;
	char *name;
	u32 granularity; /* a power of two */
	u64 size; /* of the disk, bytes */
	u64 *bits; /* bit n: bytes [n * granularity, (n + 1) * granularity) */
	bool enabled; /* follows writes */
	bool persistent, inconsistent, busy, changed;
};

/* NULL when the image keeps bitmaps that are made persistent, else why not. */
struct err *blk_dirty_kept(const struct blk_node *node) MUST_CHECK;
/* A new, clear one, linked to the node; the name must be free. Fails when memory for the bits cannot be had. */
struct err *blk_dirty_new(struct blk_node *node, const char *name, u32 granularity,
			  struct blk_dirty **ret) MUST_CHECK;
/* A clear one without a name that follows nothing, for whoever needs a set of ranges; freed by blk_dirty_free(NULL, d). */
struct err *blk_dirty_loose(u64 size, u32 granularity, struct blk_dirty **ret) MUST_CHECK;
struct blk_dirty *blk_dirty_find(struct blk_node *node, const char *name);
void blk_dirty_free(struct blk_node *node, struct blk_dirty *d);
/* All enabled bitmaps of the node. */
void blk_dirty_mark(struct blk_node *node, u64 offset, u64 len);
/* The node's size changed; new parts are dirty in enabled bitmaps. */
void blk_dirty_resize(struct blk_node *node, u64 old_size);

void blk_dirty_set(struct blk_dirty *d, u64 offset, u64 len);
void blk_dirty_clear(struct blk_dirty *d, u64 offset, u64 len);
/* The first dirty range at or behind offset; false: none. */
bool blk_dirty_next(const struct blk_dirty *d, u64 offset, u64 *ret_offset, u64 *ret_len);
u64 blk_dirty_count(const struct blk_dirty *d); /* bytes */
/* dst |= src; granularities may differ. */
void blk_dirty_merge(struct blk_dirty *dst, const struct blk_dirty *src);
static inline u64 blk_dirty_bits(const struct blk_dirty *d)
{
	return (d->size + d->granularity - 1) / d->granularity;
}
