/*
 * Two levels of tables of places, 8 bytes an entry, as qcow and qed keep them: the L1 table, whole in memory, names L2 tables, whose
 * slices go through the cache and name clusters. Room is only ever taken behind everything else (room.h).
 *
 * Belongs to one node; used by its thread only. Errors on the data path are negative errnos.
 */
#pragma once
#include "block/cache.h"
#include "block/format/table.h"

struct tree { /* the members down to check are set by the format, and stay */
	struct blk_node *node;
	bool big; /* big-endian entries */
	u32 unit; /* bytes of a cluster */
	u32 slice; /* bytes of an L2 table that are read at once */
	u32 align; /* where new L2 tables begin */
	u64 entries; /* of an L2 table */
	/* 0, or the errno with which an L2 table at this offset is refused. */
	int (*check)(const struct tree *t, u64 table);
	struct blk_table l1;
	struct cache *l2;
	u64 next; /* room for what is new begins here */
};

/* Reads n entries of the L1 table, after the caller checked its place, and makes the cache. Free with tree_free. */
struct err *tree_load(struct tree *t, u64 at, u64 n) MUST_CHECK;
/* A zeroed struct is accepted. What is dirty is lost. */
void tree_free(struct tree *t);
/* Writes what is dirty. New L2 tables are on disk, empty, before L1 entries name them: the order of the two levels does not matter. */
int tree_flush(struct tree *t) MUST_CHECK;
/* Bytes of the guest's disk that an L2 table stands for. */
static inline u64 tree_reach(const struct tree *t)
{
	return t->entries * t->unit;
}
static inline u64 tree_entry(const struct tree *t, const void *p)
{
	return t->big ? ld_be64(p) : ld_le64(p);
}
/* The entry for a guest offset, in a slice that is pinned until cache_put(t->l2, *ret_slice); *ret NULL: there is no L2 table, nothing is pinned. */
int tree_find(struct tree *t, u64 offset, u8 **ret, void **ret_slice) MUST_CHECK;
/* Entries from this one on that lie in the same slice, or, where there is no table, that would lie in the same table. */
u64 tree_left(const struct tree *t, u64 offset, const u8 *p, const void *slice);
/* count entries from a guest offset on become val, val + step, ...; behind the data written so far. Tables are made where there are none. */
int tree_set(struct tree *t, u64 offset, u64 count, u64 val, u64 step) MUST_CHECK;
/* For a driver's commit, and its abandon: the clusters of p are named; their room is given back. */
int tree_commit(struct tree *t, const struct blk_place *p) MUST_CHECK;
void tree_abandon(struct tree *t, const struct blk_place *p);
