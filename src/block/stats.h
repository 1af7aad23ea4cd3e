/*
 * What was done to a node: counted for every node, timed for those that users from outside stand on (see root.h), so that
 * requests between nodes cost no look at the clock. Belongs to the node's thread.
 */
#pragma once
#include "base/base.h"

struct blk_node;

enum blk_stat { BLK_STAT_READ, BLK_STAT_WRITE, BLK_STAT_DISCARD, BLK_STAT_FLUSH, BLK_STATS };

struct blk_stats {
	struct blk_stat_count {
		u64 done, failed, bytes, ns;
	} of[BLK_STATS];
	u64 highest; /* behind the last byte that was written */
	u64 threshold; /* a write beyond it is told once; 0: none is */
	unsigned timed; /* users from outside */
};

/* The time a request begins at; 0 where nobody wants to know. */
i64 blk_stats_begin(const struct blk_node *node);
/* It gave r. Gives r. */
int blk_stats_end(struct blk_node *node, enum blk_stat what, i64 began, u64 len, int r);
/* A write is about to be done. */
void blk_stats_write(struct blk_node *node, u64 offset, u64 len);
