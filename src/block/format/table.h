/*
 * A flat table of an image (block map, allocation table), whole in memory: changed pieces of it are written back at flush, behind
 * a barrier, so that on disk an entry never points at data that is not there yet.
 *
 * Belongs to one node; used by its thread only. Errors on the data path are negative errnos.
 */
#pragma once
#include "block/blk.h"

struct blk_table {
	struct blk_node **file; /* the user's pointer */
	u64 at, bytes; /* where in the file */
	u32 piece; /* unit of writing back, a power of two */
	u8 *data;
	u64 *dirty; /* a bit a piece */
	u64 n_dirty; /* bits set */
	struct co_lock lock; /* one writer back at a time */
};

/* Reads the table, after the caller checked its place and size. what names it in messages. Free with blk_table_free. */
struct err *blk_table_load(struct blk_table *t, struct blk_node **file, u64 at, u64 bytes, u32 piece,
			   const char *what) MUST_CHECK;
/* A zeroed struct is accepted. What is dirty is lost. */
void blk_table_free(struct blk_table *t);
/* The bytes [from, from + len) of the table changed. */
void blk_table_dirty(struct blk_table *t, u64 from, u64 len);

static inline u32 blk_table_le32(const struct blk_table *t, u64 i)
{
	return ld_le32(t->data + i * 4);
}
static inline u32 blk_table_be32(const struct blk_table *t, u64 i)
{
	return ld_be32(t->data + i * 4);
}
static inline u64 blk_table_le64(const struct blk_table *t, u64 i)
{
	return ld_le64(t->data + i * 8);
}
static inline void blk_table_set_le32(struct blk_table *t, u64 i, u32 v)
{
	st_le32(t->data + i * 4, v);
	blk_table_dirty(t, i * 4, 4);
}
static inline void blk_table_set_be32(struct blk_table *t, u64 i, u32 v)
{
	st_be32(t->data + i * 4, v);
	blk_table_dirty(t, i * 4, 4);
}
static inline void blk_table_set_le64(struct blk_table *t, u64 i, u64 v)
{
	st_le64(t->data + i * 8, v);
	blk_table_dirty(t, i * 8, 8);
}

/* The dirty pieces as they are now, copied, in order; they count as clean until blk_table_untake. */
struct blk_pieces {
	size_t n;
	u64 *index; /* of the piece within the table */
	u8 *data; /* n pieces */
};
int blk_table_take(struct blk_table *t, struct blk_pieces *ret) MUST_CHECK;
/* Writing failed: what was taken is dirty again. */
void blk_table_untake(struct blk_table *t, const struct blk_pieces *p);
void blk_pieces_free(struct blk_pieces *p);
/* Writes pieces to their place, runs of neighbours at once. */
int blk_table_write(struct blk_table *t, const struct blk_pieces *p) MUST_CHECK;
/* Barrier, then everything dirty is written. The file is not flushed at the end. */
int blk_table_flush(struct blk_table *t) MUST_CHECK;
