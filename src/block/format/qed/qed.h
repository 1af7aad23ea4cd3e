/* QED: what its files share. See qed.c. */
#pragma once
#include "block/cache.h"
#include "block/format/table.h"

enum { QED_BACKING = 1, QED_NEED_CHECK = 2, QED_RAW_BACKING = 4, QED_FEATURES = 7 };
enum { QED_HEADER = 64, QED_ZERO = 1, QED_SLICE = 4096 };

struct qed {
	u8 header[QED_HEADER];
	u32 cluster, table_size, header_size; /* bytes, clusters, clusters */
	u64 features, table_entries, l1_at;
	struct blk_table l1; /* as many entries as the disk's size needs */
	struct cache *l2;
	u64 next; /* room for new clusters begins here */
};

/* A cluster, or the first of `clusters`, may lie at this offset. */
bool qed_offset_valid(const struct qed *s, u64 file_size, u64 at, u64 clusters);
/* Writes the header with the features and size as they are in the state. */
int qed_write_header(struct blk_node *node) MUST_CHECK;
/* The slice of an L2 table that holds the entry for a guest offset; *ret NULL: there is no table. */
int qed_l2_slice(struct blk_node *node, u64 offset, u8 **ret, void **ret_slice) MUST_CHECK;

/* ---- check.c ---- */
struct err *qed_check(struct blk_node *node, struct blk_check *res, u32 fix);

/* ---- create.c ---- */
struct err *qed_create(struct blk_create *c);
/* Header and backing file's name into `cluster` bytes at buf; 0 or -ENOSPC. */
int qed_put_backing(u8 *buf, u32 room, const char *file, const char *fmt) MUST_CHECK;
extern const struct blk_opt qed_opts[];
